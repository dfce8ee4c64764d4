/**
 * The simulated world: one clock, one list of what may happen next, and nothing that happens by itself. It owns the timers
 * and the chance of the code that runs in it, so that a run is a function of the choices that its chooser makes.
 */
import type { Chooser } from './chooser.ts';

interface Event {
  readonly what: string;
  readonly run: () => void;
  /** Of a timer: not before this moment, in seconds. */
  readonly dueAt?: number;
}

export interface World {
  readonly chooser: Chooser;
  /** Seconds since the epoch; every look is later than the one before, so that no two operations begin at once. */
  moment(): number;
  /** Whole seconds, as an instance reads them from a clock of its own that is so far off. */
  seconds(offsetSeconds: number): number;
  /** May happen from now on, in any order with all else that waits. */
  soon(what: string, run: () => void): void;
  /** May happen from then on. Gives what cancels it. */
  later(delaySeconds: number, what: string, run: () => void): () => void;
  /** Nothing happens for so long. */
  pass(forSeconds: number): void;
  note(line: () => string): void;
  /** Lets one thing after the other happen until nothing waits. Throws where it never ends. */
  settle(): Promise<void>;
  readonly steps: number;
  /** Only where it is asked for. */
  readonly trace: readonly string[];
}

const epoch = 1_800_000_000;
/** The smallest distance of two moments. */
const tick = 1e-5;
const maxSteps = 20_000;
/** A database answers in so many seconds or counts as away: no message is older than that when the clock moves on. */
const longestDelay = 10;

export function createWorld(chooser: Chooser, tracing = false): World {
  const waiting: Array<Event & { readonly since: number }> = [];
  const timers: Event[] = [];
  const trace: string[] = [];
  let clock = epoch;
  let steps = 0;

  /** A timer is one choice beside the messages: which of them fires is a matter of time and not of chance. */
  function step(): boolean {
    const next = timers.length > 0 ? nextDue() : -1;
    // The first that waits has waited longest.
    const mayPass = next >= 0 && (timers[next]?.dueAt ?? 0) <= (waiting[0]?.since ?? Infinity) + longestDelay;
    const options = waiting.length + (mayPass ? 1 : 0);
    if (options === 0) return false;
    if (++steps > maxSteps) throw new Error(`no end after ${maxSteps} steps`);
    const choice = chooser.choose(options);
    const event: Event = choice < waiting.length ? take(waiting, choice) : take(timers, next);
    if (event.dueAt !== undefined && event.dueAt > clock) clock = event.dueAt;
    if (tracing) trace.push(`${(clock - epoch).toFixed(3)} ${event.what}`);
    event.run();
    return true;
  }

  function nextDue(): number {
    let best = 0;
    for (let at = 1; at < timers.length; at++) {
      if ((timers[at]?.dueAt ?? 0) < (timers[best]?.dueAt ?? 0)) best = at;
    }
    return best;
  }

  return {
    chooser,
    trace,
    get steps() {
      return steps;
    },
    moment() {
      clock += tick;
      return clock;
    },
    seconds: (offsetSeconds) => Math.floor(clock) + offsetSeconds,
    soon(what, run) {
      waiting.push({ what, run, since: clock });
    },
    later(delaySeconds, what, run) {
      const event = { what, run, dueAt: clock + delaySeconds };
      timers.push(event);
      return () => {
        const at = timers.indexOf(event);
        if (at >= 0) timers.splice(at, 1);
      };
    },
    pass(forSeconds) {
      clock += forSeconds;
    },
    note(line) {
      if (tracing) trace.push(`  ${line()}`);
    },
    settle() {
      return new Promise((resolve, reject) => {
        const turn = (): void => {
          try {
            if (step()) rest();
            else resolve();
          } catch (error) {
            reject(error);
          }
        };
        // Node runs a tick only when no microtask is left: by then all that this step set going has come to a stop.
        const rest = () => queueMicrotask(() => process.nextTick(turn));
        rest();
      });
    },
  };
}

function take<T>(list: T[], at: number): T {
  return list.splice(at, 1)[0] as T;
}

let current: World | undefined;

/**
 * Gives the world the timers and the chance of this thread while `work` runs, which must wait for nothing but the world:
 * then nothing else of this thread runs in between.
 */
export async function inside<T>(world: World, work: () => Promise<T>): Promise<T> {
  if (current) throw new Error('one world at a time');
  const { setTimeout, clearTimeout } = globalThis;
  const { random } = Math;
  current = world;
  const timers = new Map<unknown, () => void>();
  const set = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown => {
    const handle = { unref: () => handle, ref: () => handle };
    timers.set(
      handle,
      world.later(ms / 1000, `timer of ${ms.toFixed(0)} ms`, () => run(...args)),
    );
    return handle;
  };
  globalThis.setTimeout = set as unknown as typeof setTimeout;
  globalThis.clearTimeout = ((handle: unknown) => timers.get(handle)?.()) as typeof clearTimeout;
  // How long somebody pauses is no choice of its own: the order of what happens is chosen anyway.
  Math.random = () => 0.5;
  try {
    return await work();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Math.random = random;
    current = undefined;
  }
}
