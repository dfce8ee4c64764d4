/** A client's public keys for `private_key_jwt` (RFC 7517 §5): public, asymmetric, strong enough, and not many. */
import { createPublicKey, type JsonWebKey } from 'node:crypto';

/** Of a fetched set. */
export const maxJwksBytes = 16 * 1024;
const maxKeys = 32;
const publicMembers: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
};
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * The usable signing keys of a set; keys of kinds we do not know are left out (RFC 7517 §5). Throws what `refuse` makes
 * where the set is malformed or publishes a secret: whoever does has lost the key to everybody.
 */
export function readJwks(value: unknown, refuse: (message: string) => Error): readonly JsonWebKey[] {
  const keys: unknown = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(keys)) throw refuse('the key set has no list of keys');
  if (keys.length > maxKeys) throw refuse(`the key set has more than ${maxKeys} keys`);
  return keys.flatMap((key: unknown) => {
    if (typeof key !== 'object' || key === null || Array.isArray(key)) throw refuse('a key is not a JSON object');
    const jwk = key as Readonly<Record<string, unknown>>;
    if (jwk.kty === 'oct' || privateMembers.some((member) => jwk[member] !== undefined)) {
      throw refuse('the key set holds a secret key');
    }
    const usable = publicKey(jwk);
    return usable ? [usable] : [];
  });
}

/** Rebuilt from its members, so that nothing else a stranger wrote travels on (`x5u`, `__proto__`, …). */
function publicKey(jwk: Readonly<Record<string, unknown>>): JsonWebKey | undefined {
  const { kty, kid, alg, use } = jwk;
  const members = typeof kty === 'string' && Object.hasOwn(publicMembers, kty) ? publicMembers[kty] : undefined;
  if (!members || (use !== undefined && use !== 'sig')) return undefined;
  if (!members.every((member) => typeof jwk[member] === 'string')) return undefined;
  const plain: JsonWebKey = { kty: kty as string };
  for (const member of members) plain[member] = jwk[member];
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({ key: plain, format: 'jwk' });
    if (asymmetricKeyType === 'x25519' || asymmetricKeyType === 'x448') return undefined;
    const bits = asymmetricKeyDetails?.modulusLength;
    // RFC 7518 §3.3; and verification with a huge key is work that a stranger gives us.
    if (bits !== undefined && (bits < 2048 || bits > 8192)) return undefined;
  } catch {
    return undefined;
  }
  return {
    ...plain,
    ...(typeof kid === 'string' && kid.length <= 256 && { kid }),
    ...(typeof alg === 'string' && alg.length <= 16 && { alg }),
    use: 'sig',
  };
}
