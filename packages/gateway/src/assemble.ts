/** From a configuration to a gateway that can listen: the only file that knows every part. */

import {
  type Auth0Options,
  type AuthRecords,
  auth0,
  type Budgets,
  type CognitoOptions,
  cognito,
  type EntraOptions,
  endpointPaths,
  entra,
  type GithubOptions,
  type GoogleOptions,
  gatehouse,
  github,
  google,
  type IdentityProvider,
  type KeycloakOptions,
  type KnownClient,
  keycloak,
  type Log,
  type OidcOptions,
  type OktaOptions,
  oidc,
  okta,
  type Resource,
} from '@mcp-gatehouse/auth';
import { type AuditTrail, auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import { toolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import type { Records } from '@mcp-gatehouse/records';
import { admission } from './admission.ts';
import { ConfigError } from './config/load.ts';
import type { Config, ResourceConfig } from './config/schema.ts';
import { readSecrets, type Secrets } from './config/secrets.ts';
import { toolRules } from './config/tool-rules.ts';
import { withoutUndefined } from './config/without-undefined.ts';
import { type FrontPageFacts, frontPage } from './front-page.ts';
import { readiness } from './health.ts';
import { type GatewayServer, httpServer } from './http-server.ts';
import { callsInFlight, defaultLimits } from './limits.ts';
import { mcpEndpoint } from './mcp-endpoint.ts';
import { openPath } from './open-path.ts';
import { openRecords } from './open-records.ts';
import { openTarget } from './proxy/forward.ts';

export interface Gateway {
  readonly http: GatewayServer;
  /** To be registered at the identity provider. */
  readonly callbackUrl: string;
  /** Rejects if nothing can be signed. */
  ready(): Promise<void>;
  readonly servers: FrontPageFacts['servers'];
  /** Into the log, the counters and the audit trail. */
  readonly log: Log;
  readonly counters: AuditTrail['counters'];
  /** Ends connections to targets and to the database; `http` is closed before by its owner. */
  close(): Promise<void>;
}

export interface AssembleOptions {
  readonly log: Log;
  readonly demo?: FrontPageFacts['demo'];
  readonly now?: () => number;
}

export async function assemble(config: Config, options: AssembleOptions): Promise<Gateway> {
  const secrets = readSecrets(config);
  // Before anything is opened: a provider that is set up wrongly leaves no database behind.
  const provider = identityProvider(config.identityProvider, secrets.clientSecret, options.now);
  const records = await openRecords(config.records, options.now);
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { records: kept } = config.audit;
  const trail = auditTrail({ log: options.log, sinks: kept ? [recordSink({ records, ...kept })] : [], now });
  try {
    return connect(config, { ...options, log: trail.log }, secrets, provider, records, trail);
  } catch (error) {
    await records.close();
    throw error;
  }
}

function connect(
  config: Config,
  { log, demo, now }: AssembleOptions,
  secrets: Secrets,
  provider: IdentityProvider,
  records: Records<AuthRecords>,
  trail: AuditTrail,
): Gateway {
  const { origin } = new URL(config.issuer);
  const resources = config.resources.map((resource) => asResource(resource, origin));
  const toolPolicies = config.resources.map((one) => (one.tools ? toolPolicy(toolRules(one)) : undefined));
  const house = inWords(() =>
    gatehouse({
      issuer: config.issuer,
      resources,
      identityProvider: provider,
      records,
      secrets: secrets.keyring,
      lifetimes: withoutUndefined(config.lifetimes),
      clients: config.clients.map(({ introspects = [], secret: _, ...client }, index) => ({
        ...(withoutUndefined(client) as Omit<KnownClient, 'secret'>),
        ...(secrets.clientSecrets[index] !== undefined && { secret: secrets.clientSecrets[index] }),
        introspects: introspects.map((path) => origin + path),
      })),
      ...(config.signing && { signing: config.signing }),
      ...(config.registration && { registration: config.registration }),
      ...(config.redirectHosts && { redirectHosts: config.redirectHosts }),
      assertionIssuers: config.assertionIssuers,
      budgets: deeplyWithoutUndefined(config.budgets) as Budgets,
      ...(config.roles && { roles: withoutUndefined(config.roles) }),
      ...(config.metadataDocuments && { metadataDocuments: { domains: withoutUndefined(config.metadataDocuments) } }),
      log,
      ...(now && { now }),
    }),
  );

  const limits = { ...defaultLimits, ...withoutUndefined(config.limits ?? {}) };
  const targets = new Map(
    config.resources
      .flatMap(({ target, open }) => [target, ...open.map((one) => one.target)])
      .map((url) => [url, openTarget(url)]),
  );
  const target = (url: string) => targets.get(url) as ReturnType<typeof openTarget>;
  const mcpEndpoints = new Map(
    config.resources.map((resource, index) => [
      resource.path,
      mcpEndpoint({
        resource: origin + resource.path,
        guard: house.guard(origin + resource.path),
        target: target(resource.target),
        targetSecret: secrets.targetSecrets[index],
        publicOrigin: origin,
        calls: callsInFlight(limits),
        ...(toolPolicies[index] && { tools: toolPolicies[index] }),
        log,
      }),
    ]),
  );
  // The longest first: of `/files` and `/files/special` each gets what is its own.
  const openPaths = config.resources
    .flatMap(({ open }) => open.map((one) => openPath(one.path, target(one.target), origin)))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  const servers = config.resources.map(({ name, path }) => ({ name: name ?? path, path, url: origin + path }));
  const http = httpServer({
    gatehouse: house,
    mcpEndpoints,
    openPaths,
    frontPage: frontPage({ servers, connections: endpointPaths(config.issuer).connections, ...(demo && { demo }) }),
    admission: admission({
      issuer: config.issuer,
      allowedOrigins: config.allowedOrigins,
      allowedHosts: config.allowedHosts,
    }),
    log,
    limits,
    drain: { delaySeconds: config.listen.drainDelaySeconds, seconds: config.listen.drainSeconds },
    readiness: readiness({
      // A record that is not there: the read is what is asked.
      checks: { records: () => records.get('keySet', 'readyz'), keys: () => house.ready() },
    }),
  });
  return {
    http,
    callbackUrl: house.callbackUrl,
    ready: () => house.ready(),
    servers,
    log,
    counters: trail.counters,
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.destroy()));
      // Before the records: a session that is being renewed has still to be stored (REL-04).
      await house.close();
      await trail.close();
      await records.close();
    },
  };
}

