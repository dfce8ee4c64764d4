/** Asking a provider about a person again, and ending the session there: a real one, and one that misbehaves (SEC-07). */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type IdentityProvider, type OidcOptions, oidc } from '../../src/gatehouse.ts';
import { failureOf } from './failure.ts';
import {
  type Answer,
  binding,
  callbackUrl,
  client,
  idToken,
  json,
  signIn,
  startMisbehaving,
  startProvider,
} from './servers.ts';

const ask = (ours: IdentityProvider, session: string, identity: { issuer: string; subject: string }) =>
  ours.renew?.(session, identity) ?? Promise.reject(new Error('cannot renew'));

describe('a real provider', () => {
  let provider: Awaited<ReturnType<typeof startProvider>>;
  let ours: IdentityProvider;
  beforeAll(async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    provider = await startProvider({ claims: { groups: ['staff', 'admins'] } });
    const { issuer } = provider;
    ours = oidc({ issuer, clientId: client.id, clientSecret: client.secret, offline: true, groupsClaim: 'groups' });
  });
  afterAll(async () => {
    await provider.close();
    vi.restoreAllMocks();
  });

  async function signedIn(login = 'person-1') {
    const bound = binding();
    const { session = '', ...rest } = await ours.finish(
      await signIn(await ours.start(bound, callbackUrl), login),
      bound,
      callbackUrl,
    );
    return { session, ...rest };
  }

  it('gives groups and a session, which is a refresh token and whose it is, and nothing else', async () => {
    const { session, groups, identity } = await signedIn();
    expect(groups).toEqual(['staff', 'admins']);
    expect(JSON.parse(session)).toEqual({ issuer: identity.issuer, refreshToken: expect.any(String) });
  });

  it('renews, again and again, each time with the token that came last', async () => {
    const { session, identity } = await signedIn();
    const first = await ask(ours, session, identity);
    expect(first.groups).toEqual(['staff', 'admins']);
    expect(first.session).not.toBe(session);
    const second = await ask(ours, first.session, identity);
    expect(second.session).not.toBe(first.session);
    // The provider takes each once: the ones before are a definite no.
    expect(await failureOf(ask(ours, session, identity), [JSON.parse(session).refreshToken])).toEqual({
      reason: 'idp.renew.refused.invalid_grant',
      transient: false,
      session: undefined,
    });
  });

  it('ends, twice as well as once, and is over then', async () => {
    const { session, identity } = await signedIn();
    await ours.end?.(session);
    await ours.end?.(session);
    expect(await failureOf(ask(ours, session, identity))).toMatchObject({
      reason: 'idp.renew.refused.invalid_grant',
      transient: false,
    });
  });

  it('says no to the session of one person in the name of another', async () => {
    const { session, identity } = await signedIn('person-1');
    expect(await failureOf(ask(ours, session, { ...identity, subject: 'person-2' }))).toMatchObject({
      reason: 'idp.renew.other_person',
      transient: false,
    });
  });

  it('a wrong secret of ours is not about the person, and costs the session nothing', async () => {
    const { session, identity } = await signedIn();
    const wrong = oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: 'a typo' });
    expect(await failureOf(ask(wrong, session, identity))).toMatchObject({
      reason: expect.stringMatching(/^idp\.renew\.misconfigured\./),
      transient: true,
    });
    expect(await failureOf(wrong.end?.(session) as Promise<void>)).toMatchObject({ transient: false });
    expect(await ask(ours, session, identity)).toHaveProperty('session');
  });
});

