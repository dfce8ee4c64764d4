/** The HTTP server: who may come in, which room a path leads to, one log line a request, and an orderly end. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  type Gatehouse,
  type HttpHandler,
  type Log,
  type NodeHandler,
  nodeHandler,
  repeatedHeader,
  requestTarget,
  sendReply,
} from '@mcp-gatehouse/auth';
import type { Admission } from './admission.ts';
import { drain } from './drain.ts';
import { liveness, type Readiness, readiness } from './health.ts';
import { boundedHandler, defaultLimits, type Limits } from './limits.ts';
import type { McpEndpoint, Served } from './mcp-endpoint.ts';
import type { OpenPath } from './open-path.ts';
import { problem, wrongMethod } from './problem.ts';
import { stalledReaders } from './stalled.ts';
import { nobodyWatches, type Watch, type WatchedRequest } from './telemetry/watch.ts';

/** What is served on one host. */
export interface Place {
  /** The resource at this path, or below whose path it is. */
  endpointAt(path: string): McpEndpoint | undefined;
  readonly openPaths: readonly OpenPath[];
}

export interface Rooms {
  readonly gatehouse: Gatehouse;
  /** On the issuer's own host, and under every other name that counts as it. */
  readonly here: Place;
  /** Resources on other hosts than the issuer, by `Host` in lower case: there is nothing of the authorization server's there. */
  readonly elsewhere?: ReadonlyMap<string, Place>;
  /** The page at `/`, where there is one. */
  readonly frontPage?: (req: IncomingMessage, res: ServerResponse) => void;
  readonly admission: Admission;
  readonly log: Log;
  /** Spans and figures; none unless given. */
  readonly watch?: Watch;
  /** What `/readyz` says; unless given, whether tokens could be signed. */
  readonly readiness?: Readiness;
  readonly limits?: Partial<Limits>;
  /** 0 and 10 unless given: how long the end is announced before it begins, and how long it may then take. */
  readonly drain?: { readonly delaySeconds?: number | undefined; readonly seconds?: number | undefined };
}

export interface GatewayServer {
  readonly server: Server;
  /**
   * Not ready; after the delay no new connections, streams ended, requests in flight finished; what is left after
   * `graceMs` is cut (REL-04). Resolves when it is over; called again, to the same end.
   */
  close(graceMs?: number): Promise<void>;
}

