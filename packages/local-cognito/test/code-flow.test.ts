/** The authorization code flow from the outside, and what the tokens say. */
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { expect, test } from 'vitest';
import { API, CALLBACK, MACHINE_SECRET, pkce, startPool, WEB_SECRET } from './support/pool.ts';

const insecure = { [oauth.allowInsecureRequests]: true };

test.each([
  ['public client', 'public', oauth.None()],
  ['client_secret_basic', 'web', oauth.ClientSecretBasic(WEB_SECRET)],
  ['client_secret_post', 'web', oauth.ClientSecretPost(WEB_SECRET)],
])(
  'an independent OpenID Connect client completes code + PKCE + nonce, refreshes and reads userInfo: %s',
  async (_, id, auth) => {
    const pool = await startPool({ now: () => Date.now() / 1000 });
    const issuer = new URL(pool.issuer);
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    const client: oauth.Client = { client_id: id };
    const verifier = oauth.generateRandomCodeVerifier();
    const nonce = oauth.generateRandomNonce();
    const state = oauth.generateRandomState();
    const received = await pool.signIn({
      client_id: id,
      scope: 'openid email',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });

    const params = oauth.validateAuthResponse(server, client, received, state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      auth,
      params,
      CALLBACK,
      verifier,
      insecure,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    expect(claims?.email).toBe('ada@example.com');

    const info = await oauth.userInfoRequest(server, client, tokens.access_token, insecure);
    const user = await oauth.processUserInfoResponse(server, client, claims?.sub ?? '', info);
    expect(user).toEqual({ sub: claims?.sub, email: 'ada@example.com', email_verified: 'true', username: 'ada' });

    const again = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token ?? '', insecure);
    const refreshed = await oauth.processRefreshTokenResponse(server, client, again);
    expect(oauth.getValidatedIdTokenClaims(refreshed)?.sub).toBe(claims?.sub);
  },
);

test('the access token is Cognito’s: client_id and token_use, groups by precedence, no aud', async () => {
  const pool = await startPool();
  const tokens = await pool.tokens({ scope: `openid ${API}/read` });
  const keys = createRemoteJWKSet(new URL(`${pool.issuer}/.well-known/jwks.json`));
  const options = { issuer: pool.issuer, currentDate: new Date(pool.clock.now * 1000) };
  const { payload, protectedHeader } = await jwtVerify(tokens.access_token ?? '', keys, options);
  expect(protectedHeader).toEqual({ alg: 'RS256', kid: expect.stringMatching(/^[\w+/]{43}=$/) });
  expect(payload).toEqual({
    sub: expect.stringMatching(/^[0-9a-f-]{36}$/),
    'cognito:groups': ['admins', 'readers'],
    iss: pool.issuer,
    version: 2,
    client_id: 'public',
    origin_jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    event_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    token_use: 'access',
    scope: `openid ${API}/read`,
    auth_time: pool.clock.now,
    exp: pool.clock.now + 3600,
    iat: pool.clock.now,
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    username: 'ada',
  });
  expect(tokens.token_type).toBe('Bearer');
  expect(tokens.expires_in).toBe(3600);
});

