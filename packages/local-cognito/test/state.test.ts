/** What survives a restart, and what a state file may and may not hold. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLocalCognito } from '../src/server.ts';
import { CALLBACK, CONFIG, PASSWORD, startPool, type TestPool, WEB_SECRET } from './support/pool.ts';

const NEW_PASSWORD = 'Fresh-Start-2';
let folder: string;
let stateFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-cognito-'));
  stateFile = join(folder, 'state.json');
});
afterEach(() => rm(folder, { recursive: true }));

/** The same pool again, at the same origin, as after a restart. */
async function restart(pool: TestPool): Promise<TestPool> {
  await pool.close();
  return startPool({ stateFile, publicOrigin: pool.origin, port: pool.port });
}

async function canSignIn(pool: TestPool, username: string, password: string): Promise<boolean> {
  const browser = pool.browser();
  return (await browser.submit(await pool.loginPage(browser), { username, password })).location.includes(
    '/callback?code=',
  );
}

async function signUp(pool: TestPool, username: string): Promise<void> {
  const browser = pool.browser();
  const form = await browser.get(pool.authorizeUrl().replace('/oauth2/authorize', '/signup'));
  const fields = { username, email: `${username}@example.com`, password: NEW_PASSWORD };
  const sent = await browser.submit(form, fields);
  await browser.submit(await browser.get(sent.location), { username, code: pool.codeFor(username) });
}

test('a restart keeps keys, sign-ups, changed passwords, refresh tokens and revocations', async () => {
  let pool = await startPool({ stateFile });
  const tokens = await pool.tokens({ client_id: 'web' }, WEB_SECRET);
  const revoked = await pool.tokens();
  await pool.post('/oauth2/revoke', { client_id: 'public', token: revoked.refresh_token ?? '' });
  await signUp(pool, 'grace');
  const browser = pool.browser();
  const forgot = pool.authorizeUrl().replace('/oauth2/authorize', '/forgotPassword');
  const asked = await browser.submit(await browser.get(forgot), { username: 'bob' });
  const form = await browser.get(asked.location);
  await browser.submit(form, { username: 'bob', code: pool.codeFor('bob'), password: NEW_PASSWORD });

  pool = await restart(pool);
  const keys = createRemoteJWKSet(new URL(`${pool.issuer}/.well-known/jwks.json`));
  const options = { issuer: pool.issuer, currentDate: new Date(pool.clock.now * 1000) };
  const { payload } = await jwtVerify(tokens.access_token ?? '', keys, options);
  expect(await canSignIn(pool, 'grace', NEW_PASSWORD)).toBe(true);
  expect(await canSignIn(pool, 'bob', NEW_PASSWORD)).toBe(true);
  expect(await canSignIn(pool, 'bob', PASSWORD)).toBe(false);
  expect(await canSignIn(pool, 'ada', PASSWORD)).toBe(true);
  const refresh = { grant_type: 'refresh_token', client_id: 'web', client_secret: WEB_SECRET };
  const refreshed = await pool.token({ ...refresh, refresh_token: tokens.refresh_token ?? '' });
  const again = await jwtVerify(String(refreshed.body.access_token), keys, options);
  expect(again.payload).toMatchObject({ sub: payload.sub, origin_jti: payload.origin_jti });
  const bearer = { authorization: `Bearer ${revoked.access_token}` };
  expect((await pool.get('/oauth2/userInfo', bearer)).status).toBe(401);
  // The second restart knows the rotation of the first.
  pool = await restart(pool);
  pool.clock.now += 30;
  expect((await pool.token({ ...refresh, refresh_token: tokens.refresh_token ?? '' })).status).toBe(400);
  const next = String(refreshed.body.refresh_token);
  expect((await pool.token({ ...refresh, refresh_token: next })).status).toBe(200);
});

