/** A key set as an issuer publishes it (RFC 7517 §5): the keys we can use, and no fault because of one that we cannot. */
import { createPublicKey } from 'node:crypto';
import { type SigningAlgorithm, type VerificationKey, verificationKey } from '../../oauth/jws.ts';

/** Key id to key. */
export type KeySet = ReadonlyMap<string, VerificationKey>;

const maxKeys = 100;
const maxModulusBits = 8192;

/**
 * Throws where the text is no key set, or one of more than 100 keys. Members that are not for us are passed over
 * (RFC 7517 §5): keys for encryption, without `kid`, of another type, too weak, or damaged.
 */
export function parseKeySet(text: string, algorithms: readonly SigningAlgorithm[]): KeySet {
  const document: unknown = JSON.parse(text);
  const members = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(members)) throw new Error('the key set has no "keys"');
  if (members.length > maxKeys) throw new Error(`the key set has more than ${maxKeys} keys`);
  const keys = new Map<string, VerificationKey>();
  for (const member of members) {
    if (typeof member !== 'object' || member === null) continue;
    const jwk = member as Record<string, unknown>;
    const { kid } = jwk;
    // The first of a name stays: a set that uses one twice cannot say which it means.
    if (typeof kid !== 'string' || kid === '' || kid.length > 256 || keys.has(kid)) continue;
    const key = usableKey(jwk, algorithms);
    if (key) keys.set(kid, key);
  }
  return keys;
}

function usableKey(jwk: Record<string, unknown>, algorithms: readonly SigningAlgorithm[]): VerificationKey | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined;
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return undefined;
  const fitting = algorithms.filter((algorithm) => fits(algorithm, jwk));
  // One key, one algorithm (RFC 8725 §3.1); a symmetric key fits none.
  const algorithm = fitting.find((one) => jwk.alg === undefined || jwk.alg === one || aliases[one] === jwk.alg);
  if (algorithm === undefined) return undefined;
  try {
    const key = createPublicKey({ key: publicMembers(jwk), format: 'jwk' });
    const { modulusLength = 0, publicExponent = 65_537n } = key.asymmetricKeyDetails ?? {};
    // Verifying with a giant costs whoever has to do it.
    if (modulusLength > maxModulusBits || publicExponent > 0xffff_ffffn || publicExponent < 3n) return undefined;
    return verificationKey(algorithm, key);
  } catch {
    return undefined; // damaged, or under 2,048 bits
  }
}

/** RFC 9864 §2.2: what EdDSA with Ed25519 is called now. */
const aliases: Partial<Record<SigningAlgorithm, string>> = { EdDSA: 'Ed25519' };

/** The algorithm as keys name it: `Ed25519` is `EdDSA` here. */
export function algorithmNamed(name: unknown): unknown {
  return name === aliases.EdDSA ? 'EdDSA' : name;
}

function fits(algorithm: SigningAlgorithm, { kty, crv }: Record<string, unknown>): boolean {
  switch (algorithm) {
    case 'ES256':
      return kty === 'EC' && crv === 'P-256';
    case 'RS256':
      return kty === 'RSA';
    case 'EdDSA':
      return kty === 'OKP' && crv === 'Ed25519';
  }
}

/** An issuer that publishes a private key by mistake shall not make us keep it. */
function publicMembers({ kty, crv, x, y, n, e }: Record<string, unknown>): Record<string, string> {
  const members = { kty, crv, x, y, n, e };
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
