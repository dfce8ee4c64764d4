/** The presets: what each makes of its options, and a sign-in, a renewal and an end at a provider shaped like its vendor's. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type IdentityProvider, oidc } from '../../src/gatehouse.ts';
import { auth0, entra, google, keycloak, okta } from '../../src/identity-providers/presets.ts';
import { failureOf } from './failure.ts';
import { binding, callbackUrl, client, type ProviderShape, signIn, startProvider } from './servers.ts';

const ours = { clientId: client.id, clientSecret: client.secret };
const tenant = '2f1d7c60-5a3e-4c5b-9d0e-0a1b2c3d4e5f';

beforeAll(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
});
afterAll(() => vi.restoreAllMocks());

describe('the issuer', () => {
  it.each<[string, () => { issuer: string }]>([
    ['https://accounts.google.com', () => google(ours)],
    ['https://example.eu.auth0.com/', () => auth0({ ...ours, domain: 'example.eu.auth0.com' })],
    ['https://login.example.com/', () => auth0({ ...ours, domain: 'https://login.example.com/' })],
    ['https://example.okta.com', () => okta({ ...ours, domain: 'example.okta.com' })],
    [
      'https://example.okta.com/oauth2/default',
      () => okta({ ...ours, domain: 'https://example.okta.com', authorizationServer: 'default' }),
    ],
    [`https://login.microsoftonline.com/${tenant}/v2.0`, () => entra({ ...ours, tenant: tenant.toUpperCase() })],
    [
      `https://login.microsoftonline.us/${tenant}/v2.0`,
      () => entra({ ...ours, tenant, authority: 'https://login.microsoftonline.us' }),
    ],
    [
      'https://sso.example.com/realms/acme',
      () => keycloak({ ...ours, baseUrl: 'https://sso.example.com', realm: 'acme' }),
    ],
    [
      'https://sso.example.com/auth/realms/acme',
      () => keycloak({ ...ours, baseUrl: 'https://sso.example.com/auth/', realm: 'acme' }),
    ],
  ])('%s', (issuer, make) => {
    expect(make().issuer).toBe(issuer);
  });
});

describe('refused at start, with words', () => {
  it.each<[RegExp, () => unknown]>([
    [/^tenant: "common" lets in people of every directory/, () => entra({ ...ours, tenant: 'common' })],
    [/^tenant: "Organizations" lets in/, () => entra({ ...ours, tenant: 'Organizations' })],
    [/^tenant: "consumers" .*9188040d/, () => entra({ ...ours, tenant: 'consumers' })],
    [
      /^tenant: "example.onmicrosoft.com" is not a directory id/,
      () => entra({ ...ours, tenant: 'example.onmicrosoft.com' }),
    ],
    [/^tenant: /, () => entra({ ...ours, tenant: `${tenant}/../x` })],
    [/^tenant: /, () => entra({ ...ours, tenant: `${tenant}\n` })],
    [/^authority: /, () => entra({ ...ours, tenant, authority: 'http://login.microsoftonline.com' })],
    [/^domain: /, () => auth0({ ...ours, domain: 'http://example.eu.auth0.com' })],
    [/^domain: .*has a path/, () => auth0({ ...ours, domain: 'https://example.eu.auth0.com/userinfo' })],
    [/^domain: /, () => auth0({ ...ours, domain: '' })],
    [/^domain: /, () => auth0({ ...ours, domain: 'https://user@example.eu.auth0.com' })],
    [
      /^groupsClaim: Auth0 never issues "roles"/,
      () => auth0({ ...ours, domain: 'example.eu.auth0.com', groupsClaim: 'roles' }),
    ],
    [/^domain: .*without -admin/, () => okta({ ...ours, domain: 'example-admin.okta.com' })],
    [/^domain: /, () => okta({ ...ours, domain: 'example.okta.com/oauth2/default' })],
    [/^authorizationServer: /, () => okta({ ...ours, domain: 'example.okta.com', authorizationServer: '../v1' })],
    [/^realm: /, () => keycloak({ ...ours, baseUrl: 'https://sso.example.com', realm: '..' })],
    [/^realm: /, () => keycloak({ ...ours, baseUrl: 'https://sso.example.com', realm: 'a/b' })],
    [/^baseUrl: /, () => keycloak({ ...ours, baseUrl: 'https://sso.example.com/?x', realm: 'acme' })],
    [/^baseUrl: /, () => keycloak({ ...ours, baseUrl: 'sso.example.com', realm: 'acme' })],
    [/^hostedDomain: /, () => google({ ...ours, hostedDomain: '*' })],
  ])('%s', (words, make) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(words);
  });
});

/** Each vendor's provider on this computer; `options` is the preset's, at its address. */
const vendors: ReadonlyArray<{
  name: string;
  shape: ProviderShape;
  options: (issuer: string) => Parameters<typeof oidc>[0];
  asks: Record<string, string>;
  groups: readonly string[];
}> = [
  {
    name: 'Google',
    shape: {
      alwaysRefresh: true,
      scopes: ['openid'],
      claims: { hd: 'example.com' },
      authentication: 'client_secret_post',
    },
    // Its issuer is no option: the rest of the preset is what is tried.
    options: (issuer) => ({ ...google({ ...ours, hostedDomain: 'example.com' }), issuer }),
    asks: { scope: 'openid', access_type: 'offline', prompt: 'consent', hd: 'example.com' },
    groups: ['example.com'],
  },
  {
    name: 'Auth0',
    shape: {
      path: '/',
      alwaysRefresh: true,
      claims: { 'https://example.com/roles': ['editor'] },
      authentication: 'client_secret_post',
    },
    options: (issuer) => auth0({ ...ours, domain: issuer, groupsClaim: 'https://example.com/roles' }),
    asks: { scope: 'openid offline_access' },
    groups: ['editor'],
  },
  {
    name: 'Okta, the org’s server',
    shape: { alwaysRefresh: true, scopes: ['openid', 'offline_access', 'groups'], claims: { groups: ['Everyone'] } },
    options: (issuer) => okta({ ...ours, domain: issuer }),
    asks: { scope: 'openid offline_access groups' },
    groups: ['Everyone'],
  },
  {
    name: 'Okta, a custom server',
    shape: { path: '/oauth2/default', alwaysRefresh: true, claims: { groups: ['Everyone'] } },
    options: (issuer) => okta({ ...ours, domain: new URL(issuer).origin, authorizationServer: 'default' }),
    asks: { scope: 'openid offline_access' },
    groups: ['Everyone'],
  },
  {
    name: 'Microsoft',
    shape: {
      path: `/${tenant}/v2.0`,
      alwaysRefresh: true,
      scopes: ['openid', 'profile', 'offline_access'],
      claims: { groups: ['6e7b768e-07e2-4810-8459-485f84f8f204'] },
      authentication: 'client_secret_post',
    },
    options: (issuer) => entra({ ...ours, tenant, authority: new URL(issuer).origin }),
    asks: { scope: 'openid profile offline_access' },
    groups: ['6e7b768e-07e2-4810-8459-485f84f8f204'],
  },
  {
    name: 'Keycloak',
    shape: {
      path: '/realms/acme',
      alwaysRefresh: true,
      claims: { groups: ['/staff'] },
      authentication: 'client_secret_post',
    },
    options: (issuer) => keycloak({ ...ours, baseUrl: new URL(issuer).origin, realm: 'acme', revokes: true }),
    asks: { scope: 'openid offline_access' },
    groups: ['/staff'],
  },
  {
    name: 'Keycloak with realm roles',
    shape: {
      path: '/auth/realms/acme',
      alwaysRefresh: true,
      claims: { realm_access: { roles: ['editor'] } },
      authentication: 'client_secret_post',
    },
    options: (issuer) =>
      keycloak({
        ...ours,
        baseUrl: `${new URL(issuer).origin}/auth`,
        realm: 'acme',
        groupsFrom: 'realm-roles',
        revokes: true,
      }),
    asks: { scope: 'openid offline_access' },
    groups: ['editor'],
  },
];

