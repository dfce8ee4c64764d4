/** Many runs: every order of a small scene, or scenes by chance; what they came to, and the shortest way to what went wrong. */
import { type Chooser, odometer, randomChooser, repeatingChooser } from './chooser.ts';
import { type Run, type RunOptions, run } from './run.ts';
import { type Scenario, scenarioByChance, smallScenes } from './scenario.ts';

export interface Figures {
  readonly schedules: number;
  readonly operations: number;
  readonly steps: number;
  readonly faults: number;
  readonly deaths: number;
  readonly endStates: ReadonlySet<string>;
  /** Whether every order was tried. */
  readonly complete: boolean;
  readonly finding: Finding | undefined;
}

export interface Finding {
  readonly scenario: Scenario;
  readonly words: readonly string[];
  /** As few as possible that are not the plainest. */
  readonly choices: readonly number[];
  readonly trace: readonly string[];
}

/** One share of the work; the worker gives its figures. */
export type Job =
  | { readonly kind: 'scene'; readonly scene: number; readonly atMost: number }
  | { readonly kind: 'chance'; readonly seed: number; readonly from: number; readonly until: number };

const faultShare = 0.06;

/** Ends at the first run that went wrong. */
export async function explore(job: Job, options: RunOptions = {}): Promise<Figures> {
  const endStates = new Set<string>();
  const sum = { schedules: 0, operations: 0, steps: 0, faults: 0, deaths: 0 };
  for (const { scenario, chooser } of schedules(job)) {
    const done = await run(scenario, chooser, options);
    sum.schedules++;
    sum.operations += done.history.operations.length;
    sum.steps += done.steps;
    sum.faults += done.faults;
    sum.deaths += done.deaths;
    endStates.add(done.endState);
    if (done.violations.length > 0) {
      return { ...sum, endStates, complete: false, finding: await shorten(scenario, done, options) };
    }
    // Not every thousand runs: a yield lets the thread hear of its end, and costs a turn of the loop.
    if (sum.schedules % 4096 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const complete = job.kind === 'scene' && sum.schedules < job.atMost;
  return { ...sum, endStates, complete, finding: undefined };
}

function* schedules(job: Job): Generator<{ readonly scenario: Scenario; readonly chooser: Chooser }> {
  if (job.kind === 'chance') {
    for (let lane = job.from; lane < job.until; lane++) {
      yield { scenario: scenarioByChance(job.seed, lane), chooser: randomChooser(job.seed, lane, faultShare) };
    }
    return;
  }
  const scenario = smallScenes[job.scene];
  if (!scenario) throw new RangeError(`there is no scene ${job.scene}`);
  const orders = odometer(scenario.maxFaults);
  for (let n = 0; n < job.atMost; n++) {
    const chooser = orders.next();
    if (!chooser) return;
    yield { scenario, chooser };
  }
}

/** Takes back one choice after the other for as long as something still goes wrong. */
export async function shorten(scenario: Scenario, found: Run, options: RunOptions = {}): Promise<Finding> {
  let best = found;
  for (let progress = true; progress; ) {
    progress = false;
    for (let at = best.choices.length - 1; at >= 0; at--) {
      if (!best.choices[at]) continue;
      const list = best.choices.map((choice, other) => (other === at ? 0 : choice));
      const again = await run(scenario, repeatingChooser(list), options);
      if (again.violations.length === 0 || weight(again) >= weight(best)) continue;
      best = again;
      progress = true;
    }
  }
  const { violations, choices, trace } = await run(scenario, repeatingChooser(best.choices), {
    ...options,
    tracing: true,
  });
  return { scenario, words: violations.map(({ rule, words }) => `${rule}: ${words}`), choices, trace };
}

function weight({ choices }: Run): number {
  return choices.filter((choice) => choice !== 0).length;
}

export function describeFinding({ scenario, words, choices, trace }: Finding): string {
  return [
    `In the scenario "${scenario.name}" (clocks ${scenario.offsets.join(', ')}):`,
    ...words,
    `choices: ${choices.join(' ')}`,
    ...trace,
  ].join('\n');
}

export function addFigures(all: readonly Figures[]): Figures {
  const total = (of: 'schedules' | 'operations' | 'steps' | 'faults' | 'deaths') =>
    all.reduce((sum, figures) => sum + figures[of], 0);
  return {
    schedules: total('schedules'),
    operations: total('operations'),
    steps: total('steps'),
    faults: total('faults'),
    deaths: total('deaths'),
    endStates: new Set(all.flatMap(({ endStates }) => [...endStates])),
    complete: all.every(({ complete }) => complete),
    finding: all.find(({ finding }) => finding)?.finding,
  };
}
