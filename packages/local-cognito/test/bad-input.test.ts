/** Hostile input at every endpoint: always 4xx in Cognito's form, never a fault, never a hang. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { CALLBACK, startPool, type TestPool } from './support/pool.ts';

const POOL = '/eu-central-1_Test0001';
const API = ['/oauth2/token', '/oauth2/userInfo', '/oauth2/revoke'];
const PAGES = ['/login', '/signup', '/confirmUser', '/resendcode', '/forgotPassword', '/confirmForgotPassword'];
const QUERY = new URLSearchParams({ response_type: 'code', client_id: 'public', redirect_uri: CALLBACK }).toString();
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Raw bytes as the body, the same query as a page has. */
async function send(pool: TestPool, path: string, body: string | Buffer, headers: Record<string, string> = FORM) {
  const response = await fetch(`${pool.origin}${path}?${QUERY}`, { method: 'POST', body, headers, redirect: 'manual' });
  const text = await response.text();
  return { status: response.status, text, type: response.headers.get('content-type') ?? '' };
}

const BODIES: [string, string | Buffer, number][] = [
  ['a megabyte', `token=${'x'.repeat(1024 * 1024)}`, 413],
  ['just over 64 KB', 'x'.repeat(64 * 1024 + 1), 413],
  ['bytes that are not UTF-8', Buffer.from([0x61, 0x3d, 0xff, 0xfe]), 400],
  ['escapes that are not UTF-8', 'token=%ff%fe', 400],
  ['broken escapes', 'token=%zz', 400],
  ['a NUL', 'token=a%00b', 400],
  ['a repeated parameter', 'client_id=public&client_id=public', 400],
  ['a 10,000-character value', `token=${'x'.repeat(10_000)}`, 400],
  ['a 10,000-character name', `${'x'.repeat(10_000)}=1`, 400],
  ['a thousand parameters', Array.from({ length: 1000 }, (_, n) => `p${n}=1`).join('&'), 400],
  ['prototype names', '__proto__=1&constructor=1&grant_type=constructor', 400],
];

test.each(BODIES)('a body of %s', async (_, body, status) => {
  const pool = await startPool();
  for (const path of [...API, ...PAGES]) {
    const answer = await send(pool, path, body);
    const page = PAGES.includes(path);
    // Prototype names are no fault in themselves: a form without a CSRF token is.
    expect([path, answer.status]).toEqual([
      path,
      status === 400 && page && String(body).includes('__proto__') ? 403 : status,
    ]);
    if (page) expect(answer.type).toBe('text/html;charset=UTF-8');
    else expect(JSON.parse(answer.text).error).toMatch(/^(invalid_request|unsupported_grant_type)$/);
  }
  expect(pool.events.filter((event) => event.event === 'fault')).toEqual([]);
});

test.each([
  ['JSON', 'application/json', '{}'],
  ['multipart', 'multipart/form-data; boundary=x', '--x--'],
  ['plain text', 'text/plain', 'grant_type=client_credentials'],
])('a body that is %s', async (_, type, body) => {
  const pool = await startPool();
  for (const path of [...API, ...PAGES]) {
    expect([path, (await send(pool, path, body, { 'content-type': type })).status]).toEqual([path, 415]);
  }
});

test.each([
  ['repeated parameter', 'client_id=public&client_id=public'],
  ['not UTF-8', 'state=%ff'],
  ['broken escape', 'state=%'],
  ['10,000 characters', `state=${'x'.repeat(10_000)}`],
  ['line break', 'state=a%0d%0aset-cookie:x=1'],
])('a query with a %s', async (_, extra) => {
  const pool = await startPool();
  for (const path of ['/oauth2/authorize', '/logout', '/error', ...PAGES.filter((page) => page !== '/resendcode')]) {
    const response = await fetch(`${pool.origin}${path}?${QUERY}&${extra}`, { redirect: 'manual' });
    expect([path, response.status]).toEqual([path, 400]);
    expect(await response.text()).toContain('An error was encountered with the requested page.');
  }
});

test('a query of 40,000 characters is refused before it is read', async () => {
  const pool = await startPool();
  const response = await fetch(`${pool.origin}/oauth2/authorize?${QUERY}&state=${'x'.repeat(40_000)}`);
  expect(response.status).toBe(431);
});

