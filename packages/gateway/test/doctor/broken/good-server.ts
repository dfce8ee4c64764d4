/**
 * An MCP server with its own authorization server at which the doctor has nothing to say, in one process and without state.
 * Broken ones are made from it by one change each: of the answers of one route, or of what stands in a document.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { createServer as createListener, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export type Route =
  | 'initialize'
  | 'discover'
  | 'initialized'
  | 'tools'
  | 'stream'
  | 'end'
  | 'mcp-preflight'
  | 'resource-path'
  | 'resource-root'
  | 'server-oauth'
  | 'server-openid'
  | 'document-preflight'
  | 'jwks'
  | 'register'
  | 'registered'
  | 'authorize'
  | 'token'
  | 'token-preflight'
  | 'other';

export interface Asked {
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** It came over TLS. */
  readonly secure: boolean;
  /** Of a form. */
  readonly form: URLSearchParams;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** An object is sent as JSON. */
  readonly body: unknown;
}

/** Undefined: the answer stays as it is. A function answers by itself. */
export type Change = (
  reply: Reply,
  asked: Asked,
  server: GoodServer,
) => Reply | ((res: ServerResponse) => void) | undefined;

export interface GoodServer {
  readonly port: number;
  /** What it calls itself in everything it says. */
  origin: string;
  /** The path of the authorization server's issuer; empty: the origin. */
  issuerPath: string;
  /** It asks nobody for a token. */
  open: boolean;
  /** Milliseconds that the doctor counts with; changes make time pass by adding to it. */
  readonly clock: { ms: number };
  change: Change;
  readonly asked: Asked[];
  close(): Promise<void>;
}

export const mcpPath = '/mcp';
export const goodToken = (aud: unknown) =>
  ['{"alg":"none"}', JSON.stringify({ aud, iss: 'http://localhost', exp: 1_900_000_000 }), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

export async function startGoodServer(tls?: ServerOptions): Promise<GoodServer> {
  const handle = (req: IncomingMessage, res: ServerResponse) => void answer(server, req, res);
  const plain = createServer(handle);
  const secure = tls && createTlsServer(tls, handle);
  const sockets = new Set<Socket>();
  // With TLS it speaks both on one port, told apart by the first byte: 22 is a handshake.
  const listener = createListener((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      (secure && first[0] === 22 ? secure : plain).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  for (const http of [plain, secure]) http?.on('clientError', (_, socket) => socket.destroy());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const server: GoodServer = {
    port,
    origin: `${tls ? 'https' : 'http'}://localhost:${port}`,
    issuerPath: '',
    open: false,
    clock: { ms: 0 },
    change: () => undefined,
    asked: [],
    async close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
    },
  };
  return server;
}

async function answer(server: GoodServer, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  const { pathname: path, searchParams: query } = new URL(req.url ?? '/', server.origin);
  const method = req.method ?? 'GET';
  const route = routeOf(server, method, path, body);
  const secure = req.socket instanceof TLSSocket;
  const asked = { secure, route, method, path, query, headers: req.headers, body, form: new URLSearchParams(body) };
  server.asked.push(asked);
  const reply = goodReply(server, asked);
  const changed = server.change(reply, asked, server) ?? reply;
  if (typeof changed === 'function') return changed(res);
  send(res, changed);
}

export function send(res: ServerResponse, { status, headers, body }: Reply): void {
  for (const [name, value] of Object.entries(headers)) {
    res.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  if (isStream(headers)) {
    res.writeHead(status);
    // It stays open: who asked for a stream ends it.
    res.write(String(body));
    return;
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'content-length': Buffer.byteLength(text) }).end(text);
}

function isStream(headers: Reply['headers']): boolean {
  return headers['content-type'] === 'text/event-stream';
}

function routeOf(server: GoodServer, method: string, path: string, body: string): Route {
  const preflight = method === 'OPTIONS';
  const { issuerPath } = server;
  if (path === mcpPath) {
    if (preflight) return 'mcp-preflight';
    if (method === 'GET') return 'stream';
    if (method === 'DELETE') return 'end';
    const called = /"method":"([^"]*)"/.exec(body)?.[1];
    const routes: Readonly<Record<string, Route>> = {
      initialize: 'initialize',
      'server/discover': 'discover',
      'notifications/initialized': 'initialized',
      'tools/list': 'tools',
    };
    return routes[called ?? ''] ?? 'other';
  }
  const documents: Readonly<Record<string, Route>> = {
    [`/.well-known/oauth-protected-resource${mcpPath}`]: 'resource-path',
    '/.well-known/oauth-protected-resource': 'resource-root',
    [`/.well-known/oauth-authorization-server${issuerPath}`]: 'server-oauth',
    [`/.well-known/openid-configuration${issuerPath}`]: 'server-openid',
    [`${issuerPath}/.well-known/openid-configuration`]: 'server-openid',
  };
  const document = documents[path];
  if (document) return preflight ? 'document-preflight' : document;
  if (path === '/token') return preflight ? 'token-preflight' : 'token';
  const others: Readonly<Record<string, Route>> = {
    '/jwks': 'jwks',
    '/register': 'register',
    '/authorize': 'authorize',
  };
  if (path.startsWith('/register/')) return 'registered';
  return others[path] ?? 'other';
}

const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'WWW-Authenticate' };

function json(status: number, body: unknown, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...cors, ...headers }, body };
}

