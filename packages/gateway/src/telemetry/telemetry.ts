/**
 * OpenTelemetry by its standard environment variables (OpenTelemetry, "Environment Variable Specification"): off unless
 * one of them names an exporter or an endpoint, and while it is off nothing of it is loaded. No instrumentation is put
 * around libraries: the spans and figures are our own, and what they may hold is decided here and nowhere else.
 */
import { readFileSync } from 'node:fs';
import type { Log } from '@mcp-gatehouse/auth';
import type { Counters } from '@mcp-gatehouse/auth/audit';
import type { Recorder } from './measures.ts';
import { openTelemetryRecorder } from './otel-recorder.ts';
import { noSpans, type Spans, spans } from './spans.ts';

export interface Telemetry {
  readonly spans: Spans;
  /** Undefined: no figures are asked for. */
  readonly recorder: Recorder | undefined;
  /** From now on the counters of the events are figures too: tokens issued, refusals by reason. */
  watch(counters: () => Counters): void;
  /** Sends what there is and lets go; never rejects, and resolves after so many seconds, 5 unless told, whatever happens. */
  shutdown(withinSeconds?: number): Promise<void>;
}

export interface TelemetryOptions {
  /** Told when something cannot be sent, at most once a minute. */
  readonly log: Log;
  readonly version: string;
  /** The public origin, for `url.scheme` and `server.address`. */
  readonly publicOrigin: string;
}

const off: Telemetry = {
  spans: noSpans,
  recorder: undefined,
  watch: () => {},
  shutdown: () => Promise.resolve(),
};

export interface Signals {
  readonly traces: boolean;
  readonly metrics: boolean;
}

/** What the variables ask for. An endpoint alone asks for both: the standard's exporter is `otlp` unless one is named. */
export function signalsOf(env: NodeJS.ProcessEnv): Signals {
  const given = (name: string) => (env[name]?.trim() ? env[name].trim() : undefined);
  const asked = (signal: 'TRACES' | 'METRICS') => {
    const exporters = given(`OTEL_${signal}_EXPORTER`);
    if (exporters !== undefined) return !exporters.split(',').some((one) => one.trim() === 'none');
    return (given('OTEL_EXPORTER_OTLP_ENDPOINT') ?? given(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`)) !== undefined;
  };
  if (given('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return { traces: false, metrics: false };
  return { traces: asked('TRACES'), metrics: asked('METRICS') };
}

/**
 * `env` decides whether it is on; once it is, OpenTelemetry itself reads everything else from the environment of the
 * process. Rejects, in words for the operator, where it is asked for and not installed.
 */
export async function startTelemetry(env: NodeJS.ProcessEnv, options: TelemetryOptions): Promise<Telemetry> {
  const signals = signalsOf(env);
  if (!signals.traces && !signals.metrics) return off;
  const [api, { NodeSDK }] = await loaded();
  const { log, version, publicOrigin } = options;
  const say = oncePerMinute((cause) => log({ event: 'telemetry.failed', cause }));
  // Ours comes first; OTEL_LOG_LEVEL puts the SDK's own in its place, for whoever looks for a fault.
  const quiet = () => {};
  api.diag.setLogger(
    { error: say, warn: say, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  // Left to itself it also sends our command line, where `serve --local -- env KEY=… server` has somebody's secret.
  process.env.OTEL_NODE_RESOURCE_DETECTORS ??= 'env,host,os,serviceinstance';
  const sdk = new NodeSDK({
    ...(!namesItself(env) && { serviceName: 'gatehouse' }),
    // Given and empty: none. Left out: what the variables say.
    ...(!signals.traces && { spanProcessors: [] }),
    ...(!signals.metrics && { metricReaders: [] }),
    // The log has its own way, and contexts are handed on by hand.
    logRecordProcessors: [],
  });
  sdk.start();
  const meter = signals.metrics ? api.metrics.getMeter('gatehouse', version) : undefined;
  const scheme = new URL(publicOrigin).protocol.slice(0, -1);
  return {
    spans: signals.traces ? spans(api, { version, publicOrigin }) : noSpans,
    recorder: meter && openTelemetryRecorder(meter, scheme),
    watch(counters) {
      meter
        ?.createObservableCounter('gatehouse.events', {
          description: 'Outcomes by event; docs/events.md says what each means.',
          unit: '{event}',
        })
        .addCallback((result) => {
          for (const { event, labels, value } of counters().events) {
            const named = Object.entries(labels).map(([name, text]) => [`gatehouse.${snake(name)}`, text]);
            result.observe(value, { 'gatehouse.event': event, ...Object.fromEntries(named) });
          }
        });
    },
    async shutdown(withinSeconds = 5) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinSeconds * 1000);
      });
      // A collector that is away is no reason to stay.
      await Promise.race([sdk.shutdown().catch(say), patience]);
      clearTimeout(timer);
    },
  };
}

async function loaded(): Promise<[typeof import('@opentelemetry/api'), typeof import('@opentelemetry/sdk-node')]> {
  try {
    return [await import('@opentelemetry/api'), await import('@opentelemetry/sdk-node')];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { peerDependencies } = JSON.parse(manifest) as { peerDependencies: Record<string, string> };
    const names = ['@opentelemetry/api', '@opentelemetry/sdk-node'].map(
      (name) => `"${name}@${peerDependencies[name]}"`,
    );
    throw new Error(
      `The environment asks for OpenTelemetry (OTEL_…), which is not installed: npm install ${names.join(' ')}, or set OTEL_SDK_DISABLED=true.`,
    );
  }
}

function namesItself(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.OTEL_SERVICE_NAME) || /(^|,)\s*service\.name\s*=/.test(env.OTEL_RESOURCE_ATTRIBUTES ?? '');
}

/** What a collector that is away has to say is the same each time, and each time is every few seconds. */
function oncePerMinute(say: (words: string) => void): (...words: unknown[]) => void {
  let quietUntil = 0;
  return (...words) => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + 60_000;
    say(
      words
        .map((word) => (word instanceof Error ? word.message : String(word)))
        .join(' ')
        .slice(0, 500),
    );
  };
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
