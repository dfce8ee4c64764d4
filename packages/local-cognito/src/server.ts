/** The package entry: a Cognito user pool as a server on a port, or as a handler in a server of your own. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Config, loadConfig, type PoolConfig, parseConfig } from './config.ts';
import type { PoolEvent } from './events.ts';
import { readRequest, writeReply } from './http/node-adapter.ts';
import { type Pool, preparePool } from './pool.ts';
import { createRouter } from './router.ts';

export type { Config, PoolConfig } from './config.ts';
export { ConfigError, loadConfig, parseConfig } from './config.ts';
export type { PoolEvent } from './events.ts';
export { StateError } from './state/state-file.ts';

export interface LocalCognitoOptions {
  /** The configuration, or the path of the JSON file that holds it. */
  readonly config: Config | string;
  /** Where users, passwords, refresh tokens and keys survive a restart; without it they live in memory. */
  readonly stateFile?: string | undefined;
  /** One event per outcome. Confirmation codes come this way and no other. */
  readonly log?: ((event: PoolEvent) => void) | undefined;
  /** The time, in seconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

export interface StartOptions extends LocalCognitoOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** How browsers and apps reach the pool, if not at `http://<host>:<port>`; the issuer follows it. */
  readonly publicOrigin?: string | undefined;
}

export interface LocalCognito {
  readonly origin: string;
  /** `<origin>/<poolId>` */
  readonly issuer: string;
  readonly poolId: string;
  /** The configuration with its defaults filled in. */
  readonly config: PoolConfig;
}

/** A pool without a server. `publicOrigin` is where the caller serves it. @throws ConfigError, StateError */
export async function createLocalCognito(
  options: LocalCognitoOptions & { readonly publicOrigin: string },
): Promise<LocalCognito & { readonly handle: (req: IncomingMessage, res: ServerResponse) => void }> {
  const origin = parseOrigin(options.publicOrigin);
  const pool = (await prepare(options))(origin);
  return { ...describe(pool), handle: createHandler(pool) };
}

/**
 * A pool listening on a port.
 * @throws ConfigError, StateError, or the error of `listen` (`EADDRINUSE`)
 */
export async function startLocalCognito(
  options: StartOptions,
): Promise<LocalCognito & { readonly port: number; readonly close: () => Promise<void> }> {
  const publicOrigin = options.publicOrigin === undefined ? undefined : parseOrigin(options.publicOrigin);
  const poolAt = await prepare(options);
  const host = options.host ?? '127.0.0.1';
  // No request on this server is long; connections are looked at often enough for the limits to mean something.
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 });
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const pool = poolAt(publicOrigin ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  server.on('request', createHandler(pool));
  return { ...describe(pool), port, close: () => close(server).then(pool.settle) };
}

async function prepare(options: LocalCognitoOptions): Promise<(origin: string) => Pool> {
  const config = typeof options.config === 'string' ? await loadConfig(options.config) : parseConfig(options.config);
  const now = options.now ?? (() => Date.now() / 1000);
  return preparePool({ config, stateFile: options.stateFile, now, log: options.log ?? (() => {}) });
}

function describe(pool: Pool): LocalCognito {
  return { origin: pool.origin, issuer: pool.issuer, poolId: pool.config.poolId, config: pool.config };
}

function createHandler(pool: Pool): (req: IncomingMessage, res: ServerResponse) => void {
  const route = createRouter(pool);
  return (req, res) => {
    readRequest(req)
      .then(route)
      .then((reply) => writeReply(res, reply))
      .catch(() => res.destroy()); // the client went away while we were reading
  };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || `${url.origin}/` !== url.href) {
    throw new TypeError(`publicOrigin "${text}" is not an origin such as https://login.example.com`);
  }
  return url.origin;
}
