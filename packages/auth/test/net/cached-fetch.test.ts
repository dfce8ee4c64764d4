/** Caching of strangers' documents: HTTP freshness within bounds, one flight, nothing bad kept, last good copies, bounded memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedMap } from '../../src/net/bounded-map.ts';
import { type CachedFetchOptions, type CachedFetchOutcome, cachedFetch } from '../../src/net/cached-fetch.ts';
import { defaultFetchBudget, withinBudget } from '../../src/net/fetch-budget.ts';
import { freshnessSeconds } from '../../src/net/freshness.ts';
import type { Fetched, SafeFetch } from '../../src/net/safe-fetch.ts';
import { SafeFetchError, type SafeFetchReason } from '../../src/net/safe-fetch-error.ts';

const bounds = { minSeconds: 60, maxSeconds: 86_400, defaultSeconds: 300 };
const start = Date.parse('Sat, 21 Nov 2026 00:00:00 GMT') / 1000;

describe('freshness', () => {
  it.each<[string, Record<string, string>, number]>([
    ['nothing said', {}, 300],
    ['max-age', { 'cache-control': 'public, max-age=600' }, 600],
    ['s-maxage is stronger, we being shared', { 'cache-control': 'max-age=600, s-maxage=700' }, 700],
    ['age counts', { 'cache-control': 'max-age=600', age: '100' }, 500],
    ['below the bound', { 'cache-control': 'max-age=1' }, 60],
    ['zero', { 'cache-control': 'max-age=0' }, 60],
    ['above the bound', { 'cache-control': 'max-age=31536000' }, 86_400],
    ['no-store', { 'cache-control': 'no-store' }, 60],
    ['no-cache, whatever else', { 'cache-control': 'max-age=600, No-Cache' }, 60],
    ['private', { 'cache-control': 'private="x", max-age=600' }, 60],
    ['nonsense', { 'cache-control': 'max-age=ten' }, 60],
    ['negative', { 'cache-control': 'max-age=-1' }, 60],
    ['quoted', { 'cache-control': 'max-age="600"' }, 600],
    ['huge', { 'cache-control': `max-age=${'9'.repeat(400)}` }, 60],
    ['expires', { expires: 'Sat, 21 Nov 2026 00:10:00 GMT', date: 'Sat, 21 Nov 2026 00:00:00 GMT' }, 600],
    ['expires without date', { expires: 'Sat, 21 Nov 2026 00:10:00 GMT' }, 600],
    ['expired', { expires: '0' }, 60],
    ['max-age is stronger than expires', { 'cache-control': 'max-age=90', expires: '0' }, 90],
  ])('%s', (_, headers, seconds) => {
    expect(freshnessSeconds(headers, bounds, start)).toBe(seconds);
  });

  it('is within its bounds whatever a server sends', () => {
    const header = fc.option(fc.string(), { nil: undefined });
    fc.assert(
      fc.property(header, header, header, header, (cacheControl, age, expires, date) => {
        const seconds = freshnessSeconds({ 'cache-control': cacheControl, age, expires, date }, bounds, start);
        expect(seconds).toBeGreaterThanOrEqual(60);
        expect(seconds).toBeLessThanOrEqual(86_400);
      }),
    );
  });
});

it('a bounded map forgets what was not used for longest', () => {
  const map = boundedMap<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2]);
});

/** A cache on an origin that is told what to do. */
function world(options: Partial<CachedFetchOptions<string>> = {}) {
  const state = {
    now: start,
    answer: 'good' as string | SafeFetchReason,
    headers: { 'cache-control': 'max-age=100' } as Fetched['headers'],
    fetches: 0,
    outcomes: [] as CachedFetchOutcome[],
  };
  const cache = cachedFetch<string>({
    async fetch() {
      state.fetches += 1;
      if (state.answer.startsWith('fetch.')) throw new SafeFetchError(state.answer as SafeFetchReason);
      return { bytes: Buffer.from(state.answer), headers: state.headers };
    },
    read(_, bytes) {
      const text = bytes.toString();
      if (text.startsWith('bad')) throw new TypeError(text);
      return text;
    },
    capacity: 3,
    freshness: bounds,
    lastGoodSeconds: 1000,
    retrySeconds: 60,
    onOutcome: (_, outcome) => state.outcomes.push(outcome),
    now: () => state.now,
    ...options,
  });
  return { state, get: (url = 'https://a.example/', more = {}) => cache.get(url, more) };
}

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fetched',
    (error: Error) => error.message,
  );

