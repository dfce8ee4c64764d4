/** Providers that are away or misbehave: "no" and "not now" are told apart, and neither is believed (REL-02, SEC-15). */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityProviderError, type OidcOptions, oidc } from '../../src/gatehouse.ts';
import { binding, callbackUrl, client, idToken, json, providerKey, rsaKey, startMisbehaving } from './servers.ts';

let provider: Awaited<ReturnType<typeof startMisbehaving>>;
beforeEach(async () => {
  provider = await startMisbehaving();
});
afterEach(() => provider.close());

const connect = (options: Partial<OidcOptions> = {}) =>
  oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret, timeoutSeconds: 1, ...options });

/** The end of a sign-in: who it was, or why not. The provider's id_token holds this sign-in's nonce. */
async function finish(options: Partial<OidcOptions> = {}, bound = binding()) {
  const parameters = new URLSearchParams({ code: 'provider-code', state: bound.state });
  try {
    return await connect(options).finish(parameters, bound, callbackUrl);
  } catch (error) {
    if (!(error instanceof IdentityProviderError)) throw error;
    return { reason: error.reason, transient: error.transient };
  }
}

/** Lets the provider answer with this id_token, whose nonce is right unless told. */
function answerWith(claims: Readonly<Record<string, unknown>> = {}, key?: Parameters<typeof idToken>[2]) {
  const bound = binding();
  provider.behaviour.token = async (issuer) =>
    json({
      access_token: 'x',
      token_type: 'Bearer',
      id_token: await idToken(issuer, { nonce: bound.nonce, ...claims }, key),
    });
  return bound;
}

it('a provider that does as it should is believed', async () => {
  const bound = answerWith();
  expect(await finish({}, bound)).toEqual({
    identity: { issuer: provider.issuer, subject: 'person-1' },
    groups: [],
    accessToken: { token: 'x' },
  });
  const { path, authorization, body } = provider.behaviour.requests.find(({ path }) => path === '/token') ?? {};
  expect(path).toBe('/token');
  expect(authorization).toMatch(/^Basic /);
  expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
    grant_type: 'authorization_code',
    code: 'provider-code',
    redirect_uri: callbackUrl,
    code_verifier: bound.codeVerifier,
  });
});

it.each([
  ['RS256', rsaKey.privateKey],
  ['ES256', providerKey.privateKey],
])('known endpoints need no discovery: %s', async (_, key) => {
  const bound = answerWith({}, key);
  const { issuer } = provider;
  const endpoints = { authorization: `${issuer}/authorize`, token: `${issuer}/token`, jwks: `${issuer}/jwks` };
  expect(await finish({ endpoints }, bound)).toHaveProperty('identity.subject');
  expect(provider.behaviour.requests.map(({ path }) => path)).toEqual(['/token', '/jwks']);
});

it('a public client sends no secret', async () => {
  const bound = answerWith();
  const { clientSecret: _, ...rest } = { clientSecret: client.secret, issuer: provider.issuer, clientId: client.id };
  const parameters = new URLSearchParams({ code: 'c', state: bound.state });
  await oidc(rest).finish(parameters, bound, callbackUrl);
  expect(provider.behaviour.requests.find(({ path }) => path === '/token')?.authorization).toBeUndefined();
});

describe('id_tokens that are not believed', () => {
  const now = Math.floor(Date.now() / 1000);
  it.each<[string, Record<string, unknown>]>([
    ['another nonce', { nonce: 'other' }],
    ['no nonce', { nonce: undefined }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['the issuer with a slash', { iss: 'http://127.0.0.1/' }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'other-client' }],
    ['no audience', { aud: undefined }],
    ['several audiences and another authorized party', { aud: [client.id, 'other'], azp: 'other' }],
    ['its time over', { exp: now - 600 }],
    ['no end', { exp: undefined }],
    ['not begun', { nbf: now + 600 }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['a subject that is a number', { sub: 7 }],
  ])('%s', async (_, claims) => {
    const result = await finish({}, answerWith(claims));
    expect(result).toMatchObject({ reason: expect.stringMatching(/^idp\.(invalid|no_subject)/), transient: false });
  });

  it('another key’s signature', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    expect(await finish({}, answerWith({}, other))).toMatchObject({
      reason: expect.stringMatching(/^idp\.invalid/),
      transient: false,
    });
  });

  it('a key that the provider does not publish', async () => {
    const bound = answerWith();
    provider.behaviour.jwks = () => json({ keys: [] });
    expect(await finish({}, bound)).toMatchObject({ reason: expect.stringMatching(/^idp\.invalid/), transient: false });
  });

  it('no signature', async () => {
    const bound = binding();
    provider.behaviour.token = async (issuer) => {
      const [, claims] = (await idToken(issuer, { nonce: bound.nonce })).split('.');
      const header = Buffer.from('{"alg":"none"}').toString('base64url');
      return json({ access_token: 'x', token_type: 'Bearer', id_token: `${header}.${claims}.` });
    };
    expect(await finish({}, bound)).toMatchObject({ reason: expect.stringMatching(/^idp\.invalid/), transient: false });
  });
});

