/** A gateway that runs: from a configuration, or from `--local`, until it is closed. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Log } from '@mcp-gatehouse/auth';
import { RecordsUnavailableError } from '@mcp-gatehouse/records';
import { assemble, type Gateway } from './assemble.ts';
import type { Config } from './config/schema.ts';
import { demoUser, type LocalOptions, prepareLocal, startLocalSignIn } from './local.ts';

export { ConfigError, checkConfig, loadConfig } from './config/load.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { connectLines, type ServedServer, shortName } from './connect.ts';
export { demoUser, type LocalOptions, localConfig } from './local.ts';
export { createLog, type LogFormat } from './log.ts';

export interface ServeOptions {
  readonly log: Log;
  /** Starts the sign-in that `localConfig` names. */
  readonly local?: LocalOptions;
  readonly now?: () => number;
  /** What OpenTelemetry is switched on by; nothing unless given. */
  readonly env?: NodeJS.ProcessEnv;
  /** What the operator calls the settings that messages name; as in a configuration file unless told. */
  readonly settings?: { readonly port: string; readonly signInPort: string; readonly host: string };
}

export interface RunningGateway {
  readonly url: string;
  readonly port: number;
  readonly servers: Gateway['servers'];
  /** Finishes what is in flight, ends streams, then lets go of everything. Safe to call twice. */
  close(): Promise<void>;
}

const fileSettings = { port: 'listen.port', signInPort: '--sign-in-port', host: 'listen.host' };

/** Rejects, with everything closed again, if a port is taken or a part cannot be made. */
export async function serve(config: Config, options: ServeOptions): Promise<RunningGateway> {
  const { local, now, settings = fileSettings } = options;
  if (local) prepareLocal(local);
  const gateway = await assemble(config, {
    log: options.log,
    ...(local && { demo: demoUser }),
    ...(now && { now }),
    ...(options.env && { env: options.env }),
  });
  const { log } = gateway;
  const opened: Array<() => Promise<void>> = [() => gateway.close()];
  let closing: Promise<void> | undefined;
  const closeAll = () => {
    closing ??= (async () => {
      log({ event: 'gateway.stopping' });
      for (const close of opened.reverse()) await close();
      options.log({ event: 'gateway.stopped' });
    })();
    return closing;
  };
  try {
    // A wrong secret stops the start; a database that is away does not, because it may come back (REL-02).
    await gateway.ready().catch((error: unknown) => {
      if (!(error instanceof RecordsUnavailableError)) throw error;
      log({ event: 'gateway.keys_unavailable', cause: error.message });
    });
    if (local) {
      const signIn = await startLocalSignIn(local, gateway.callbackUrl, log).catch((error: unknown) => {
        throw cannotListen(error, local.signInPort, 'the sign-in page', {
          port: settings.signInPort,
          host: settings.host,
        });
      });
      opened.push(() => signIn.close());
    }
    const { server } = gateway.http;
    const port = config.listen.port ?? defaultPort(config.issuer);
    server.listen(port, config.listen.host);
    await once(server, 'listening').catch((error: unknown) => {
      throw cannotListen(error, port, 'the gateway', settings);
    });
    opened.push(() => gateway.http.close());
    const bound = (server.address() as AddressInfo).port;
    const metricsPort = await gateway.listenForMetrics().catch((error: unknown) => {
      throw cannotListen(error, config.metrics?.port ?? 0, 'the figures', {
        port: 'metrics.port',
        host: 'metrics.host',
      });
    });
    if (metricsPort !== undefined) log({ event: 'gateway.metrics', port: metricsPort });
    log({ event: 'gateway.listening', host: config.listen.host, port: bound, issuer: config.issuer });
    return { url: config.issuer, port: bound, servers: gateway.servers, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The issuer's own port, so that one setting is enough on a laptop; 8080 behind a front door. */
function defaultPort(issuer: string): number {
  const { port, protocol } = new URL(issuer);
  return port !== '' ? Number(port) : protocol === 'http:' ? 80 : 8080;
}

/** Why a port cannot be listened on, and which setting to change. */
function cannotListen(error: unknown, port: number, what: string, settings: { port: string; host: string }): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new Error(`Port ${port}, meant for ${what}, is in use: choose another with ${settings.port}.`);
    case 'EACCES':
      return new Error(
        `Port ${port}, meant for ${what}, needs more rights: choose one above 1023 with ${settings.port}.`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Error(`The address meant for ${what} is none of this computer: change ${settings.host}.`);
    default:
      return error;
  }
}
