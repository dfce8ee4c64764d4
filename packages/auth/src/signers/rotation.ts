/**
 * What an operator does to the key set: rotate, prune, revoke, look. Each is one compare-and-swap on one record; running
 * gateways read it within a minute and none is restarted.
 */
import { type Records, update } from '@mcp-gatehouse/records';
import type { AuthRecords } from '../authorization-server/records.ts';
import type { SigningAlgorithm } from '../oauth/jws.ts';
import type { Keyring } from '../sealing/keyring.ts';
import {
  type KeySet,
  KeySetSealedError,
  type KeyState,
  keptSeconds,
  keyOf,
  keySetId,
  maxKeys,
  newKey,
  openPrivateKey,
  overlapSeconds,
  promptSeconds,
  resealed,
  type StoredKey,
  sealedWith,
  settled,
  stateOf,
} from './key-set.ts';

export interface KeySetOptions {
  readonly records: Records<AuthRecords>;
  readonly keyring: Keyring;
  /** Seconds since the epoch. */
  readonly now: number;
}

export interface RotateOptions extends KeySetOptions {
  /** Of the new key; that of the current one unless given. */
  readonly algorithm?: SigningAlgorithm;
  /** Signs in seconds rather than hours: caches of the JWKS outside the gateway may not know the key yet. */
  readonly atOnce?: boolean;
}

export type Rotation =
  /** `kid` is published now and signs from `signsFrom` on. */
  | {
      readonly outcome: 'rotated';
      readonly kid: string;
      readonly algorithm: SigningAlgorithm;
      readonly signsFrom: number;
    }
  /** A rotation was under way already: nothing was made, so that who rotates twice has rotated once. */
  | {
      readonly outcome: 'pending';
      readonly kid: string;
      readonly algorithm: SigningAlgorithm;
      readonly signsFrom: number;
    }
  /** So many keys are still needed by tokens that are out that no other can be added. */
  | { readonly outcome: 'full' };

/** Throws `KeySetSealedError` if the keyring is not that of the gateways, `ContentionError` and what records throw. */
export async function rotateKeys(options: RotateOptions): Promise<Rotation> {
  const { records, keyring, now, atOnce = false } = options;
  const signsFrom = now + (atOnce ? promptSeconds : overlapSeconds);
  // Made at most once, however often the write is lost to somebody else.
  let made: Promise<StoredKey> | undefined;
  const make = (algorithm: SigningAlgorithm) => {
    made ??= newKey(keyring, algorithm, now);
    return made;
  };
  return update<AuthRecords, 'keySet', Rotation>(records, 'keySet', keySetId(keyring.issuer), async (stored) => {
    if (!stored) {
      const key = await make(options.algorithm ?? 'ES256');
      return written({ current: key.kid, keys: [key] }, rotation('rotated', key, now));
    }
    const set = resealed(settled(stored.value, now), keyring);
    const current = keyOf(set, set.current);
    // Whoever cannot open the current key would seal the next one so that no gateway can.
    if (openPrivateKey(current, keyring) === undefined) throw new KeySetSealedError();
    const { next } = set;
    if (next) {
      const pending = keyOf(set, next.kid);
      const wanted = options.algorithm === undefined || options.algorithm === pending.algorithm;
      if (wanted && next.signsFrom <= signsFrom) return { result: rotation('pending', pending, next.signsFrom) };
      if (wanted) {
        return written(
          retiring({ ...set, next: { kid: next.kid, signsFrom } }),
          rotation('rotated', pending, signsFrom),
        );
      }
    }
    if (set.keys.length >= maxKeys) return { result: { outcome: 'full' } };
    const key = await make(options.algorithm ?? current.algorithm);
    // A pending key of another algorithm gives way; it stays published, in case somebody's copy of the set lets it sign.
    const keys = set.keys.map((one) => (one.kid === next?.kid ? { ...one, retiredAt: next.signsFrom } : one));
    return written(
      settled(retiring({ ...set, keys: [...keys, key], next: { kid: key.kid, signsFrom } }), now),
      rotation('rotated', key, signsFrom),
    );
  });
}