describe('one that misbehaves', () => {
  const refreshToken = 'the-refresh-token-of-the-provider';
  const rotated = 'the-refresh-token-after-it';
  const secrets = [refreshToken, rotated, client.secret];
  let provider: Awaited<ReturnType<typeof startMisbehaving>>;
  let identity: { issuer: string; subject: string };
  let session: string;
  beforeEach(async () => {
    provider = await startMisbehaving();
    identity = { issuer: provider.issuer, subject: 'person-1' };
    session = JSON.stringify({ issuer: provider.issuer, refreshToken });
  });
  afterEach(() => provider.close());

  const connect = (options: Partial<OidcOptions> = {}) =>
    oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret, timeoutSeconds: 1, ...options });
  const answer = (members: Readonly<Record<string, unknown>>) => {
    provider.behaviour.token = async () => json({ access_token: 'x', token_type: 'Bearer', ...members });
  };
  const asked = (end: string) => provider.behaviour.requests.filter(({ path }) => path.endsWith(end));
  const failed = (options?: Partial<OidcOptions>, text = session) =>
    failureOf(ask(connect(options), text, identity), secrets);

  it('is asked with the refresh grant and our credentials', async () => {
    answer({ id_token: await idToken(provider.issuer, { groups: ['a'] }), refresh_token: rotated });
    expect(await ask(connect({ groupsClaim: 'groups' }), session, identity)).toEqual({
      groups: ['a'],
      accessToken: { token: 'x' },
      session: JSON.stringify({ issuer: provider.issuer, refreshToken: rotated }),
    });
    const [request] = asked('/token');
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
    });
    expect(request?.authorization).toMatch(/^Basic /);
  });

  it('without another token the old one stays; without groups to know, no id_token is needed', async () => {
    answer({});
    expect(await ask(connect(), session, identity)).toEqual({ groups: [], accessToken: { token: 'x' }, session });
  });

  it.each<[string, Answer, string, boolean]>([
    ['the session is over', json({ error: 'invalid_grant' }, 400), 'idp.renew.refused.invalid_grant', false],
    [
      'they must come in person',
      json({ error: 'interaction_required' }, 400),
      'idp.renew.refused.interaction_required',
      false,
    ],
    ['our secret is wrong', json({ error: 'invalid_client' }, 401), 'idp.renew.misconfigured.invalid_client', true],
    ['at 400 as well', json({ error: 'invalid_client' }, 400), 'idp.renew.misconfigured.invalid_client', true],
    [
      'with a challenge',
      { ...json({ error: 'invalid_client' }, 401), headers: { 'www-authenticate': 'Basic realm="x"' } },
      'idp.renew.misconfigured.credentials_refused',
      true,
    ],
    ['we may not', json({ error: 'unauthorized_client' }, 400), 'idp.renew.misconfigured.unauthorized_client', true],
    ['an error of its own', json({ error: 'quota_exceeded' }, 400), 'idp.token.quota_exceeded', true],
    [
      'temporarily_unavailable',
      json({ error: 'temporarily_unavailable' }, 400),
      'idp.token.temporarily_unavailable',
      true,
    ],
    ['too many, whatever it says beside', json({ error: 'invalid_grant' }, 429), 'idp.token.invalid_grant', true],
    ['503 as HTML', { status: 503, body: '<html>', headers: { 'content-type': 'text/html' } }, 'idp.invalid.', true],
    ['500 with an error', json({ error: 'invalid_grant' }, 500), 'idp.invalid.', true],
    ['404', { status: 404, body: 'gone' }, 'idp.', true],
    ['404 with an error', json({ error: 'invalid_grant' }, 404), 'idp.token.invalid_grant', true],
    ['200 that is no JSON', { status: 200, body: `{"refresh_token":"${rotated}"` }, 'idp.invalid.', true],
    ['200 without an access token', json({ id_token: rotated }), 'idp.invalid.', true],
    [
      'a token that is a list',
      json({ access_token: 'x', token_type: 'Bearer', refresh_token: [rotated] }),
      'idp.',
      true,
    ],
    ['another kind of token', json({ access_token: rotated, token_type: 'mac' }), 'idp.invalid.unsupported', true],
    ['more than fits', { status: 200, body: `"${'x'.repeat(1024 * 1024)}"` }, 'idp.response_too_large', true],
    [
      'a token that cannot be kept',
      json({ access_token: 'x', token_type: 'Bearer', refresh_token: 'x'.repeat(20_000) }),
      'idp.token_unusable',
      true,
    ],
  ])('%s', async (_, token, reason, transient) => {
    provider.behaviour.token = async () => token;
    const result = await failed();
    expect(result).toEqual({ reason: expect.stringContaining(reason), transient, session: undefined });
  });

  it('an id_token of another person is a definite no', async () => {
    answer({ id_token: await idToken(provider.issuer, { sub: 'person-2' }), refresh_token: rotated });
    expect(await failed()).toEqual({ reason: 'idp.renew.other_person', transient: false, session: undefined });
  });

  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  it.each<[string, Record<string, unknown>, typeof other | undefined]>([
    ['another issuer', { iss: 'https://evil.example' }, undefined],
    ['another audience', { aud: 'other' }, undefined],
    ['its time over', { exp: 1_000 }, undefined],
    ['another key', {}, other],
  ])(
    'an id_token with %s is not believed, says nothing of the person, and what was rotated is kept',
    async (_, claims, key) => {
      answer({ id_token: await idToken(provider.issuer, claims, key), refresh_token: rotated });
      const result = await failed();
      expect(result).toMatchObject({ reason: expect.stringMatching(/^idp\.invalid\./), transient: true });
      // Our clock may be wrong, or a key too new: the token that came along is not lost with the rest.
      expect(JSON.parse(result.session ?? '{}')).toEqual({ issuer: provider.issuer, refreshToken: rotated });
    },
  );

  it('its keys are away after it has rotated: the new token comes with the error', async () => {
    answer({ id_token: await idToken(provider.issuer), refresh_token: rotated });
    provider.behaviour.jwks = () => ({ status: 503, body: '' });
    const { session: next, ...result } = await failed();
    expect(result).toMatchObject({ transient: true });
    expect(JSON.parse(next ?? '')).toEqual({ issuer: provider.issuer, refreshToken: rotated });
  });

  it('an answer that is lost is asked for once more, at once', async () => {
    answer({ refresh_token: rotated });
    provider.behaviour.lose = 1;
    expect((await ask(connect(), session, identity)).session).toContain(rotated);
    provider.behaviour.lose = 2;
    expect(await failed()).toMatchObject({ reason: 'idp.unreachable', transient: true });
    expect(asked('/token')).toHaveLength(4);
  });

  it('an overloaded provider is not asked once more', async () => {
    provider.behaviour.token = async () => ({ status: 503, body: '' });
    await failed();
    expect(asked('/token')).toHaveLength(1);
  });

  it('is silent: not now, within the time it is given', async () => {
    const ours = connect({ timeoutSeconds: 0.2 });
    await ours.start(binding(), callbackUrl);
    provider.behaviour.silent = true;
    expect(await failureOf(ask(ours, session, identity), secrets)).toMatchObject({
      reason: 'idp.unreachable',
      transient: true,
    });
  });

  describe('groups without an id_token', () => {
    const announce = () => {
      const { discovery } = provider.behaviour;
      provider.behaviour.discovery = (issuer) =>
        json({ ...JSON.parse(discovery(issuer).body), userinfo_endpoint: `${issuer}/userinfo` });
      answer({ refresh_token: rotated });
    };

    it('come from userinfo, of the same person', async () => {
      announce();
      provider.behaviour.routes['/userinfo'] = () => json({ sub: 'person-1', groups: ['b'] });
      expect((await ask(connect({ groupsClaim: 'groups' }), session, identity)).groups).toEqual(['b']);
    });

    it('of another person: a definite no', async () => {
      announce();
      provider.behaviour.routes['/userinfo'] = () => json({ sub: 'person-2', groups: ['b'] });
      expect(await failed({ groupsClaim: 'groups' })).toMatchObject({
        reason: 'idp.renew.other_person',
        transient: false,
      });
    });

    it.each<[string, Answer]>([
      ['refused', { status: 401, body: '', headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }],
      ['away', { status: 503, body: '' }],
      ['garbage', { status: 200, body: '[' }],
    ])('%s: nobody knows, and the new token is kept', async (_, said) => {
      announce();
      provider.behaviour.routes['/userinfo'] = () => said;
      const result = await failed({ groupsClaim: 'groups' });
      expect(result.transient).toBe(true);
      expect(result.session).toContain(rotated);
    });

    it('cannot be had at all: nobody knows', async () => {
      answer({ refresh_token: rotated });
      expect(await failed({ groupsClaim: 'groups' })).toMatchObject({ reason: 'idp.renew.no_groups', transient: true });
    });
  });

  it('a claim that is required is required ever after', async () => {
    const options = { requiredClaims: { hd: 'example.com' } };
    answer({ id_token: await idToken(provider.issuer, { hd: 'example.com' }) });
    expect(await ask(connect(options), session, identity)).toHaveProperty('session');
    answer({ id_token: await idToken(provider.issuer) });
    expect(await failed(options)).toMatchObject({ reason: 'idp.renew.other_claims', transient: false });
  });

  describe('a session that is not this provider’s', () => {
    it.each<[string, (issuer: string) => string, string]>([
      ['another issuer', () => JSON.stringify({ issuer: 'https://other.example', refreshToken }), 'other_issuer'],
      ['no issuer', () => JSON.stringify({ refreshToken }), 'unreadable'],
      ['no token', (issuer) => JSON.stringify({ issuer, accessToken: 'x' }), 'unreadable'],
      ['a token that is a list', (issuer) => JSON.stringify({ issuer, refreshToken: [refreshToken] }), 'unreadable'],
      ['null', () => 'null', 'unreadable'],
      ['no JSON', () => `{${refreshToken}`, 'unreadable'],
      ['nothing', () => '', 'unreadable'],
    ])('%s: no request is made, and nobody knows', async (_, make, reason) => {
      const text = make(provider.issuer);
      expect(await failed({}, text)).toMatchObject({ reason: `idp.session.${reason}`, transient: true });
      expect(await failureOf(connect().end?.(text) as Promise<void>, secrets)).toMatchObject({
        reason: `idp.session.${reason}`,
      });
      expect(asked('/token')).toHaveLength(0);
    });

    it('the identity of another issuer: no token leaves', async () => {
      const elsewhere = { ...identity, issuer: 'https://other.example' };
      expect(await failureOf(ask(connect(), session, elsewhere))).toMatchObject({
        reason: 'idp.session.other_issuer',
        transient: true,
      });
      expect(asked('/token')).toHaveLength(0);
    });
  });

  describe('the end of a session', () => {
    const end = (said: Answer) => {
      const { discovery } = provider.behaviour;
      provider.behaviour.discovery = (issuer) =>
        json({ ...JSON.parse(discovery(issuer).body), revocation_endpoint: `${issuer}/revoke` });
      provider.behaviour.routes['/revoke'] = () => said;
      return connect().end?.(session) as Promise<void>;
    };

    it('is nothing where there is no revocation endpoint', async () => {
      await connect().end?.(session);
      expect(provider.behaviour.requests).toHaveLength(1);
    });

    it('is a revocation with our credentials', async () => {
      await end({ status: 200, body: '' });
      const [request] = asked('/revoke');
      expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({ token: refreshToken });
      expect(request?.authorization).toMatch(/^Basic /);
    });

    it('is fine where the token is gone and the provider says so', () => end(json({ error: 'invalid_token' }, 400)));

    it.each<[string, Answer, string, boolean]>([
      ['503', { status: 503, body: '' }, 'idp.invalid.', true],
      ['a wrong secret', json({ error: 'invalid_client' }, 401), 'idp.token.invalid_client', false],
      [
        'a kind it cannot revoke',
        json({ error: 'unsupported_token_type' }, 400),
        'idp.token.unsupported_token_type',
        false,
      ],
    ])('%s', async (_, said, reason, transient) => {
      expect(await failureOf(end(said), secrets)).toMatchObject({ reason: expect.stringContaining(reason), transient });
    });
  });
});
