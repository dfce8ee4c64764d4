/** The signer: who signs access tokens, and the public halves that prove it. */
import type { JsonWebKey, KeyObject } from 'node:crypto';

/** JWS algorithms (RFC 7518 §3.1) we sign with. */
export type SigningAlgorithm = 'ES256';

/** A key that signatures of ours verify with. */
export interface VerificationKey {
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
}

export interface Signer {
  readonly algorithms: readonly SigningAlgorithm[];
  /** Resolves once it can sign: asked before anything is spent on a signature that might fail. */
  ready(): Promise<void>;
  /** A compact JWS (RFC 7515 §7.1) over the claims, with the current key. */
  sign(type: string, claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** The public keys, current and retiring (RFC 7517 §5). */
  jwks(): Promise<{ readonly keys: readonly JsonWebKey[] }>;
  /** From memory where it can; undefined: no key of ours has this id. */
  verificationKey(keyId: string): VerificationKey | undefined | Promise<VerificationKey | undefined>;
}
