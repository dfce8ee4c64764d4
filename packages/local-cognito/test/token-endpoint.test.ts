/** `/oauth2/token`, `/oauth2/revoke` and `/oauth2/userInfo`: refusals, single use, rotation, revocation. */
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { API, basic, CALLBACK, MACHINE_SECRET, startPool, type TestPool, WEB_SECRET } from './support/pool.ts';

const code = { grant_type: 'authorization_code', code: 'x', redirect_uri: CALLBACK };
const machine = { grant_type: 'client_credentials' };

test.each<[string, Record<string, string>, Record<string, string>, string]>([
  ['no grant_type', { client_id: 'public' }, {}, 'invalid_request'],
  ['unknown grant_type', { client_id: 'public', grant_type: 'password' }, {}, 'unsupported_grant_type'],
  ['no client', code, {}, 'invalid_request'],
  ['unknown client', { ...code, client_id: 'nobody' }, {}, 'invalid_client'],
  ['unknown client by Basic', code, basic('nobody', 'x'), 'invalid_client'],
  ['secret missing', { ...code, client_id: 'web' }, {}, 'invalid_client'],
  ['secret wrong, post', { ...code, client_id: 'web', client_secret: 'wrong' }, {}, 'invalid_client'],
  ['secret wrong, Basic', code, basic('web', 'wrong'), 'invalid_client'],
  ['secret of another client', code, basic('web', MACHINE_SECRET), 'invalid_client'],
  ['secret from a public client', { ...code, client_id: 'public', client_secret: 'x' }, {}, 'invalid_client'],
  ['Basic and post at once', { ...code, client_secret: WEB_SECRET }, basic('web', WEB_SECRET), 'invalid_request'],
  ['Basic and another client_id', { ...code, client_id: 'public' }, basic('web', WEB_SECRET), 'invalid_client'],
  ['Bearer instead of Basic', { ...code, client_id: 'web' }, { authorization: 'Bearer x' }, 'invalid_client'],
  ['Basic without a colon', code, { authorization: 'Basic d2Vi' }, 'invalid_client'],
  ['no code', { grant_type: 'authorization_code', client_id: 'public', redirect_uri: CALLBACK }, {}, 'invalid_request'],
  ['no redirect_uri', { grant_type: 'authorization_code', client_id: 'public', code: 'x' }, {}, 'invalid_request'],
  ['unknown code', { ...code, client_id: 'public' }, {}, 'invalid_grant'],
  ['code at a machine client', code, basic('machine', MACHINE_SECRET), 'unauthorized_client'],
  [
    'refresh at a machine client',
    { grant_type: 'refresh_token' },
    basic('machine', MACHINE_SECRET),
    'unauthorized_client',
  ],
  ['no refresh_token', { grant_type: 'refresh_token', client_id: 'public' }, {}, 'invalid_request'],
  [
    'unknown refresh_token',
    { grant_type: 'refresh_token', client_id: 'public', refresh_token: 'x' },
    {},
    'invalid_grant',
  ],
  ['machine flow at a web client', machine, basic('web', WEB_SECRET), 'unauthorized_client'],
  ['foreign scope', { ...machine, scope: 'https://x/read' }, basic('machine', MACHINE_SECRET), 'invalid_grant'],
])('token refuses in Cognito’s form: %s', async (_, fields, headers, error) => {
  const pool = await startPool();
  const answer = await pool.token(fields, headers);
  expect([answer.status, answer.body]).toEqual([400, { error }]);
  expect(answer.headers.get('content-type')).toBe('application/json;charset=UTF-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(pool.events.at(-1)).toMatchObject({ event: 'request.refused', error, reason: expect.any(String) });
});

test('Basic credentials are accepted form-encoded and as they are', async () => {
  const clientSecret = 'plus+in+secret+plus+in+secret';
  const client = { clientId: 'a+b', clientSecret, callbackUrls: [CALLBACK] };
  const pool = await startPool({ config: { clients: [client] } });
  const raw = await pool.token(code, basic('a+b', clientSecret));
  const encoded = await pool.token(code, basic('a%2Bb', clientSecret.replaceAll('+', '%2B')));
  expect([raw.body.error, encoded.body.error]).toEqual(['invalid_grant', 'invalid_grant']);
});

test('of eight parallel redemptions of a code exactly one succeeds', async () => {
  const pool = await startPool();
  const fields = { ...code, client_id: 'public', code: (await pool.signIn()).get('code') ?? '' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => pool.token(fields)));
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400, 400, 400, 400, 400, 400, 400]);
  for (const { status, body } of answers) if (status === 400) expect(body).toEqual({ error: 'invalid_grant' });
});

