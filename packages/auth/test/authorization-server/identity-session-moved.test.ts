/** Another identity provider is configured: refreshes go on for as long as in any silence, and then people sign in again. */
import { expect, it } from 'vitest';
import { defaultLifetimes, IdentityProviderError } from '../../src/gatehouse.ts';
import { refusal } from '../harness.ts';
import { away, startRefreshing, startWithSessions } from './identity-session-harness.ts';

const { identityCheckSeconds, identityStaleSeconds } = defaultLifetimes;

it('ends the grant when it is stale, and not before', async () => {
  const harness = startWithSessions();
  const { next } = await startRefreshing(harness);
  harness.identityProvider.instead = async () => {
    throw new IdentityProviderError('idp.session.other_issuer', { transient: true });
  };
  harness.clock.seconds += identityCheckSeconds;
  expect((await next()).status).toBe(200);
  harness.clock.seconds += identityStaleSeconds;
  expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
});

it('an outage, however long, does not', async () => {
  const harness = startWithSessions();
  const { next } = await startRefreshing(harness);
  harness.identityProvider.instead = async () => {
    throw away();
  };
  harness.clock.seconds += identityStaleSeconds + 1;
  expect((await next()).status).toBe(503);
});
