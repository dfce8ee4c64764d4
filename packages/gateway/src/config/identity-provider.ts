/** Who signs people in, as the configuration names it: Cognito, any OpenID provider, and the well-known ones by name. */
import * as z from 'zod';
import { providerOrigin, providerUrl, secretReference } from './values.ts';

const claimPath = z
  .union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).min(1).max(5)])
  .describe('The claim that holds the groups; a list is the way to one inside others.');

const everyProvider = {
  clientId: z.string().min(1).describe('Our client at the provider.'),
  scope: z.array(z.string().min(1)).optional().describe('Scopes to ask for beside the provider’s own.'),
  name: z.string().min(1).max(80).optional().describe('What people call the sign-in.'),
  timeoutSeconds: z
    .number()
    .positive()
    .max(14)
    .optional()
    .describe('Seconds for one answer of the provider; 10. A sign-in or a renewal takes at most twice as long.'),
};
const preset = { ...everyProvider, clientSecret: secretReference, groupsClaim: claimPath.optional() };

export const identityProvider = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cognito'),
    ...everyProvider,
    userPoolId: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d+_[A-Za-z0-9]{1,55}$/, 'must be of the form eu-central-1_AbCdEf123'),
    domain: providerOrigin.describe('The user pool domain, https://….'),
    clientSecret: secretReference.optional(),
    issuerForm: z
      .enum(['original', 'updated'])
      .optional()
      .describe('Which issuer the pool uses: cognito-idp… (original, the default) or issuer-cognito-idp… (updated).'),
    issuerOrigin: providerOrigin.optional().describe('Origin of the issuer of a pool that is not Amazon’s.'),
  }),
  z.strictObject({
    type: z.literal('oidc'),
    ...everyProvider,
    issuer: providerUrl.describe('Exactly as in the provider’s discovery document.'),
    clientSecret: secretReference.optional(),
    clientAuthentication: z.enum(['basic', 'post']).optional().describe('How the secret is sent; basic unless given.'),
    offline: z
      .boolean()
      .optional()
      .describe('Asks for a refresh token: the scope offline_access and prompt=consent (OpenID Connect Core §11).'),
    authorizationParameters: z
      .record(z.string(), z.string())
      .optional()
      .describe('Further fixed parameters of the authorization request, such as access_type.'),
    groupsClaim: claimPath.optional(),
    requiredClaims: z
      .record(z.string().min(1), z.string())
      .optional()
      .describe('Claims an id_token must have with exactly this value; others are refused.'),
  }),
  z.strictObject({
    type: z.literal('google'),
    ...preset,
    hostedDomain: z.string().min(1).optional().describe('Only people of this Workspace domain.'),
  }),
  z.strictObject({
    type: z.literal('auth0'),
    ...preset,
    domain: z.string().min(1).describe('The tenant’s domain, such as example.eu.auth0.com.'),
  }),
  z.strictObject({
    type: z.literal('okta'),
    ...preset,
    domain: z.string().min(1).describe('The org’s domain, such as example.okta.com.'),
    authorizationServer: z
      .string()
      .min(1)
      .optional()
      .describe('A custom authorization server, such as default; the org’s own unless given.'),
  }),
  z.strictObject({
    type: z.literal('entra'),
    ...preset,
    tenant: z.string().min(1).describe('The directory (tenant) id, a GUID.'),
    authority: providerOrigin.optional().describe('Of a national cloud; https://login.microsoftonline.com.'),
  }),
  z.strictObject({
    type: z.literal('keycloak'),
    ...preset,
    baseUrl: providerUrl.describe('Where Keycloak is, such as https://sso.example.com.'),
    realm: z.string().min(1).describe('The realm’s name.'),
    groupsFrom: z.enum(['groups', 'realm-roles']).optional().describe('What the groups are; groups unless given.'),
  }),
  z.strictObject({
    type: z.literal('github'),
    ...everyProvider,
    clientSecret: secretReference,
    baseUrl: providerOrigin.optional().describe('GitHub Enterprise; https://github.com unless given.'),
  }),
]);