/** The current key stops when the next one begins. */
function retiring(set: KeySet): KeySet {
  return {
    ...set,
    keys: set.keys.map((key) =>
      key.kid === set.current && set.next ? { ...key, retiredAt: set.next.signsFrom } : key,
    ),
  };
}

function rotation(outcome: 'rotated' | 'pending', { kid, algorithm }: StoredKey, signsFrom: number): Rotation {
  return { outcome, kid, algorithm, signsFrom };
}

/** Takes out keys whose tokens have all expired and seals the rest with the current secret; gives the ids taken out. */
export async function pruneKeys({ records, keyring, now }: KeySetOptions): Promise<readonly string[]> {
  return update<AuthRecords, 'keySet', readonly string[]>(records, 'keySet', keySetId(keyring.issuer), (stored) => {
    if (!stored) return { result: [] };
    const set = resealed(settled(stored.value, now), keyring);
    const gone = stored.value.keys.filter(({ kid }) => !set.keys.some((key) => key.kid === kid));
    const result = gone.map(({ kid }) => kid);
    return set === stored.value ? { result } : written(set, result);
  });
}

/**
 * `revoked`: every token the key signed is worth nothing within a minute. `only`: it is the one key that can sign,
 * rotate first. `unknown`: there is no such key.
 */
export type Revocation = 'revoked' | 'only' | 'unknown';

export async function revokeKey({ records, keyring, now }: KeySetOptions, kid: string): Promise<Revocation> {
  return update<AuthRecords, 'keySet', Revocation>(records, 'keySet', keySetId(keyring.issuer), (stored) => {
    if (!stored?.value.keys.some((key) => key.kid === kid)) return { result: 'unknown' };
    const set = resealed(settled(stored.value, now), keyring);
    const { next } = set;
    if (kid === set.current && !next) return { result: 'only' };
    const keys = set.keys.filter((key) => key.kid !== kid);
    if (kid === set.current && next) return written({ current: next.kid, keys }, 'revoked');
    const { next: _, ...rest } = set;
    const stays = next && next.kid !== kid;
    // Without a next key the current one goes on.
    const signing = stays ? keys : keys.map((key) => (key.kid === set.current ? withoutRetirement(key) : key));
    return written({ ...rest, keys: signing, ...(stays && { next }) }, 'revoked');
  });
}

function withoutRetirement({ retiredAt: _, ...key }: StoredKey): StoredKey {
  return key;
}

/** One key as an operator sees it; times in seconds since the epoch. */
export interface KeyDescription {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly state: KeyState;
  readonly createdAt: number;
  /** Of `next`: when it begins to sign. */
  readonly signsFrom?: number;
  /** Of a key that gives way: when it is published no more. */
  readonly publishedUntil?: number;
  /** The id of the secret that seals its private half. */
  readonly sealedWith?: string;
}

/** Reads only. Empty: no gateway has made a key yet. */
export async function listKeys({ records, keyring, now }: KeySetOptions): Promise<readonly KeyDescription[]> {
  const stored = await records.get('keySet', keySetId(keyring.issuer));
  if (!stored) return [];
  const set = settled(stored.value, now);
  return set.keys.map((key) => {
    const state = stateOf(set, key.kid);
    const secretId = sealedWith(key);
    return {
      kid: key.kid,
      algorithm: key.algorithm,
      state,
      createdAt: key.createdAt,
      ...(state === 'next' && set.next && { signsFrom: set.next.signsFrom }),
      ...(key.retiredAt !== undefined && { publishedUntil: key.retiredAt + keptSeconds }),
      ...(secretId !== undefined && { sealedWith: secretId }),
    };
  });
}

function written<X>(value: KeySet, result: X) {
  return { write: { value }, result };
}