/** What only the library can judge is a fault of the configuration too, and no bug. */
function inWords<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError) || !error.message.startsWith('Gatehouse cannot start:')) throw error;
    throw new ConfigError('The configuration', error.message.split('\n- ').slice(1));
  }
}

function asResource({ path, name, scopes, defaultScope }: ResourceConfig, origin: string): Resource {
  return { uri: origin + path, scopes, ...(name !== undefined && { name }), ...(defaultScope && { defaultScope }) };
}

function identityProvider(
  config: Config['identityProvider'],
  secret: string | undefined,
  now?: () => number,
): IdentityProvider {
  const { type, clientSecret: _, ...rest } = config;
  // The schema has said what is there; absent and undefined are told apart from here on.
  const given: unknown = { ...withoutUndefined(rest), ...(secret !== undefined && { clientSecret: secret }) };
  try {
    switch (type) {
      case 'cognito':
        return cognito(given as CognitoOptions);
      case 'oidc':
        return oidc(given as OidcOptions);
      case 'google':
        return oidc(google(given as GoogleOptions));
      case 'auth0':
        return oidc(auth0(given as Auth0Options));
      case 'okta':
        return oidc(okta(given as OktaOptions));
      case 'entra':
        return oidc(entra(given as EntraOptions));
      case 'keycloak':
        return oidc(keycloak(given as KeycloakOptions));
      case 'github':
        return github({ ...(given as GithubOptions), ...(now && { now }) });
    }
  } catch (error) {
    // The presets name the option that is wrong.
    if (!(error instanceof TypeError) || !/^[a-zA-Z]+: /.test(error.message)) throw error;
    throw new ConfigError('The configuration', [`identityProvider.${error.message}`]);
  }
}

function deeplyWithoutUndefined(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === undefined ? [] : [[name, deeplyWithoutUndefined(one)]])),
  );
}
