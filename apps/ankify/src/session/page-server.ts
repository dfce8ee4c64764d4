/** The page's own origin: the built page under a strict policy (CSP Level 3), and its session. Nothing else, and no CORS. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LogEvent } from '../tools/tool-context.ts';
import { createGatewayClient, isLoopback } from './gateway-client.ts';
import { type PageFile, pageFiles } from './page-files.ts';
import { sessionCookie } from './session-cookie.ts';
import { createSessionEndpoint, type SessionEndpoint } from './session-endpoint.ts';
import { createSessions } from './sessions.ts';

export interface PageOptions {
  /** The folder of the built page; it need not be there yet. */
  readonly folder: string;
  /** The origin that browsers see, such as `http://localhost:8082`. */
  readonly pageUrl: string;
  /** Where users reach Ankify through the gateway, without a trailing slash: `/api` and `/mcp` are below it. */
  readonly publicUrl: string;
  /** The page's client at the gateway; its redirect URI is `<pageUrl>/signed-in`. */
  readonly clientId: string;
  readonly clientSecret?: string;
  /** 32 bytes or more; the cookie's key is derived from it. */
  readonly key: Uint8Array;
  readonly scope: string;
  /** 0: any free one. */
  readonly port: number;
  readonly host?: string;
  /** Seconds since the epoch. */
  readonly now?: () => number;
  /** Never a token, a code or a cookie. */
  readonly log?: (event: LogEvent) => void;
}

export interface PageServer {
  /** Of this process, without a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

const closeGraceMs = 3000;
const idleCheckMs = 100;

/** Rejects with an `Error` that names the option if one is unusable, or with Node's if the port cannot be had. */
export async function startPage(options: PageOptions): Promise<PageServer> {
  const { folder, clientId, clientSecret, key, scope, port, host = '127.0.0.1' } = options;
  const { now = () => Date.now() / 1000, log = () => {} } = options;
  const page = originOf('pageUrl', options.pageUrl);
  const publicUrl = options.publicUrl.replace(/\/$/, '');
  const resource = `${publicUrl}/api`;
  const client = createGatewayClient({ resource, clientId, ...(clientSecret !== undefined && { clientSecret }), now });
  const session = createSessionEndpoint({
    client,
    sessions: createSessions({ client, now, log }),
    cookie: sessionCookie(key, page),
    page: {
      origin: page.origin,
      redirectUri: `${page.origin}/signed-in`,
      clientId,
      resource,
      scope,
      mcpUrl: `${publicUrl}/mcp`,
    },
    log,
  });
  const files = pageFiles(folder);
  const headers = pageHeaders(page, new URL(publicUrl).origin);
  const server = createServer((request, response) => {
    route({ page, files, session, headers }, request, response).catch((error: unknown) => {
      if (request.readableAborted) return;
      log({ event: 'request.failed', error: error instanceof Error ? error.stack : String(error) });
      if (response.headersSent) response.destroy();
      else text(request, response, 500, 'Ankify failed. Try again in a minute.\n');
    });
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = `ANKIFY_PAGE_PORT: ${port} is in use; the page needs a port of its own`;
      reject(error.code === 'EADDRINUSE' ? new Error(taken) : error);
    });
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: () => {
      closing ??= new Promise((resolve) => {
        // A connection whose last answer has just ended would be kept for the next one, which does not come.
        const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
        const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
        server.close(() => {
          clearTimeout(cut);
          clearInterval(idle);
          resolve();
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}

function originOf(option: string, given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.hash) {
    throw new Error(`${option} must be an origin, such as https://ankify.example.com`);
  }
  return url;
}

/** Only its own script and style, no inline anything; it talks to its own origin and to the gateway. */
function pageHeaders(page: URL, gateway: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "media-src 'self' blob:",
    "manifest-src 'self'",
    `connect-src 'self' ${gateway}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    // The code stands in the address of /signed-in until the page takes it away.
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
    ...(page.protocol === 'https:' && { 'strict-transport-security': 'max-age=31536000' }),
  };
}

interface Rooms {
  readonly page: URL;
  readonly files: ReturnType<typeof pageFiles>;
  readonly session: SessionEndpoint;
  readonly headers: Readonly<Record<string, string>>;
}

async function route({ page, files, session, headers }: Rooms, request: IncomingMessage, response: ServerResponse) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const path = request.url?.split('?', 1)[0] ?? '/';
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/healthz' && isRead) return text(request, response, 200, 'ok\n');
  // A page whose name was rebound to this address (DNS rebinding) is not this page.
  if (request.headers.host?.toLowerCase() !== page.host) {
    const isNeighbour =
      isLoopback(page.hostname) && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? '');
    if (isNeighbour && isRead && !path.startsWith('/session')) {
      // Its cookie and its client are of one name for this computer: the person meant the same.
      response.setHeader('location', `${page.origin}${path.startsWith('//') ? '/' : path}`);
      return text(request, response, 307, `The page is at ${page.origin}\n`);
    }
    return text(request, response, 403, 'This server does not go by the name in the Host header.\n');
  }
  if (path === '/session' || path.startsWith('/session/')) return session(request, response, path);
  if (!isRead) {
    response.setHeader('allow', 'GET, HEAD');
    return text(request, response, 405, 'This method cannot be used here (only GET, HEAD).\n');
  }
  const file = files.find(path);
  if (file && path !== '/index.html') return sendFile(request, response, file);
  if (/\.\w+$/.test(path) && path !== '/index.html') return text(request, response, 404, 'There is no such file.\n');
  // Every other address is one of the page's own views.
  const index = files.index();
  if (index) return sendFile(request, response, index);
  return text(
    request,
    response,
    503,
    'The page is not built yet. npm start builds it; by hand: npx vite build apps/ankify/web. Then load this again.\n',
  );
}

function sendFile(request: IncomingMessage, response: ServerResponse, file: PageFile): void {
  response.setHeader('cache-control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.setHeader('etag', file.etag);
  response.setHeader('vary', 'Accept-Encoding');
  if ((request.headers['if-none-match'] ?? '').includes(file.etag)) {
    response.writeHead(304).end();
    return;
  }
  const takesBrotli = /(^|,)\s*br\s*(,|;(?!\s*q=0(\.0*)?\s*(,|$))|$)/i.test(
    String(request.headers['accept-encoding'] ?? ''),
  );
  const compressed = takesBrotli ? file.compressed : undefined;
  const body = compressed ?? file.bytes;
  response.writeHead(200, {
    'content-type': file.contentType,
    'content-length': body.length,
    ...(compressed && { 'content-encoding': 'br' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function text(request: IncomingMessage, response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
