/**
 * A code that sixteen redeem at the same moment at three processes is worth one answer (RFC 6749 §4.1.2), whichever
 * database they share. `GATEHOUSE_ROUNDS` on each, 40 unless set.
 */
import { describe, expect, it } from 'vitest';
import { type Authorized, authorize } from '../harness/client.ts';
import { chosenDatabases } from '../harness/databases.ts';
import { startInstances } from './instances.ts';
import { askRedeem, askRefresh, inParallel } from './load.ts';

const rounds = Number(process.env.GATEHOUSE_ROUNDS ?? 40);
const parallel = 16;
/** Codes live for a minute. */
const batch = 20;

const oneWinner = ['200', ...Array.from({ length: parallel - 1 }, () => '400 invalid_grant')].join(', ');

describe.each(chosenDatabases())('on %s', (type) => {
  it(`one of ${parallel} redeems a code, in each of ${rounds} rounds`, {
    timeout: 60_000 + rounds * 1500,
  }, async () => {
    const instances = await startInstances({ type });
    try {
      const { issuer, resource, provider, all } = instances;
      const winners = new Map<number, number>();
      const begun = performance.now();
      for (let done = 0; done < rounds; ) {
        const codes: Authorized[] = [];
        await inParallel(Math.min(batch, rounds - done), 4, async () => {
          codes.push(await authorize(issuer, resource, provider.issuer));
        });
        for (const code of codes) {
          done += 1;
          const answers = await Promise.all(
            Array.from({ length: parallel }, (_, n) => askRedeem(all[(n + done) % all.length]?.origin ?? '', code)),
          );
          const outcome = answers.map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.error}`));
          expect(`round ${done}: ${outcome.sort().join(', ')}`).toBe(`round ${done}: ${oneWinner}`);
          const won = answers.findIndex(({ status }) => status === 200);
          const winner = (won + done) % all.length;
          winners.set(winner, (winners.get(winner) ?? 0) + 1);
          // The others were replays: what the winner got is over, wherever it is tried.
          const { refresh_token: token = '' } = answers[won]?.body ?? {};
          const after = await askRefresh(issuer, code.clientId, token);
          expect([after.status, after.body.error]).toEqual([400, 'invalid_grant']);
        }
      }
      const seconds = ((performance.now() - begun) / 1000).toFixed(0);
      const shares = [...winners.values()].sort().join(' + ');
      process.stdout.write(`${type}: ${rounds} rounds of ${parallel} in ${seconds} s, one success each (${shares})\n`);
    } finally {
      await instances.close();
    }
  });
});
