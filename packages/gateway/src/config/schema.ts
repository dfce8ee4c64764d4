/** The gateway's configuration: one schema, unknown keys refused, every fault with its path. */
import { publicUrlFaults } from '@mcp-gatehouse/auth';
import * as z from 'zod';
import { isLoopbackHost } from '../loopback.ts';

/** A secret is never written in the configuration, only where it is found. */
const secretReference = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: 'must be { "env": "NAME" } or { "file": "path" }: secrets never stand in the configuration itself',
  })
  .describe('Where a secret is found: an environment variable, or a file whose last newline is dropped.');

export type SecretReference = z.infer<typeof secretReference>;

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' });
/** A place of the operator's own: the value is not shown, because a password in it would be. */
const targetUrl = httpUrl.refine((text) => {
  if (!URL.canParse(text)) return true; // said already
  const { username, password, hash } = new URL(text);
  return username === '' && password === '' && hash === '';
}, 'must have no user and no fragment');
const openTargetUrl = targetUrl.refine(
  (text) => !URL.canParse(text) || new URL(text).search === '',
  'must have no query',
);
/** An identity provider: over TLS, or on this computer. */
const providerUrl = httpUrl.refine((text) => {
  if (!URL.canParse(text)) return true; // said already
  const { protocol, hostname, search, hash } = new URL(text);
  return (protocol === 'https:' || isLoopbackHost(hostname)) && search === '' && hash === '';
}, 'must be https (plain http is for localhost), without query and fragment');
const providerOrigin = providerUrl.refine(
  (text) => !URL.canParse(text) || [new URL(text).origin, `${new URL(text).origin}/`].includes(text),
  'must be an origin such as https://login.example.com, without a path',
);
/** What clients compare byte for byte. */
const publicUrl = z.string().superRefine((text, context) => {
  for (const fault of publicUrlFaults(text)) context.addIssue({ code: 'custom', message: fault });
});
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
  target: targetUrl.describe('The MCP server: a Streamable HTTP endpoint.'),
  scopes: z
    .record(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'is no scope'), z.string().min(1))
    .default({ mcp: 'use its tools on your behalf' })
    .describe('Every scope, and in words what it lets a client do (“It will be able to …”).'),
  defaultScope: z.array(z.string()).optional().describe('The scope to ask for first; all of them unless given.'),
  targetSecret: secretReference
    .optional()
    .describe('Sent to the target as x-gatehouse-secret, so that it can refuse everybody else.'),
  open: z
    .array(
      z.strictObject({
        path: path.describe('Public path; everything below it is open.'),
        target: openTargetUrl.describe('Where it leads: the rest of the path is appended.'),
      }),
    )
    .default([])
    .describe('Paths below which GET is forwarded without a token or an identity, such as signed downloads.'),
});

const identityProvider = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cognito'),
    userPoolId: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d+_[A-Za-z0-9]{1,55}$/, 'must be of the form eu-central-1_AbCdEf123'),
    domain: providerOrigin.describe('The user pool domain, https://….'),
    clientId: z.string().min(1).describe('Our app client at the user pool.'),
    clientSecret: secretReference.optional(),
    scope: z.array(z.string().min(1)).optional().describe('Scopes to ask for beside openid.'),
    issuerForm: z
      .enum(['original', 'updated'])
      .optional()
      .describe('Which issuer the pool uses: cognito-idp… (original, the default) or issuer-cognito-idp… (updated).'),
    issuerOrigin: providerOrigin.optional().describe('Origin of the issuer of a pool that is not Amazon’s.'),
    name: z.string().min(1).max(80).optional().describe('What people call the sign-in; its host unless given.'),
  }),
  z.strictObject({
    type: z.literal('oidc'),
    issuer: providerUrl.describe('Exactly as in the provider’s discovery document.'),
    clientId: z.string().min(1).describe('Our client at the provider.'),
    clientSecret: secretReference.optional(),
    scope: z.array(z.string().min(1)).optional().describe('Scopes to ask for beside openid.'),
    name: z.string().min(1).max(80).optional().describe('What people call the sign-in; its host unless given.'),
  }),
]);