test('without a state file configured users keep their sub, everything else is forgotten', async () => {
  const subs = [];
  for (const _ of [1, 2]) {
    const pool = await startPool();
    const { access_token } = await pool.tokens({ scope: 'openid' });
    subs.push((await pool.get('/oauth2/userInfo', { authorization: `Bearer ${access_token}` })).body.sub);
    expect(await canSignIn(pool, 'grace', NEW_PASSWORD)).toBe(false);
    await signUp(pool, 'grace');
    await pool.close();
  }
  expect(subs[0]).toBe(subs[1]);
});

test('the file is readable by its owner only and holds nothing one could present', async () => {
  const pool = await startPool({ stateFile });
  const tokens = await pool.tokens();
  const unused = await pool.signIn();
  await signUp(pool, 'grace');
  expect((await stat(stateFile)).mode & 0o777).toBe(0o600);
  const text = await readFile(stateFile, 'utf8');
  expect(JSON.parse(text).users).not.toEqual({});
  for (const secret of [
    NEW_PASSWORD,
    PASSWORD,
    tokens.refresh_token,
    tokens.access_token,
    unused.get('code'),
    WEB_SECRET,
  ]) {
    expect(text).not.toContain(secret);
  }
});

test('many changes at once leave one whole file and no leftovers', async () => {
  const pool = await startPool({ stateFile });
  const received = await Promise.all(Array.from({ length: 12 }, () => pool.signIn()));
  const answers = await Promise.all(
    received.map((params) =>
      pool.token({
        grant_type: 'authorization_code',
        client_id: 'public',
        redirect_uri: CALLBACK,
        code: params.get('code') ?? '',
      }),
    ),
  );
  expect(answers.map((answer) => answer.status)).toEqual(Array(12).fill(200));
  // Whatever was answered is on disk already.
  expect(Object.keys(JSON.parse(await readFile(stateFile, 'utf8')).refreshTokens)).toHaveLength(12);
  await pool.close();
  expect(await readdir(folder)).toEqual(['state.json']);
});

test('a state that cannot be written is a server error, not a token the next start would not know', async () => {
  const pool = await startPool({ stateFile });
  const code = (await pool.signIn()).get('code') ?? '';
  await rm(folder, { recursive: true });
  const answer = await pool.token({
    grant_type: 'authorization_code',
    client_id: 'public',
    redirect_uri: CALLBACK,
    code,
  });
  expect([answer.status, answer.body]).toEqual([500, { error: 'server_error' }]);
  expect(pool.events.at(-1)).toMatchObject({ event: 'fault', path: '/oauth2/token' });
  await mkdir(folder);
});

test.each([
  ['not JSON', '{"version":1,', 'not JSON'],
  ['another file', '{"name":"x"}', 'not a state file'],
  [
    'another pool',
    JSON.stringify({ version: 1, poolId: 'eu-west-1_Other', users: {}, changes: {}, grants: {}, refreshTokens: {} }),
    'holds the state of pool eu-west-1_Other',
  ],
  [
    'damaged keys',
    JSON.stringify({
      version: 1,
      poolId: CONFIG.poolId,
      keys: { id: {}, access: {} },
      users: {},
      changes: {},
      grants: {},
      refreshTokens: {},
    }),
    'damaged',
  ],
])('a state file that is %s is refused and left as it was', async (_, text, message) => {
  await writeFile(stateFile, text);
  await expect(startLocalCognito({ config: CONFIG, stateFile })).rejects.toThrow(message);
  expect(await readFile(stateFile, 'utf8')).toBe(text);
});

test('a user added to the configuration takes the place of one who signed up under that name', async () => {
  const pool = await startPool({ stateFile });
  await signUp(pool, 'grace');
  await pool.close();
  const users = [...CONFIG.users, { username: 'GRACE', email: 'g@example.com', password: PASSWORD }];
  const next = await startPool({ stateFile, config: { ...CONFIG, users } });
  expect(await canSignIn(next, 'grace', PASSWORD)).toBe(true);
  expect(await canSignIn(next, 'grace', NEW_PASSWORD)).toBe(false);
});
