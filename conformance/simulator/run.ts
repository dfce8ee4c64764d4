/** One run: a scenario in a world whose chance is a chooser's; its history, and what is wrong with it. */
import { check, documentedPromises, type History, type Operation, type Violation } from '../histories/checker.ts';
import type { Chooser } from './chooser.ts';
import { playClients, short } from './clients.ts';
import { createCluster } from './cluster.ts';
import { coreStage } from './core-stage.ts';
import { simulatedProvider } from './identity-provider.ts';
import type { Scenario } from './scenario.ts';
import { type Stage, type StageOptions, skewOf } from './stage.ts';
import { createStore, type Flaw, type Store } from './store.ts';
import { createWorld, inside, type World } from './world.ts';

/** What the checker finds, and what only the identity provider sees. */
export type Wrong = Violation | (Pick<Violation, 'words' | 'operations'> & { readonly rule: 'two-questions-at-once' });

export interface Run {
  readonly history: History;
  readonly violations: readonly Wrong[];
  readonly steps: number;
  readonly faults: number;
  readonly deaths: number;
  /** Two runs with the same one came to the same end by the same answers. */
  readonly endState: string;
  /** Repeats the run. */
  readonly choices: readonly number[];
  readonly trace: readonly string[];
}

export interface RunOptions {
  readonly tracing?: boolean;
  /** A database that breaks the contract: for the proof that the simulator sees it. */
  readonly flaw?: Flaw | undefined;
  /** The core unless given. */
  readonly stage?: ((options: StageOptions) => Stage) | undefined;
}

/** A process may live with a question for so long before another one may ask (identity-renewal.ts). */
const leaseSeconds = 30;

export async function run(scenario: Scenario, chooser: Chooser, options: RunOptions = {}): Promise<Run> {
  const world = createWorld(chooser, options.tracing);
  return inside(world, () => play(scenario, world, options));
}

async function play(scenario: Scenario, world: World, options: RunOptions): Promise<Run> {
  const operations: Operation[] = [];
  const more: Wrong[] = [];
  const store = createStore();
  const skewSeconds = skewOf(scenario);
  let codeName = '';
  const provider = simulatedProvider({
    world,
    leaseSeconds: leaseSeconds - skewSeconds - 1,
    faulty: scenario.session === true,
    onNo: () => {
      operations.push({ kind: 'end', client: 'identity provider', presented: codeName, invokedAt: world.moment() });
    },
    onTwoQuestions: () => {
      const words = 'the identity provider was asked twice at once';
      more.push({ rule: 'two-questions-at-once', words, operations: [] });
    },
  });
  let signerFaults = 0;
  const stage = (options.stage ?? coreStage)({
    scenario,
    world,
    store,
    provider,
    flaw: options.flaw,
    signerFails(instance) {
      if (!scenario.signerFaults || store.quiet || world.chooser.fault(1) === 0) return false;
      signerFaults++;
      world.note(() => `${instance} cannot sign`);
      return true;
    },
  });
  const cluster = createCluster(world, scenario.offsets, stage.start);

  function quietly(quiet: boolean): void {
    store.quiet = quiet;
    provider.quiet = quiet;
  }

  quietly(true);
  const signedInAt = world.moment();
  const code = await stage.signIn();
  codeName = short(code);
  operations.push({
    kind: 'sign-in',
    client: 'person',
    code: codeName,
    invokedAt: signedInAt,
    returnedAt: world.moment(),
  });
  const clients = playClients({ scenario, world, cluster, operations, code });
  await clients.prepare();
  stage.ripen();
  quietly(false);
  clients.begin();
  await world.settle();
  // Once all is still, what everybody holds must be worth what the history says, at every instance.
  world.pass(6);
  quietly(true);
  await clients.look();

  const history = { operations, faults: cluster.faults };
  return {
    history,
    violations: [...check(history, { ...documentedPromises, skewSeconds }), ...more],
    steps: world.steps,
    faults: store.faults + signerFaults + clients.lostAnswers,
    deaths: cluster.deaths,
    endState: endState(grantOf(store), operations),
    choices: world.chooser.taken,
    trace: world.trace,
  };
}

function grantOf({ rows }: Store): unknown {
  for (const [key, { value }] of rows) {
    if (key.startsWith('grant ')) return value;
  }
  return undefined;
}

function endState(grant: unknown, operations: readonly Operation[]): string {
  const { generation, endReason, graceReplays } = (grant ?? {}) as Record<string, unknown>;
  const answers = operations.map(({ kind, status = 0 }) => kind.charAt(0) + kind.charAt(2) + status);
  return `${generation} ${endReason} ${graceReplays} ${answers.join(' ')}`;
}
