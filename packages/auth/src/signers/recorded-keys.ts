/**
 * Verification keys read from the records, and nothing else: for a process that judges tokens and must never be able to
 * make one. It needs no operator's secret, and no right to write.
 */
import type { Records } from '@mcp-gatehouse/records';
import type { AuthRecords } from '../authorization-server/records.ts';
import { type VerificationKey, verificationKey } from '../oauth/jws.ts';
import { keySetId, publicKeyOf, settled } from './key-set.ts';
import type { Signer } from './signer.ts';

/** How long a key that was revoked may stay unseen. */
const reloadSeconds = 60;
/** How soon the records may be read again, whatever key ids strangers make up (SEC-06) and however they fail. */
const retrySeconds = 5;

export interface RecordedKeysOptions {
  readonly issuer: string;
  /** Asked when a token first needs a key: opening is part of reading. */
  readonly records: () => Promise<Pick<Records<AuthRecords>, 'get'>>;
  readonly now: () => number;
}

interface Loaded {
  readonly keys: ReadonlyMap<string, VerificationKey>;
  readonly at: number;
}

/**
 * Rejects where nothing can be known: the records are away, or hold no key of this issuer at all. Reads are awaited and
 * never in the background: between two calls, a function of Lambda stands still.
 */
export function recordedKeys({ issuer, records, now }: RecordedKeysOptions): Pick<Signer, 'verificationKey'> {
  let loaded: Loaded | undefined;
  let loading: Promise<void> | undefined;
  let attemptedAt: number | undefined;
  let failure: { readonly cause: unknown } | undefined;

  const read = async (): Promise<void> => {
    const at = now();
    attemptedAt = at;
    try {
      const stored = await (await records()).get('keySet', keySetId(issuer));
      if (!stored) throw new Error(`The records hold no signing key of ${issuer}: is this its database?`);
      const { keys } = settled(stored.value, at);
      loaded = { keys: new Map(keys.map((key) => [key.kid, verificationKey(key.algorithm, publicKeyOf(key))])), at };
      failure = undefined;
    } catch (cause) {
      failure = { cause };
    }
  };
  /** One at a time; never rejects, and nothing that failed once stays failed (SEC-19). */
  const load = (): Promise<void> => {
    loading ??= read().finally(() => {
      loading = undefined;
    });
    return loading;
  };
  // A clock that was set back keeps nothing for longer.
  const since = (moment: number | undefined): number => {
    const seconds = moment === undefined ? Number.POSITIVE_INFINITY : now() - moment;
    return seconds < 0 ? Number.POSITIVE_INFINITY : seconds;
  };
  const mayAsk = () => loading !== undefined || since(attemptedAt) >= retrySeconds;

  return {
    async verificationKey(keyId) {
      if (since(loaded?.at) >= reloadSeconds && mayAsk()) await load();
      const known = loaded?.keys.get(keyId);
      // A database that is away stops no verification: what was right a while ago is better than nothing.
      if (known) return known;
      if (mayAsk()) await load();
      const found = loaded?.keys.get(keyId);
      // Whether the key is a new one cannot be known now: a fault, and not the client's.
      if (!found && failure) throw failure.cause;
      return found;
    },
  };
}
