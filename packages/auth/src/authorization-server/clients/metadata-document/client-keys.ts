/** Keys behind a client's `jwks_uri`: fetched under the rules of the document itself, and again when a `kid` is new. */
import type { JsonWebKey } from 'node:crypto';
import { type CachedFetch, cachedFetch } from '../../../net/cached-fetch.ts';
import type { SafeFetch } from '../../../net/safe-fetch.ts';
import { SafeFetchError } from '../../../net/safe-fetch-error.ts';
import { unavailable } from '../../../oauth/error.ts';
import { maxJwksBytes, readJwks } from './json-web-keys.ts';

class JwksError extends Error {}

/** How soon a set is fetched again for a `kid` it does not hold, whatever key ids strangers make up (SEC-06). */
const unknownKeySeconds = 60;

export interface ClientKeys {
  /** The keys of that id; all of them where none is given. Throws `OAuthError` (503) where the set cannot be had now. */
  get(jwksUri: string, keyId: string | undefined): Promise<readonly JsonWebKey[]>;
}

export function clientKeys(fetch: SafeFetch, now: () => number): ClientKeys {
  const sets: CachedFetch<readonly JsonWebKey[]> = cachedFetch({
    fetch: (url) =>
      fetch(url, {
        maxBytes: maxJwksBytes,
        accept: 'application/jwk-set+json, application/json',
        isType: (type) => type === 'application/json' || /^application\/[a-z0-9.+-]+\+json$/.test(type),
      }),
    read(_, bytes) {
      let value: unknown;
      try {
        value = JSON.parse(bytes.toString('utf8'));
      } catch {
        throw new JwksError('not JSON');
      }
      return readJwks(value, (message) => new JwksError(message));
    },
    capacity: 256,
    freshness: { minSeconds: 60, maxSeconds: 24 * 3600, defaultSeconds: 300 },
    // A day and not a week: a key that was taken back must leave.
    lastGoodSeconds: 24 * 3600,
    retrySeconds: 60,
    now,
  });
  return {
    async get(jwksUri, keyId) {
      try {
        const known = keysOf(await sets.get(jwksUri), keyId);
        if (known.length > 0) return known;
        return keysOf(await sets.get(jwksUri, { askedSince: now() - unknownKeySeconds }), keyId);
      } catch (error) {
        // Not `invalid_client`: on that a client throws its tokens away, and this may be a bad minute of its own server.
        if (error instanceof SafeFetchError) throw unavailable(`cimd.jwks.${error.reason}`, error);
        if (error instanceof JwksError) throw unavailable('cimd.jwks.invalid', error);
        throw error;
      }
    },
  };
}

export function keysOf(keys: readonly JsonWebKey[], keyId: string | undefined): readonly JsonWebKey[] {
  return keyId === undefined ? keys : keys.filter((key) => key.kid === keyId);
}
