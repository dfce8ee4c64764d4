/** The process of Ankify: one HTTP listener for the MCP endpoint, the downloads and the health check. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Deck, DeckRecords } from './decks/deck.ts';
import { createShelf } from './decks/shelf.ts';
import { type Download, download } from './exports/download.ts';
import { linkLifetimeSeconds, sealLink } from './exports/link.ts';
import { createMcpEndpoint, type McpEndpoint } from './mcp-endpoint.ts';
import type { LogEvent } from './tools/tool-context.ts';

export interface AnkifyOptions {
  readonly records: DeckRecords;
  /** Where the outside reaches this server, without a trailing slash: the base of the download links. */
  readonly publicUrl: string;
  /** Shared with the gateway, which sends it as `x-gatehouse-secret`. Required unless `host` is a loopback address. */
  readonly secret?: string;
  /** 32 bytes or more; seals the download links. */
  readonly linkKey: Uint8Array;
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

/** Rejects with an `Error` that names the option if one is unusable, or with Node's if the port cannot be had. */
export async function startAnkify(options: AnkifyOptions): Promise<Ankify> {
  const { records, linkKey, port = 0, host = '127.0.0.1', now = () => Date.now() / 1000, log = () => {} } = options;
  const publicUrl = checkOptions(options, host);
  const shelf = createShelf(records, now);
  const link = (deck: Deck) => {
    const expiresAt = Math.floor(now()) + linkLifetimeSeconds;
    return {
      url: `${publicUrl.href.replace(/\/$/, '')}/exports/${sealLink(linkKey, deck, expiresAt)}.apkg`,
      expiresAt,
    };
  };
  const mcp = createMcpEndpoint({
    shelf,
    link,
    log,
    hostnames: [...loopbackNames, publicUrl.hostname],
    ...(options.secret !== undefined && { secret: options.secret }),
  });
  const exports = (token: string) => download({ records, linkKey, now }, token);
  const server = createServer((request, response) => {
    route({ mcp, exports, log }, request, response).catch((error: unknown) => {
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
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: () => {
      closing ??= new Promise((resolve) => {
        const endStreams = setTimeout(() => void mcp.close(), streamGraceMs);
        const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
        server.close(() => {
          clearTimeout(endStreams);
          clearTimeout(cut);
          resolve(mcp.close());
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
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
  readonly exports: (token: string) => Promise<Download>;
  readonly log: (event: LogEvent) => void;
}

async function route({ mcp, exports, log }: Endpoints, request: IncomingMessage, response: ServerResponse) {
  const path = request.url?.split('?', 1)[0] ?? '/';
  if (path === '/mcp') {
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST', 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify({ error: 'method_not_allowed', error_description: 'Use POST here.' }));
      return;
    }
    return mcp.handle(request, response);
  }
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/healthz') {
    if (!isRead) return notAllowed(response, 'GET, HEAD');
    return text(response, 200, 'ok\n');
  }
  if (path.startsWith('/exports/')) {
    if (!isRead) return notAllowed(response, 'GET, HEAD');
    const token = /^\/exports\/([\w-]+)\.apkg$/.exec(path)?.[1] ?? '';
    const { status, headers, body, deckId } = await exports(token);
    log({ event: status === 200 ? 'deck.downloaded' : 'download.refused', status, ...(deckId && { deckId }) });
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  return text(response, 404, 'Nothing is here. Ankify is an MCP server; its endpoint is /mcp.\n');
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
