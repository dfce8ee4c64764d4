/** How many outbound requests strangers can make us send: at once and a minute, in all and to one origin (SEC-09, SEC-10). */
import type { SafeFetch } from './safe-fetch.ts';
import { SafeFetchError } from './safe-fetch-error.ts';

export interface FetchBudget {
  readonly concurrent: number;
  readonly concurrentPerOrigin: number;
  readonly perMinute: number;
  readonly perMinutePerOrigin: number;
}

export const defaultFetchBudget: FetchBudget = {
  concurrent: 16,
  concurrentPerOrigin: 4,
  perMinute: 120,
  perMinutePerOrigin: 30,
};

/** The same fetch within the budget: what is above it is refused at once (`fetch.budget`), nothing queues. */
export function withinBudget(fetch: SafeFetch, budget: FetchBudget, now: () => number): SafeFetch {
  let minute = Number.NEGATIVE_INFINITY;
  let started = 0;
  // Neither map can outgrow the budget: every entry was a fetch of this minute, or is one under way.
  const startedAt = new Map<string, number>();
  let running = 0;
  const runningAt = new Map<string, number>();

  return async (url, wanted) => {
    // The host, whatever its port: it is the host that would feel a flood from here.
    const origin = URL.canParse(url) ? new URL(url).hostname : '';
    const thisMinute = Math.floor(now() / 60);
    if (thisMinute !== minute) {
      minute = thisMinute;
      started = 0;
      startedAt.clear();
    }
    const startedHere = startedAt.get(origin) ?? 0;
    const runningHere = runningAt.get(origin) ?? 0;
    if (
      running >= budget.concurrent ||
      runningHere >= budget.concurrentPerOrigin ||
      started >= budget.perMinute ||
      startedHere >= budget.perMinutePerOrigin
    ) {
      throw new SafeFetchError('fetch.budget');
    }
    started += 1;
    running += 1;
    startedAt.set(origin, startedHere + 1);
    runningAt.set(origin, runningHere + 1);
    try {
      return await fetch(url, wanted);
    } finally {
      running -= 1;
      const left = (runningAt.get(origin) ?? 1) - 1;
      if (left > 0) runningAt.set(origin, left);
      else runningAt.delete(origin);
    }
  };
}