test('a code lives five minutes, at its own client and redirect URI; another client cannot burn it', async () => {
  const pool = await startPool();
  const redeem = async (received: URLSearchParams, fields: Record<string, string> = {}) =>
    (await pool.token({ ...code, client_id: 'public', code: received.get('code') ?? '', ...fields })).body.error ??
    'ok';
  const shown = await pool.signIn();
  expect(await redeem(shown, { client_id: 'strict' })).toBe('invalid_grant');
  expect(await redeem(shown)).toBe('ok');
  const elsewhere = await pool.signIn();
  expect(await redeem(elsewhere, { redirect_uri: 'http://localhost:3000/callback?tenant=1' })).toBe('invalid_grant');
  expect(await redeem(elsewhere)).toBe('invalid_grant');
  const inTime = await pool.signIn();
  pool.clock.now += 299;
  expect(await redeem(inTime)).toBe('ok');
  const late = await pool.signIn();
  pool.clock.now += 300;
  expect(await redeem(late)).toBe('invalid_grant');
});

const refresh = (pool: TestPool, token: string | undefined, client_id = 'public') =>
  pool.token({
    grant_type: 'refresh_token',
    client_id,
    refresh_token: token ?? '',
    ...(client_id === 'web' ? { client_secret: WEB_SECRET } : {}),
  });

test('without rotation a refresh token stays, the answer has none, and the new ID token has no nonce', async () => {
  const pool = await startPool();
  const tokens = await pool.tokens({ scope: `openid ${API}/read`, nonce: 'n' });
  pool.clock.now += 1000;
  for (const _ of [1, 2]) {
    const { status, body } = await refresh(pool, tokens.refresh_token);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'id_token', 'token_type']);
    const before = decodeJwt(tokens.access_token ?? '');
    const after = decodeJwt(String(body.access_token));
    expect(after).toMatchObject({
      origin_jti: before.origin_jti,
      auth_time: before.auth_time,
      scope: before.scope,
      iat: pool.clock.now,
    });
    expect(after.jti).not.toBe(before.jti);
    expect(decodeJwt(String(body.id_token))).not.toHaveProperty('nonce');
  }
  expect((await refresh(pool, tokens.refresh_token, 'strict')).body).toEqual({ error: 'invalid_grant' });
  pool.clock.now += 2_592_000;
  expect((await refresh(pool, tokens.refresh_token)).body).toEqual({ error: 'invalid_grant' });
});

test('rotation: the old token lives through its grace period, counted from its first use, and no longer', async () => {
  const pool = await startPool();
  const first = await pool.tokens({ client_id: 'web' }, WEB_SECRET);
  const second = String((await refresh(pool, first.refresh_token, 'web')).body.refresh_token);
  expect(second).not.toBe(first.refresh_token);
  pool.clock.now += 29;
  const retried = await refresh(pool, first.refresh_token, 'web');
  expect(retried.status).toBe(200);
  expect(retried.body.refresh_token).not.toBe(second);
  pool.clock.now += 1;
  expect((await refresh(pool, first.refresh_token, 'web')).body).toEqual({ error: 'invalid_grant' });
  expect((await refresh(pool, second, 'web')).status).toBe(200);
});

test('rotation does not prolong the sign-in: the last token ends with the first', async () => {
  const pool = await startPool();
  const tokens = await pool.tokens({ client_id: 'strict' });
  pool.clock.now += 2_591_999;
  const next = await refresh(pool, tokens.refresh_token, 'strict');
  expect(next.status).toBe(200);
  pool.clock.now += 1;
  expect((await refresh(pool, String(next.body.refresh_token), 'strict')).body).toEqual({ error: 'invalid_grant' });
});

test('rotation without grace: of eight parallel refreshes exactly one succeeds', async () => {
  const pool = await startPool();
  const { refresh_token } = await pool.tokens({ client_id: 'strict' });
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(pool, refresh_token, 'strict')));
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
});

