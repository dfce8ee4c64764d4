/** A signer whose keys live in the records: made at first use, private halves sealed, shared by every instance. */
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import type { Records } from '@mcp-gatehouse/records';
import type { AuthRecords } from '../authorization-server/records.ts';
import { type Sign, type SigningAlgorithm, signWith, type VerificationKey, verificationKey } from '../oauth/jws.ts';
import type { Keyring } from '../sealing/keyring.ts';
import {
  KeySetSealedError,
  keyOf,
  keySetId,
  newKey,
  openPrivateKey,
  publicJwk,
  publicKeyOf,
  resealed,
  type StoredKey,
  settled,
} from './key-set.ts';
import { type Signer, signingInput } from './signer.ts';

interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly sign: Sign;
}

interface LoadedKeys {
  readonly current: SigningKey;
  readonly next: { readonly key: SigningKey; readonly signsFrom: number } | undefined;
  readonly verification: ReadonlyMap<string, VerificationKey>;
  readonly publicKeys: readonly JsonWebKey[];
  readonly loadedAt: number;
}

/** How long another instance's new key may stay unseen. */
const reloadSeconds = 60;
/** Nothing is signed or accepted by a set older than this while a newer one can be read: an instance that slept wakes up. */
const staleSeconds = 300;
/** How soon the records may be read again, whatever key ids strangers make up (SEC-06, rule 8) and however they fail. */
const retrySeconds = 5;

export interface LocalSignerOptions {
  readonly records: Records<AuthRecords>;
  readonly keyring: Keyring;
  readonly now: () => number;
  /** Of the first key, where there is none yet; ES256 unless given. Afterwards a rotation changes it. */
  readonly algorithm?: SigningAlgorithm;
}

export function localSigner({ records, keyring, now, algorithm = 'ES256' }: LocalSignerOptions): Signer {
  let loaded: LoadedKeys | undefined;
  let loading: Promise<LoadedKeys> | undefined;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  // Once for each key: two instances whose secrets stand in another order would else undo each other's work for ever.
  const sealedAgain = new Set<string>();

  // Single flight, and a failure is forgotten with the next try: nothing that failed once stays failed (SEC-19).
  const load = (): Promise<LoadedKeys> => {
    if (loading) return loading;
    attemptedAt = now();
    loading = read(attemptedAt)
      .then((keys) => {
        failure = undefined;
        loaded = keys;
        return keys;
      })
      .catch((error: unknown) => {
        failure = error;
        throw error;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };

  const read = async (time: number): Promise<LoadedKeys> => {
    let stored = await records.get('keySet', keySetId(keyring.issuer));
    if (!stored) {
      // Of several instances that start together one creates; the others read what it wrote.
      const first = await newKey(keyring, algorithm, time);
      await records.create('keySet', keySetId(keyring.issuer), { current: first.kid, keys: [first] });
      stored = await records.get('keySet', keySetId(keyring.issuer));
      if (!stored) throw new Error('The signing keys were written but cannot be read back.');
    }
    const live = settled(stored.value, time);
    const kept = resealed(live, keyring, (kid) => !sealedAgain.has(kid));
    const keys = unsealed(kept, time);
    if (kept !== stored.value) {
      // Housekeeping: whoever is first does it for all, and if nobody can it waits for the next load.
      await records.replace('keySet', stored, kept).catch(() => false);
    }
    for (const { kid } of kept.keys) sealedAgain.add(kid);
    return keys;
  };

  const unsealed = (set: ReturnType<typeof settled>, loadedAt: number): LoadedKeys => {
    const current = signingKey(keyOf(set, set.current), keyring);
    if (!current) throw new KeySetSealedError();
    // One that does not open is no reason to stop yet: until it signs, its secret may be put back.
    const next = set.next && signingKey(keyOf(set, set.next.kid), keyring);
    return {
      current,
      next: set.next && next && { key: next, signsFrom: set.next.signsFrom },
      verification: new Map(set.keys.map((key) => [key.kid, verificationKey(key.algorithm, publicKeyOf(key))])),
      publicKeys: set.keys.map(publicJwk),
      loadedAt,
    };
  };

  /** From memory; in the background if it is old, and awaited only if it is very old. */
  const fresh = (): LoadedKeys | Promise<LoadedKeys> => {
    if (!loaded) return load();
    const known = loaded;
    const age = now() - known.loadedAt;
    if (age < reloadSeconds || (!loading && now() - attemptedAt < retrySeconds)) return known;
    // A database that is away stops no signing: what was right a while ago is better than nothing.
    const reloaded = load().catch(() => known);
    return age >= staleSeconds ? reloaded : known;
  };

  return {
    get algorithms() {
      return loaded ? [...new Set([...loaded.verification.values()].map((key) => key.algorithm))] : [algorithm];
    },
    async ready() {
      await fresh();
    },
    async sign(type, claims) {
      const { current, next } = await fresh();
      const key = next && now() >= next.signsFrom ? next.key : current;
      const data = signingInput(key.algorithm, type, key.kid, claims);
      return `${data}.${await key.sign(data)}`;
    },
    async jwks() {
      return { keys: (await fresh()).publicKeys };
    },
    verificationKey(keyId) {
      if (loaded?.verification.has(keyId)) {
        // Asked again and again, so that a key that was revoked is let go also where nothing is signed.
        const keys = fresh();
        return keys instanceof Promise
          ? keys.then(({ verification }) => verification.get(keyId))
          : keys.verification.get(keyId);
      }
      if (loaded && now() - attemptedAt < retrySeconds && !loading) {
        // Whether the key is another instance's new one cannot be known now: a fault, and not the client's.
        if (failure !== undefined) return Promise.reject(failure);
        return undefined;
      }
      return load().then((keys) => keys.verification.get(keyId));
    },
  };
}

function signingKey(key: StoredKey, keyring: Keyring): SigningKey | undefined {
  const { kid, algorithm } = key;
  const opened = openPrivateKey(key, keyring);
  return opened && { kid, algorithm, sign: signWith(algorithm, createPrivateKey({ key: opened, format: 'jwk' })) };
}
