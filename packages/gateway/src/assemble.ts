/** From a configuration to a gateway that can listen: the only file that knows every part. */

import { endpointPaths, type Log } from '@mcp-gatehouse/auth';
import { type AuditTrail, auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import { admission } from './admission.ts';
import { publicPlace, speaksSse } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import { readSecrets } from './config/secrets.ts';
import { withoutUndefined } from './config/without-undefined.ts';
import { type ServedServer, shortName } from './connect.ts';
import { type FrontPageFacts, frontPage } from './front-page.ts';
import { readiness } from './health.ts';
import { houseFrom } from './house-from.ts';
import { type GatewayServer, httpServer } from './http-server.ts';
import { defaultLimits } from './limits.ts';
import { openRecords } from './open-records.ts';
import { places } from './places.ts';
import { providerFrom } from './provider-from.ts';
import { resourceEndpoint } from './resource-endpoint.ts';
import { openTargets } from './targets.ts';
import { type Observation, observe } from './telemetry/observation.ts';

export interface Gateway {
  readonly http: GatewayServer;
  /** To be registered at the identity provider. */
  readonly callbackUrl: string;
  /** Rejects if nothing can be signed. */
  ready(): Promise<void>;
  readonly servers: readonly ServedServer[];
  /** Into the log, the counters and the audit trail. */
  readonly log: Log;
  readonly counters: AuditTrail['counters'];
  /** Port of the figures, if there are any. */
  listenForMetrics: Observation['listen'];
  /** Resolves once what outlived its request is done: for a runtime that is frozen between requests. */
  flush(): Promise<void>;
  /** Ends connections to targets and to the database; `http` is closed before by its owner. */
  close(): Promise<void>;
}

export interface AssembleOptions {
  readonly log: Log;
  readonly demo?: FrontPageFacts['demo'];
  readonly now?: () => number;
  /** What OpenTelemetry is switched on by; nothing unless given. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Rejects with everything closed again. */
export async function assemble(config: Config, options: AssembleOptions): Promise<Gateway> {
  const secrets = readSecrets(config);
  // Before anything is opened: a provider that is set up wrongly leaves no database behind.
  const provider = providerFrom(config.identityProvider, secrets.clientSecret, options.now);
  const records = await openRecords(config.records, options.now);
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { records: kept } = config.audit;
  const trail = auditTrail({ log: options.log, sinks: kept ? [recordSink({ records, ...kept })] : [], now });
  const closers = [() => records.close()];
  const close = async () => {
    for (const one of closers.toReversed()) await one();
  };
  try {
    const { log } = trail;
    closers.push(() => trail.close());
    const house = houseFrom(config, { ...options, secrets, provider, records, log });
    // Before the records: a session that is being renewed has still to be stored (REL-04).
    closers.push(() => house.close());
    const observation = await observe({
      ...observed(config),
      env: options.env ?? {},
      log,
      counters: trail.counters,
    });
    closers.push(() => observation.close());
    const targets = await openTargets(config, secrets, log);
    closers.push(() => targets.close());
    const limits = { ...defaultLimits, ...withoutUndefined(config.limits ?? {}) };
    const { here, elsewhere } = places(
      config,
      (resource, index) =>
        resourceEndpoint(resource, {
          ...{ issuer: config.issuer, house, keyring: secrets.keyring, limits, log },
          opened: targets.ofResource(index),
          targetSecret: secrets.targetSecrets[index],
        }),
      targets.at,
    );
    const servers = serversOf(config);
    const http = httpServer({
      gatehouse: house,
      here,
      elsewhere,
      frontPage: frontPage({
        servers,
        connections: endpointPaths(config.issuer).connections,
        ...(options.demo && { demo: options.demo }),
      }),
      admission: admission({
        issuer: config.issuer,
        resources: config.resources.map((one) => publicPlace(one, config.issuer).href),
        allowedOrigins: config.allowedOrigins,
        allowedHosts: config.allowedHosts,
      }),
      watch: observation.watch,
      log,
      limits,
      drain: { delaySeconds: config.listen.drainDelaySeconds, seconds: config.listen.drainSeconds },
      readiness: readiness({
        // A record that is not there: the read is what is asked.
        checks: { records: () => records.get('keySet', 'readyz'), keys: () => house.ready() },
        shown: targets.checks,
      }),
    });
    return {
      http,
      callbackUrl: house.callbackUrl,
      ready: () => house.ready(),
      servers,
      log,
      counters: trail.counters,
      listenForMetrics: observation.listen,
      async flush() {
        await house.flush();
        await trail.flush();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** MCP servers alone: an API is nothing to paste into a client. */
function serversOf({ issuer, resources }: Config): readonly ServedServer[] {
  const servers = resources
    .filter(({ kind }) => kind !== 'api')
    .map((resource) => {
      const { href, pathname } = publicPlace(resource, issuer);
      const transport = speaksSse(resource) ? 'sse' : 'http';
      return {
        name: resource.name ?? pathname,
        id: shortName(pathname),
        path: pathname,
        url: href,
        transport,
      } as const;
    });
  const clashes = ({ id }: ServedServer) => servers.filter((other) => other.id === id).length > 1;
  return servers.map((one) =>
    clashes(one) ? { ...one, id: `${one.id}-${shortName(new URL(one.url).hostname)}` } : one,
  );
}

/** What figures are counted by: names from the configuration, and none that a stranger sends. */
function observed({ issuer, resources, metrics }: Config) {
  const at = (one: Config['resources'][number]) => publicPlace(one, issuer);
  const toolNames = ({ tools = {} }: Config['resources'][number]) =>
    Object.keys(tools).filter((name) => !name.endsWith('*'));
  return {
    ...(metrics && { metrics }),
    publicOrigin: new URL(issuer).origin,
    paths: [
      ...resources.map((one) => at(one).pathname),
      ...Object.values(endpointPaths(issuer)),
      '/healthz',
      '/readyz',
      '/',
    ],
    openPrefixes: resources.flatMap((one) => [
      ...(one.kind === 'api' ? [`${at(one).pathname}/`] : []),
      ...one.open.map(({ path }) => path.replace(/\/?$/, '/')),
    ]),
    tools: Object.fromEntries(resources.map((one) => [at(one).href, toolNames(one)])),
  };
}