test('revoke ends every token of the sign-in, rotated ones and access tokens too', async () => {
  const pool = await startPool();
  const first = await pool.tokens({ client_id: 'web' }, WEB_SECRET);
  const second = (await refresh(pool, first.refresh_token, 'web')).body;
  const other = await pool.tokens({ client_id: 'web' }, WEB_SECRET);
  const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` });
  const revoked = await pool.post('/oauth2/revoke', { token: first.refresh_token ?? '' }, basic('web', WEB_SECRET));
  expect([revoked.status, revoked.text]).toEqual([200, '']);
  expect((await refresh(pool, String(second.refresh_token), 'web')).body).toEqual({ error: 'invalid_grant' });
  expect((await pool.get('/oauth2/userInfo', bearer(second.access_token))).status).toBe(401);
  expect((await pool.get('/oauth2/userInfo', bearer(other.access_token))).status).toBe(200);
  expect((await refresh(pool, other.refresh_token, 'web')).status).toBe(200);
});

test.each<[string, (tokens: Record<string, string>) => Record<string, string>, number, string]>([
  ['no token', () => ({ client_id: 'public' }), 400, 'invalid_request'],
  ['an access token', (t) => ({ client_id: 'public', token: t.access_token ?? '' }), 400, 'unsupported_token_type'],
  ['no client', (t) => ({ token: t.refresh_token ?? '' }), 400, 'invalid_request'],
  ['unknown client', (t) => ({ client_id: 'nobody', token: t.refresh_token ?? '' }), 401, 'invalid_client'],
  [
    'wrong secret',
    (t) => ({ client_id: 'web', client_secret: 'x', token: t.refresh_token ?? '' }),
    401,
    'invalid_client',
  ],
  ['another client', (t) => ({ client_id: 'strict', token: t.refresh_token ?? '' }), 400, 'invalid_request'],
])('revoke refuses in Cognito’s form and revokes nothing: %s', async (_, fields, status, error) => {
  const pool = await startPool();
  const tokens = await pool.tokens();
  const answer = await pool.post('/oauth2/revoke', fields(tokens));
  expect([answer.status, answer.body]).toEqual([status, { error }]);
  expect((await refresh(pool, tokens.refresh_token)).status).toBe(200);
});

test('revoke answers 200 to a token nobody knows', async () => {
  const pool = await startPool();
  expect((await pool.post('/oauth2/revoke', { client_id: 'public', token: 'unknown' })).status).toBe(200);
});

test.each<[string, (tokens: Record<string, string>) => Record<string, string>, number, string]>([
  ['no token', () => ({}), 400, 'Bad OAuth2 request at UserInfo Endpoint'],
  ['not Bearer', () => ({ authorization: 'Basic eDp5' }), 401, 'Access token is expired'],
  ['garbage', () => ({ authorization: 'Bearer a.b.c' }), 401, 'Access token is expired'],
  ['an ID token', (t) => ({ authorization: `Bearer ${t.id_token}` }), 401, 'Access token is expired'],
  [
    'altered',
    (t) => ({ authorization: `Bearer ${t.access_token?.slice(0, -6)}AAAAAA` }),
    401,
    'Access token is expired',
  ],
])('userInfo refuses: %s', async (_, headers, status, description) => {
  const pool = await startPool();
  const answer = await pool.get('/oauth2/userInfo', headers(await pool.tokens()));
  const error = status === 400 ? 'invalid_request' : 'invalid_token';
  expect([answer.status, answer.body.error]).toEqual([status, error]);
  expect(answer.headers.get('www-authenticate')).toContain(
    `Bearer error="${error}", error_description="${description}`,
  );
});

test('userInfo needs openid and an unexpired token', async () => {
  const pool = await startPool();
  const { access_token } = await pool.tokens({ scope: `${API}/read` });
  const scopeless = await pool.get('/oauth2/userInfo', { authorization: `Bearer ${access_token}` });
  expect([scopeless.status, scopeless.body.error_description]).toEqual([
    401,
    'Access token does not contain openid scope',
  ]);
  const tokens = await pool.tokens({ scope: 'openid' });
  const ask = () => pool.get('/oauth2/userInfo', { authorization: `Bearer ${tokens.access_token}` });
  expect((await ask()).body).toMatchObject({ username: 'ada', email_verified: 'true', 'custom:tenant': 't1' });
  pool.clock.now += 3600;
  expect((await ask()).status).toBe(401);
});

test('no secret is ever logged: passwords, client secrets, codes, tokens', async () => {
  const pool = await startPool();
  const received = await pool.signIn({ client_id: 'web', state: 'state-value' });
  const fields = { ...code, code: received.get('code') ?? '' };
  const { body } = await pool.token(fields, basic('web', WEB_SECRET));
  await pool.token(fields, basic('web', WEB_SECRET));
  await pool.get('/oauth2/userInfo', { authorization: `Bearer ${body.access_token}` });
  await pool.post('/oauth2/revoke', { token: String(body.refresh_token) }, basic('web', WEB_SECRET));
  const log = JSON.stringify(pool.events);
  expect(pool.events.map((event) => event.event)).toContain('token.revoked');
  for (const secret of [
    'Correct-Horse-1',
    WEB_SECRET,
    fields.code,
    body.access_token,
    body.id_token,
    body.refresh_token,
  ]) {
    expect(log).not.toContain(String(secret));
  }
});
