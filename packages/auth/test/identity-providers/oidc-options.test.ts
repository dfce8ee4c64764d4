/** What the options of `oidc` change: offline access, further parameters, groups, required claims, the secret's place. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OidcOptions, oidc } from '../../src/gatehouse.ts';
import { boundedGroups, groupsOf } from '../../src/identity-providers/groups.ts';
import { failureOf } from './failure.ts';
import { binding, callbackUrl, client, idToken, json, startMisbehaving } from './servers.ts';

const known: OidcOptions = {
  issuer: 'https://idp.example',
  clientId: client.id,
  endpoints: { authorization: 'https://idp.example/a', token: 'https://idp.example/t', jwks: 'https://idp.example/j' },
};
const asked = async (options: Partial<OidcOptions>) =>
  Object.fromEntries(new URL(await oidc({ ...known, ...options }).start(binding(), callbackUrl)).searchParams);

describe('offline access', () => {
  it('is not asked for unless told', async () => {
    const parameters = await asked({});
    expect(parameters.scope).toBe('openid');
    expect(parameters).not.toHaveProperty('prompt');
  });

  it('is a scope and a prompt (Core §11)', async () => {
    expect(await asked({ offline: true, scope: ['email', 'offline_access'] })).toMatchObject({
      scope: 'openid email offline_access',
      prompt: 'consent',
    });
  });
});

describe('further parameters', () => {
  it('are sent as they are', async () => {
    const authorizationParameters = { access_type: 'offline', prompt: 'consent', 'ui.locales': 'de en', empty: '' };
    expect(await asked({ authorizationParameters })).toMatchObject(authorizationParameters);
  });

  it.each([
    'client_id',
    'client_secret',
    'code_challenge',
    'code_challenge_method',
    'nonce',
    'redirect_uri',
    'request',
    'request_uri',
    'response_mode',
    'response_type',
    'scope',
    'state',
  ])('never %s', (name) => {
    expect(() => oidc({ ...known, authorizationParameters: { [name]: 'x' } })).toThrow(
      `authorizationParameters: ${name} is Gatehouse's own`,
    );
  });

  it.each<[string, Partial<OidcOptions>]>([
    ['the prompt, where it is ours', { offline: true, authorizationParameters: { prompt: 'none' } }],
    ['no name', { authorizationParameters: { '': 'x' } }],
    ['a name with a space', { authorizationParameters: { 'a b': 'x' } }],
    ['a value with a line break', { authorizationParameters: { a: 'x\ny' } }],
    ['a value that is too long', { authorizationParameters: { a: 'x'.repeat(513) } }],
    ['a value that is a number', { authorizationParameters: { a: 1 as unknown as string } }],
    ['too many', { authorizationParameters: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`p${i}`, 'x'])) }],
  ])('refused: %s', (_, options) => {
    expect(() => oidc({ ...known, ...options })).toThrow(/^authorizationParameters: /);
  });
});

describe('groups', () => {
  const claims = {
    groups: ['a', 'b', 'a', '', 7, null, ['c'], 'x'.repeat(256), 'y'.repeat(257)],
    one: 'solo',
    realm_access: { roles: ['r'] },
    'https://example.com/roles': ['n'],
    many: Array.from({ length: 300 }, (_, i) => `g${i}`),
    none: { length: 3 },
  };
  it.each([
    [undefined, []],
    ['groups', ['a', 'b', 'x'.repeat(256)]],
    ['one', ['solo']],
    ['missing', []],
    ['none', []],
    ['toString', []],
    ['https://example.com/roles', ['n']],
    [['realm_access', 'roles'], ['r']],
    [['realm_access', 'toString', 'name'], []],
    [['one', 'length'], []],
    [['groups', '0', '0'], []],
  ])('%j: %j', (path, expected) => {
    expect(groupsOf(claims, path)).toEqual(expected);
  });

  it('are 200 at most', () => {
    expect(groupsOf(claims, 'many')).toEqual(claims.many.slice(0, 200));
    expect(boundedGroups([])).toEqual([]);
  });
});

describe('a sign-in', () => {
  let provider: Awaited<ReturnType<typeof startMisbehaving>>;
  beforeAll(async () => {
    provider = await startMisbehaving();
  });
  afterAll(() => provider.close());

  async function finish(
    options: Partial<OidcOptions>,
    claims: Readonly<Record<string, unknown>>,
    members: Readonly<Record<string, unknown>> = {},
  ) {
    const bound = binding();
    provider.behaviour.token = async (issuer) =>
      json({
        access_token: 'x',
        token_type: 'Bearer',
        id_token: await idToken(issuer, { nonce: bound.nonce, ...claims }),
        ...members,
      });
    const ours = oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret, ...options });
    return ours.finish(new URLSearchParams({ code: 'c', state: bound.state }), bound, callbackUrl);
  }

  it('takes groups from the claim it is told, and from no other', async () => {
    expect((await finish({}, { groups: ['a'] })).groups).toEqual([]);
    expect((await finish({ groupsClaim: 'groups' }, { groups: ['a'] })).groups).toEqual(['a']);
  });

  it('has a session where there is a refresh token, and only there', async () => {
    expect(await finish({}, {})).not.toHaveProperty('session');
    expect(JSON.parse((await finish({}, {}, { refresh_token: 'r' })).session ?? '')).toEqual({
      issuer: provider.issuer,
      refreshToken: 'r',
    });
  });

  it.each(['x'.repeat(20_000), 'line\nbreak', ''])(
    'with a refresh token that cannot be kept: no (%#)',
    async (token) => {
      const failure = await failureOf(finish({}, {}, { refresh_token: token }), token === '' ? [] : [token]);
      expect(failure).toMatchObject({ reason: expect.stringMatching(/^idp\./), transient: false });
    },
  );

  it.each([{}, { hd: 'evil.example' }, { hd: ['example.com'] }])(
    'without the claim it needs: no (%j)',
    async (claims) => {
      expect(await failureOf(finish({ requiredClaims: { hd: 'example.com' } }, claims))).toMatchObject({
        reason: 'idp.other_claims',
        transient: false,
      });
    },
  );

  it('sends the secret in the body where told', async () => {
    await finish({ clientAuthentication: 'post' }, {});
    const request = provider.behaviour.requests.findLast(({ path }) => path === '/token');
    expect(request?.authorization).toBeUndefined();
    expect(new URLSearchParams(request?.body).get('client_secret')).toBe(client.secret);
  });

  it('is given up where an answer has no end', async () => {
    provider.behaviour.token = async () => ({ status: 200, body: ' '.repeat(1024 * 1024 + 1) });
    const bound = binding();
    const ours = oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret });
    const query = new URLSearchParams({ code: 'c', state: bound.state });
    expect(await failureOf(ours.finish(query, bound, callbackUrl))).toMatchObject({
      reason: 'idp.response_too_large',
      transient: false,
    });
  });
});
