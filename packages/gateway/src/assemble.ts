/** From a configuration to a gateway that can listen: the only file that knows every part. */

import {
  type AuthRecords,
  type Budgets,
  endpointPaths,
  gatehouse,
  type IdentityProvider,
  type KnownClient,
  type Log,
  type Resource,
} from '@mcp-gatehouse/auth';
import { type AuditTrail, auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import { toolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import type { Records } from '@mcp-gatehouse/records';
import { admission } from './admission.ts';
import { ConfigError } from './config/load.ts';
import { publicPlace, type ResourceConfig, resourceUri } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import { readSecrets, type Secrets } from './config/secrets.ts';
import { toolRules } from './config/tool-rules.ts';
import { withoutUndefined } from './config/without-undefined.ts';
import { type FrontPageFacts, frontPage } from './front-page.ts';
import { readiness } from './health.ts';
import { type GatewayServer, httpServer } from './http-server.ts';
import { callsInFlight, defaultLimits } from './limits.ts';
import { mcpEndpoint } from './mcp-endpoint.ts';
import { openRecords } from './open-records.ts';
import { places } from './places.ts';
import { providerFrom } from './provider-from.ts';
import { openTargets } from './targets.ts';

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
  const provider = providerFrom(config.identityProvider, secrets.clientSecret, options.now);
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
  const resources = config.resources.map((resource) => asResource(resource, config.issuer));
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
        introspects: introspects.map((place) => (place.startsWith('/') ? origin + place : place)),
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
  const targets = openTargets(config, secrets);
  const { elsewhere, ...here } = places(
    config,
    (resource, index) => {
      const uri = resourceUri(resource, config.issuer);
      return mcpEndpoint({
        resource: uri,
        guard: house.guard(uri),
        target: targets.ofResource(index),
        targetSecret: secrets.targetSecrets[index],
        publicOrigin: new URL(uri).origin,
        calls: callsInFlight(limits),
        ...(toolPolicies[index] && { tools: toolPolicies[index] }),
        log,
      });
    },
    targets.at,
  );
  const servers = config.resources.map((resource) => {
    const { href, pathname } = publicPlace(resource, config.issuer);
    return { name: resource.name ?? pathname, path: pathname, url: href };
  });
  const http = httpServer({
    gatehouse: house,
    ...here,
    elsewhere,
    frontPage: frontPage({ servers, connections: endpointPaths(config.issuer).connections, ...(demo && { demo }) }),
    admission: admission({
      issuer: config.issuer,
      resources: resources.map(({ uri }) => uri),
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
      await targets.close();
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

function asResource(config: ResourceConfig, issuer: string): Resource {
  const { name, scopes, defaultScope } = config;
  return {
    uri: resourceUri(config, issuer),
    scopes,
    ...(name !== undefined && { name }),
    ...(defaultScope && { defaultScope }),
  };
}

function deeplyWithoutUndefined(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === undefined ? [] : [[name, deeplyWithoutUndefined(one)]])),
  );
}