const records = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('memory') }),
  z.strictObject({
    type: z.literal('sqlite'),
    file: z.string().min(1).describe('The database; its folder is made if it is missing.'),
  }),
]);

const configuredClient = z.strictObject({
  id: z.string().min(1).max(128),
  name: z.string().min(1).max(200).optional().describe('Stands on the consent page, as known here.'),
  secret: secretReference.optional(),
  jwksUri: httpUrl.optional().describe('Where its public keys are, for private_key_jwt.'),
  redirectUris: z.array(z.string().min(1)).optional(),
  grantTypes: z.array(z.string().min(1)).optional().describe('authorization_code and refresh_token unless given.'),
  scope: z.array(z.string().min(1)).optional().describe('The most it may be granted.'),
  claims: z.record(z.string(), z.json()).optional().describe('Further claims of the tokens it gets for itself.'),
  introspects: z.array(path).optional().describe('Paths of the resources whose tokens it may introspect.'),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  issuer: publicUrl.describe('The public URL of the authorization server, without a trailing slash.'),
  listen: z
    .strictObject({
      port: z
        .int()
        .min(0)
        .max(65_535)
        .optional()
        .describe(
          'Port to listen on; unless given, the one written in the issuer, else 80 for http and 8080 for https.',
        ),
      host: z.string().min(1).default('127.0.0.1').describe('Address to listen on; 0.0.0.0 for all of them.'),
    })
    .prefault({}),
  resources: z.array(resource).min(1).describe('The MCP servers behind the gateway.'),
  identityProvider: identityProvider.describe('Who signs people in.'),
  records: records.describe('Where grants and keys are kept. In memory, a restart forgets everybody.'),
  secrets: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9]{1,16}$/, 'must be 1 to 16 letters or digits'),
        secret: secretReference,
      }),
    )
    .min(1)
    .describe('The first makes new values, all are accepted. At least 32 random bytes each.'),
  signing: z
    .enum(['ES256', 'RS256', 'EdDSA'])
    .optional()
    .describe('Algorithm of the first signing key; ES256 unless given. `gatehouse keys rotate` changes it later.'),
  clients: z
    .array(configuredClient)
    .default([])
    .describe('Clients that are known beforehand: confidential ones, and machines that act for themselves.'),
  registration: z
    .enum(['stateless', 'stored'])
    .optional()
    .describe(
      'How clients that register themselves are kept: in their own id (the default), or in the records for 30 days without use.',
    ),
  metadataDocuments: z
    .strictObject({ allow: z.array(z.string().min(1)).optional(), deny: z.array(z.string().min(1)).optional() })
    .optional()
    .describe(
      'Switches on clients whose id is the address of their metadata document (CIMD). Hosts: `example.com`, `*.example.com`.',
    ),
  lifetimes: z
    .strictObject({
      accessTokenSeconds: seconds
        .max(24 * 3600)
        .describe('An access token; 900 unless given. Below 120, clients that refresh early do so before every call.'),
      codeSeconds: seconds.max(600).describe('An authorization code; 60.'),
      refreshIdleSeconds: seconds.describe('A refresh token nobody uses; 30 days.'),
      grantSeconds: seconds.describe('A grant, however often it is refreshed; a year.'),
      graceSeconds: z
        .int()
        .min(0)
        .max(600)
        .describe('How long the refresh token before the current one is answered again; 60.'),
      graceReplays: z.int().min(0).max(100).describe('How often; 10.'),
      consentSeconds: seconds.describe('An open consent page; 30 minutes.'),
      signInSeconds: seconds.describe('From the consent to the way back from the identity provider; 10 minutes.'),
    })
    .partial()
    .default({})
    .describe('How long things live.'),
  allowedOrigins: z
    .array(
      z
        .string()
        .refine(
          (text) => URL.canParse(text) && new URL(text).origin === text,
          'must be an origin as browsers send it, such as https://app.example.com',
        ),
    )
    .default([])
    .describe('Web pages elsewhere whose browsers may call the MCP endpoints, beside our own origin.'),
  allowedHosts: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/, 'must be a host, with a port or without'),
    )
    .default([])
    .describe('Further Host headers to answer to, such as a health check’s.'),
});

export type Config = z.infer<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type ResourceConfig = Config['resources'][number];
