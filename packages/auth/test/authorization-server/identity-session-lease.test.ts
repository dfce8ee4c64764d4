/** What the lease has to outlast: clocks that differ, and an answer that takes a while to be stored. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultLifetimes } from '../../src/gatehouse.ts';
import {
  passing,
  type SessionHarness,
  startRefreshing,
  startWithSessions,
  timers,
} from './identity-session-harness.ts';

const { identityCheckSeconds } = defaultLifetimes;

let harness: SessionHarness;
let release: () => void;
beforeEach(() => {
  harness = startWithSessions();
});
afterEach(() => {
  vi.useRealTimers();
});

function holdAnswers(): void {
  harness.identityProvider.hold = new Promise((resolve) => {
    release = resolve;
  });
}

describe('the lease', () => {
  it.each([31, 60, 300, -50])('holds for an instance whose clock is %i s ahead', async (ahead) => {
    const { refresh } = await startRefreshing(harness);
    const { clock, identityProvider } = harness;
    clock.seconds += identityCheckSeconds + 300;
    holdAnswers();
    const first = refresh();
    await vi.waitFor(() => expect(identityProvider.asked).toHaveLength(1));
    const second = await refresh({}, harness.another({ now: () => clock.seconds + ahead }));
    release();
    expect([(await first)?.status, second?.status]).toEqual([200, 200]);
    expect(identityProvider.asked).toHaveLength(1);
    expect((await harness.grant())?.value.endedAt).toBeUndefined();
  });

  it('holds for an answer that took 19 s and a database that was away for 12 s more', async () => {
    vi.useFakeTimers(timers);
    const { next } = await startRefreshing(harness);
    const { clock, records } = harness;
    clock.seconds += identityCheckSeconds;
    holdAnswers();
    await passing(3, next());
    clock.seconds += 19;
    records.interfere = (verb, kind) => (kind === 'identitySession' && verb === 'replace' ? 'away' : undefined);
    release();
    await passing(12, Promise.resolve());
    clock.seconds += 12;
    records.interfere = undefined;
    harness.identityProvider.hold = undefined;
    expect((await next(harness.another())).status).toBe(200);
    await vi.advanceTimersByTimeAsync(2000);
    await vi.waitFor(() => expect(harness.names()).toContain('session.renewed'));
    expect((await harness.grant())?.value.endedAt).toBeUndefined();
  });

  it('a refresh that cannot go on without the answer is told to come again soon', async () => {
    const { refresh } = await startRefreshing(harness);
    harness.clock.seconds += defaultLifetimes.identityStaleSeconds + 1;
    holdAnswers();
    const first = refresh();
    await vi.waitFor(() => expect(harness.identityProvider.asked).toHaveLength(1));
    const second = await refresh({}, harness.another());
    expect([second?.status, second?.headers['retry-after']]).toEqual([503, '5']);
    release();
    expect((await first)?.status).toBe(200);
  });
});
