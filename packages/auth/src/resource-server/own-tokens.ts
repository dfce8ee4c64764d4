/**
 * Our own tokens where their issuer's database is not: a resource server like any other, which fetches the keys that the
 * authorization server publishes (RFC 8414 §2 `jwks_uri`, RFC 9068 §4).
 */
import { signingAlgorithms } from '../oauth/jws.ts';
import { endpointPaths } from '../oauth/metadata.ts';
import type { Fetch } from './foreign/fetch-document.ts';
import { type IssuerKeysOptions, issuerKeys } from './foreign/issuer-keys.ts';
import { type TokenVerifier, tokenVerifier, type VerifierOptions } from './verifier.ts';

export type { Fetch } from './foreign/fetch-document.ts';

export interface OwnTokensOptions extends Pick<VerifierOptions, 'issuer' | 'resource' | 'keys' | 'now'> {
  readonly skewSeconds?: number;
  /** Verified tokens kept in memory. */
  readonly cacheSize?: number;
}

/** The verifier of the guard, by itself: to stand beside others in `firstOf`. Another issuer's token costs it no key. */
export function ownTokens({ skewSeconds = 5, cacheSize = 10_000, ...options }: OwnTokensOptions): TokenVerifier {
  return tokenVerifier({ ...options, skewSeconds, cacheSize });
}

export interface PublishedKeysOptions {
  /** Of a Gatehouse: where its keys are is known, and needs no discovery. */
  readonly issuer: string;
  /** Somewhere else all the same, such as an address inside a network; https, or http on loopback. */
  readonly jwksUri?: string;
  readonly now: () => number;
  readonly fetch?: Fetch;
  readonly timeoutSeconds?: number;
  /** Told of every time the keys could not be fetched, for the log. */
  readonly onFailure?: NonNullable<IssuerKeysOptions['onFailure']>;
}

/** Fetched when the first token needs one, and kept: see `issuerKeys` for how long. Rejects with 503 while they cannot be had. */
export function publishedKeys(options: PublishedKeysOptions): VerifierOptions['keys'] {
  const { issuer, now, timeoutSeconds = 5, onFailure } = options;
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const jwksUri = options.jwksUri ?? new URL(issuer).origin + endpointPaths(issuer).jwks;
  const algorithms = signingAlgorithms;
  return { verificationKey: issuerKeys({ issuer, jwksUri, algorithms, fetch, now, timeoutSeconds, onFailure }) };
}