describe('the cache', () => {
  it('fetches when the answer is no longer fresh, not before', async () => {
    const { state, get } = world();
    await get();
    state.now += 99;
    await get();
    expect(state.fetches).toBe(1);
    state.now += 1;
    state.answer = 'newer';
    expect(await get()).toBe('newer');
    expect(state.fetches).toBe(2);
  });

  it('100 at once are one fetch, and each URL has its own', async () => {
    const { state, get } = world();
    const answers = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(new Set(answers)).toEqual(new Set(['good']));
    expect(state.fetches).toBe(1);
    await get('https://b.example/');
    expect(state.fetches).toBe(2);
  });

  it('100 at once that fail are one fetch, and the failure is not kept', async () => {
    const { state, get } = world();
    state.answer = 'fetch.status';
    const reasons = await Promise.all(Array.from({ length: 100 }, () => reasonOf(get())));
    expect(new Set(reasons)).toEqual(new Set(['fetch.status']));
    expect(state.fetches).toBe(1);
    state.answer = 'good';
    expect(await get()).toBe('good');
  });

  it('an invalid document is not kept, and takes the last good copy with it', async () => {
    const { state, get } = world();
    await get();
    state.now += 100;
    state.answer = 'bad document';
    expect(await reasonOf(get())).toBe('bad document');
    expect(await reasonOf(get())).toBe('bad document');
    state.answer = 'fetch.status';
    expect(await reasonOf(get())).toBe('fetch.status');
  });

  it.each<SafeFetchReason>(['fetch.gone', 'fetch.too_large'])(
    '%s is a word of the owner: no copy stands in',
    async (reason) => {
      const { state, get } = world();
      await get();
      state.now += 100;
      state.answer = reason;
      expect(await reasonOf(get())).toBe(reason);
      state.answer = 'fetch.timeout';
      expect(await reasonOf(get())).toBe('fetch.timeout');
    },
  );

  it.each<SafeFetchReason>([
    'fetch.timeout',
    'fetch.unreachable',
    'fetch.status',
    'fetch.redirected',
    'fetch.no_address',
    'fetch.special_use',
    'fetch.content_type',
    'fetch.budget',
  ])('%s: the last good copy stands in, is asked after again in a minute, and ends', async (reason) => {
    const { state, get } = world();
    await get();
    state.now += 100;
    state.answer = reason;
    expect(await get()).toBe('good');
    expect(await get()).toBe('good');
    expect(state.fetches).toBe(2);
    expect(state.outcomes.at(-1)).toEqual({ kind: 'last_good', reason });
    state.now += 60;
    expect(await get()).toBe('good');
    expect(state.fetches).toBe(3);
    state.now = start + 1000;
    expect(await reasonOf(get())).toBe(reason);
    state.answer = 'good again';
    expect(await get()).toBe('good again');
  });

  it('remembers a bounded number, and those that are used', async () => {
    const { state, get } = world();
    for (const name of ['a', 'b', 'c']) await get(`https://${name}.example/`);
    await get('https://a.example/');
    await get('https://d.example/');
    expect(state.fetches).toBe(4);
    await get('https://a.example/');
    expect(state.fetches).toBe(4);
    await get('https://b.example/');
    expect(state.fetches).toBe(5);
  });

  it('asks again for whoever needs a newer copy, not twice in the same time, also while the origin fails', async () => {
    const { state, get } = world();
    await get();
    state.now += 30;
    const need = () => get('https://a.example/', { askedSince: state.now - 20 });
    state.answer = 'newer';
    expect(await need()).toBe('newer');
    expect(await need()).toBe('newer');
    expect(state.fetches).toBe(2);
    state.now += 30;
    state.answer = 'fetch.status';
    expect(await need()).toBe('newer');
    expect(await need()).toBe('newer');
    expect(state.fetches).toBe(3);
  });

  it('the fallback stands in while nothing was ever heard, and never after', async () => {
    const { state, get } = world({ fallback: () => 'pinned' });
    state.answer = 'fetch.status';
    expect(await get()).toBe('pinned');
    expect(state.outcomes).toEqual([{ kind: 'fallback', reason: 'fetch.status' }]);
    state.now += 60;
    state.answer = 'good';
    expect(await get()).toBe('good');
    state.now += 1000;
    state.answer = 'fetch.status';
    expect(await reasonOf(get())).toBe('fetch.status');
  });

  it.each(['bad document', 'fetch.gone'])(
    'the fallback does not stand in for an origin that said "%s"',
    async (word) => {
      const { state, get } = world({ fallback: () => 'pinned' });
      state.answer = word;
      expect(await reasonOf(get())).toBe(word);
      state.answer = 'fetch.status';
      expect(await reasonOf(get())).toBe('fetch.status');
    },
  );
});

describe('the budget', () => {
  const wanted = { maxBytes: 1, accept: '', isType: () => true };
  /** Fetches that end when they are told. */
  function pending() {
    const endings: Array<() => void> = [];
    const fetch: SafeFetch = () =>
      new Promise((resolve) => endings.push(() => resolve({ bytes: Buffer.alloc(0), headers: {} })));
    return { fetch, endings };
  }

  it('16 at once, 4 to one host whatever its port; what ends makes room', async () => {
    const { fetch, endings } = pending();
    const limited = withinBudget(fetch, defaultFetchBudget, () => start);
    const here = (port: number) => limited(`https://a.example:${port}/`, wanted);
    const running = [1, 2, 3, 4].map(here);
    expect(await reasonOf(here(5))).toBe('fetch.budget');
    for (const name of ['b', 'c', 'd'])
      for (let i = 0; i < 4; i += 1) running.push(limited(`https://${name}.example/`, wanted));
    expect(endings.length).toBe(16);
    expect(await reasonOf(limited('https://e.example/', wanted))).toBe('fetch.budget');
    endings[0]?.();
    await running[0];
    const more = limited('https://e.example/', wanted);
    expect(endings.length).toBe(17);
    for (const end of endings) end();
    await Promise.all([...running, more]);
  });

  it('30 a minute to one host, 120 in all, failures counted, and anew every minute', async () => {
    let now = start;
    let fetches = 0;
    const fetch: SafeFetch = async () => {
      fetches += 1;
      throw new SafeFetchError('fetch.status');
    };
    const limited = withinBudget(fetch, defaultFetchBudget, () => now);
    const ask = async (host: string, times: number) => {
      const reasons: string[] = [];
      for (let i = 0; i < times; i += 1) reasons.push(await reasonOf(limited(`https://${host}/${i}`, wanted)));
      return reasons.filter((reason) => reason === 'fetch.status').length;
    };
    expect(await ask('a.example', 40)).toBe(30);
    expect(await ask('b.example', 40)).toBe(30);
    for (const host of ['c.example', 'd.example', 'e.example']) await ask(host, 30);
    expect(fetches).toBe(120);
    now += 60;
    expect(await ask('a.example', 40)).toBe(30);
  });
});
