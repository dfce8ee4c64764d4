/** We as client of a real OpenID provider: `oidc-provider`, its login form and its tokens (N40–N42, SEC-15). */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type IdentityProvider, IdentityProviderError, oidc, type SignInBinding } from '../../src/gatehouse.ts';
import { codeChallengeOf } from '../../src/oauth/pkce.ts';
import {
  authorizePath,
  form,
  hidden,
  parsed,
  pkce,
  redirectUri,
  registerClient,
  request,
  sameOrigin,
  startHarness,
} from '../harness.ts';
import { binding, callbackUrl, client, signIn, startProvider } from './servers.ts';

let provider: Awaited<ReturnType<typeof startProvider>>;
let ours: IdentityProvider;

beforeAll(async () => {
  // It warns that its settings are for development: they are.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
  provider = await startProvider();
  ours = oidc({ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret });
});
afterAll(async () => {
  await provider.close();
  vi.restoreAllMocks();
});

/** Why a sign-in failed. */
async function failure(finish: Promise<unknown>): Promise<{ reason: string; transient: boolean }> {
  const error = await finish.then(
    () => new Error('signed in'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IdentityProviderError)) throw error;
  return { reason: error.reason, transient: error.transient };
}

/** Somebody at our callback, with what the provider sent along. */
async function returned(bound: SignInBinding, login = 'person-1') {
  return signIn(await ours.start(bound, callbackUrl), login);
}

describe('the way there', () => {
  it('asks for a code with PKCE, state and nonce, and for openid', async () => {
    const bound = binding();
    const url = new URL(await ours.start(bound, callbackUrl));
    expect(url.origin).toBe(provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: client.id,
      redirect_uri: callbackUrl,
      scope: 'openid',
      state: bound.state,
      nonce: bound.nonce,
      code_challenge: codeChallengeOf(bound.codeVerifier),
      code_challenge_method: 'S256',
    });
    expect(url.href).not.toContain(bound.codeVerifier);
  });

  it.each([
    [['profile'], 'openid profile'],
    [['openid', 'email', 'openid'], 'openid email'],
    [[], 'openid'],
  ])('with the scopes %j it asks for %j', async (scope, asked) => {
    const other = oidc({ issuer: provider.issuer, clientId: client.id, scope });
    expect(new URL(await other.start(binding(), callbackUrl)).searchParams.get('scope')).toBe(asked);
  });

  it('is called by its host unless told', () => {
    expect(ours.name).toBe(new URL(provider.issuer).host);
    expect(oidc({ issuer: provider.issuer, clientId: 'x', name: 'Work' }).name).toBe('Work');
  });
});

describe('the way back', () => {
  it('says who signed in', async () => {
    const bound = binding();
    const query = await returned(bound, 'somebody@example');
    expect(await ours.finish(query, bound, callbackUrl)).toEqual({
      identity: { issuer: provider.issuer, subject: 'somebody@example' },
      groups: [],
      accessToken: { token: expect.any(String), expiresIn: 60 },
    });
  });

  it('with another nonce: no', async () => {
    const bound = binding();
    const query = await returned(bound);
    const wrong = ours.finish(query, { ...bound, nonce: binding().nonce }, callbackUrl);
    expect(await failure(wrong)).toEqual({ reason: 'idp.invalid.oauth_jwt_claim_comparison_failed', transient: false });
  });

  it('with another state: no, before the code is spent', async () => {
    const bound = binding();
    const query = await returned(bound);
    const wrong = ours.finish(query, { ...bound, state: binding().state }, callbackUrl);
    expect(await failure(wrong)).toMatchObject({ reason: 'idp.invalid.oauth_invalid_response', transient: false });
    expect(await ours.finish(query, bound, callbackUrl)).toHaveProperty('identity.subject');
  });

  it('with the iss of another provider (mix-up): no, before the code is spent', async () => {
    const bound = binding();
    const query = await returned(bound);
    const mixed = new URLSearchParams(query);
    mixed.set('iss', 'https://evil.example');
    expect(await failure(ours.finish(mixed, bound, callbackUrl))).toMatchObject({ transient: false });
    const without = new URLSearchParams(query);
    without.delete('iss');
    expect(await failure(ours.finish(without, bound, callbackUrl))).toMatchObject({ transient: false });
    expect(await ours.finish(query, bound, callbackUrl)).toHaveProperty('identity.subject');
  });

  it('with another verifier: no', async () => {
    const bound = binding();
    const query = await returned(bound);
    const wrong = ours.finish(query, { ...bound, codeVerifier: binding().codeVerifier }, callbackUrl);
    expect(await failure(wrong)).toEqual({ reason: 'idp.token.invalid_grant', transient: false });
  });

  it('with another redirect URI: no', async () => {
    const bound = binding();
    const query = await returned(bound);
    const wrong = ours.finish(query, bound, 'https://auth.example/other');
    expect(await failure(wrong)).toEqual({ reason: 'idp.token.invalid_grant', transient: false });
  });

  it('with a code that was used: no', async () => {
    const bound = binding();
    const query = await returned(bound);
    await ours.finish(query, bound, callbackUrl);
    expect(await failure(ours.finish(query, bound, callbackUrl))).toEqual({
      reason: 'idp.token.invalid_grant',
      transient: false,
    });
  });

  it.each([
    ['code=made-up', 'idp.token.invalid_grant'],
    ['error=access_denied', 'idp.answered.access_denied'],
    ['error=login_required&error_description=%3Cb%3E', 'idp.answered.login_required'],
    ['x=y', 'idp.'],
  ])('with %s: no', async (query, reason) => {
    const bound = binding();
    const parameters = new URLSearchParams(`${query}&state=${bound.state}&iss=${encodeURIComponent(provider.issuer)}`);
    const why = await failure(ours.finish(parameters, bound, callbackUrl));
    expect(why.reason).toContain(reason);
    expect(why.transient).toBe(false);
  });

  it.each(['temporarily_unavailable', 'server_error'])('with %s: not now', async (error) => {
    const bound = binding();
    const parameters = new URLSearchParams({ error, state: bound.state, iss: provider.issuer });
    expect(await failure(ours.finish(parameters, bound, callbackUrl))).toEqual({
      reason: `idp.answered.${error}`,
      transient: true,
    });
  });
});

it('the whole way: consent, the provider’s own login form, a code for the client, tokens', async () => {
  const harness = startHarness({ identityProvider: ours });
  const registered = await registerClient(harness);
  const { verifier, challenge } = pkce();
  const person = harness.browser();
  const page = await person.send(request(authorizePath(registered.client_id, challenge)));
  const leave = await person.send(
    form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin),
  );
  const query = await signIn(String(leave.headers.location), 'person-7');
  const back = await person.send(request(`/callback?${query}`));
  const code = new URL(String(back.headers.location)).searchParams.get('code') ?? '';
  const fields = {
    grant_type: 'authorization_code',
    client_id: registered.client_id,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  };
  expect(parsed(await harness.server.handle(form('/token', fields)))).toHaveProperty('access_token');
  expect((await harness.records.list('grant')).items[0]?.value.identity).toEqual({
    issuer: provider.issuer,
    subject: 'person-7',
  });
});
