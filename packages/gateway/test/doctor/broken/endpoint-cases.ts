/** Servers whose address, first answer, challenge, CORS or speed is wrong. */
import {
  answers,
  at,
  type Broken,
  headers,
  messages,
  metadataRoutes,
  missing,
  namesHere,
  publicly,
  resourceRoutes,
} from './broken.ts';
import { type GoodServer, page } from './good-server.ts';

const without = (text: string) => (value: string) => value.replace(text, '');

/** Of the challenge to whoever has no token. */
const challenge = (edit: (value: string) => string) =>
  at(['initialize', 'discover', 'stream'], (reply) => {
    const value = reply.headers['www-authenticate'];
    return typeof value === 'string'
      ? { ...reply, headers: { ...reply.headers, 'www-authenticate': edit(value) } }
      : undefined;
  });

const publicHost = { prepare: publicly, options: { resolve: namesHere } } as const;

export const addressCases: readonly Broken[] = [
  {
    is: 'a name that nobody knows',
    typed: () => 'https://nowhere.example.test/mcp',
    options: { resolve: () => Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' })) },
    finds: ['address.unresolvable'],
    elsewhere: true,
  },
  {
    is: 'a port where nothing listens',
    typed: () => 'http://127.0.0.1:1/mcp',
    finds: ['address.unreachable'],
  },
  {
    is: 'a URL with a password',
    typed: ({ port }) => `http://ada:secret@localhost:${port}/mcp`,
    finds: ['address.userinfo'],
  },
  {
    is: 'a URL with a fragment',
    typed: ({ port }) => `http://localhost:${port}/mcp#tools`,
    finds: ['address.fragment'],
  },
  { is: 'a URL without a scheme', typed: ({ port }) => `localhost:${port}/mcp`, finds: ['address.scheme-added'] },
  { is: 'plain http', ...publicHost, finds: ['address.plain-http'] },
  {
    is: 'a name with an IPv6 address only',
    typed: () => 'http://mcp.example.test:1/mcp',
    options: { resolve: async () => [{ address: '::1', family: 6 }] },
    finds: ['address.no-ipv4', 'address.plain-http', 'address.unreachable'],
  },
  {
    is: 'a redirect to itself',
    change: at(messages, (_, { path }) => ({ status: 308, headers: { location: path }, body: '' })),
    finds: ['address.redirect-loop'],
  },
  {
    is: 'a redirect of the host to another name',
    prepare: publicly,
    options: { resolve: namesHere },
    typed: ({ port }) => `http://localhost:${port}/mcp`,
    change: at(['initialize'], (_, asked, { origin }) =>
      asked.headers.host?.startsWith('localhost')
        ? { status: 308, headers: { location: `${origin}/mcp` }, body: '' }
        : undefined,
    ),
    finds: ['address.redirect-elsewhere'],
  },
  {
    is: 'a redirect that makes GET of POST',
    typed: ({ origin }) => `${origin}/mcp/`,
    change: redirectSlash(301),
    finds: ['address.redirect-post'],
  },
  {
    is: 'a redirect to the slash',
    typed: ({ origin }) => `${origin}/mcp/`,
    change: redirectSlash(307),
    finds: ['address.redirect'],
  },
];

/** `/mcp/` to `/mcp`, as frameworks do it. */
function redirectSlash(status: number): NonNullable<Broken['change']> {
  return (_, { path }) => (path === '/mcp/' ? { status, headers: { location: '/mcp' }, body: '' } : undefined);
}

const open = (server: GoodServer) => {
  server.open = true;
};

export const answerCases: readonly Broken[] = [
  {
    is: 'open to everybody',
    prepare: open,
    change: missing('resource-path', 'resource-root', 'server-oauth', 'server-openid'),
    finds: ['challenge.open'],
  },
  { is: 'open although it names an authorization server', prepare: open, finds: ['challenge.lets-in'] },
  { is: 'a login page', change: at(messages, () => page(200, 'Please sign in')), finds: ['challenge.login-page'] },
  {
    is: 'a redirect to a login page',
    change: (_, { path, route }) =>
      path === '/login'
        ? page(200, 'Please sign in')
        : messages.includes(route as (typeof messages)[number])
          ? { status: 302, headers: { location: '/login' }, body: '' }
          : undefined,
    finds: ['challenge.login-page'],
  },
  { is: '403 without a token', change: at(messages, answers(403)), finds: ['challenge.forbidden'] },
  { is: 'nothing at the path', change: at([...messages, 'stream'], answers(404)), finds: ['challenge.not-found'] },
  {
    is: 'the transport of 2024',
    change: (_, { route }) =>
      route === 'stream'
        ? {
            status: 200,
            headers: { 'content-type': 'text/event-stream' },
            body: 'event: endpoint\ndata: {"result":{}}\n\n',
          }
        : messages.includes(route as (typeof messages)[number])
          ? { status: 405, headers: {}, body: '' }
          : undefined,
    finds: ['challenge.legacy-sse'],
  },
  { is: '400 before it asks for a token', change: at(messages, answers(400)), finds: ['challenge.wrong-status'] },
  { is: 'a gateway without its server', change: at(messages, answers(502)), finds: ['challenge.server-error'] },
  { is: 'JSON that is not MCP', change: at(messages, answers(200, { hello: 'world' })), finds: ['challenge.not-mcp'] },
  {
    is: 'an answer that breaks off',
    change: at(['initialize'], (reply) => (res) => {
      res.writeHead(reply.status, { ...(reply.headers as Record<string, string>), 'content-length': '100' });
      res.write('{');
      res.socket?.end();
    }),
    finds: ['challenge.cut'],
  },
];

export const challengeCases: readonly Broken[] = [
  {
    is: 'a front door that renames the header',
    change: at(messages, (reply) => {
      const { 'www-authenticate': value, ...rest } = reply.headers;
      return {
        ...reply,
        headers: { ...rest, ...(value !== undefined && { 'x-amzn-remapped-www-authenticate': value }) },
      };
    }),
    finds: ['challenge.renamed'],
  },
  {
    is: 'a 401 without a challenge',
    change: at(messages, headers({ 'www-authenticate': undefined })),
    finds: ['challenge.missing'],
  },
  {
    is: 'a URL without quotes',
    change: challenge((value) => value.replace(/resource_metadata="([^"]*)"/, 'resource_metadata=$1')),
    finds: ['challenge.malformed', 'challenge.no-resource-metadata'],
  },
  {
    is: 'a password wanted',
    change: challenge(() => 'Basic realm="private"'),
    finds: ['challenge.not-bearer', 'challenge.wrong-token-error'],
  },
  {
    is: 'two challenges',
    change: at(messages, (reply) => ({
      ...reply,
      headers: {
        ...reply.headers,
        'www-authenticate': ['Basic realm="private"', String(reply.headers['www-authenticate'])],
      },
    })),
    finds: ['challenge.several'],
  },
  {
    is: 'a challenge that names no metadata',
    change: challenge((value) => value.replace(/, resource_metadata=.*/, '')),
    finds: ['challenge.no-resource-metadata'],
  },
  {
    is: 'a relative URL of the metadata',
    change: challenge((value) => value.replace(/http:\/\/[^/]*/, '')),
    finds: ['challenge.resource-metadata-form'],
  },
  {
    is: 'metadata under another name of the host',
    change: challenge((value) => value.replace('//localhost', '//127.0.0.1')),
    finds: ['challenge.resource-metadata-elsewhere'],
  },
  {
    is: 'an error where no token was sent',
    change: challenge((value) =>
      value.includes('error=') ? value : value.replace('Bearer ', 'Bearer error="invalid_token", '),
    ),
    finds: ['challenge.error-without-token'],
  },
  { is: 'a challenge without scope', change: challenge(without('scope="read", ')), finds: ['challenge.no-scope'] },
  {
    is: 'offline_access in the challenge',
    change: challenge((value) => value.replace('read', 'read offline_access')),
    finds: ['challenge.offline-access'],
  },
  {
    is: 'a 401 without a body',
    change: at('initialize', (reply) => ({ ...reply, body: '' })),
    finds: ['challenge.silent-body'],
  },
  { is: 'GET for everybody', change: at('stream', answers(200, 'Hello')), finds: ['challenge.get'] },
  { is: 'an old server before its guard', change: at('discover', answers(400)), finds: ['challenge.modern'] },
  {
    is: 'any token',
    change: at('initialize', (_, { headers: { authorization } }) =>
      authorization === undefined
        ? undefined
        : { status: 200, headers: {}, body: { jsonrpc: '2.0', id: 1, result: {} } },
    ),
    finds: ['challenge.wrong-token-accepted'],
  },
  {
    is: '403 for an expired token',
    change: at('initialize', (_, { headers: { authorization } }) =>
      authorization === undefined ? undefined : { status: 403, headers: {}, body: { message: 'Forbidden' } },
    ),
    finds: ['challenge.wrong-token-status'],
  },
  {
    is: 'no name for a wrong token',
    change: challenge(without('error="invalid_token", ')),
    finds: ['challenge.wrong-token-error'],
  },
  {
    is: 'tokens in the query',
    change: at('initialize', (reply, { query }) =>
      query.has('access_token')
        ? { ...reply, headers: { ...reply.headers, 'www-authenticate': 'Bearer error="invalid_token"' } }
        : undefined,
    ),
    finds: ['challenge.token-in-query'],
  },
];

export const browserCases: readonly Broken[] = [
  {
    is: 'a guard before the preflight',
    change: at('mcp-preflight', answers(401)),
    finds: ['browser.preflight-guarded'],
  },
  { is: 'strange pages refused', change: at('mcp-preflight', answers(403)), finds: ['browser.origin-refused'] },
  { is: 'no preflight', change: at('mcp-preflight', answers(405)), finds: ['browser.preflight'] },
  {
    is: 'a star for Authorization',
    change: at('mcp-preflight', headers({ 'access-control-allow-headers': '*' })),
    finds: ['browser.headers'],
  },
  {
    is: 'a challenge that pages cannot read',
    change: at('initialize', headers({ 'access-control-expose-headers': undefined })),
    finds: ['browser.challenge-hidden'],
  },
  {
    is: 'metadata of the resource without CORS',
    change: at(resourceRoutes, headers({ 'access-control-allow-origin': undefined })),
    finds: ['browser.resource-metadata'],
  },
  {
    is: 'metadata of the authorization server without CORS',
    change: at(metadataRoutes, headers({ 'access-control-allow-origin': 'http://localhost:1' })),
    finds: ['browser.server-metadata'],
  },
  // The SDK goes on without the header for which the browser asks first; and a form needs no such question.
  { is: 'no preflight for documents', change: at('document-preflight', answers(404)), finds: [] },
  { is: 'no preflight for tokens', change: at('token-preflight', answers(405)), finds: [] },
  {
    is: 'a token endpoint without CORS',
    change: at(['token', 'token-preflight'], headers({ 'access-control-allow-origin': undefined })),
    finds: ['browser.token'],
  },
];

const slow =
  (ms: number): NonNullable<Broken['change']> =>
  (_, __, { clock }) => {
    clock.ms += ms;
    return undefined;
  };

export const speedCases: readonly Broken[] = [
  { is: 'a token endpoint that thinks', change: at('token', slow(10_000)), finds: ['speed.token'] },
  { is: 'slow metadata', change: at('server-oauth', slow(4_000)), finds: ['speed.discovery'] },
  {
    is: 'asleep',
    change: (reply, asked, server) => (server.asked.length === 1 ? slow(2_000)(reply, asked, server) : undefined),
    finds: ['speed.cold-start'],
  },
];