describe('a token endpoint that says no', () => {
  it.each<[string, { status: number; body: string; headers?: Record<string, string> }, string, boolean]>([
    ['invalid_grant', json({ error: 'invalid_grant' }, 400), 'idp.token.invalid_grant', false],
    [
      'a wrong secret, with the challenge of RFC 6749 §5.2',
      {
        ...json({ error: 'invalid_client' }, 401),
        headers: { 'www-authenticate': 'Basic realm="token", error="invalid_client"' },
      },
      'idp.token.credentials_refused',
      false,
    ],
    ['a wrong secret, without', json({ error: 'invalid_client' }, 401), 'idp.token.invalid_client', false],
    [
      'a challenge at 503',
      { status: 503, body: '', headers: { 'www-authenticate': 'Basic' } },
      'idp.token.credentials_refused',
      true,
    ],
    ['an error with odd letters', json({ error: 'Über <b>' }, 400), 'idp.token._ber__b_', false],
    ['a very long error', json({ error: 'x'.repeat(5000) }, 400), `idp.token.${'x'.repeat(60)}`, false],
    ['server_error at 500', json({ error: 'server_error' }, 500), 'idp.invalid.oauth_response_is_not_conform', true],
    ['500 without words', { status: 500, body: '' }, 'idp.invalid.oauth_response_is_not_conform', true],
    [
      '503 as HTML',
      { status: 503, body: '<html>', headers: { 'content-type': 'text/html' } },
      'idp.invalid.oauth_response_is_not_conform',
      true,
    ],
    ['429', { status: 429, body: '' }, 'idp.invalid.oauth_response_is_not_conform', true],
    ['404', { status: 404, body: '' }, 'idp.invalid.oauth_response_is_not_conform', false],
    [
      'a redirect elsewhere',
      { status: 302, body: '', headers: { location: 'https://evil.example/token' } },
      'idp.invalid.oauth_response_is_not_conform',
      false,
    ],
    ['200 as HTML', { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }, 'idp.invalid.', false],
    ['200 that is no JSON', { status: 200, body: '{' }, 'idp.invalid.', false],
    ['200 that is a list', json([]), 'idp.invalid.', false],
    ['200 that is null', json(null), 'idp.invalid.', false],
    ['no id_token', json({ access_token: 'x', token_type: 'Bearer' }), 'idp.invalid.', false],
    ['an id_token that is none', json({ access_token: 'x', token_type: 'Bearer', id_token: 'garbage' }), 'idp.', false],
    [
      'an id_token that is a number',
      json({ access_token: 'x', token_type: 'Bearer', id_token: 1 }),
      'idp.invalid.',
      false,
    ],
    ['no access token', json({ token_type: 'Bearer', id_token: 'a.b.c' }), 'idp.invalid.', false],
  ])('%s', async (_, answer, reason, transient) => {
    provider.behaviour.token = async () => answer;
    const result = await finish();
    expect(result).toEqual({ reason: expect.stringContaining(reason), transient });
  });
});

describe('a provider that is away', () => {
  it('for discovery: not now; and once it is back, all is well', async () => {
    const ours = connect();
    const discovery = provider.behaviour.discovery;
    provider.behaviour.discovery = () => ({ status: 503, body: '' });
    await expect(ours.start(binding(), callbackUrl)).rejects.toMatchObject({ transient: true });
    provider.behaviour.discovery = discovery;
    expect(await ours.start(binding(), callbackUrl)).toContain('/authorize?');
    expect(await ours.start(binding(), callbackUrl)).toContain('/authorize?');
    // A success is kept, a failure is not.
    expect(provider.behaviour.requests).toHaveLength(2);
  });

  it('altogether: not now', async () => {
    const ours = connect();
    await ours.start(binding(), callbackUrl);
    await provider.close();
    const bound = binding();
    const parameters = new URLSearchParams({ code: 'c', state: bound.state });
    await expect(ours.finish(parameters, bound, callbackUrl)).rejects.toMatchObject({
      reason: 'idp.unreachable',
      transient: true,
    });
    await expect(connect().start(binding(), callbackUrl)).rejects.toMatchObject({
      reason: 'idp.unreachable',
      transient: true,
    });
    provider = await startMisbehaving();
  });

  it('and silent: not now, within the time it is given', async () => {
    provider.behaviour.silent = true;
    await expect(connect().start(binding(), callbackUrl)).rejects.toMatchObject({
      reason: 'idp.unreachable',
      transient: true,
    });
  });

  it('for its keys: not now', async () => {
    const bound = answerWith();
    provider.behaviour.jwks = () => ({ status: 503, body: '' });
    expect(await finish({}, bound)).toMatchObject({ transient: true });
  });
});

describe('discovery that is not believed', () => {
  it.each<[string, (issuer: string) => { status: number; body: string }]>([
    ['404', () => ({ status: 404, body: '' })],
    ['no JSON', () => ({ status: 200, body: 'hello' })],
    [
      'another issuer',
      () => json({ issuer: 'https://evil.example', authorization_endpoint: 'https://evil.example/a' }),
    ],
    ['no issuer', () => json({ authorization_endpoint: 'https://evil.example/a' })],
    ['no authorization endpoint', (issuer) => json({ issuer })],
  ])('%s', async (_, discovery) => {
    provider.behaviour.discovery = discovery;
    await expect(connect().start(binding(), callbackUrl)).rejects.toMatchObject({
      name: 'IdentityProviderError',
      transient: false,
    });
  });
});

it('plain http is for this computer alone', async () => {
  const ours = oidc({ issuer: 'http://idp.example', clientId: 'x' });
  await expect(ours.start(binding(), callbackUrl)).rejects.toMatchObject({ name: 'IdentityProviderError' });
});
