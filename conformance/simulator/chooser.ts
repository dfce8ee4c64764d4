/** Where a run's chance comes from: a seed, an odometer that tries everything, or a list that repeats a run. */
import { random } from '../fuzz/random.ts';

/** 0 is always the plainest choice: the first that waits, and nothing goes wrong. */
export interface Chooser {
  /** A whole number from 0 to `options - 1`. */
  choose(options: number): number;
  /** 0: nothing goes wrong; else which of `options` faults. */
  fault(options: number): number;
  /** What was chosen so far: enough to repeat the run. */
  readonly taken: number[];
}

/** One of `2 ** 64` runs. `faultShare` of all places where something can go wrong do. */
export function randomChooser(seed: number, lane: number, faultShare: number): Chooser {
  const source = random(seed, lane);
  const taken: number[] = [];
  const note = (choice: number): number => {
    taken.push(choice);
    return choice;
  };
  return {
    taken,
    choose: (options) => note(options < 2 ? 0 : source.below(options)),
    fault: (options) => note(source.chance(faultShare) ? 1 + source.below(options) : 0),
  };
}

/** Repeats; beyond the end of the list, and where it asks for what is not there, the plainest. */
export function repeatingChooser(list: readonly number[]): Chooser {
  const taken: number[] = [];
  const next = (options: number): number => {
    const wanted = list[taken.length] ?? 0;
    const choice = wanted < options ? wanted : 0;
    taken.push(choice);
    return choice;
  };
  return { taken, choose: next, fault: (options) => next(options + 1) };
}

/** Every run there is, one after the other: the last choice that has another option takes it, and all after it begin anew. */
export interface Odometer {
  /** The chooser of the next run; undefined: that was all. */
  next(): Chooser | undefined;
}

export function odometer(maxFaults: number): Odometer {
  let prefix: number[] | undefined = [];
  let options: number[] = [];
  let taken: number[] = [];
  return {
    next() {
      if (options.length > 0) {
        let at = options.length - 1;
        while (at >= 0 && (taken[at] as number) + 1 >= (options[at] as number)) at--;
        prefix = at < 0 ? undefined : [...taken.slice(0, at), (taken[at] as number) + 1];
      }
      if (!prefix) return undefined;
      const from = prefix;
      options = [];
      taken = [];
      const turn = { options, taken };
      let faults = 0;
      const choose = (count: number): number => {
        const choice = from[turn.taken.length] ?? 0;
        turn.taken.push(choice);
        turn.options.push(count);
        return choice;
      };
      return {
        taken,
        choose,
        fault(count) {
          const choice = choose(faults < maxFaults ? count + 1 : 1);
          if (choice > 0) faults++;
          return choice;
        },
      };
    },
  };
}
