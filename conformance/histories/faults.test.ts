/**
 * What many clients see at three instances while everything breaks that can break is what one grant could have answered
 * (SEC-02, SEC-16, REL-02). `GATEHOUSE_OPERATIONS` of each history, 2,000 unless set; `GATEHOUSE_SEED` for the choices.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chosenDatabases } from '../harness/databases.ts';
import { startInstances } from '../instances/instances.ts';
import { check, documentedPromises } from './checker.ts';
import { runClients } from './clients.ts';
import { clockStepSeconds, startInjector } from './injector.ts';
import { chance } from './random.ts';
import { startRecorder } from './recorder.ts';

const operations = Number(process.env.GATEHOUSE_OPERATIONS ?? 2000);
/** Between two faults; a long history has more of it, or it would be one long outage. */
const calmMs = operations > 10_000 ? 3000 : 50;
const seed = process.env.GATEHOUSE_SEED === undefined ? undefined : Number(process.env.GATEHOUSE_SEED);

describe.each(chosenDatabases())('on %s', (type) => {
  it(`${operations} operations among faults break no promise`, { timeout: 120_000 + operations * 60 }, async () => {
    const dice = chance(seed);
    const instances = await startInstances({
      type,
      faults: true,
      // Due all the time, so that what happens to the identity provider happens to refreshes.
      config: { lifetimes: { identityCheckSeconds: 5 } },
    });
    try {
      const { issuer, resource, provider } = instances;
      const recorder = startRecorder({ issuer, resource, signInOrigin: provider.issuer });
      const people = Array.from({ length: 20 }, (_, n) => `person-${n}`);
      provider.nextPerson = () => dice.pick(people) ?? 'person';
      const injector = startInjector(instances, recorder, dice, calmMs);
      const begun = performance.now();
      await runClients({
        recorder,
        chance: dice,
        workers: 8,
        // Everything went wrong that can, however fast the machine is.
        enough: () => recorder.history.operations.length >= operations && injector.rounds() > 0,
        beforeLast: () => injector.stop(),
      });
      const { history } = recorder;
      const violations = check(history, { ...documentedPromises, skewSeconds: clockStepSeconds + 5 });
      report(type, dice.seed, history.operations, injector.made, (performance.now() - begun) / 1000);
      if (violations.length > 0) {
        const file = join(mkdtempSync(join(tmpdir(), 'history-')), 'history.json');
        writeFileSync(file, JSON.stringify(history));
        process.stdout.write(`${type}: the history is in ${file}\n`);
      }
      expect(violations.map(({ rule, words }) => `${rule}: ${words}`)).toEqual([]);
      expect(history.operations.length).toBeGreaterThanOrEqual(operations);
      // And things went well all the same.
      for (const kind of ['sign-in', 'redeem', 'refresh', 'revoke', 'call']) {
        const succeeded = history.operations.filter((one) => one.kind === kind && one.status === 200).length;
        expect([kind, succeeded > operations / 200]).toEqual([kind, true]);
      }
    } finally {
      await instances.close();
    }
  });
});

function report(
  type: string,
  seedUsed: number,
  all: ReadonlyArray<{ kind: string; status?: number }>,
  faults: object,
  seconds: number,
): void {
  const count = new Map<string, number>();
  for (const { kind, status } of all) {
    const key = `${kind} ${status ?? 'unanswered'}`;
    count.set(key, (count.get(key) ?? 0) + 1);
  }
  const outcomes = JSON.stringify(Object.fromEntries([...count].sort()));
  process.stdout.write(
    `${type}: ${all.length} operations in ${seconds.toFixed(0)} s, seed ${seedUsed}\n  ${outcomes}\n  ${JSON.stringify(faults)}\n`,
  );
}
