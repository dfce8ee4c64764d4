/**
 * Documents of others, kept as long as they say (RFC 9111) within bounds: one fetch for all who wait, only what was
 * read and found valid is kept, and the last good copy stands in while the origin fails.
 */
import { boundedMap } from './bounded-map.ts';
import { type FreshnessBounds, freshnessSeconds } from './freshness.ts';
import type { Fetched } from './safe-fetch.ts';
import { SafeFetchError } from './safe-fetch-error.ts';

export interface CachedFetchOptions<T> {
  readonly fetch: (url: string) => Promise<Fetched>;
  /** Throws where the document breaks a rule: its owner has spoken, no older copy stands in for it. */
  readonly read: (url: string, bytes: Buffer) => T;
  readonly capacity: number;
  readonly freshness: FreshnessBounds;
  /** How old the last good copy may be, counted from when it was fetched. */
  readonly lastGoodSeconds: number;
  /** How long the last good copy or the fallback serves before a failing origin is asked again. */
  readonly retrySeconds: number;
  /** What stands in where the origin fails and never gave a document. */
  readonly fallback?: (url: string) => T | undefined;
  readonly onOutcome?: (url: string, outcome: CachedFetchOutcome) => void;
  readonly now: () => number;
}

export interface CachedFetchOutcome {
  readonly kind: 'fetched' | 'last_good' | 'fallback';
  /** Why the origin was not heard. */
  readonly reason?: string;
}

export interface CachedFetch<T> {
  /** Rejects with `SafeFetchError`, or what `read` threw. Where the origin was last asked before `askedSince`, it is again. */
  get(url: string, options?: { readonly askedSince?: number }): Promise<T>;
}

interface Copy<T> {
  readonly value: T;
  /** Undefined: the fallback, which was never fetched. */
  readonly fetchedAt: number | undefined;
  readonly askedAt: number;
  readonly freshUntil: number;
}

export function cachedFetch<T>(options: CachedFetchOptions<T>): CachedFetch<T> {
  const { fetch, read, capacity, freshness, lastGoodSeconds, retrySeconds, fallback, onOutcome, now } = options;
  const copies = boundedMap<Copy<T>>(capacity);
  const flights = new Map<string, Promise<T>>();
  /** Only URLs that have a fallback: an origin that was heard once has outdated it for good. */
  const heard = new Set<string>();

  const keep = (url: string, value: T, fetchedAt: number | undefined, seconds: number) => {
    copies.set(url, { value, fetchedAt, askedAt: now(), freshUntil: now() + seconds });
    return value;
  };
  const hear = (url: string) => {
    if (fallback?.(url) !== undefined) heard.add(url);
  };

  async function load(url: string): Promise<T> {
    let fetched: Fetched;
    try {
      fetched = await fetch(url);
    } catch (error) {
      if (!(error instanceof SafeFetchError)) throw error;
      return standIn(url, error);
    }
    hear(url);
    let value: T;
    try {
      value = read(url, fetched.bytes);
    } catch (error) {
      copies.delete(url);
      throw error;
    }
    onOutcome?.(url, { kind: 'fetched' });
    return keep(url, value, now(), freshnessSeconds(fetched.headers, freshness, now()));
  }

  function standIn(url: string, error: SafeFetchError): T {
    const { reason } = error;
    if (reason === 'fetch.gone' || reason === 'fetch.too_large') {
      hear(url);
      copies.delete(url);
      throw error;
    }
    const copy = copies.get(url);
    if (copy?.fetchedAt !== undefined && now() - copy.fetchedAt < lastGoodSeconds) {
      onOutcome?.(url, { kind: 'last_good', reason });
      return keep(url, copy.value, copy.fetchedAt, retrySeconds);
    }
    copies.delete(url);
    const reserve = heard.has(url) ? undefined : fallback?.(url);
    if (reserve === undefined) throw error;
    onOutcome?.(url, { kind: 'fallback', reason });
    return keep(url, reserve, undefined, retrySeconds);
  }

  return {
    async get(url, { askedSince = Number.NEGATIVE_INFINITY } = {}) {
      const copy = copies.get(url);
      if (copy && now() < copy.freshUntil && copy.askedAt >= askedSince) return copy.value;
      const flight = flights.get(url);
      if (flight) return flight;
      const started = load(url).finally(() => flights.delete(url));
      flights.set(url, started);
      return started;
    },
  };
}
