/** A renewal that outlived its request is stored before the process ends or is frozen: the provider has rotated (REL-04). */
import { afterEach, expect, it, vi } from 'vitest';
import { defaultLifetimes } from '../../src/gatehouse.ts';
import { passing, startRefreshing, startWithSessions, timers } from './identity-session-harness.ts';

afterEach(() => {
  vi.useRealTimers();
});

it.each(['close', 'flush'] as const)('%s waits for the answer, and for no longer than 30 s', async (verb) => {
  vi.useFakeTimers(timers);
  const harness = startWithSessions();
  const { next } = await startRefreshing(harness);
  harness.clock.seconds += defaultLifetimes.identityCheckSeconds;
  let answer = () => {};
  harness.identityProvider.hold = new Promise((resolve) => {
    answer = resolve;
  });
  await passing(3, next());
  let done = false;
  const ending = harness.server[verb]().then(() => {
    done = true;
  });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(done).toBe(false);
  answer();
  await ending;
  expect(harness.names()).toContain('session.renewed');

  harness.clock.seconds += defaultLifetimes.identityCheckSeconds;
  harness.identityProvider.instead = () => new Promise(() => {});
  await passing(3, next());
  await passing(30, harness.server[verb]());
});