test('the ID token is Cognito’s: aud, at_hash, nonce, roles, attributes, signed with the other key', async () => {
  const pool = await startPool();
  const tokens = await pool.tokens({ scope: 'openid', nonce: 'n-1' });
  const id = tokens.id_token ?? '';
  const access = tokens.access_token ?? '';
  const keys = createRemoteJWKSet(new URL(`${pool.issuer}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(id, keys, { audience: 'public', currentDate: new Date(pool.clock.now * 1000) });
  const { sub, origin_jti, event_id } = decodeJwt(access);
  expect(payload).toEqual({
    sub,
    origin_jti,
    event_id,
    iss: pool.issuer,
    aud: 'public',
    token_use: 'id',
    'cognito:username': 'ada',
    'cognito:groups': ['admins', 'readers'],
    'cognito:roles': ['arn:aws:iam::123456789012:role/admin'],
    'cognito:preferred_role': 'arn:aws:iam::123456789012:role/admin',
    email: 'ada@example.com',
    email_verified: true,
    name: 'Ada L.',
    'custom:tenant': 't1',
    phone_number: '+491234',
    phone_number_verified: true,
    nonce: 'n-1',
    at_hash: expect.stringMatching(/^[\w-]{22}$/),
    auth_time: pool.clock.now,
    iat: pool.clock.now,
    exp: pool.clock.now + 3600,
    jti: expect.any(String),
  });
  expect(decodeProtectedHeader(id).kid).not.toBe(decodeProtectedHeader(access).kid);
});

test.each([
  ['openid email', ['email', 'email_verified']],
  ['openid profile', ['name', 'custom:tenant']],
  ['openid phone', ['phone_number', 'phone_number_verified']],
])('scope %s releases %j and no other attribute', async (scope, expected) => {
  const pool = await startPool();
  const { id_token = '' } = await pool.tokens({ scope });
  const attributes = ['email', 'email_verified', 'name', 'custom:tenant', 'phone_number', 'phone_number_verified'];
  expect(
    Object.keys(decodeJwt(id_token))
      .filter((name) => attributes.includes(name))
      .sort(),
  ).toEqual([...expected].sort());
});

test('without openid there is no ID token; without a scope the client gets all of its own', async () => {
  const pool = await startPool();
  expect(await pool.tokens({ scope: `${API}/read` })).not.toHaveProperty('id_token');
  const { access_token = '' } = await pool.tokens();
  expect(decodeJwt(access_token).scope).toBe(`openid email phone profile aws.cognito.signin.user.admin ${API}/read`);
});

test('a bound resource is the audience of the access token, and refreshing keeps it', async () => {
  const pool = await startPool();
  const tokens = await pool.tokens({ scope: 'openid', resource: API });
  expect(decodeJwt(tokens.access_token ?? '').aud).toBe(API);
  expect(decodeJwt(tokens.id_token ?? '').aud).toBe('public');
  const answer = await pool.token({
    grant_type: 'refresh_token',
    client_id: 'public',
    refresh_token: tokens.refresh_token ?? '',
  });
  expect(decodeJwt(String(answer.body.access_token)).aud).toBe(API);
});

test('a resource that is no resource server fails at the exchange, not before, as in Cognito', async () => {
  const pool = await startPool();
  const code = (await pool.signIn({ resource: 'https://elsewhere.example.com' })).get('code') ?? '';
  const answer = await pool.token({
    grant_type: 'authorization_code',
    client_id: 'public',
    redirect_uri: CALLBACK,
    code,
  });
  expect([answer.status, answer.body]).toEqual([400, { error: 'invalid_grant' }]);
});

test('PKCE is verified when the request had a challenge, and only then', async () => {
  const pool = await startPool();
  const exchange = async (params: Record<string, string>, verifier?: string) => {
    const code = (await pool.signIn(params)).get('code') ?? '';
    const fields = { grant_type: 'authorization_code', client_id: 'public', redirect_uri: CALLBACK, code };
    return (await pool.token({ ...fields, ...(verifier ? { code_verifier: verifier } : {}) })).body.error ?? 'ok';
  };
  const { verifier, challenge } = pkce();
  expect(await exchange(challenge, verifier)).toBe('ok');
  expect(await exchange(challenge, pkce().verifier)).toBe('invalid_grant');
  expect(await exchange(challenge)).toBe('invalid_grant');
  expect(await exchange({})).toBe('ok');
});

test('the implicit flow answers in the fragment, errors too', async () => {
  const pool = await startPool();
  const params = { client_id: 'implicit', response_type: 'token', state: 's1', nonce: 'n1' };
  const received = await pool.signIn(params);
  expect(Object.fromEntries(received)).toMatchObject({ state: 's1', token_type: 'Bearer', expires_in: '3600' });
  expect(decodeJwt(received.get('id_token') ?? '')).toMatchObject({ aud: 'implicit', nonce: 'n1' });
  expect(received.has('refresh_token')).toBe(false);
  const refused = await pool.browser().get(pool.authorizeUrl({ ...params, scope: 'email' }));
  expect(refused.location).toBe(`${CALLBACK}#error_description=invalid_scope&state=s1&error=invalid_request`);
});

test.each([
  ['no response_type', { response_type: '' }, 'state=s&error=invalid_request'],
  ['unknown response_type', { response_type: 'id_token' }, 'state=s&error=invalid_request'],
  [
    'a flow that is not the client’s',
    { response_type: 'token' },
    '#error_description=unauthorized_client&state=s&error=invalid_request',
  ],
  [
    'unknown scope',
    { scope: 'openid offline_access' },
    'error_description=invalid_scope&state=s&error=invalid_request',
  ],
  ['email without openid', { scope: 'email' }, 'error_description=invalid_scope&state=s&error=invalid_request'],
  ['challenge without method', { code_challenge: 'x'.repeat(43) }, 'state=s&error=invalid_request'],
  ['plain PKCE', { code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' }, 'state=s&error=invalid_request'],
  ['malformed challenge', { code_challenge: 'x', code_challenge_method: 'S256' }, 'state=s&error=invalid_request'],
  ['prompt=none without a session', { prompt: 'none' }, 'state=s&error=login_required'],
  ['prompt=none with another', { prompt: 'none login' }, 'state=s&error=invalid_request'],
  ['another identity provider', { identity_provider: 'Google' }, 'state=s&error=invalid_request'],
])('authorize sends the refusal to the client: %s', async (_, params, expected) => {
  const pool = await startPool();
  const { status, location } = await pool.browser().get(pool.authorizeUrl({ state: 's', ...params }));
  expect(status).toBe(302);
  expect(location.startsWith(CALLBACK)).toBe(true);
  expect(location.endsWith(expected), location).toBe(true);
});

test.each([
  ['unknown client', { client_id: 'nobody' }, 'Client does not exist.'],
  ['no client', { client_id: '' }, "Required String parameter 'client_id' is not present"],
  ['no redirect_uri', { redirect_uri: '' }, "Required String parameter 'redirect_uri' is not present"],
  ['other port', { redirect_uri: 'http://localhost:3001/callback' }, 'redirect_mismatch'],
  ['trailing slash', { redirect_uri: `${CALLBACK}/` }, 'redirect_mismatch'],
  ['other query', { redirect_uri: `${CALLBACK}?tenant=2` }, 'redirect_mismatch'],
  ['other case', { redirect_uri: CALLBACK.toUpperCase() }, 'redirect_mismatch'],
])('authorize never redirects to an unproven address: %s', async (_, params, error) => {
  const pool = await startPool();
  const browser = pool.browser();
  const { location } = await browser.get(pool.authorizeUrl(params));
  const url = new URL(location);
  expect([url.origin, url.pathname, url.searchParams.get('error')]).toEqual([pool.origin, '/error', error]);
  expect((await browser.get(location)).status).toBe(400);
});

test('a callback with a query keeps it, a private scheme is left as it is', async () => {
  const pool = await startPool();
  const browser = pool.browser();
  await pool.signIn({}, browser);
  const tenant = await browser.get(pool.authorizeUrl({ redirect_uri: `${CALLBACK}?tenant=1`, state: 'a b&c' }));
  expect(tenant.location).toMatch(/\/callback\?tenant=1&code=[0-9a-f-]{36}&state=a\+b%26c$/);
  const app = await browser.get(pool.authorizeUrl({ redirect_uri: 'com.example.app://done' }));
  expect(app.location).toMatch(/^com\.example\.app:\/\/done\?code=[0-9a-f-]{36}$/);
});

test('client credentials: custom scopes only, no user in the token, no refresh token', async () => {
  const pool = await startPool();
  const ask = (scope?: string) =>
    pool.token({
      grant_type: 'client_credentials',
      client_id: 'machine',
      client_secret: MACHINE_SECRET,
      ...(scope ? { scope } : {}),
    });
  const { status, body } = await ask(`${API}/write`);
  expect(status).toBe(200);
  expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'token_type']);
  expect(decodeJwt(String(body.access_token))).toEqual({
    sub: 'machine',
    client_id: 'machine',
    token_use: 'access',
    scope: `${API}/write`,
    auth_time: pool.clock.now,
    iat: pool.clock.now,
    exp: pool.clock.now + 3600,
    iss: pool.issuer,
    version: 2,
    jti: expect.any(String),
  });
  expect(decodeJwt(String((await ask()).body.access_token)).scope).toBe(`${API}/read ${API}/write`);
  expect((await ask('openid')).body).toEqual({ error: 'invalid_grant' });
});
