/**
 * One rule's buckets in bounded memory (SEC-10). Each is one number: the moment at which it will be full again (the
 * "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371 Annex A). A bucket that is full says
 * nothing that no bucket would not say, so full ones are forgotten, and no others: nobody gets a new bucket by filling
 * the memory. Whoever finds no room shares the bucket of all who found none.
 */

export interface BucketsOptions {
  /** Buckets remembered that are not full. */
  readonly maxBuckets: number;
  /** Of these, how many of one owner: names of tools are the client's to choose. */
  readonly maxPerOwner: number;
}

export interface Buckets {
  /** Of the bucket for this name: its key, and when it will be full, in seconds; a moment that is over: it is full. */
  find(owner: string, name: string, now: number): { readonly key: string; readonly fullAt: number };
  set(owner: string, key: string, fullAt: number): void;
  readonly size: number;
}

/** How many of the oldest are looked at for each that is new. More than one, so that forgetting is faster than filling. */
const lookedAt = 4;

/** Neither holds a line break where an owner or a name ends, so neither can be taken for one of these. */
const nobody = '\n\n';

export function buckets({ maxBuckets, maxPerOwner }: BucketsOptions): Buckets {
  const known = new Map<string, { readonly owner: string; readonly fullAt: number }>();
  const perOwner = new Map<string, number>();

  function forget(key: string, owner: string): void {
    known.delete(key);
    const left = (perOwner.get(owner) as number) - 1;
    if (left === 0) perOwner.delete(owner);
    else perOwner.set(owner, left);
  }

  /** Forgets what is full among the oldest; what is not goes to the end, so that the next ones are looked at next. */
  function sweep(now: number): void {
    let left = lookedAt;
    for (const [key, bucket] of known) {
      if (left-- === 0) return;
      if (bucket.fullAt <= now) forget(key, bucket.owner);
      else {
        known.delete(key);
        known.set(key, bucket);
      }
    }
  }

  return {
    find(owner, name, now) {
      const own = `${owner}\n${name}`;
      const found = known.get(own);
      if (found) return { key: own, fullAt: found.fullAt };
      sweep(now);
      // The last of an owner's buckets is for all the names that have none.
      const last = (perOwner.get(owner) ?? 0) >= maxPerOwner - 1;
      const key = last ? `${owner}\n\n` : own;
      const shared = last ? known.get(key) : undefined;
      if (shared) return { key, fullAt: shared.fullAt };
      if (known.size < maxBuckets) return { key, fullAt: now };
      return { key: nobody, fullAt: known.get(nobody)?.fullAt ?? now };
    },
    set(owner, key, fullAt) {
      const its = key === nobody ? nobody : owner;
      if (!known.delete(key)) perOwner.set(its, (perOwner.get(its) ?? 0) + 1);
      known.set(key, { owner: its, fullAt });
    },
    get size() {
      return known.size;
    },
  };
}
