/** The page's session against a real gateway: sign-in, refreshes of many tabs, thefts, foreign pages, and its end. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionCookie } from '../src/session/session-cookie.ts';
import { type PageService, type SessionReply, startPageService } from './page-service.ts';

let service: PageService;
/** Every value that no log may hold. */
const secrets = new Set<string>();
beforeAll(async () => {
  service = await startPageService();
});
afterAll(() => service.close());

function noted(reply: SessionReply): SessionReply {
  const value = reply.cookie.split('=')[1];
  if (value) secrets.add(value);
  if (reply.json?.access_token) secrets.add(reply.json.access_token);
  return reply;
}

const signIn = async () => noted(await service.signIn());
const token = async (cookie: string, json: object = {}) =>
  noted(await service.call('POST', '/session/token', { json, cookie }));
const signOut = (cookie: string) => service.call('DELETE', '/session', { cookie });
const callApi = (accessToken: string) =>
  fetch(`${service.api}/decks`, { headers: { authorization: `Bearer ${accessToken}`, origin: service.origin } });
const kinds = ({ json }: SessionReply) => json.type.split('/').at(-1);

describe('a session', () => {
  test('begins with a code: a token for the page, the rest in a cookie that no script can read', async () => {
    const reply = await signIn();
    expect(reply.json).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'generate_deck list_decks',
    });
    const set = reply.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^ankify-session=[\w-]+; Path=\/session; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const decks = await callApi(reply.json.access_token);
    expect([decks.status, decks.headers.get('access-control-allow-origin')]).toEqual([200, service.origin]);
    // A reload has the cookie alone; a restarted server knows nothing beside it.
    const reloaded = await token(reply.cookie);
    expect(reloaded.json.access_token).toBe(reply.json.access_token);
    await service.restart();
    const after = await token(reply.cookie);
    expect([after.status, (await callApi(after.json.access_token)).status]).toEqual([200, 200]);
    expect(after.cookie).not.toBe(reply.cookie);
  });

  test('a code is good once, with its verifier, for this page', async () => {
    const given = await service.authorize();
    secrets.add(given.code).add(given.code_verifier);
    const elsewhere = { ...given, redirect_uri: 'http://localhost:1/signed-in' };
    expect(kinds(await service.call('POST', '/session', { json: elsewhere }))).toBe('sign-in-failed');
    const wrong = { ...given, code_verifier: randomBytes(32).toString('base64url') };
    const refused = await service.call('POST', '/session', { json: wrong });
    expect([refused.status, kinds(refused), refused.cookie]).toEqual([400, 'sign-in-failed', '']);
    const taken = noted(await service.call('POST', '/session', { json: given }));
    expect(taken.status).toBe(200);
    expect((await service.call('POST', '/session', { json: given })).status).toBe(400);
  });

  test('ends at the gateway, too', async () => {
    const { cookie } = await signIn();
    const out = await signOut(cookie);
    expect([out.status, out.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')]);
    const copy = await token(cookie);
    expect([copy.status, kinds(copy)]).toEqual([401, 'signed-out']);
    // A server that knows nothing of the end asks the gateway, which does.
    await service.restart();
    expect((await token(cookie)).status).toBe(401);
    expect((await signOut(cookie)).status).toBe(204);
    expect((await signOut('')).status).toBe(204);
  });

  test('signed in again, the session before has ended', async () => {
    const first = await signIn();
    const json = await service.authorize();
    const second = noted(await service.call('POST', '/session', { json, cookie: first.cookie }));
    expect(second.status).toBe(200);
    expect((await token(first.cookie)).status).toBe(401);
    expect((await token(second.cookie)).status).toBe(200);
  });
});

