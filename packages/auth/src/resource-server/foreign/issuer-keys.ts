/**
 * One issuer's keys in memory: fetched when they are needed, refreshed before anybody waits for them, kept for a while
 * when the issuer is away, and gone when the issuer removes them. Whatever tokens arrive, the issuer sees a request
 * every 30 seconds at most, and every second while there are no keys at all (security.md, rule 8; SEC-19).
 */
import { unavailable } from '../../oauth/error.ts';
import type { SigningAlgorithm, VerificationKey } from '../../oauth/jws.ts';
import { type Fetch, fetchDocument } from './fetch-document.ts';
import { urlFault } from './issuer.ts';
import { type KeySet, parseKeySet } from './key-set.ts';

export interface IssuerKeysOptions {
  readonly issuer: string;
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly SigningAlgorithm[];
  readonly fetch: Fetch;
  readonly now: () => number;
  /** For discovery and keys together. */
  readonly timeoutSeconds: number;
  /** Told of every fetch that failed, for the log. */
  readonly onFailure: ((failure: { readonly issuer: string; readonly cause: unknown }) => void) | undefined;
}

/** Undefined: the issuer has no such key. Throws 503 where that cannot be known. */
export type IssuerKeys = (keyId: string) => Promise<VerificationKey | undefined>;

const minFreshSeconds = 60;
const maxFreshSeconds = 24 * 3600;
const defaultFreshSeconds = 600;
/** RFC 5861 §3: how long after its freshness a set is used while the next is on its way. */
const revalidateSeconds = 300;
/** RFC 5861 §4: how long after its freshness a set is used because the next cannot be had. */
const staleSeconds = 6 * 3600;
const pauseSeconds = 30;
const pauseWithoutKeysSeconds = 1;

interface Held {
  readonly keys: KeySet;
  readonly fetchedAt: number;
  readonly freshSeconds: number;
}

export function issuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { issuer, algorithms, fetch, now, timeoutSeconds, onFailure } = options;
  let held: Held | undefined;
  let jwksUri = options.jwksUri;
  let attemptedAt: number | undefined;
  let failure: { readonly cause: unknown } | undefined;
  let flight: Promise<void> | undefined;

  /** Seconds since a moment; endless if the clock was set back behind it, so that nothing is kept for too long. */
  const since = (moment: number | undefined): number => {
    const seconds = moment === undefined ? Number.POSITIVE_INFINITY : now() - moment;
    return seconds < 0 ? Number.POSITIVE_INFINITY : seconds;
  };
  /** How far behind its freshness the set is; negative while fresh. */
  const overdue = () => (held ? since(held.fetchedAt) - held.freshSeconds : Number.POSITIVE_INFINITY);

  const load = async (): Promise<void> => {
    const fetchedAt = now(); // the answer is as old as the question
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    try {
      jwksUri ??= await discoverJwksUri(issuer, fetch, signal);
      const { text, freshSeconds = defaultFreshSeconds } = await fetchDocument(jwksUri, fetch, signal);
      const bounded = Math.min(Math.max(freshSeconds, minFreshSeconds), maxFreshSeconds);
      held = { keys: parseKeySet(text, algorithms), fetchedAt, freshSeconds: bounded };
      failure = undefined;
    } catch (cause) {
      failure = { cause };
      jwksUri = options.jwksUri; // what was discovered may have moved
      onFailure?.({ issuer, cause });
    }
  };
  /** One at a time; never rejects. */
  const refresh = (): Promise<void> => {
    if (flight) return flight;
    attemptedAt = now();
    flight = load().finally(() => {
      flight = undefined;
    });
    return flight;
  };
  const mayAsk = (pause: number) => flight !== undefined || since(attemptedAt) >= pause;

  return async (keyId) => {
    const late = overdue();
    if (late >= revalidateSeconds) {
      if (mayAsk(late < staleSeconds ? pauseSeconds : pauseWithoutKeysSeconds)) await refresh();
    } else if (late >= 0 && mayAsk(pauseSeconds)) {
      void refresh();
    }
    const key = current()?.get(keyId);
    if (key) return key;
    // A key that is new, or a stranger's invention: one look in 30 seconds for all of them together.
    if (mayAsk(pauseSeconds)) await refresh();
    const found = current()?.get(keyId);
    // Without the issuer nobody can tell whether the key is real: "not now" is true, "no" might not be.
    if (!found && failure) throw unavailable('token.keys_unavailable', failure.cause);
    return found;
  };

  function current(): KeySet | undefined {
    return overdue() < staleSeconds ? held?.keys : undefined;
  }
}

/** OpenID Connect Discovery 1.0 §4: the document must be the issuer's own, or anybody's keys would do (§4.3). */
async function discoverJwksUri(issuer: string, fetch: Fetch, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { text } = await fetchDocument(url, fetch, signal);
  const document = JSON.parse(text) as { issuer?: unknown; jwks_uri?: unknown } | null;
  if (document?.issuer !== issuer) throw new Error(`${url} is of another issuer`);
  const { jwks_uri: jwksUri } = document;
  if (typeof jwksUri !== 'string') throw new Error(`${url} has no jwks_uri`);
  const fault = urlFault(jwksUri);
  // Plain http, and with it this computer, is for issuers that are there themselves.
  if (fault !== undefined || (issuer.startsWith('https:') && !jwksUri.startsWith('https:'))) {
    throw new Error(`the jwks_uri of ${url} cannot be used: it ${fault ?? 'must be https'}`);
  }
  return jwksUri;
}
