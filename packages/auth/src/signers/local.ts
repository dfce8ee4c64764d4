/** A signer whose keys live in the records: made at first use, private halves sealed, shared by every instance. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Records } from '@mcp-gatehouse/records';
import { digest } from '../authorization-server/credential.ts';
import type { AuthRecords, StoredKeySet } from '../authorization-server/records.ts';
import { signEs256 } from '../oauth/es256.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Signer, VerificationKey } from './signer.ts';

interface LoadedKeys {
  readonly current: { readonly kid: string; readonly key: KeyObject };
  readonly verification: ReadonlyMap<string, VerificationKey>;
  readonly publicKeys: readonly JsonWebKey[];
  readonly loadedAt: number;
}

/** A set for each issuer: a database that two of them share, or one that moved, mixes nobody's keys up. */
export function keySetId(issuer: string): string {
  return `access-token ${digest(issuer)}`;
}

/** How long another instance's new key may stay unseen. */
const reloadSeconds = 60;
/** How soon the records may be read again, whatever key ids strangers make up (SEC-06, rule 8) and however they fail. */
const retrySeconds = 5;

export interface LocalSignerOptions {
  readonly issuer: string;
  readonly records: Records<AuthRecords>;
  readonly keyring: Keyring;
  readonly now: () => number;
}

export function localSigner({ issuer, records, keyring, now }: LocalSignerOptions): Signer {
  const recordId = keySetId(issuer);
  let loaded: LoadedKeys | undefined;
  let loading: Promise<LoadedKeys> | undefined;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;

  // Single flight, and a failure is forgotten with the next try: nothing that failed once stays failed (SEC-19).
  const load = (): Promise<LoadedKeys> => {
    if (loading) return loading;
    attemptedAt = now();
    loading = read(records, recordId, keyring, now())
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
  const fresh = (): LoadedKeys | Promise<LoadedKeys> => {
    if (!loaded) return load();
    // In the background: a request never waits for a reload, and a database that is away stops no signing.
    if (now() - loaded.loadedAt >= reloadSeconds && now() - attemptedAt >= retrySeconds) load().catch(() => {});
    return loaded;
  };

  return {
    algorithms: ['ES256'],
    async ready() {
      await fresh();
    },
    async sign(type, claims) {
      const { current } = await fresh();
      const header = encode({ alg: 'ES256', typ: type, kid: current.kid });
      const data = `${header}.${encode(claims)}`;
      return `${data}.${signEs256(data, current.key)}`;
    },
    async jwks() {
      return { keys: (await fresh()).publicKeys };
    },
    verificationKey(keyId) {
      const known = loaded?.verification.get(keyId);
      if (known) return known;
      if (loaded && now() - attemptedAt < retrySeconds) {
        // Whether the key is another instance's new one cannot be known now: a fault, and not the client's.
        if (failure !== undefined) return Promise.reject(failure);
        return undefined;
      }
      return load().then((keys) => keys.verification.get(keyId));
    },
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

async function read(
  records: Records<AuthRecords>,
  recordId: string,
  keyring: Keyring,
  now: number,
): Promise<LoadedKeys> {
  let stored = (await records.get('keySet', recordId))?.value;
  if (!stored) {
    // Of several instances that start together one creates; the others read what it wrote.
    await records.create('keySet', recordId, newKeySet(keyring, now));
    stored = (await records.get('keySet', recordId))?.value;
    if (!stored) throw new Error('The signing keys were written but cannot be read back.');
  }
  return unseal(stored, keyring, now);
}

function newKeySet(keyring: Keyring, now: number): StoredKeySet {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(9).toString('base64url');
  return {
    current: kid,
    keys: [
      {
        kid,
        algorithm: 'ES256',
        createdAt: now,
        publicKey: publicKey.export({ format: 'jwk' }),
        sealedPrivateKey: keyring.seal(sealContext(kid), JSON.stringify(privateKey.export({ format: 'jwk' }))),
      },
    ],
  };
}

function unseal(stored: StoredKeySet, keyring: Keyring, now: number): LoadedKeys {
  const verification = new Map<string, VerificationKey>();
  const publicKeys: JsonWebKey[] = [];
  for (const { kid, algorithm, publicKey } of stored.keys) {
    verification.set(kid, { algorithm, key: createPublicKey({ key: publicKey, format: 'jwk' }) });
    publicKeys.push({ ...publicKey, kid, alg: algorithm, use: 'sig' });
  }
  const current = stored.keys.find((key) => key.kid === stored.current);
  const opened = current && keyring.open(sealContext(current.kid), current.sealedPrivateKey);
  if (!current || opened === undefined) {
    throw new Error(
      'The signing key in the database was sealed with another secret. Put that secret back into `secrets` (after the new one), or remove the keySet record: every access token issued so far then becomes invalid.',
    );
  }
  const key = createPrivateKey({ key: JSON.parse(opened) as JsonWebKey, format: 'jwk' });
  return { current: { kid: current.kid, key }, verification, publicKeys, loadedAt: now };
}

/** Sealed values are bound to their record (SEC-08): one moved elsewhere does not open. */
function sealContext(kid: string): string {
  return `keySet ${kid}`;
}