describe('refreshes', () => {
  const rotations = () =>
    service.gateway.events.filter((event) => event.event === 'token.issued' && event.grantType === 'refresh_token')
      .length;

  test('twenty tabs at once are one refresh, and all get one token and one cookie', async () => {
    const { cookie, json } = await signIn();
    const before = rotations();
    const tabs = await Promise.all(Array.from({ length: 20 }, () => token(cookie, { force: true })));
    expect(new Set(tabs.map((tab) => tab.json.access_token)).size).toBe(1);
    expect(tabs[0]?.json.access_token).not.toBe(json.access_token);
    expect(rotations() - before).toBe(1);
    // Each cookie is sealed anew; whichever the browser keeps is good.
    for (const tab of tabs.slice(0, 3))
      expect((await token(tab.cookie)).json.access_token).toBe(tabs[0]?.json.access_token);
    expect(rotations() - before).toBe(1);
  });

  test('a token is fresh: with less than half of its life left another one is fetched', async () => {
    const { cookie, json } = await signIn();
    service.clock.ahead = json.expires_in / 2 - 5;
    expect((await token(cookie)).json.access_token).toBe(json.access_token);
    service.clock.ahead += 10;
    const next = await token(cookie);
    service.clock.ahead = 0;
    expect(next.json.access_token).not.toBe(json.access_token);
    expect(next.json.expires_in).toBe(json.expires_in);
  });

  test('an answer that was lost costs nothing, however late the browser asks again', async () => {
    const { cookie } = await signIn();
    const lost = await token(cookie, { force: true });
    expect(lost.cookie).not.toBe('');
    service.clock.ahead = 3600;
    const again = await token(cookie, { force: true });
    service.clock.ahead = 0;
    expect(again.status).toBe(200);
    expect((await token(again.cookie, { force: true })).status).toBe(200);
  });

  test('a cookie that was copied is found out: both end, here and at the gateway', async () => {
    const { cookie: stolen } = await signIn();
    const mine = await token(stolen, { force: true });
    const next = await token(mine.cookie, { force: true });
    // A tab of mine that was late is no thief.
    expect((await token(mine.cookie)).status).toBe(200);
    service.clock.ahead = 120;
    const thief = await token(stolen);
    expect([thief.status, kinds(thief)]).toEqual([401, 'signed-out']);
    expect(service.events).toContainEqual(expect.objectContaining({ event: 'session.replayed' }));
    expect((await token(next.cookie)).status).toBe(401);
    service.clock.ahead = 0;
    await service.restart();
    expect((await token(next.cookie)).status).toBe(401);
  });
});

