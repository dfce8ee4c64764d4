/** A gateway that runs: from a configuration, or from `--local`, until it is closed. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Log } from '@mcp-gatehouse/auth';
import { assemble, type Gateway } from './assemble.ts';
import type { Config } from './config/schema.ts';
import { closeServer } from './http-server.ts';
import { demoUser, type LocalOptions, startLocalSignIn } from './local.ts';

export { ConfigError, checkConfig, loadConfig } from './config/load.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { connectLines, shortName } from './connect.ts';
export { demoUser, type LocalOptions, localConfig } from './local.ts';
export { createLog, type LogFormat } from './log.ts';

export interface ServeOptions {
  readonly log: Log;
  /** Starts the sign-in that `localConfig` names. */
  readonly local?: LocalOptions;
  readonly now?: () => number;
}

export interface RunningGateway {
  readonly url: string;
  readonly port: number;
  readonly servers: Gateway['servers'];
  /** Finishes what is in flight, ends streams, then lets go of everything. Safe to call twice. */
  close(): Promise<void>;
}

/** Rejects, with everything closed again, if a port is taken or a part cannot be made. */
export async function serve(config: Config, { log, local, now }: ServeOptions): Promise<RunningGateway> {
  const gateway = await assemble(config, { log, ...(local && { demo: demoUser }), ...(now && { now }) });
  const opened: Array<() => Promise<void>> = [() => gateway.close()];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) await close();
  };
  try {
    if (local) {
      const signIn = await startLocalSignIn(local, gateway.callbackUrl, log).catch((error: unknown) => {
        throw portTaken(error, local.signInPort, 'the sign-in page', '--sign-in-port');
      });
      opened.push(() => signIn.close());
    }
    const { server } = gateway;
    const port = config.listen.port ?? defaultPort(config.issuer);
    server.listen(port, config.listen.host);
    await once(server, 'listening').catch((error: unknown) => {
      throw portTaken(error, port, 'the gateway', '--port');
    });
    opened.push(() => closeServer(server));
    const bound = (server.address() as AddressInfo).port;
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

function portTaken(error: unknown, port: number, what: string, flag: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new Error(`Port ${port}, meant for ${what}, is in use: choose another with ${flag}.`);
  if (code === 'EACCES')
    return new Error(
      `Port ${port}, meant for ${what}, may not be used by this account: choose one above 1023 with ${flag}.`,
    );
  return error;
}
