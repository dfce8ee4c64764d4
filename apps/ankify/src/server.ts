/** The process of Ankify: one HTTP listener for the MCP endpoint, the API, the downloads and the health check. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Model } from '@mcp-gatehouse/models';
import type { Records } from '@mcp-gatehouse/records';
import { type ApiEndpoint, createApiEndpoint } from './api/api-endpoint.ts';
import { createIdempotency } from './api/idempotency.ts';
import { apiRoutes } from './api/routes.ts';
import type { Blobs } from './blobs/blobs.ts';
import { createMcpEndpoint, type McpEndpoint } from './mcp-endpoint.ts';
import { openRooms, type Rooms, type ServerRecords } from './rooms.ts';
import type { Speech } from './speech/speech.ts';
import type { LogEvent } from './tools/tool-context.ts';
import type { Amounts } from './usage/usage.ts';

export interface AnkifyOptions {
  readonly records: Records<ServerRecords>;
  /** Where the outside reaches this server, without a trailing slash: the base of the download links. */
  readonly publicUrl: string;
  /** Shared with the gateway, which sends it as `x-gatehouse-secret`. Required unless `host` is a loopback address. */
  readonly secret?: string;
  /** 32 bytes or more; seals the download links. */
  readonly linkKey: Uint8Array;
  /** Where clips and packages are kept; absent: nothing is recorded, and packages are written for each download. */
  readonly blobs?: Blobs;
  /** Records speech; takes `blobs`. */
  readonly speech?: Speech;
  /** Writes cards; absent: the callers' own models do. */
  readonly model?: Model;
  /** Each replaces one of the limits of a user and month. */
  readonly quotas?: Amounts;
  /** 0, the default: any free one. */
  readonly port?: number;
  readonly host?: string;
  /** Seconds since the epoch. */
  readonly now?: () => number;
  /** One event per outcome; never a secret, never a link. */
  readonly log?: (event: LogEvent) => void;
}

export interface Ankify {
  /** Of this process, without a trailing slash. */
  readonly url: string;
  /** Lets running requests finish, for three seconds at most. The records stay open: they are the caller's. */
  close(): Promise<void>;
}

/** Calls take milliseconds: what still runs after this is a subscription, which has no end of its own. */
const streamGraceMs = 500;
const closeGraceMs = 3000;
const idleCheckMs = 100;

/** Rejects with an `Error` that names the option if one is unusable, or with Node's if the port cannot be had. */
export async function startAnkify(options: AnkifyOptions): Promise<Ankify> {
  const { port = 0, host = '127.0.0.1', now = () => Date.now() / 1000, log = () => {} } = options;
  const publicUrl = checkOptions(options, host);
  const base = publicUrl.href.replace(/\/$/, '');
  const rooms = openRooms({ ...options, publicUrl: base, now, log });
  const callers = {
    hostnames: [...loopbackNames, publicUrl.hostname],
    ...(options.secret !== undefined && { secret: options.secret }),
  };
  const mcp = createMcpEndpoint({ ...rooms, ...callers });
  const api = createApiEndpoint({
    ...callers,
    routes: apiRoutes(rooms, `${base}/api`),
    idempotency: createIdempotency(options.records, now),
    log,
  });
  const server = createServer((request, response) => {
    route({ mcp, api, rooms }, request, response).catch((error: unknown) => {
      if (request.readableAborted) return; // the client went away in the middle of its request
      log({ event: 'request.failed', error: error instanceof Error ? error.stack : String(error) });
      if (response.headersSent) response.destroy();
      else text(response, 500, 'Ankify failed. Try again in a minute.\n');
    });
  });
  // A sender that stops in the middle is cut off with a 408, whatever it holds open.
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  // Longer than a gateway keeps idle connections, or it would send a request into one that is just being closed.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  rooms.jobs.resume();
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: () => {
      closing ??= new Promise((resolve) => {
        const endStreams = setTimeout(() => {
          void mcp.close();
          api.close();
        }, streamGraceMs);
        // A connection whose last answer has just ended would be kept for the next one, which does not come.
        const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
        const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
        server.close(() => {
          clearTimeout(endStreams);
          clearTimeout(cut);
          clearInterval(idle);
          api.close();
          resolve(mcp.close().then(() => inTime(rooms.close(), closeGraceMs)));
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}

/** An engine or a model that does not let go holds up nothing: its job is taken over when its lease is over. */
async function inTime(ending: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([ending, late]);
  clearTimeout(timer);
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

function checkOptions({ publicUrl, linkKey, secret }: AnkifyOptions, host: string): URL {
  if (!URL.canParse(publicUrl)) throw new Error('publicUrl is not an absolute URL');
  const url = new URL(publicUrl);
  if (!/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw new Error('publicUrl must be http or https, without query and fragment');
  }
  if (linkKey.length < 32) throw new Error('linkKey must have 32 bytes or more');
  if (secret !== undefined && !/^[\x21-\x24\x26-\x7e]{16,}$/.test(secret)) {
    throw new Error('secret must have 16 or more visible ASCII characters, without %');
  }
  if (secret === undefined && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    throw new Error('secret is required where others than this machine can connect: anyone could claim to be a user');
  }
  return url;
}

interface Endpoints {
  readonly mcp: McpEndpoint;
  readonly api: ApiEndpoint;
  readonly rooms: Rooms;
}

async function route({ mcp, api, rooms }: Endpoints, request: IncomingMessage, response: ServerResponse) {
  const path = request.url?.split('?', 1)[0] ?? '/';
  if (path === '/mcp') {
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST', 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify({ error: 'method_not_allowed', error_description: 'Use POST here.' }));
      return;
    }
    return mcp.handle(request, response);
  }
  if (path === '/api' || path.startsWith('/api/')) return api.handle(request, response, path.slice('/api'.length));
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/healthz') {
    if (!isRead) return notAllowed(response, 'GET, HEAD');
    return text(response, 200, 'ok\n');
  }
  if (path.startsWith('/exports/')) {
    if (!isRead) return notAllowed(response, 'GET, HEAD');
    const token = /^\/exports\/([\w-]+)\.apkg$/.exec(path)?.[1] ?? '';
    const { status, headers, body, deckId } = await rooms.download(token);
    rooms.log({
      event: status === 200 || status === 302 ? 'deck.downloaded' : 'download.refused',
      status,
      ...(deckId && { deckId }),
    });
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  return text(response, 404, 'Nothing is here. Ankify is an MCP server; its endpoint is /mcp, its API is /api.\n');
}

function notAllowed(response: ServerResponse, allow: string): void {
  response.setHeader('allow', allow);
  text(response, 405, `This method cannot be used here (only ${allow}).\n`);
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