describe('foreign pages', () => {
  test.each<[string, Record<string, string | undefined>, number]>([
    ['another origin', { origin: 'http://localhost:1' }, 403],
    ['the gateway’s origin', { origin: 'GATEWAY' }, 403],
    ['no origin', { origin: undefined }, 403],
    ['a sandboxed page', { origin: 'null' }, 403],
    ['another site by its own word', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a neighbour', { 'sec-fetch-site': 'same-site' }, 403],
    ['an address typed in', { 'sec-fetch-site': 'none' }, 403],
    ['no header of its own', { 'ankify-session': undefined }, 403],
    ['another value', { 'ankify-session': 'yes' }, 403],
    ['a name that was rebound', { host: 'evil.example' }, 403],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['plain text', { 'content-type': 'text/plain' }, 415],
  ])('%s gets nothing', async (_, headers, status) => {
    const { cookie } = await signIn();
    if (headers.origin === 'GATEWAY') headers.origin = service.gateway.issuer;
    for (const [method, path] of [
      ['POST', '/session/token'],
      ['POST', '/session'],
      ['DELETE', '/session'],
    ] as const) {
      if (status === 415 && method === 'DELETE') continue; // it has no body
      const reply = await service.call(method, path, { cookie, headers, ...(method === 'POST' && { json: {} }) });
      expect([path, reply.status]).toEqual([path, status]);
      expect(reply.headers.get('set-cookie')).toBeNull();
      expect(reply.headers.get('access-control-allow-origin')).toBeNull();
    }
    expect((await token(cookie)).status).toBe(200);
  });

  test('a preflight is not answered: there is no CORS here', async () => {
    const headers = { origin: 'http://localhost:1', 'access-control-request-headers': 'ankify-session' };
    const reply = await service.call('OPTIONS', '/session/token', { headers });
    expect(reply.status).toBe(405);
    expect([...reply.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('bad input', () => {
  test('a cookie changed in any character, of another key or another page is no session', async () => {
    const { cookie } = await signIn();
    const value = cookie.split('=')[1] as string;
    for (let at = 0; at < value.length; at += 7) {
      const other = value[at] === 'A' ? 'B' : 'A';
      const reply = await token(`ankify-session=${value.slice(0, at)}${other}${value.slice(at + 1)}`);
      expect([at, reply.status]).toEqual([at, 401]);
    }
    const session = { id: 'x', generation: 1, refreshToken: 'r' };
    const page = new URL(service.origin);
    for (const foreign of [
      sessionCookie(randomBytes(32), page).write(session),
      'ankify-session=',
      'ankify-session=AAAA',
    ]) {
      expect((await token(foreign.split(';', 1)[0] ?? '')).status).toBe(401);
    }
    expect((await token(`ankify-session=planted; ${cookie}`)).status).toBe(200);
    const key = randomBytes(32);
    const sealed = sessionCookie(key, page).write(session).split(';', 1)[0];
    expect(sessionCookie(key, page).read(sealed)).toEqual(session);
    expect(sessionCookie(key, new URL('http://localhost:1')).read(sealed)).toBeUndefined();
  });

  test('over https the cookie is of this host alone, and over http elsewhere there is none', () => {
    const cookie = sessionCookie(randomBytes(32), new URL('https://ankify.example'));
    const set = cookie.write({ id: 'x', generation: 1, refreshToken: 'r' });
    expect(set).toMatch(/^__Host-ankify-session=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    expect(cookie.clear).toBe('__Host-ankify-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0');
    expect(() => sessionCookie(randomBytes(32), new URL('http://ankify.example'))).toThrow(/must be https/);
  });

  test.each<[string, string, unknown, number]>([
    ['no JSON', '/session', '{', 400],
    ['a list', '/session', '[]', 400],
    ['no code', '/session', '{}', 400],
    [
      'a code with a line break',
      '/session',
      JSON.stringify({ code: 'a\nb', code_verifier: 'v'.repeat(43), redirect_uri: 'x' }),
      400,
    ],
    ['a short verifier', '/session', JSON.stringify({ code: 'a', code_verifier: 'v', redirect_uri: 'x' }), 400],
    ['20 KB', '/session', `"${'x'.repeat(20_000)}"`, 413],
    ['an unknown member', '/session/token', '{"refresh_token":"x"}', 400],
    ['nothing', '/session/token', '', 400],
  ])('%s', async (_, path, body, status) => {
    const reply = await service.call('POST', path, { body: body as string });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([status, 'application/problem+json']);
    expect(reply.cookie).toBe('');
  });

  test.each([
    ['GET', '/session', 405],
    ['GET', '/session/token', 405],
    ['PUT', '/session', 405],
    ['POST', '/session/config', 405],
    ['POST', '/session/', 404],
    ['GET', '/session/secrets', 404],
  ])('%s %s: %i', async (method, path, status) => {
    expect((await service.call(method, path)).status).toBe(status);
  });
});

test('no code, verifier, token or cookie is in a log', () => {
  expect(secrets.size).toBeGreaterThan(40);
  const text = JSON.stringify([service.events, service.gateway.events]);
  for (const secret of secrets) expect(text.includes(secret), secret.slice(0, 12)).toBe(false);
  expect(service.events.filter(({ event }) => event === 'session.failed' || event === 'request.failed')).toEqual([]);
});

test('a gateway that is away ends no session', async () => {
  const { cookie } = await signIn();
  await service.gateway.close();
  const reply = await token(cookie, { force: true });
  expect([reply.status, kinds(reply), reply.cookie]).toEqual([503, 'gateway-unavailable', '']);
  expect(reply.headers.get('retry-after')).toBe('5');
  const out = await signOut(cookie);
  expect([out.status, out.json.revoked, out.headers.get('set-cookie')]).toEqual([
    503,
    false,
    expect.stringContaining('Max-Age=0'),
  ]);
  await service.restart();
  const config = await service.call('GET', '/session/config');
  expect([config.status, kinds(config)]).toEqual([503, 'gateway-unavailable']);
});
