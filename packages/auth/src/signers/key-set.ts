/**
 * The key set: which key signs when, and how one gives way to the next without a restart. Everything is decided by time
 * from one record, so that any number of instances agree: a new key is published first, signs once every verifier can
 * know it, and the old one stays published until the last token it signed has expired (RFC 7517 §5, RFC 8725 §3.1).
 */
import {
  createHash,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { StoredKeySet } from '../authorization-server/records.ts';
import type { SigningAlgorithm } from '../oauth/jws.ts';
import { type Keyring, sealingKeyId } from '../sealing/keyring.ts';

/** A set for each issuer: a database that two of them share, or one that moved, mixes nobody's keys up. */
export function keySetId(issuer: string): string {
  return `access-token ${createHash('sha256').update(issuer).digest('base64url')}`;
}

/** From publishing a key to signing with it: longer than API Gateway's two hours, the longest cache of a JWKS we know. */
export const overlapSeconds = 9000;
/** The same in an emergency: by then each of our own instances has read the set since, or reads it when it needs to. */
export const promptSeconds = 10;
/** How long a key is published after its last signature: an access token's longest life, a day, and an hour for slow clocks. */
export const keptSeconds = 25 * 3600;
/** Of keys kept; a set must fit one record of any database. */
export const maxKeys = 20;

export interface StoredKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly createdAt: number;
  readonly publicKey: JsonWebKey;
  /** Empty once the key signs no more: nobody can then sign with it again. */
  readonly sealedPrivateKey: string;
  /** When it stops signing; may be in the future. */
  readonly retiredAt?: number;
}

export interface KeySet extends StoredKeySet {
  readonly keys: readonly StoredKey[];
  /** Published, and signs from then on instead of `current`. */
  readonly next?: { readonly kid: string; readonly signsFrom: number };
}

/** `next`: published, not signing yet. `retired`: published, and signs no more. */
export type KeyState = 'next' | 'current' | 'retired';

/** Never on a request's way but for the first of all; RSA takes a tenth of a second, on a thread of its own. */
export async function newKey(keyring: Keyring, algorithm: SigningAlgorithm, now: number): Promise<StoredKey> {
  const { privateKey, publicKey } = await generate(algorithm);
  // Hexadecimal: nobody who types it behind a command has it taken for an option, as one that begins with `-` would be.
  const kid = randomBytes(9).toString('hex');
  return {
    kid,
    algorithm,
    createdAt: now,
    publicKey: publicKey.export({ format: 'jwk' }),
    sealedPrivateKey: keyring.seal(sealContext(kid), JSON.stringify(privateKey.export({ format: 'jwk' }))),
  };
}

const generateKeys = promisify(generateKeyPair);

function generate(algorithm: SigningAlgorithm): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  switch (algorithm) {
    case 'ES256':
      return generateKeys('ec', { namedCurve: 'P-256' });
    case 'RS256':
      return generateKeys('rsa', { modulusLength: 2048 });
    case 'EdDSA':
      return generateKeys('ed25519');
  }
}

export function keyOf(set: KeySet, kid: string): StoredKey {
  const found = set.keys.find((key) => key.kid === kid);
  if (!found) throw new Error(`The key set names the key ${kid} and does not hold it.`);
  return found;
}

/** What the set has become by now: the next key has taken over, keys whose tokens have all expired are gone. */
export function settled(set: KeySet, now: number): KeySet {
  const takenOver = set.next !== undefined && now >= set.next.signsFrom;
  const current = takenOver && set.next ? set.next.kid : set.current;
  const next = takenOver ? undefined : set.next;
  const keys = set.keys.flatMap((key): StoredKey[] => {
    if (key.kid === current || key.kid === next?.kid) return [key];
    // A set of an earlier version has no `retiredAt`: then the key has just been found retired.
    const { retiredAt = now } = key;
    if (now >= retiredAt + keptSeconds) return [];
    return [key.sealedPrivateKey === '' && key.retiredAt ? key : { ...key, retiredAt, sealedPrivateKey: '' }];
  });
  const same = !takenOver && keys.length === set.keys.length && keys.every((key, at) => key === set.keys[at]);
  return same ? set : { current, keys, ...(next && { next }) };
}

/** Private halves under the keyring's current key; `wanted` says of which keys. What does not open stays as it is. */
export function resealed(set: KeySet, keyring: Keyring, wanted: (kid: string) => boolean = () => true): KeySet {
  let changed = false;
  const keys = set.keys.map((key) => {
    if (key.sealedPrivateKey === '' || !wanted(key.kid)) return key;
    const opened = keyring.opened(sealContext(key.kid), key.sealedPrivateKey);
    if (!opened?.stale) return key;
    changed = true;
    return { ...key, sealedPrivateKey: keyring.seal(sealContext(key.kid), opened.text) };
  });
  return changed ? { ...set, keys } : set;
}

/** Undefined: sealed with a secret that is not in the keyring, or for another issuer. */
export function openPrivateKey(key: StoredKey, keyring: Keyring): JsonWebKey | undefined {
  const text = keyring.open(sealContext(key.kid), key.sealedPrivateKey);
  return text === undefined ? undefined : (JSON.parse(text) as JsonWebKey);
}

export function publicKeyOf({ publicKey }: StoredKey): KeyObject {
  return createPublicKey({ key: publicKey, format: 'jwk' });
}

/** As it stands in a JWKS (RFC 7517 §4). */
export function publicJwk({ kid, algorithm, publicKey }: StoredKey): JsonWebKey {
  return { ...publicKey, kid, alg: algorithm, use: 'sig' };
}

export function stateOf(set: KeySet, kid: string): KeyState {
  if (kid === set.current) return 'current';
  return kid === set.next?.kid ? 'next' : 'retired';
}

/** The id of the secret that a private half is sealed with: it must stay in `secrets` until that is another one. */
export function sealedWith(key: StoredKey): string | undefined {
  return key.sealedPrivateKey === '' ? undefined : sealingKeyId(key.sealedPrivateKey);
}

/** The signing key cannot be opened. The message is for the operator. */
export class KeySetSealedError extends Error {
  override readonly name = 'KeySetSealedError';

  constructor() {
    super(
      'The signing key in the database was sealed with another secret. Put that secret back into `secrets` (after the new one), or remove the keySet record: every access token issued so far then becomes invalid.',
    );
  }
}

/** Sealed values are bound to their record (SEC-08): one moved elsewhere does not open. */
function sealContext(kid: string): string {
  return `keySet ${kid}`;
}
