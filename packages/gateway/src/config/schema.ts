/** The gateway's configuration: one schema, unknown keys refused, every fault with its path. */
import * as z from 'zod';

/** A secret is never written in the configuration, only where it is found. */
const secretReference = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: 'must be { "env": "NAME" } or { "file": "path" }: secrets never stand in the configuration itself',
  })
  .describe('Where a secret is found: an environment variable, or a file whose last newline is dropped.');

export type SecretReference = z.infer<typeof secretReference>;

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' });
const path = z
  .string()
  .regex(/^(\/[A-Za-z0-9._~-]+)+\/?$/, 'must be a path such as /ankify/mcp, of plain characters')
  .refine((text) => !/(^|\/)\.{1,2}(\/|$)/.test(text), 'must hold no dot segments');
const seconds = z.int().min(1);

const resource = z.strictObject({
  path: path
    .refine((text) => !text.endsWith('/'), 'must not end with a slash')
    .describe('Public path of the MCP endpoint, below the origin of the issuer.'),
  name: z.string().min(1).max(80).optional().describe('What a person calls it; stands on the consent page.'),
  target: httpUrl.describe('The MCP server: a Streamable HTTP endpoint.'),
  scopes: z
    .record(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope'), z.string().min(1))
    .default({ mcp: 'use its tools on your behalf' })
    .describe('Every scope, and in words what it lets a client do (“It will be able to …”).'),
  defaultScope: z.array(z.string()).optional().describe('The scope to ask for first; all of them unless given.'),
  targetSecret: secretReference
    .optional()
    .describe('Sent to the target as x-gatehouse-secret, so that it can refuse everybody else.'),
  open: z
    .array(z.strictObject({ path, target: httpUrl }))
    .default([])
    .describe('Paths below which GET is forwarded without a token or an identity, such as signed downloads.'),
});

const identityProvider = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cognito'),
    userPoolId: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d+_[A-Za-z0-9]{1,55}$/, 'must be of the form eu-central-1_AbCdEf123'),
    domain: httpUrl.describe('The user pool domain, https://….'),
    clientId: z.string().min(1),
    clientSecret: secretReference.optional(),
    scope: z.array(z.string().min(1)).optional(),
    issuerForm: z.enum(['original', 'updated']).optional(),
    issuerOrigin: httpUrl.optional(),
    name: z.string().min(1).max(80).optional(),
  }),
  z.strictObject({
    type: z.literal('oidc'),
    issuer: httpUrl,
    clientId: z.string().min(1),
    clientSecret: secretReference.optional(),
    scope: z.array(z.string().min(1)).optional(),
    name: z.string().min(1).max(80).optional(),
  }),
]);

const records = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('memory') }),
  z.strictObject({ type: z.literal('sqlite'), file: z.string().min(1) }),
]);

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  issuer: httpUrl.describe('The public URL of the authorization server, without a trailing slash.'),
  listen: z
    .strictObject({
      port: z.int().min(0).max(65_535).optional(),
      host: z.string().min(1).default('127.0.0.1'),
    })
    .prefault({}),
  resources: z.array(resource).min(1),
  identityProvider,
  records,
  secrets: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9]{1,16}$/, 'must be 1 to 16 letters or digits'),
        secret: secretReference,
      }),
    )
    .min(1)
    .describe('The first makes new values, all are accepted. At least 32 random bytes each.'),
  lifetimes: z
    .strictObject({
      accessTokenSeconds: seconds.max(24 * 3600),
      codeSeconds: seconds.max(600),
      refreshIdleSeconds: seconds,
      grantSeconds: seconds,
      graceSeconds: z.int().min(0).max(600),
      graceReplays: z.int().min(0).max(100),
      consentSeconds: seconds,
      signInSeconds: seconds,
    })
    .partial()
    .default({}),
  allowedOrigins: z
    .array(z.string().regex(/^https?:\/\/[^/\s]+$/, 'must be an origin such as https://app.example.com'))
    .default([])
    .describe('Web pages elsewhere whose browsers may call the MCP endpoints, beside our own origin.'),
  allowedHosts: z
    .array(z.string().min(1))
    .default([])
    .describe('Further Host headers to answer to, such as a health check’s.'),
});

export type Config = z.infer<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type ResourceConfig = Config['resources'][number];