function goodReply(server: GoodServer, asked: Asked): Reply {
  switch (asked.route) {
    case 'initialize':
    case 'discover':
    case 'initialized':
    case 'tools':
    case 'stream':
    case 'end':
      return mcpReply(server, asked);
    case 'mcp-preflight':
    case 'document-preflight':
    case 'token-preflight':
      return {
        status: 204,
        headers: {
          ...cors,
          'access-control-allow-methods': 'GET, POST, DELETE',
          'access-control-allow-headers': 'Authorization, Content-Type, MCP-Protocol-Version',
        },
        body: '',
      };
    case 'resource-path':
    case 'resource-root':
      return json(200, {
        resource: server.origin + mcpPath,
        authorization_servers: [server.origin + server.issuerPath],
        scopes_supported: ['read'],
      });
    case 'server-oauth':
    case 'server-openid':
      return json(200, metadata(server));
    case 'jwks':
      return json(200, { keys: [{ kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', kid: 'one', alg: 'ES256' }] });
    case 'register':
      return registered(server, asked);
    case 'registered':
      return { status: 204, headers: {}, body: '' };
    case 'authorize':
      return authorize(server, asked);
    case 'token':
      return tokenReply(asked);
    case 'other':
      return json(404, { error: 'not_found' });
  }
}

export function metadata({ origin, issuerPath }: Pick<GoodServer, 'origin' | 'issuerPath'>) {
  return {
    issuer: origin + issuerPath,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    jwks_uri: `${origin}/jwks`,
    scopes_supported: ['read', 'offline_access'],
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
  };
}

function mcpReply(server: GoodServer, { route, headers, method }: Asked): Reply {
  const { authorization } = headers;
  if (!server.open && !authorization?.startsWith('Bearer eyJ')) {
    const error = authorization === undefined ? '' : 'error="invalid_token", ';
    const metadataUrl = `${server.origin}/.well-known/oauth-protected-resource${mcpPath}`;
    const challenge = `Bearer ${error}scope="read", resource_metadata="${metadataUrl}"`;
    return json(401, { error: 'unauthorized' }, { 'www-authenticate': challenge });
  }
  const result = (value: object, more: Reply['headers'] = {}) =>
    json(200, { jsonrpc: '2.0', id: 1, result: value }, more);
  const common = { capabilities: { tools: {} }, serverInfo: { name: 'good', version: '1' } };
  switch (route) {
    case 'initialize':
      return result({ protocolVersion: '2025-06-18', ...common }, { 'mcp-session-id': 'session-1' });
    case 'discover':
      return result({ resultType: 'complete', supportedVersions: ['2026-07-28'], ...common });
    case 'initialized':
      return { status: 202, headers: cors, body: '' };
    case 'tools':
      return headers['mcp-session-id'] === 'session-1' || headers['mcp-protocol-version'] === '2026-07-28'
        ? result({ tools: [] })
        : json(404, { error: 'no session' });
    case 'stream':
      return { status: 200, headers: { 'content-type': 'text/event-stream', ...cors }, body: ': here\n\n' };
    default:
      return { status: method === 'DELETE' ? 204 : 405, headers: cors, body: '' };
  }
}

function registered({ origin }: GoodServer, { body }: Asked): Reply {
  const sent = JSON.parse(body) as { redirect_uris: readonly string[] };
  // The id says what was registered, so that nothing has to be kept.
  const id = `id-${Buffer.from(JSON.stringify(sent.redirect_uris)).toString('base64url')}`;
  return json(201, {
    ...sent,
    client_id: id,
    registration_client_uri: `${origin}/register/${id}`,
    registration_access_token: 'registration-secret',
  });
}

/** It has copies of the documents. */
const documents: Readonly<Record<string, readonly string[]>> = {
  'https://claude.ai/oauth/mcp-oauth-client-metadata': ['https://claude.ai/api/mcp/auth_callback'],
  'https://claude.ai/oauth/claude-code-client-metadata': ['http://localhost/callback'],
  'https://chatgpt.com/oauth/client.json': ['https://chatgpt.com/connector_platform_oauth_redirect'],
  'https://vscode.dev/oauth/client-metadata.json': ['http://127.0.0.1/'],
  'https://zed.dev/oauth/client-metadata.json': ['http://127.0.0.1/callback'],
  'https://opencode.ai/oauth/opencode/client.json': ['http://127.0.0.1/callback', 'http://localhost/callback'],
};

function redirectUrisOf(clientId: string | null): readonly string[] {
  if (clientId?.startsWith('https://')) return documents[clientId] ?? [];
  if (!clientId?.startsWith('id-')) return [];
  return JSON.parse(Buffer.from(clientId.slice(3), 'base64url').toString('utf8')) as readonly string[];
}

function authorize({ origin, issuerPath }: GoodServer, { query }: Asked): Reply {
  const redirectUri = query.get('redirect_uri') ?? '';
  const portless = (uri: string) => uri.replace(/:\d+\//, '/');
  const known = redirectUrisOf(query.get('client_id')).some((uri) => portless(uri) === portless(redirectUri));
  if (!known) return page(400, 'The address is not registered.');
  const back = (error: string): Reply => {
    const to = new URL(redirectUri);
    to.searchParams.set('error', error);
    to.searchParams.set('state', query.get('state') ?? '');
    to.searchParams.set('iss', origin + issuerPath);
    return { status: 302, headers: { location: to.href }, body: '' };
  };
  if (query.get('code_challenge_method') !== 'S256') return back('invalid_request');
  if (query.get('resource') !== origin + mcpPath) return back('invalid_target');
  return page(200, '<form method="post"><button>Allow</button></form>');
}

export function page(status: number, body: string): Reply {
  return {
    status,
    headers: { 'content-type': 'text/html', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" },
    body: `<!doctype html><title>Good</title>${body}`,
  };
}

function tokenReply({ form }: Asked): Reply {
  const noStore = { 'cache-control': 'no-store' };
  return redirectUrisOf(form.get('client_id')).length === 0
    ? json(401, { error: 'invalid_client' }, noStore)
    : json(400, { error: 'invalid_grant' }, noStore);
}
