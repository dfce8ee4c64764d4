/** The gateway's configuration: one schema, unknown keys refused, every fault with its path. */
import { budgetedEndpoints } from '@mcp-gatehouse/auth';
import * as z from 'zod';
import { authorizerSettings } from './authorizer-settings.ts';
import { identityProvider } from './identity-provider.ts';
import { records } from './records.ts';
import { resource } from './resource.ts';
import { httpUrl, path, providerUrl, publicUrl, roleRules, seconds, secretReference } from './values.ts';

export type { ResourceConfig } from './resource.ts';
export type { SecretReference } from './values.ts';

const configuredClient = z.strictObject({
  id: z.string().min(1).max(128),
  name: z.string().min(1).max(200).optional().describe('Stands on the consent page, as known here.'),
  secret: secretReference.optional(),
  jwksUri: httpUrl.optional().describe('Where its public keys are, for private_key_jwt.'),
  redirectUris: z.array(z.string().min(1)).optional(),
  grantTypes: z.array(z.string().min(1)).optional().describe('authorization_code and refresh_token unless given.'),
  scope: z.array(z.string().min(1)).optional().describe('The most it may be granted.'),
  claims: z.record(z.string(), z.json()).optional().describe('Further claims of the tokens it gets for itself.'),
  introspects: z
    .array(z.union([path, publicUrl]))
    .optional()
    .describe('Paths (or urls) of the resources whose tokens it may introspect.'),
});

const allowance = z.strictObject({ burst: z.int().min(1), perMinute: z.number().positive() });
const budget = z.union(
  [z.literal(false), z.strictObject({ total: allowance.optional(), perKey: allowance.optional() })],
  { error: 'must be false, or { total, perKey }, each as { burst: 20, perMinute: 60 }' },
);

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
      drainDelaySeconds: z
        .int()
        .min(0)
        .max(300)
        .optional()
        .describe('After SIGTERM, how long /readyz says 503 before the port is closed; 0 unless given.'),
      drainSeconds: z
        .int()
        .min(1)
        .max(900)
        .optional()
        .describe('Then, how long requests in flight may take before they are cut; 10 unless given.'),
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
    .enum(['stateless', 'stored', 'off'])
    .optional()
    .describe(
      'How clients that register themselves are kept: in their own id (the default), or in the records for 30 days without use; `off`: nobody does, and whoever did is unknown.',
    ),
  redirectHosts: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'Where answers may go for clients that are not listed in `clients`: `claude.ai`, `*.example.com`, `localhost`, `cursor:`. Anywhere unless given.',
    ),
  assertionIssuers: z
    .array(
      z.strictObject({
        issuer: providerUrl.describe('Exactly as in its assertions.'),
        jwksUri: httpUrl.describe('Where its public keys are; https, at no private address.'),
      }),
    )
    .default([])
    .describe('Identity providers whose ID-JAG is accepted (enterprise-managed authorization).'),
  roles: roleRules
    .optional()
    .describe('Who may do what: tokens carry the roles and permissions, and targets are told.'),
  people: z
    .strictObject({
      users: z.array(z.string()).optional().describe('By the `sub` of their tokens; `gatehouse users` shows it.'),
      groups: z.array(z.string()).optional().describe('By a group at the identity provider.'),
      emailDomains: z
        .array(z.string())
        .optional()
        .describe('By the domain of an e-mail address that the provider says is verified: example.com, *.example.com.'),
    })
    .optional()
    .describe('Who may come in at all; one match admits. Everybody whom the identity provider signs in unless given.'),
  metrics: z
    .strictObject({
      port: z.int().min(0).max(65_535).describe('Port of /metrics, for Prometheus.'),
      host: z
        .string()
        .min(1)
        .optional()
        .describe('Address to listen on; 127.0.0.1 unless given. Nobody is asked who they are there.'),
    })
    .optional()
    .describe('Figures for Prometheus on a port of their own. OpenTelemetry is switched on by its OTEL_ variables.'),
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
      identityCheckSeconds: seconds.describe('How often the identity provider is asked about a person again; an hour.'),
      identityStaleSeconds: seconds.describe(
        'How long refreshes go on while the identity provider cannot be asked; 7 days. Then they wait for it.',
      ),
      unconfirmedSeconds: seconds.describe(
        'A grant of somebody the identity provider cannot be asked about (it gave no refresh token); 30 days.',
      ),
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
  budgets: z
    .partialRecord(z.enum(budgetedEndpoints), budget)
    .default({})
    .describe('How much of what anybody may ask for each process answers; false: without a limit.'),
  limits: z
    .strictObject({
      callsPerCaller: z
        .int()
        .min(1)
        .max(1_000_000)
        .describe('In flight of one client for one person at one resource, streams among them; 100 unless given.'),
      callsPerResource: z.int().min(1).max(1_000_000).describe('In flight of everybody at one resource; 5000.'),
      requestsPerEndpoint: z
        .int()
        .min(1)
        .max(1_000_000)
        .describe('Worked at by each endpoint of the authorization server; 500.'),
      requestSeconds: seconds.max(300).describe('The longest that one of those may take; 15.'),
      stalledSeconds: seconds.max(3600).describe('How long a client may take nothing of an answer that waits; 60.'),
      connections: z.int().min(1).max(1_000_000).describe('Sockets of clients; 20000.'),
    })
    .partial()
    .optional()
    .describe('How much may be under way at once, in each process.'),
  audit: z
    .strictObject({
      records: z
        .union(
          [
            z.literal(false),
            z.strictObject({
              days: z.int().min(1).max(3650).default(90).describe('How long each is kept; 90.'),
              openPerMinute: z
                .int()
                .min(0)
                .default(120)
                .describe('How many a minute each instance stores of each of those that anybody can cause; 120.'),
            }),
          ],
          { error: 'must be false, or { days, openPerMinute }; leave it out for 90 days' },
        )
        .prefault({})
        .describe('Keeps audit events in the records, for `gatehouse audit`; false switches it off.'),
    })
    .prefault({})
    .describe('What is kept of security-relevant events (docs/events.md), beside the log.'),
  authorizer: authorizerSettings
    .optional()
    .describe('What the Lambda authorizer of an API Gateway reads; the gateway itself does not.'),
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
