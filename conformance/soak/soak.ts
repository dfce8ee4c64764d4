/**
 * `npm run soak`: everything at once for a long time, and at the end memory is where it was and no answer was wrong (REL-06).
 * GATEHOUSE_SOAK_SECONDS says for how long; 1200 unless set.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type SoakedGateway, startSoakedGateway } from './gateway.ts';
import { type Bounds, judge, type Sample, type Verdict } from './memory.ts';
import { fillCaches, type Session, works } from './work.ts';

/** For after the caches are full: what grows then is lost. */
export const bounds: Bounds = {
  heapMegabytesPerMinute: 0.5,
  residentMegabytesPerMinute: 3,
  heapCeilingMegabytes: 128,
  residentCeilingMegabytes: 400,
  heapLeastSeconds: 150,
  residentLeastSeconds: 600,
};

export interface SoakReport {
  readonly seconds: number;
  /** How often each kind of work was done. */
  readonly done: ReadonlyMap<string, number>;
  /** What should not have been, at most a few of each. */
  readonly unexpected: readonly string[];
  readonly samples: readonly Sample[];
  readonly verdict: Verdict;
  readonly exitCode: number | null;
}

export interface SoakOptions {
  readonly seconds: number;
  /** Pieces of work at the same time. */
  readonly workers?: number;
  readonly onSample?: (sample: Sample, done: number) => void;
}

export async function soak({ seconds, workers = 12, onSample }: SoakOptions): Promise<SoakReport> {
  const gateway = await startSoakedGateway();
  const sessions: Session[] = [];
  const done = new Map(Object.keys(works).map((name) => [name, 0]));
  const unexpected: string[] = [];
  const note = (text: string) => {
    if (unexpected.length < 50) unexpected.push(text.slice(0, 500));
  };
  // A run that is long enough to be judged by its line begins with full caches, and takes that much longer.
  if (seconds >= 300) await fillCaches({ gateway, sessions, random: Math.random }, workers);
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const samples: Sample[] = [];
  let exitCode: number | null = null;

  const worker = async () => {
    while (elapsed() < seconds && gateway.alive()) {
      const name = drawn();
      const [, work] = works[name] as (typeof works)[string];
      const wrong = await work({ gateway, sessions, random: Math.random }).catch((error: unknown) => String(error));
      if (wrong !== undefined) note(`${name}: ${wrong}`);
      done.set(name, (done.get(name) ?? 0) + 1);
    }
  };
  const sampler = async () => {
    const every = Math.max(1, Math.min(10, seconds / 10));
    while (elapsed() < seconds && gateway.alive()) {
      await pause(every * 1000);
      samples.push(await sampleOf(gateway, elapsed(), grantsMade(done)));
      onSample?.(samples.at(-1) as Sample, sum(done));
    }
  };
  try {
    await Promise.all([sampler(), ...Array.from({ length: workers }, worker)]);
    if (gateway.alive()) samples.push(await sampleOf(gateway, elapsed(), grantsMade(done)));
    else note('the gateway has ended');
  } finally {
    exitCode = await gateway.close();
  }
  for (const line of gateway.faults) note(`log: ${line}`);
  if (exitCode !== 0) note(`exit code ${exitCode}`);
  const verdict = judge(samples, warmUp(seconds), bounds);
  return { seconds: elapsed(), done, unexpected, samples, verdict, exitCode };
}

/** A third, and no more than five minutes. */
function warmUp(seconds: number): number {
  return Math.min(300, seconds / 3);
}

const weights = Object.entries(works).map(([name, [weight]]) => ({ name, weight }));
const allWeights = weights.reduce((total, { weight }) => total + weight, 0);

function drawn(): string {
  let left = Math.random() * allWeights;
  for (const { name, weight } of weights) {
    left -= weight;
    if (left < 0) return name;
  }
  return 'call';
}

/**
 * A guard remembers the states of up to 100,000 grants, a quarter of a kilobyte each (grant-states.ts): 25 MB, which a soak
 * makes too few grants to fill. What it made is taken off, so that what grows beside them is seen.
 */
const bytesOfGrantState = 256;

function grantsMade(done: ReadonlyMap<string, number>): number {
  return (done.get('whole flow') ?? 0) + (done.get('revocation') ?? 0);
}

async function sampleOf(gateway: SoakedGateway, at: number, grants: number): Promise<Sample> {
  const { heapUsed, rss } = await gateway.memory();
  const remembered = Math.min(grants, 100_000) * bytesOfGrantState;
  return { at, heapMegabytes: (heapUsed - remembered) / 2 ** 20, residentMegabytes: rss / 2 ** 20 };
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, one) => total + one, 0);
}

/** For a person at a terminal. */
export function summary({ seconds, done, unexpected, samples, verdict, exitCode }: SoakReport): string {
  const row = (name: string, value: string | number) => `  ${name.padEnd(28)}${String(value).padStart(12)}`;
  const at = (sample: Sample | undefined) =>
    sample ? `${sample.heapMegabytes.toFixed(1)} / ${sample.residentMegabytes.toFixed(0)}` : '-';
  return [
    '',
    row('seconds', seconds.toFixed(0)),
    ...[...done].map(([name, count]) => row(name, count)),
    row('all', sum(done)),
    row('a second', (sum(done) / seconds).toFixed(1)),
    '',
    row('heap / resident, first (MB)', at(samples[0])),
    row('after the warm-up', at(samples.find((sample) => sample.at >= warmUp(seconds)))),
    row('last', at(samples.at(-1))),
    row('heap, MB a minute', verdict.heapMegabytesPerMinute.toFixed(3)),
    row('resident, MB a minute', verdict.residentMegabytesPerMinute.toFixed(3)),
    row('exit code', String(exitCode)),
    row('unexpected', unexpected.length),
    ...unexpected.map((text) => `    ${text}`),
    ...verdict.faults.map((text) => `  NOT FLAT: ${text}`),
    '',
  ].join('\n');
}

if (import.meta.main) {
  const seconds = Number(process.env.GATEHOUSE_SOAK_SECONDS ?? 1200);
  if (!(seconds >= 5 && seconds <= 7 * 86_400)) throw new Error('GATEHOUSE_SOAK_SECONDS is a number from 5 to 604800');
  const report = await soak({
    seconds,
    onSample: ({ at, heapMegabytes, residentMegabytes }, all) =>
      process.stdout.write(
        `${at.toFixed(0).padStart(6)} s  heap ${heapMegabytes.toFixed(1).padStart(6)} MB  resident ${residentMegabytes.toFixed(0).padStart(4)} MB  ${all} done\n`,
      ),
  });
  process.stdout.write(`${summary(report)}\n`);
  process.exitCode = report.unexpected.length + report.verdict.faults.length > 0 ? 1 : 0;
}
