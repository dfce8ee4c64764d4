/** A revocation and a renewal at once: of the provider's sessions none outlives the grant. */
import { describe, expect, it, vi } from 'vitest';
import { defaultLifetimes } from '../../src/gatehouse.ts';
import { form } from '../harness.ts';
import { startRefreshing, startWithSessions } from './identity-session-harness.ts';

/** A renewal that the provider has rotated and not answered yet, and a revocation whose way to the provider is under way. */
async function bothAtOnce(endFails?: Error) {
  const harness = startWithSessions();
  const { identityProvider, server } = harness;
  const { refresh, client, tokens } = await startRefreshing(harness);
  harness.clock.seconds += defaultLifetimes.identityCheckSeconds;
  let answer = () => {};
  identityProvider.hold = new Promise((resolve) => {
    answer = resolve;
  });
  const refreshed = refresh();
  await vi.waitFor(() => expect(identityProvider.asked).toHaveLength(1));
  let goOn = () => {};
  const way = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const end = identityProvider.end;
  identityProvider.end = async (session) => {
    identityProvider.end = end;
    identityProvider.ended.push(session);
    await way;
    if (endFails) throw endFails;
  };
  const revoked = server.handle(form('/revoke', { token: tokens.refresh_token, client_id: client.client_id }));
  await vi.waitFor(() => expect(identityProvider.ended).toHaveLength(1));
  answer();
  const status = (await refreshed)?.status;
  goOn();
  expect([status, (await revoked)?.status]).toEqual([400, 200]);
  return harness;
}

describe('a grant that is revoked while its session is renewed', () => {
  it('leaves no session at the provider that the renewal brought', async () => {
    const { identityProvider, session } = await bothAtOnce();
    expect(identityProvider.ended).toContain(identityProvider.session);
    expect(await session()).toBeUndefined();
  });

  it('nor one that passes for alive where the provider could not be told', async () => {
    const { identityProvider, session } = await bothAtOnce(new Error('away'));
    expect(identityProvider.ended).toContain(identityProvider.session);
    expect((await session())?.value.over).toBe(true);
  });
});
