/** The signer: who signs access tokens, and the public halves that prove it. */
import type { JsonWebKey } from 'node:crypto';
import type { SigningAlgorithm, VerificationKey } from '../oauth/jws.ts';

export type { SigningAlgorithm, VerificationKey } from '../oauth/jws.ts';

export interface Signer {
  /** Of the keys that are published now; it changes when a rotation changes the algorithm. */
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

/** The first two parts of a compact JWS: what is signed (RFC 7515 §5.2). */
export function signingInput(
  algorithm: SigningAlgorithm,
  type: string,
  keyId: string,
  claims: Readonly<Record<string, unknown>>,
): string {
  return `${encode({ alg: algorithm, typ: type, kid: keyId })}.${encode(claims)}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
