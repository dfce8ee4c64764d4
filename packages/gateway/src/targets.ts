/** The targets of a configuration, opened: one for each resource, and one for each address that open paths lead to. */
import { readFileSync } from 'node:fs';
import type { Log } from '@mcp-gatehouse/auth';
import { ConfigError } from './config/load.ts';
import type { ResourceConfig } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import type { Secrets } from './config/secrets.ts';
import {
  describeTarget,
  type HttpTargetConfig,
  isStdio,
  type StdioTargetConfig,
  type TargetConfig,
} from './config/target.ts';
import type { Check } from './health.ts';
import { defaultMessageBytes } from './limits.ts';
import { openTarget, type Target, targetFaults } from './proxy/target.ts';
import type { TargetTls } from './proxy/target-tls.ts';
import type { StdioTarget } from './stdio/target.ts';

export interface OpenedTarget {
  readonly target: Target;
  /** Of a command: what its identity headers must hold. */
  readonly secret?: string;
}

export interface OpenTargets {
  /** In the order of the resources. */
  ofResource(index: number): OpenedTarget;
  /** An address of an open path. */
  at(url: string): Target;
  /** For `/readyz`, by a word for each target that is looked at. */
  readonly checks: Readonly<Record<string, Check>>;
  close(): Promise<void>;
}

/** Rejects with a `ConfigError` for what cannot be used, with everything closed again. */
export async function openTargets(
  { resources }: Pick<Config, 'resources'>,
  { targetValues }: Pick<Secrets, 'targetValues'>,
  log: Log,
): Promise<OpenTargets> {
  const checks: Record<string, Check> = {};
  const closers: Array<() => Promise<void>> = [];
  let closing = false;
  const close = async () => {
    closing = true;
    await Promise.all(closers.map((one) => one()));
  };
  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  try {
    const ofResources: OpenedTarget[] = [];
    for (const [index, resource] of resources.entries()) {
      const { target } = resource;
      const values = targetValues[index] ?? {};
      if (isStdio(target)) {
        const command = keep(await startCommand(target, { resource, values, log }));
        // Its own endpoint knows when an answer is lost, and may be told to think for hours.
        const opened = keep(openTarget({ url: command.url, socketPath: command.socketPath, answerSeconds: 0 }));
        ofResources.push({ target: opened, secret: command.secret });
        // Told at the start and not to the first person who calls; and what `npx` fetches is there by then.
        command.health().catch((cause: unknown) => {
          if (!closing) log(away(target, cause));
        });
      } else {
        const opened = keep(openHttp(target, `resources[${index}].target`, { values, log }));
        const { health } = opened;
        ofResources.push({ target: opened });
        if (health) checks[resource.path ?? resource.url ?? ''] = () => alive(health.state());
      }
    }
    const atUrls = new Map(
      resources.flatMap(({ open }) => open.map(({ target }) => [target, keep(openTarget({ url: target }))])),
    );
    return {
      ofResource: (index) => ofResources[index] as OpenedTarget,
      at: (url) => atUrls.get(url) as Target,
      checks,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function openHttp(
  config: HttpTargetConfig,
  at: string,
  { values, log }: { readonly values: Readonly<Record<string, string>>; readonly log: Log },
): Target {
  const { url, tls, healthCheck, connectSeconds, answerSeconds, idleSeconds, connections } = config;
  const options = {
    url,
    headers: values,
    ...{ connectSeconds, answerSeconds, idleSeconds, connections },
    ...(tls && { tls: tlsOf(tls, `${at}.tls`) }),
    ...(healthCheck && {
      healthCheck: {
        ...healthCheck,
        onChange: (state: 'ok' | 'away', cause?: unknown) => {
          log(state === 'ok' ? { event: 'target.back', target: describeTarget(config) } : away(config, cause));
        },
      },
    }),
  };
  const faults = targetFaults(options);
  if (faults.length > 0)
    throw new ConfigError(
      'The configuration',
      faults.map((fault) => `${at}.${fault}`),
    );
  return openTarget(options);
}

function tlsOf({ ca, cert, key, ...rest }: NonNullable<HttpTargetConfig['tls']>, at: string): TargetTls {
  const read = (name: string, file: string | undefined) => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new ConfigError('The configuration', [`${at}.${name}: ${(error as Error).message}`]);
    }
  };
  return { ...rest, ca: read('ca', ca), cert: read('cert', cert), key: read('key', key) };
}

const [defaultProcesses, defaultIdleSeconds, defaultStartSeconds] = [50, 300, 30];

/** Loaded where a command is configured, and nowhere else. */
async function startCommand(
  config: StdioTargetConfig,
  options: {
    readonly resource: ResourceConfig;
    readonly values: Readonly<Record<string, string>>;
    readonly log: Log;
  },
): Promise<StdioTarget> {
  const [{ startStdioTarget }, { programAt }] = await Promise.all([
    import('./stdio/target.ts'),
    import('./stdio/program.ts'),
  ]);
  const { command, args, cwd, processes } = config;
  const { keepAliveSeconds } = options.resource;
  if (programAt(command, cwd, options.values.PATH) === undefined) {
    const at = options.resource.path ?? options.resource.url;
    throw new ConfigError('The target', [`${at}: there is no program ${command}: install it, or write its whole path`]);
  }
  return startStdioTarget({
    // By its place: two commands may both be `npx`.
    target: `${options.resource.path ?? options.resource.url} (${describeTarget(config)})`,
    identity: options.resource.identity === 'none' ? 'none' : 'environment',
    command,
    args,
    env: options.values,
    ...(cwd !== undefined && { cwd }),
    processes,
    maxProcesses: config.maxProcesses ?? defaultProcesses,
    idleSeconds: config.idleSeconds ?? defaultIdleSeconds,
    startSeconds: config.startSeconds ?? defaultStartSeconds,
    maxMessageBytes: options.resource.maxMessageBytes ?? defaultMessageBytes,
    // What its clients may send is the operator's to say; what a command answers is its own, within reason.
    maxLineBytes: Math.max(options.resource.maxMessageBytes ?? 0, defaultMessageBytes),
    ...(keepAliveSeconds !== undefined && { keepAliveSeconds }),
    log: options.log,
  });
}

function away(config: TargetConfig, cause: unknown) {
  const words = cause instanceof Error ? cause.message : String(cause);
  return { event: 'target.away', target: describeTarget(config), cause: words } as const;
}

async function alive(state: 'ok' | 'away'): Promise<void> {
  if (state === 'away') throw new Error('the target is away');
}
