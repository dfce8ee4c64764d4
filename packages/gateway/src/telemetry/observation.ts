/** Everything that looks at a gateway's work, from its settings: spans and figures for OpenTelemetry, figures for Prometheus. */
import { readFileSync } from 'node:fs';
import type { Log } from '@mcp-gatehouse/auth';
import type { AuditTrail } from '@mcp-gatehouse/auth/audit';
import { noMeasures, openMeasures, type Recorder, routeNames } from './measures.ts';
import { startMetricsServer } from './metrics-server.ts';
import { processFigures } from './process-figures.ts';
import { openRegistry } from './registry.ts';
import { startTelemetry } from './telemetry.ts';
import { type Watch, watch } from './watch.ts';

export interface ObservationOptions {
  /** Of the process; without the variables of OpenTelemetry it stays off. */
  readonly env: NodeJS.ProcessEnv;
  /** Undefined: no Prometheus. */
  readonly metrics?: { readonly port: number; readonly host?: string | undefined } | undefined;
  readonly publicOrigin: string;
  /** Paths that are counted by their name: of resources, of the authorization server, of health. */
  readonly paths: Iterable<string>;
  /** And those below which everything is one. */
  readonly openPrefixes?: readonly string[];
  /** By resource, the tools that its configuration names. */
  readonly tools: Readonly<Record<string, readonly string[]>>;
  readonly log: Log;
  readonly counters: AuditTrail['counters'];
}

export interface Observation {
  readonly watch: Watch;
  /** Port of `/metrics`; undefined: there is none. Rejects with the error of `listen`. */
  listen(): Promise<number | undefined>;
  /** Sends what there is; never rejects, and takes seconds at most. */
  close(): Promise<void>;
}

/** Rejects, in words for the operator, where OpenTelemetry is asked for and not installed. */
export async function observe(options: ObservationOptions): Promise<Observation> {
  const { env, metrics, publicOrigin, paths, openPrefixes, tools, log, counters } = options;
  const version = ownVersion();
  const telemetry = await startTelemetry(env, { log, version, publicOrigin });
  telemetry.watch(counters);
  const registry = metrics && openRegistry();
  const recorders = [registry?.recorder, telemetry.recorder].filter((one): one is Recorder => one !== undefined);
  let close = () => Promise.resolve();
  return {
    watch: watch({
      spans: telemetry.spans,
      measures: recorders.length > 0 ? openMeasures({ recorders, tools }) : noMeasures,
      route: routeNames(paths, openPrefixes),
    }),
    async listen() {
      if (!metrics || !registry) return undefined;
      const figures = processFigures(version);
      const server = await startMetricsServer({ ...metrics, counters, registry, process: figures }).catch((error) => {
        figures.close();
        throw error;
      });
      close = server.close;
      return server.port;
    },
    async close() {
      await Promise.all([close(), telemetry.shutdown()]);
    },
  };
}

function ownVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
