/** How much is simulated, and from which seed: `GATEHOUSE_SIMULATOR_SEED`, `GATEHOUSE_SIMULATOR_SCHEDULES`. */
import { availableParallelism } from 'node:os';
import type { Job } from './explore.ts';
import { smallScenes } from './scenario.ts';

export const defaultSchedules = 1_000_000;

/** The same every time unless told, so that nobody's change fails by somebody else's luck. */
const defaultSeed = 20_260_728;

export interface Settings {
  readonly seed: number;
  readonly schedules: number;
  readonly threads: number;
}

export function settings(environment: Readonly<Record<string, string | undefined>> = process.env): Settings {
  return {
    seed: wholeNumber(environment, 'GATEHOUSE_SIMULATOR_SEED', defaultSeed),
    schedules: wholeNumber(environment, 'GATEHOUSE_SIMULATOR_SCHEDULES', defaultSchedules),
    threads: Math.max(1, Math.min(8, availableParallelism())),
  };
}

function wholeNumber(environment: Readonly<Record<string, string | undefined>>, name: string, usual: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return usual;
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) >= 2 ** 32)
    throw new RangeError(`${name} must be a whole number below 2^32`);
  return Number(text);
}

/** Every small scene in every order, as far as its share reaches; what of a share is left over goes to chance. */
export function sceneJobs(schedules: number): readonly Job[] {
  const atMost = Math.ceil(schedules / smallScenes.length / 2);
  return smallScenes.map((_, scene) => ({ kind: 'scene', scene, atMost }));
}

export function chanceJobs(seed: number, schedules: number): readonly Job[] {
  const size = 20_000;
  return Array.from({ length: Math.ceil(schedules / size) }, (_, at) => ({
    kind: 'chance',
    seed,
    from: at * size,
    until: Math.min(schedules, (at + 1) * size),
  }));
}
