/**
 * `kill -9` in the middle of everything loses nothing that was acknowledged: who was told that they have a grant can
 * refresh it afterwards, and who was told that a grant is over finds it over. `GATEHOUSE_KILLS` rounds, 15 unless set;
 * every tenth the database itself crashes, where there is a server of it.
 */
import { describe, expect, it } from 'vitest';
import { chosenDatabases } from '../harness/databases.ts';
import { type Instances, startInstances } from './instances.ts';
import { askRedeem, askRefresh, askRevoke, inParallel, persistentCode } from './load.ts';

const rounds = Number(process.env.GATEHOUSE_KILLS ?? 15);
const workers = 4;
/** Of the grants of the latest rounds, so many are used on and on, through kill after kill. */
const held = 60;

interface Held {
  readonly clientId: string;
  /** The latest refresh token that was acknowledged. */
  refreshToken: string;
  over: boolean;
  busy: boolean;
}

async function killedUnderLoad(instances: Instances) {
  const { issuer, all, database } = instances;
  const grants: Held[] = [];
  const lost: string[] = [];
  const counts = { grants: 0, refreshes: 0, revocations: 0, unknown: 0, away: 0, kills: 0, crashes: 0 };
  let ending = false;

  async function newGrant(): Promise<void> {
    const authorized = await persistentCode(instances, () => ending);
    if (!authorized) return;
    const { status, body } = await askRedeem(issuer, authorized);
    if (status === 'unknown') counts.unknown += 1;
    if (status !== 200) {
      // Nobody has seen this code before: it is good, or nobody can say.
      if (status === 400) lost.push(`a code was refused: ${body.error}`);
      return;
    }
    counts.grants += 1;
    const { refresh_token: refreshToken = '' } = body;
    grants.push({ clientId: authorized.clientId, refreshToken, over: false, busy: false });
  }

  /** Until there is an answer: what is not known is asked again with the same token, as clients do. */
  async function refreshed(grant: Held): Promise<void> {
    for (;;) {
      const { status, body } = await askRefresh(issuer, grant.clientId, grant.refreshToken);
      if (status === 200) {
        if (grant.over) lost.push('a grant that was revoked is refreshed');
        counts.refreshes += 1;
        grant.refreshToken = body.refresh_token ?? '';
        return;
      }
      if (status !== 'unknown' && status < 500) {
        if (!grant.over) lost.push(`an acknowledged grant is refused: ${status} ${body.error}`);
        grant.over = true;
        return;
      }
      counts[status === 'unknown' ? 'unknown' : 'away'] += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async function revoked(grant: Held): Promise<void> {
    const { status } = await askRevoke(issuer, grant.clientId, grant.refreshToken);
    // Without an answer it may be over or not, and nobody was promised anything.
    if (status !== 200) return void grants.splice(grants.indexOf(grant), 1);
    counts.revocations += 1;
    grant.over = true;
  }

  async function work(): Promise<void> {
    while (!ending) {
      const free = grants.slice(-held).filter(({ busy }) => !busy);
      const one = free[Math.floor(Math.random() * free.length)];
      if (!one || Math.random() < 0.25) await newGrant();
      else {
        one.busy = true;
        if (!one.over && Math.random() < 0.1) await revoked(one);
        else await refreshed(one);
        one.busy = false;
      }
    }
  }

  const load = Promise.all(Array.from({ length: workers }, work));
  const died = load.then(
    () => undefined,
    (error: unknown) => error,
  );
  // The others go on while one comes back; it is up again before its own next turn.
  const restarts: Array<Promise<void>> = [];
  for (let round = 0; round < rounds; round++) {
    const before = counts.refreshes;
    const turn = round % all.length;
    await restarts[turn];
    const instance = all[turn];
    // Somewhere in the work, not always at the same place of it.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
    if (round % 10 === 9 && database.port !== undefined) {
      await database.crash();
      counts.crashes += 1;
      await database.start();
    } else {
      await instance?.kill();
      counts.kills += 1;
      if (instance) restarts[turn] = instance.start();
    }
    while (counts.refreshes < before + 5 && lost.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (lost.length > 0) break;
  }
  await Promise.all(restarts);
  ending = true;
  expect(await died).toBeUndefined();

  // And everything that was ever acknowledged, once more.
  await inParallel(grants.length, workers, async (index) => refreshed(grants[index] as Held));
  return { lost, counts };
}

describe.each(chosenDatabases())('on %s', (type) => {
  it(`${rounds} kills lose nothing that was acknowledged`, { timeout: 60_000 + rounds * 10_000 }, async () => {
    const instances = await startInstances({ type });
    try {
      const { lost, counts } = await killedUnderLoad(instances);
      process.stdout.write(`${type}: ${JSON.stringify(counts)}\n`);
      expect(lost).toEqual([]);
      expect(counts.kills + counts.crashes).toBe(rounds);
      expect(counts.grants).toBeGreaterThan(0);
      expect(instances.log()).not.toMatch(/"status":500|ERR_UNHANDLED|uncaught/);
    } finally {
      await instances.close();
    }
  });
});
