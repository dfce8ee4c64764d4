/** Providers that end everything with one token: there, a session that is no longer needed is only forgotten. */
import { expect, it } from 'vitest';
import { auth0, defaultLifetimes, google, keycloak, oidc, okta } from '../../src/gatehouse.ts';
import { startRefreshing, startWithSessions } from '../authorization-server/identity-session-harness.ts';
import { form, hidden, request, sameOrigin } from '../harness.ts';

const ours = { clientId: 'gatehouse', clientSecret: 'secret' };
const keycloakOptions = { ...ours, baseUrl: 'https://sso.example.com', realm: 'acme' };

it('Keycloak is told of no session, unless the operator wants it', () => {
  expect(oidc(keycloak(keycloakOptions)).end).toBeUndefined();
  expect(oidc(keycloak({ ...keycloakOptions, revokes: true })).end).toBeInstanceOf(Function);
  expect(oidc(okta({ ...ours, domain: 'example.okta.com' })).end).toBeInstanceOf(Function);
  expect(oidc(google(ours)).end).toBeInstanceOf(Function);
  expect(oidc(auth0({ ...ours, domain: 'example.eu.auth0.com', revokes: false })).end).toBeUndefined();
});

it.each([true, false])('a look at one’s own page leaves the grants alone (the provider is told: %s)', async (told) => {
  const harness = startWithSessions();
  const { identityProvider } = harness;
  const { next } = await startRefreshing(harness);
  // As Keycloak does: whichever token is revoked, all of the person's at this client are.
  const endAll = async () => {
    identityProvider.disabled = true;
  };
  Object.assign(identityProvider, { end: told ? endAll : undefined });
  const person = harness.browser();
  const token = hidden(await person.send(request('/connections')), 'token');
  const started = await person.send(form('/connections/change', { action: 'sign-in', token }, sameOrigin));
  const state = new URL(String(started.headers.location)).searchParams.get('state');
  await person.send(request(`/callback?code=idp-code&state=${state}`));
  harness.clock.seconds += defaultLifetimes.identityCheckSeconds;
  expect((await next()).status).toBe(told ? 400 : 200);
});

it.each([0, -1, 15, Number.NaN])(
  'a time for an answer of %s seconds, which no lease outlasts, is refused',
  (timeoutSeconds) => {
    expect(() => oidc({ ...ours, issuer: 'https://idp.example', timeoutSeconds })).toThrow(/^timeoutSeconds: /);
  },
);