export function httpServer(options: Rooms): GatewayServer {
  const limits = { ...defaultLimits, ...options.limits };
  const ready = options.readiness ?? readiness({ checks: { keys: () => options.gatehouse.ready() } });
  const authorization = nodeHandler(boundedHandler(atOneHost(options), limits, options.log));
  const rooms = { ...options, authorization, readiness: ready };
  const { watch = nobodyWatches } = options;
  let closed: Promise<void> | undefined;
  const underway = new Set<ServerResponse>();
  const silent = new Set<Socket>();
  const server = createServer(
    {
      // Slow senders get no socket for long (CVE-2018-12122): the defaults are 60 s, looked at every 30 s.
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 2_000,
      // Longer than the idle timeout of the usual load balancers (60 s), or they would send into a closing socket.
      keepAliveTimeout: 65_000,
      maxHeaderSize: 32 * 1024,
    },
    (req, res) => {
      const started = process.hrtime.bigint();
      const requestId = randomUUID();
      const { path } = requestTarget(req);
      res.setHeader('x-request-id', requestId);
      if (closed) res.setHeader('connection', 'close');
      underway.add(res);
      silent.delete(req.socket);
      const watched = watch.request(req, path);
      res.once('close', () => underway.delete(res));
      enter(rooms, req, res, { requestId, watched })
        .catch((cause: unknown) => {
          rooms.log({
            event: 'fault',
            path: shown(path),
            requestId,
            cause: cause instanceof Error ? cause.stack : String(cause),
          });
          if (res.headersSent) res.destroy();
          else sendReply(req, res, problem(500, 'server_error', 'Something went wrong on our side.'));
          return { outcome: 'fault' };
        })
        .then((served: Served) => {
          const status = res.headersSent ? res.statusCode : undefined;
          const outcome = res.headersSent ? served.outcome : 'cut';
          const { reason } = served;
          // The path and never the query: codes and states stand there (security.md, rule 11).
          const shownPath = served.shownPath ?? shown(path);
          watched.end({ path: shownPath, status, outcome, reason, requestId });
          rooms.log({
            event: 'http.request',
            requestId,
            method: req.method,
            path: shownPath,
            // Node's statusCode is 200 until something else is said; to a client that left in its body nothing was.
            ...(status !== undefined && { status }),
            ms: Number((process.hrtime.bigint() - started) / 1_000_000n),
            outcome,
            ...(watched.traceId !== undefined && { traceId: watched.traceId }),
            ...(served.subject !== undefined && { subject: served.subject }),
            ...(served.tool !== undefined && { tool: served.tool }),
            ...(served.rpcMethod !== undefined && { rpcMethod: served.rpcMethod }),
            ...(reason !== undefined && { reason }),
            ...(served.cause !== undefined && { cause: String(served.cause) }),
          });
        });
    },
  );
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.maxHeadersCount = 100;
  server.maxConnections = limits.connections;
  const cutStalled = stalledReaders(limits.stalledSeconds);
  server.once('listening', () => {
    const watch = setInterval(() => cutStalled(underway), Math.min(5_000, limits.stalledSeconds * 250)).unref();
    server.once('close', () => clearInterval(watch));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // What was no HTTP at all gets a plain answer and no stack.
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    // Behind an answer on this connection nobody knows what this one would answer.
    if (socket instanceof Socket && socket.bytesWritten > 0) return socket.destroySoon();
    const status = refusedHead[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    // Not only our half: a sender that ignores the answer would keep its socket.
    if (socket instanceof Socket) socket.destroySoon();
    return undefined;
  });
  const { delaySeconds = 0, seconds = 10 } = options.drain ?? {};
  return {
    server,
    close(graceMs = seconds * 1000) {
      ready.drain();
      closed ??= drain(server, { underway, silent }, { delayMs: delaySeconds * 1000, graceMs });
      return closed;
    },
  };
}

/** Under every name that is no other resource's, requests are for the issuer's host: front doors and health checks have names of their own. */
function atOneHost({ gatehouse, elsewhere }: Pick<Rooms, 'gatehouse' | 'elsewhere'>): HttpHandler {
  if (!elsewhere || elsewhere.size === 0) return gatehouse;
  const ours = new URL(gatehouse.callbackUrl).host;
  const meant = (host: string | undefined) => (host !== undefined && elsewhere.has(host.toLowerCase()) ? host : ours);
  return {
    owns: (path, host) => gatehouse.owns(path, meant(host)),
    handle: (request) =>
      gatehouse.handle({ ...request, headers: { ...request.headers, host: meant(request.headers.host) } }),
  };
}

/** What is no request yet, by the error of Node's parser (RFC 9110 §15.5.9, RFC 6585 §5). */
const refusedHead: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

async function enter(
  rooms: Rooms & { readonly authorization: NodeHandler; readonly readiness: Readiness },
  req: IncomingMessage,
  res: ServerResponse,
  { requestId, watched }: { readonly requestId: string; readonly watched: WatchedRequest },
): Promise<Served> {
  const { authorization, frontPage, admission, elsewhere } = rooms;
  // A request behind another one of its connection has no socket yet. It waits for its turn: the one before may end the
  // connection, as a refusal does whose message had no clear end, and what seems to follow was then part of that (SEC-11).
  if (!res.socket) await socketOf(res);
  if (res.destroyed) return { outcome: 'cut' };
  const { path } = requestTarget(req);
  const refuse = (status: number, error: string, description: string): Served => {
    sendReply(req, res, problem(status, error, description));
    return { outcome: error };
  };
  // For load balancers, which know no host name.
  if (path === '/healthz' || path === '/readyz') {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      sendReply(req, res, wrongMethod('GET, HEAD'));
      return { outcome: 'method_not_allowed' };
    }
    sendReply(req, res, path === '/healthz' ? liveness : await rooms.readiness.answer());
    return { outcome: 'health' };
  }
  const repeated = repeatedHeader(req);
  if (repeated !== undefined) return refuse(400, 'invalid_request', `The header ${repeated} is repeated.`);
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    // RFC 9112 §6.1: taken off by nobody, it would reach the target as if it were the message.
    res.setHeader('connection', 'close'); // where the message ends is anybody's guess
    return refuse(400, 'invalid_request', 'The only transfer coding is chunked.');
  }
  if (!admission.host(req.headers.host)) return refuse(403, 'forbidden', 'This server does not answer to that Host.');

  const other = elsewhere?.get((req.headers.host ?? '').toLowerCase());
  const place = other ?? rooms.here;
  const mcp = place.endpointAt(path);
  if (mcp) {
    if (!admission.origin(req.headers.origin))
      return refuse(403, 'forbidden', 'Pages of that Origin may not call this server.');
    return mcp(req, res, requestId, watched);
  }
  if (await authorization(req, res)) return { outcome: 'authorization' };
  const open = place.openPaths.find(({ prefix }) => path.startsWith(prefix));
  if (open) return open.serve(req, res, requestId);
  if (path === '/' && frontPage && !other) {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      sendReply(req, res, wrongMethod('GET, HEAD'));
      return { outcome: 'method_not_allowed' };
    }
    frontPage(req, res);
    return { outcome: 'front_page' };
  }
  return refuse(404, 'not_found', 'There is nothing at this address.');
}

function socketOf(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    res.once('socket', () => resolve());
    res.once('close', () => resolve());
  });
}

/** A path in a log line: bounded, and without what a terminal would act on. */
function shown(path: string): string {
  return path.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}
