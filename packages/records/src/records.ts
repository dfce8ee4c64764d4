/**
 * The records contract: five verbs over a closed map of typed records, and the only retry loop.
 *
 * Each verb is one native statement in every database; there are no transactions. Three rules hold everywhere:
 * an expired record is absent to every verb, whatever the database's own clean-up does; a read sees every write
 * that was acknowledged before it; and of any number of parallel calls that cannot all be right, exactly one wins.
 */

export type { DescribedFields, DescribedKind, DescribedKinds, Protection } from './described.ts';

/** A closed map from the kind of a record to its type: `{ grant: Grant; deck: Deck }`. Values are plain JSON. */
// biome-ignore lint/suspicious/noExplicitAny: a map of record types has no narrower common bound.
export type RecordMap = Record<string, any>;

/** What the database needs to know of each kind, beside its type. Every kind is listed; an unlisted one is refused. */
export type Kinds<R extends RecordMap> = {
  readonly [K in keyof R & string]: {
    /**
     * The group a record belongs to (the owner of a deck, the user of a grant): what `list` can filter by. It is named
     * when the record is written: a new rule counts for a record from its next write on.
     */
    readonly groupOf?: (value: R[K]) => string;
    /** Of the shape of the values this release writes: a whole number, 1 unless told. Raised when an old one would be misread. */
    readonly version?: number;
    /**
     * Makes a value of an older version (`from`, less than `version`) one of this; demanded from version 2 on. It is asked
     * at every read until the record is written again, must take whatever that version wrote, and must not change anything else.
     */
    readonly upgrade?: (value: RecordMap[string], from: number) => R[K];
  };
};

/** A record as it was read. `version` is opaque and changes with every write. */
export interface Stored<T> {
  readonly id: string;
  readonly value: T;
  readonly version: string;
  /** Seconds since the epoch; absent: never expires. */
  readonly expiresAt?: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass it as `after` to read on; absent on the last page. */
  readonly next?: string;
}

export interface Filter {
  /** Only records of this group; without it, all of the kind. */
  readonly group?: string;
  /** Records a page, 1 to 1000; 100 unless told. */
  readonly limit?: number;
}

export interface Records<R extends RecordMap> {
  get<K extends keyof R & string>(kind: K, id: string): Promise<Stored<R[K]> | undefined>;
  /** False: a live record of this kind and id exists; nothing was written. */
  create<K extends keyof R & string>(kind: K, id: string, value: R[K], expiresAt?: number): Promise<boolean>;
  /**
   * Compare-and-swap on the version of `was`. False: somebody wrote first, or it expired; nothing was written.
   * `expiresAt` replaces the old one; left out, the record no longer expires.
   */
  replace<K extends keyof R & string>(kind: K, was: Stored<R[K]>, value: R[K], expiresAt?: number): Promise<boolean>;
  /** Reads and removes; of any number of callers at most one ever receives the value. */
  take<K extends keyof R & string>(kind: K, id: string): Promise<R[K] | undefined>;
  /** Records in the order of their ids' UTF-8 bytes, a page at a time. A record that lives throughout the paging appears exactly once. */
  list<K extends keyof R & string>(kind: K, filter?: Filter, after?: string): Promise<Page<Stored<R[K]>>>;
  /** Ends what the back-end keeps open. Safe to call twice. */
  close(): Promise<void>;
}

/** Options every back-end shares. */
export interface RecordsOptions<R extends RecordMap> {
  readonly kinds: Kinds<R>;
  /** Seconds since the epoch; the clock hook of the tests. */
  readonly now?: () => number;
}

/** A caller's mistake (unknown kind, bad id, bad limit, a value that is not JSON): never the outcome of a race. */
export class RecordsError extends Error {
  override name = 'RecordsError';
}

/**
 * A newer release wrote this record, and this one cannot know what it says: nothing was changed. So it is while releases
 * are exchanged and after going back to an old one: answer 503, tell the operator, and never conclude that it is absent.
 */
export class NewerRecordError extends RecordsError {
  override name = 'NewerRecordError';
}

/**
 * The database did not answer in time or failed. A write that ends so may have happened or not: answer 503 and never
 * conclude that a record is absent.
 */
export class RecordsUnavailableError extends Error {
  override name = 'RecordsUnavailableError';
}

/** The last try of `update` was lost too: answer 503 and let the caller come again. */
export class ContentionError extends Error {
  override name = 'ContentionError';
}

/** What was decided about a record, and what the caller of `update` learns of it. */
export interface Decision<T, X> {
  /** The new value; left out, the record stays as it is. Without `expiresAt` the record no longer expires. */
  readonly write?: { readonly value: T; readonly expiresAt?: number | undefined } | undefined;
  readonly result: X;
}

export interface UpdateOptions {
  /** How often to read and decide before giving up; 8 unless told. */
  readonly tries?: number;
}

/**
 * Reads a record, lets `decide` judge it, writes what it decided, and begins again if somebody wrote in between.
 * `decide` runs once per try, so it must have no effect of its own; only the result of the try that counted is returned.
 * An absent record is decided upon as `undefined`; writing then creates it.
 *
 * @throws ContentionError after the last lost try: nothing was written.
 */
export async function update<R extends RecordMap, K extends keyof R & string, X>(
  records: Records<R>,
  kind: K,
  id: string,
  decide: (stored: Stored<R[K]> | undefined) => Decision<R[K], X> | Promise<Decision<R[K], X>>,
  options: UpdateOptions = {},
): Promise<X> {
  const { tries = 8 } = options;
  if (!Number.isInteger(tries) || tries < 1) throw new RecordsError('tries must be a whole number from 1');
  for (let lost = 0; lost < tries; lost++) {
    if (lost >= 2) await pause(lost);
    const stored = await records.get(kind, id);
    const { write, result } = await decide(stored);
    if (write === undefined) return result;
    const written =
      stored === undefined
        ? await records.create(kind, id, write.value, write.expiresAt)
        : await records.replace(kind, stored, write.value, write.expiresAt);
    if (written) return result;
  }
  throw new ContentionError(`lost ${tries} tries to update a record of kind ${kind}`);
}

/** The window doubles, so that fifty callers in lockstep on one record spread out within eight tries. */
async function pause(lost: number): Promise<void> {
  const windowMs = Math.min(250, 5 * 2 ** (lost - 1));
  await new Promise((resolve) => setTimeout(resolve, Math.random() * windowMs));
}
