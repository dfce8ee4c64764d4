/** A target: where it is, how connections to it are made and how long anything there may take (RFC 9110 §7.3, RFC 9325 §3). */
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { type HealthCheck, healthCheck, type TargetState } from './health-check.ts';
import { injectedHeaders, injectionFault } from './injected-headers.ts';
import { type TargetTls, tlsFaults } from './target-tls.ts';

export interface Target {
  readonly url: URL;
  readonly pool: Dispatcher;
  /** For GET, where it has connections of its own. */
  readonly streams?: Dispatcher;
  /** Name and value to be sent, by lower-case name. They may be credentials: never logged, never shown. */
  readonly headers: ReadonlyMap<string, readonly [name: string, value: string]>;
  /** Where the connections of `pool` are limited: how long a request may wait for one, in seconds. */
  readonly waitSeconds?: number;
  /** Where it is checked: `away` means that nobody need try. */
  readonly health?: HealthCheck;
  /** Cuts what is under way there. */
  close(): Promise<void>;
}

export interface TargetOptions {
  /** `http:` or `https:`; path and query are where requests to the resource go. */
  readonly url: string;
  /** A socket in the file system in place of the URL's host and port, which stay what the target is called by. */
  readonly socketPath?: string | undefined;
  readonly tls?: TargetTls | undefined;
  /** With every request, in place of what a client sent under that name. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Until a connection is there, TLS included; 5 unless given. */
  readonly connectSeconds?: number | undefined;
  /** From the request until the head of the answer; 300 unless given: a tool may think for minutes. */
  readonly answerSeconds?: number | undefined;
  /** Between two pieces of an answer; 0, the default: a stream may be silent for as long as it likes. */
  readonly idleSeconds?: number | undefined;
  /**
   * Of calls, at once; streams that are opened by GET have their own. Without it as many as there are requests: a client's
   * connection has one at a time, so there are never more here than there, and a limit lets whoever holds that many calls
   * open stop the target for all (SEC-10).
   */
  readonly connections?: number | undefined;
  readonly healthCheck?: TargetHealthCheck | undefined;
}

export interface TargetHealthCheck {
  /** Any answer below 500 is a good one. Without a path, a connection is. */
  readonly path?: string | undefined;
  readonly everySeconds: number;
  /** Told when the target goes away and when it comes back. */
  readonly onChange?: ((state: TargetState, cause?: unknown) => void) | undefined;
}

/** What is wrong with them, each with its path; never with a value. */
export function targetFaults(options: Pick<TargetOptions, 'url' | 'tls' | 'headers'>): readonly string[] {
  const { url, tls, headers = {} } = options;
  const secure = URL.canParse(url) && new URL(url).protocol === 'https:';
  return [
    ...(tls && !secure ? ['tls: is for targets whose URL begins with https://'] : []),
    ...tlsFaults(tls ?? {}).map((fault) => `tls.${fault}`),
    ...Object.entries(headers).flatMap(([name, value]) => {
      const fault = injectionFault(name, value);
      return fault === undefined ? [] : [`headers.${name.slice(0, 100)}: ${fault}`];
    }),
  ];
}

/** Throws `TypeError` with every fault. */
export function openTarget(options: TargetOptions): Target {
  const { connectSeconds = 5, answerSeconds = 300, idleSeconds = 0, connections, tls = {}, socketPath } = options;
  const faults = targetFaults(options);
  if (faults.length > 0) throw new TypeError(`target: ${faults.join('; ')}`);
  const url = new URL(options.url);
  const connect = buildConnector({
    timeout: connectSeconds * 1000,
    // One request a connection: that a client went away is said by closing it, and one slow stream holds up no other.
    allowH2: false,
    ...(socketPath !== undefined && { socketPath }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
    // Said and not left to Node, for which NODE_TLS_REJECT_UNAUTHORIZED=0 would be the answer for everything.
    rejectUnauthorized: tls.dangerouslyAcceptAnyCertificate !== true,
  });
  const connected = {
    connect,
    headersTimeout: answerSeconds * 1000,
    bodyTimeout: idleSeconds * 1000,
    // Below the 5 s after which uvicorn closes, or a request now and then would meet a closing connection.
    keepAliveTimeout: 4_000,
  };
  const pool = new Pool(url.origin, { ...connected, connections: connections ?? null });
  // A pool looks for a free connection from its first to its last: 5,000 streams in it cost each call 160 µs.
  const streams = new Pool(url.origin, { ...connected, connections: null });
  const headers = injectedHeaders(options.headers ?? {});
  const check = options.healthCheck && checked(options.healthCheck, { url, connect, headers, connectSeconds });
  return {
    url,
    pool,
    streams,
    headers,
    ...(connections !== undefined && { waitSeconds: connectSeconds }),
    ...(check && { health: check.health }),
    async close() {
      await Promise.all([check?.close(), pool.destroy(), streams.destroy()]);
    },
  };
}

/** What a probe may take after its connection is there, in milliseconds. */
const probeMs = 5_000;

function checked(
  { path, everySeconds, onChange = () => {} }: TargetHealthCheck,
  {
    url,
    connect,
    headers,
  }: Pick<Target, 'url' | 'headers'> & { readonly connect: buildConnector.connector; readonly connectSeconds: number },
): { readonly health: HealthCheck; close(): Promise<void> } {
  // Beside the pool, where a probe could wait behind calls.
  const client = new Client(url.origin, { connect, headersTimeout: probeMs });
  const answers = () =>
    new Promise<void>((resolve, reject) => {
      client.dispatch(
        { method: 'GET', path: path as string, headers: [...headers.values()].flat() },
        {
          onRequestStart() {},
          onResponseStart(controller, status) {
            if (status < 200) return;
            if (status >= 500) reject(new Error(`the health check is answered ${status}`));
            else resolve();
            // The body may be a stream without an end.
            controller.abort(new Error('the status is enough'));
          },
          onResponseData() {},
          onResponseEnd() {},
          onResponseError(_, error) {
            reject(error);
          },
        },
      );
    });
  const connects = () =>
    new Promise<void>((resolve, reject) => {
      const { host, hostname, protocol, port } = url;
      connect({ host, hostname: hostname.replace(/^\[|\]$/g, ''), protocol, port }, (error, socket) => {
        if (error) return reject(error);
        socket.destroy();
        return resolve();
      });
    });
  const health = healthCheck({ probe: path === undefined ? connects : answers, everySeconds, onChange });
  return {
    health,
    async close() {
      health.stop();
      await client.destroy();
    },
  };
}
