/** The section of the configuration that an API Gateway's Lambda authorizer reads. */
import * as z from 'zod';
import { roleRules } from './values.ts';

const name = z.string().min(1).max(256);
const names = z.union([name, z.array(name).min(1)]);
const url = z.url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' });

/** Whose access tokens count beside our own. */
export const foreignIssuer = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cognito'),
    userPoolId: z.string().min(1).describe('The user pool, such as eu-central-1_AbCdEf123.'),
    clientIds: z.array(name).min(1).describe('The app clients whose tokens count.'),
    issuerForm: z
      .enum(['original', 'updated'])
      .optional()
      .describe('Which issuer the pool uses; original unless given.'),
    issuerOrigin: url.optional().describe('Origin of the issuer of a pool that is not Amazon’s.'),
    scopePrefix: name.optional().describe('The resource server’s identifier and a slash, cut from its scopes.'),
    // Other issuers' people are no users of ours, and the library asks no rule about them one by one.
    roleRules: roleRules
      .omit({ users: true })
      .optional()
      .describe('What the pool’s groups come to; unless given, each is a role of its name.'),
  }),
  z.strictObject({
    type: z.literal('auth0'),
    domain: z.string().min(1).describe('The tenant’s domain or a custom one: example.eu.auth0.com.'),
    audience: name.describe('The API’s identifier.'),
    clientIds: z.array(name).min(1).optional().describe('The applications whose tokens count; all unless given.'),
    issuerOrigin: url.optional().describe('Origin of a tenant that is not Auth0’s.'),
  }),
  z.strictObject({
    type: z.literal('oidc'),
    issuer: url.describe('Exactly as in the issuer’s discovery document.'),
    audience: name.describe('What its tokens for us say in `aud`.'),
    clientIds: z.array(name).min(1).optional().describe('The clients whose tokens count; all unless given.'),
  }),
]);

export const authorizerSettings = z.strictObject({
  resource: z
    .string()
    .min(1)
    .optional()
    .describe('Path (or url) of the resource that is guarded; needed where there are several.'),
  needs: z
    .strictObject({ scope: names.optional(), permission: names.optional(), role: names.optional() })
    .default({})
    .describe('What every call of the stage needs beside a valid token. Everything that is listed.'),
  keys: z
    .enum(['issuer', 'records', 'none'])
    .default('issuer')
    .describe(
      'Where the keys of our own tokens are: fetched from the issuer (the default), read in the records, where a revoked grant is seen too, or none: only `issuers` count.',
    ),
  issuers: z.array(foreignIssuer).max(20).default([]).describe('Other issuers whose tokens count beside our own.'),
});
