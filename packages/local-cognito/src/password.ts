/** Passwords: scrypt hashes (RFC 7914) and the pool's policy, in Cognito's words. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { PoolConfig } from './config.ts';
import { sameSecret } from './secrets.ts';

/** A password as kept: `scrypt$N$r$p$salt$hash`, or as the configuration file gave it. */
export type StoredPassword = { readonly hash: string } | { readonly plain: string };

const COST = { N: 16_384, r: 8, p: 1 };
const HASH_BYTES = 32;
/** Cognito takes up to 256 characters. */
export const MAX_PASSWORD_LENGTH = 256;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Whether `attempt` is the password. An absent one takes as long, so that timing names no users. */
export async function verifyPassword(stored: StoredPassword | undefined, attempt: string): Promise<boolean> {
  if (stored && 'hash' in stored) {
    const [, n, r, p, salt = '', hash = ''] = stored.hash.split('$');
    const expected = Buffer.from(hash, 'base64url');
    const derived = await derive(attempt, Buffer.from(salt, 'base64url'), { N: Number(n), r: Number(r), p: Number(p) });
    return expected.length === derived.length && timingSafeEqual(expected, derived);
  }
  await derive(attempt, Buffer.alloc(16), COST);
  return stored !== undefined && sameSecret(stored.plain, attempt);
}

/** Why the policy refuses a new password, in Cognito's words; undefined if it does not. */
export function passwordFault(password: string, policy: PoolConfig['passwordPolicy']): string | undefined {
  const refusal = (what: string) => `Password did not conform with policy: ${what}`;
  if (password.length < policy.minimumLength) return refusal('Password not long enough');
  if (password.length > MAX_PASSWORD_LENGTH) return refusal('Password too long');
  if (policy.requireLowercase && !/[a-z]/.test(password)) return refusal('Password must have lowercase characters');
  if (policy.requireUppercase && !/[A-Z]/.test(password)) return refusal('Password must have uppercase characters');
  if (policy.requireNumbers && !/[0-9]/.test(password)) return refusal('Password must have numeric characters');
  if (policy.requireSymbols && !/[\x20-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]/.test(password)) {
    return refusal('Password must have symbol characters');
  }
  if (password !== password.trim()) return refusal('Password must not start or end with a space');
  return undefined;
}

function derive(password: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
