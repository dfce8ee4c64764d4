/**
 * A million schedules of clients, instances and a store that delays, breaks and forgets its answers: no code is redeemed
 * twice, no chain forks, nothing outlives its revocation, nobody's good token is called bad (SEC-02, SEC-16, REL-02, REL-05).
 */
import { describe, expect, it } from 'vitest';
import { randomChooser, repeatingChooser } from './chooser.ts';
import { addFigures, describeFinding, explore, type Figures } from './explore.ts';
import { run } from './run.ts';
import { scenarioByChance, smallScenes } from './scenario.ts';
import { chanceJobs, sceneJobs, settings } from './settings.ts';
import type { Flaw } from './store.ts';
import { exploreInThreads } from './threads.ts';
import { wholeStage } from './whole-stage.ts';

const { seed, schedules, threads } = settings();

function tell(what: string, figures: Figures, since: number): void {
  const seconds = (performance.now() - since) / 1000;
  const { operations, faults, deaths, endStates } = figures;
  console.log(
    `${what}: ${figures.schedules} schedules (${Math.round(figures.schedules / seconds)} a second), ${operations} operations, ` +
      `${faults} faults, ${deaths} deaths, ${endStates.size} end states`,
  );
}

describe('the simulator', () => {
  it('plays the same run for the same seed, and another one for another', async () => {
    const play = async (lane: number, by = randomChooser(7, lane, 0.1)) =>
      run(scenarioByChance(7, lane), by, { tracing: true });
    const traces = new Set<string>();
    for (let lane = 0; lane < 200; lane++) {
      const [first, second] = [await play(lane), await play(lane)];
      expect(second).toEqual(first);
      // The choices alone are enough, whatever made them.
      expect(await play(lane, repeatingChooser(first.choices))).toEqual(first);
      traces.add(first.trace.join('\n'));
    }
    // A few small ones may well be alike.
    expect(traces.size).toBeGreaterThan(190);
  });

  it('owns the timers only while it runs', async () => {
    const { setTimeout, clearTimeout } = globalThis;
    const { random } = Math;
    await explore({ kind: 'chance', seed: 3, from: 0, until: 20 });
    expect([globalThis.setTimeout, globalThis.clearTimeout, Math.random]).toEqual([setTimeout, clearTimeout, random]);
  });

  // Each breaks one sentence of the records contract, and each must come out as what it does to people.
  const flaws: ReadonlyArray<readonly [flaw: Flaw, rule: RegExp]> = [
    ['replace-ignores-version', /code-redeemed-twice|stale-token-accepted|usable-after/],
    ['reads-are-old', /acknowledged-token-unknown/],
    ['forgets-writes', /acknowledged-token-unknown/],
    ['absent-on-fault', /acknowledged-token-unknown/],
  ];

  it.each(flaws)('sees that a database is broken: %s', { timeout: 60_000 }, async (flaw, rule) => {
    const { finding } = await explore({ kind: 'chance', seed, from: 0, until: 5000 }, { flaw });
    expect(finding?.words.join('\n')).toMatch(rule);
    // Found, and told in few steps.
    expect(finding?.trace.length).toBeLessThan(80);
  });

  it('finds two successes of one code where writes do not look at versions', async () => {
    const scene = smallScenes.findIndex(({ name }) => name === 'three redeem');
    const { finding } = await explore({ kind: 'scene', scene, atMost: 5000 }, { flaw: 'replace-ignores-version' });
    expect(finding?.words.join('\n')).toContain('code-redeemed-twice');
  });
});

describe(`${schedules} schedules from seed ${seed}`, () => {
  it('in every order: small scenes with faults at every place, and then by chance', { timeout: 900_000 }, async () => {
    const since = performance.now();
    const scenes = await exploreInThreads(sceneJobs(schedules), threads);
    const inOrder = addFigures(scenes);
    tell(
      `${scenes.filter(({ complete }) => complete).length} of ${scenes.length} scenes in every order`,
      inOrder,
      since,
    );
    expect(inOrder.finding && describeFinding(inOrder.finding)).toBeUndefined();

    const begun = performance.now();
    const left = Math.max(0, schedules - inOrder.schedules);
    const byChance = addFigures(await exploreInThreads(chanceJobs(seed, left), threads));
    tell('by chance', byChance, begun);
    expect(byChance.finding && describeFinding(byChance.finding)).toBeUndefined();
    expect(inOrder.schedules + byChance.schedules).toBeGreaterThanOrEqual(schedules);
  });

  it('of whole Gatehouses, a thousandth as many: pages, endpoints, guards and signatures', {
    timeout: 900_000,
  }, async () => {
    const since = performance.now();
    const until = Math.ceil(schedules / 1000);
    const figures = await explore({ kind: 'chance', seed, from: 0, until }, { stage: wholeStage });
    tell('whole', figures, since);
    expect(figures.finding && describeFinding(figures.finding)).toBeUndefined();
    expect(figures.schedules).toBe(until);
  });

  it('of whole Gatehouses on a database that does not look at versions: seen', { timeout: 120_000 }, async () => {
    const job = { kind: 'chance', seed, from: 0, until: 300 } as const;
    const { finding } = await explore(job, { stage: wholeStage, flaw: 'replace-ignores-version' });
    expect(finding?.words.length).toBeGreaterThan(0);
  });
});