test.each([
  ['GET', '/oauth2/token', 'POST'],
  ['PUT', '/oauth2/token', 'POST'],
  ['GET', '/oauth2/revoke', 'POST'],
  ['DELETE', '/oauth2/userInfo', 'GET, HEAD, POST'],
  ['POST', `${POOL}/.well-known/jwks.json`, 'GET, HEAD'],
  ['POST', '/oauth2/authorize', 'GET, HEAD'],
  ['POST', '/logout', 'GET, HEAD'],
  ['GET', '/resendcode', 'POST'],
  ['PATCH', '/login', 'GET, HEAD, POST'],
])('method %s at %s', async (method, path, allow) => {
  const pool = await startPool();
  const response = await fetch(`${pool.origin}${path}`, { method });
  expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  if (path.startsWith('/oauth2/') && !path.endsWith('authorize')) {
    expect(await response.json()).toEqual({ error: 'invalid_request' });
  }
});

test.each(['/', '/nowhere', '/oauth2/token/', '//evil.example.com', '/..%2flogin', '/LOGIN', '/constructor'])(
  'path %s is not found',
  async (path) => {
    const pool = await startPool();
    expect((await fetch(`${pool.origin}${path}`)).status).toBe(404);
  },
);

test('another pool’s keys are not here, said as AWS says it', async () => {
  const pool = await startPool();
  const response = await fetch(`${pool.origin}/eu-west-1_Other/.well-known/jwks.json`);
  expect([response.status, await response.json()]).toEqual([
    404,
    { code: 'ResourceNotFoundException', message: 'User pool eu-west-1_Other does not exist.' },
  ]);
});

test('discovery names what Cognito names; HEAD and CORS work', async () => {
  const pool = await startPool();
  const { origin, issuer } = pool;
  const document = await pool.get(`${POOL}/.well-known/openid-configuration`);
  expect(document.body).toEqual({
    authorization_endpoint: `${origin}/oauth2/authorize`,
    end_session_endpoint: `${origin}/logout`,
    id_token_signing_alg_values_supported: ['RS256'],
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ['code', 'token'],
    revocation_endpoint: `${origin}/oauth2/revoke`,
    scopes_supported: ['openid', 'email', 'phone', 'profile'],
    subject_types_supported: ['public'],
    token_endpoint: `${origin}/oauth2/token`,
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    userinfo_endpoint: `${origin}/oauth2/userInfo`,
  });
  const { keys } = (await pool.get(`${POOL}/.well-known/jwks.json`)).body as { keys: Record<string, string>[] };
  expect(keys.map((key) => Object.keys(key).sort())).toEqual(Array(2).fill(['alg', 'e', 'kid', 'kty', 'n', 'use']));
  const head = await fetch(`${issuer}/.well-known/jwks.json`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  const preflight = await fetch(`${origin}/oauth2/token`, { method: 'OPTIONS' });
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
  const page = await fetch(pool.authorizeUrl(), { redirect: 'manual' });
  expect(page.headers.has('access-control-allow-origin')).toBe(false);
});

test.each([
  [
    'two Authorization headers',
    'POST /oauth2/token HTTP/1.1\r\nhost: x\r\nauthorization: Basic YTpi\r\nauthorization: Basic YTpi\r\ncontent-length: 0\r\n\r\n',
    '400',
  ],
  ['no HTTP at all', 'hello\r\n\r\n', '400'],
  ['two lengths', 'POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', '400'],
  [
    'length and chunks',
    'POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    '400',
  ],
  ['an absolute target', 'GET http://evil.example.com/login HTTP/1.1\r\nhost: x\r\n\r\n', '404'],
])('on the wire: %s', async (_, bytes, status) => {
  const pool = await startPool();
  const socket = connect(pool.port, '127.0.0.1');
  socket.write(bytes);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(answer.toString().slice(9, 12)).toBe(status);
});

test('a client that stops in the middle of its body leaves nothing behind, and close() waits for nobody', async () => {
  const pool = await startPool();
  const socket = connect(pool.port, '127.0.0.1');
  socket.write('POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\ngrant_type=');
  await once(socket, 'connect');
  const ended = once(socket, 'close');
  socket.on('error', () => {});
  expect((await pool.token({ grant_type: 'x', client_id: 'public' })).status).toBe(400);
  await pool.close();
  await ended;
  expect(pool.events.filter((event) => event.event === 'fault')).toEqual([]);
});
