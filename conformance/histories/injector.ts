/** Owns what goes wrong while a history is made: each kind of fault in turn, in an order of chance, and all well between. */
import type { Fault, FaultProxy } from '../harness/fault-proxy.ts';
import type { Instances } from '../instances/instances.ts';
import type { Chance } from './random.ts';
import type { Recorder } from './recorder.ts';

export interface Injector {
  /** After the fault that is under way, everything is well again. */
  stop(): Promise<void>;
  /** How often everything has gone wrong that can. */
  rounds(): number;
  /** How often each was made. */
  readonly made: Readonly<Record<string, number>>;
}

/** How far a clock is set off, either way. */
export const clockStepSeconds = 300;
/** What an instance needs at most to find its database again, or to give up on an answer that never comes. */
const recoverySeconds = 8;

const shakyClients = [
  [5, 'delay'],
  [5, 'cut-before'],
  [5, 'cut-after'],
  [1, 'swallow'],
] as const;
const shakyDatabase = [
  [3, 'delay'],
  [1, 'cut-before'],
  [2, 'cut-after'],
  [0.1, 'swallow'],
] as const;

export function startInjector(instances: Instances, recorder: Recorder, chance: Chance, calmMs: number): Injector {
  const { all, database, provider, databaseProxy, clientProxy } = instances;
  const names = all.map(({ name }) => String(name));
  const made: Record<string, number> = {};
  let stopping = false;
  let rounds = 0;
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const someTime = (ms: number) => pause(ms * (0.3 + chance.next()));

  /** Of a hundred pieces, as many as are named. */
  async function shaky(proxy: FaultProxy, percent: ReadonlyArray<readonly [number, Fault]>, ms: number) {
    proxy.decide = () => chance.weighed(percent) ?? 'pass';
    await someTime(ms);
    proxy.decide = () => 'pass';
  }

  const away = (work: () => Promise<void>) => recorder.databaseAway(names, recoverySeconds, work);
  const faults: Record<string, () => Promise<void>> = {
    async 'instance killed'() {
      const one = chance.pick(all);
      await one?.kill();
      await someTime(150);
      await one?.start();
    },
    async 'two instances killed'() {
      const [one, two] = chance.shuffled(all);
      await Promise.all([one?.kill(), two?.kill()]);
      await one?.start();
      await two?.start();
    },
    async 'instance ended in order'() {
      const one = chance.pick(all);
      await one?.terminate();
      await one?.start();
    },
    'database crashed': () =>
      away(async () => {
        await database.crash();
        await someTime(200);
        await database.start();
      }),
    async 'clock set off'() {
      const one = chance.pick(all);
      await one?.setClock(chance.next() < 0.5 ? clockStepSeconds : -clockStepSeconds);
      await someTime(1200);
      await one?.setClock(0);
    },
    async 'identity provider ill'() {
      provider.mood = chance.pick(['slow', 'down', 'garbage'] as const) ?? 'down';
      await someTime(700);
      provider.mood = 'well';
    },
    async 'identity provider’s keys changed'() {
      provider.rotateKeys();
    },
  };
  if (clientProxy) {
    clientProxy.swallowMs = 400;
    faults['connections of clients'] = () => shaky(clientProxy, shakyClients, 700);
  }
  if (databaseProxy) {
    databaseProxy.swallowMs = 4500;
    faults['connections of the database'] = () => away(() => shaky(databaseProxy, shakyDatabase, 700));
    faults['database cut off'] = () =>
      away(async () => {
        databaseProxy.sever();
        await someTime(500);
        databaseProxy.restore();
      });
  }

  const running = (async () => {
    while (!stopping) {
      for (const name of chance.shuffled(Object.keys(faults))) {
        if (stopping) break;
        await faults[name]?.();
        made[name] = (made[name] ?? 0) + 1;
        await someTime(calmMs);
      }
      if (!stopping) rounds += 1;
    }
  })();
  // Awaited in `stop`, and until then nobody's unhandled rejection.
  running.catch(() => {});
  return {
    made,
    rounds: () => rounds,
    async stop() {
      stopping = true;
      await running;
    },
  };
}