describe.each(vendors)('$name', ({ shape, options, asks, groups }) => {
  let provider: Awaited<ReturnType<typeof startProvider>>;
  let connected: IdentityProvider;
  beforeAll(async () => {
    provider = await startProvider(shape);
    connected = oidc(options(provider.issuer));
  });
  afterAll(() => provider.close());

  it('signs in with groups, renews and ends', async () => {
    const bound = binding();
    const start = new URL(await connected.start(bound, callbackUrl));
    const { response_type, client_id, redirect_uri, state, nonce, code_challenge, code_challenge_method, ...rest } =
      Object.fromEntries(start.searchParams);
    expect(rest).toEqual(asks);
    const signedIn = await connected.finish(await signIn(start.href, 'person-1'), bound, callbackUrl);
    expect(signedIn).toMatchObject({ identity: { issuer: provider.issuer, subject: 'person-1' }, groups });

    const renewed = await connected.renew?.(signedIn.session ?? '', signedIn.identity);
    expect(renewed?.groups).toEqual(groups);
    await connected.end?.(renewed?.session ?? '');
    expect(
      await failureOf(connected.renew?.(renewed?.session ?? '', signedIn.identity) as Promise<unknown>),
    ).toMatchObject({
      reason: 'idp.renew.refused.invalid_grant',
      transient: false,
    });
  });
});

it('somebody of another Workspace domain is refused at Google, whatever the page let them choose', async () => {
  const provider = await startProvider({
    claims: { hd: 'other.example' },
    scopes: ['openid'],
    alwaysRefresh: true,
    authentication: 'client_secret_post',
  });
  const connected = oidc({ ...google({ ...ours, hostedDomain: 'example.com' }), issuer: provider.issuer });
  const bound = binding();
  const query = await signIn(await connected.start(bound, callbackUrl), 'person-1');
  expect(await failureOf(connected.finish(query, bound, callbackUrl))).toMatchObject({
    reason: 'idp.other_claims',
    transient: false,
  });
  await provider.close();
});
