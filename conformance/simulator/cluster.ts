/** Instances that share a store: each with a clock of its own, each of which may die in the middle of anything and start anew. */
import type { Fault } from '../histories/checker.ts';
import type { World } from './world.ts';

/** What a client sees of an answer. */
export interface Answer {
  readonly status: number;
  /** The signature failed, and nothing may have been spent on it. */
  readonly unspent?: true;
  readonly error?: string;
  readonly accessToken?: string;
  readonly refreshToken?: string;
}

/** One living process, as clients see it. Nothing of it rejects. */
export interface Front {
  redeem(code: string, wrongHands: boolean): Promise<Answer>;
  refresh(token: string, wrongHands: boolean): Promise<Answer>;
  revoke(token: string): Promise<Answer>;
  call(accessToken: string): Promise<Answer>;
}

/** What a process is started with. */
export interface Start {
  readonly name: string;
  readonly now: () => number;
  readonly alive: () => boolean;
  readonly die: () => void;
  /** Told of a fault of its database; calls what it gives when the process has heard of it. */
  readonly onFault: () => () => void;
}

export interface Cluster {
  readonly names: readonly string[];
  /** Undefined: no answer; the process died, or the answer was lost. */
  ask(instance: number, request: (front: Front) => Promise<Answer>): Promise<Answer | undefined>;
  readonly faults: readonly Fault[];
  readonly deaths: number;
}

interface Process {
  alive: boolean;
  readonly front: Front;
  readonly waiting: Set<(answer: undefined) => void>;
}

export function createCluster(world: World, offsets: readonly number[], start: (options: Start) => Front): Cluster {
  const faults: Fault[] = [];
  const names = offsets.map((_, at) => String.fromCharCode(65 + at));
  let deaths = 0;

  const processes = offsets.map((_, at) => begin(at));

  function begin(at: number): Process {
    const name = names[at] as string;
    const now = (): number => world.seconds(offsets[at] as number);
    const waiting = new Set<(answer: undefined) => void>();
    const onFault = () => {
      const fault = { instance: name, from: world.moment(), until: Infinity };
      faults.push(fault);
      return () => {
        fault.until = world.moment();
      };
    };
    const die = (): void => {
      if (!process.alive) return;
      process.alive = false;
      deaths++;
      world.note(() => `${name} dies`);
      processes[at] = begin(at);
      for (const resolve of waiting) resolve(undefined);
    };
    const process: Process = {
      alive: true,
      waiting,
      front: start({ name, now, alive: () => process.alive, die, onFault }),
    };
    return process;
  }

  return {
    names,
    faults,
    get deaths() {
      return deaths;
    },
    ask(instance, request) {
      const process = processes[instance] as Process;
      return new Promise((resolve) => {
        process.waiting.add(resolve);
        void request(process.front).then((answer) => {
          process.waiting.delete(resolve);
          if (process.alive) resolve(answer);
        });
      });
    },
  };
}
