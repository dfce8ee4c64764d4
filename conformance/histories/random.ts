/** Chance that can be told again: a small generator from a seed, for who does what next. */

export interface Chance {
  readonly seed: number;
  /** From 0 up to 1. */
  next(): number;
  pick<T>(all: readonly T[]): T | undefined;
  /** Each as often of a hundred times as its weight says; undefined for what is left of the hundred. */
  weighed<T>(all: ReadonlyArray<readonly [number, T]>): T | undefined;
  shuffled<T>(all: readonly T[]): T[];
}

/** Mulberry32. What the operating system does between is not told again. */
export function chance(seed = Math.floor(Math.random() * 2 ** 31)): Chance {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    next,
    pick: (all) => all[Math.floor(next() * all.length)],
    weighed(all) {
      let left = next() * 100;
      for (const [weight, one] of all) {
        left -= weight;
        if (left < 0) return one;
      }
      return undefined;
    },
    shuffled: (all) =>
      all
        .map((value) => ({ value, at: next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ value }) => value),
  };
}
