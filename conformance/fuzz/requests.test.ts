/**
 * A hundred thousand refused requests to every endpoint of a gateway: no fault, no hang, the right form, nobody sent
 * anywhere, nothing told, nothing kept. The seed is printed; GATEHOUSE_FUZZ_SEED repeats a run, GATEHOUSE_FUZZ_REQUESTS
 * makes it longer.
 */
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refresh } from '../harness/client.ts';
import { type FuzzedGateway, startFuzzedGateway } from './gateway.ts';
import { type Judge, judgeOf } from './judge.ts';
import { random } from './random.ts';
import { endpoints, type Fuzzed, requestsFor } from './requests.ts';
import { type Scene, setScene } from './scene.ts';
import { bytesOf, wire } from './wire.ts';

const seed = Number(process.env.GATEHOUSE_FUZZ_SEED ?? randomInt(2 ** 31));
const wanted = Number(process.env.GATEHOUSE_FUZZ_REQUESTS ?? 100_000);
const lanes = 24;
/** An answer that takes this long has hung: a refusal takes a millisecond. */
const limitMs = 15_000;
const maxResidentMegabytes = 400;

let gateway: FuzzedGateway;
let scene: Scene;
let judge: Judge;

beforeAll(async () => {
  console.log(`GATEHOUSE_FUZZ_SEED=${seed}`);
  gateway = await startFuzzedGateway();
  scene = await setScene(gateway);
  judge = judgeOf(scene, gateway.signInOrigin);
});

afterAll(() => gateway?.close());

const statusOfCall = async (accessToken: string) => {
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
  const response = await fetch(scene.resource, { method: 'POST', headers, body: '{}' });
  await response.text();
  return response.status;
};

describe('malformed requests', () => {
  const refusals = new Map<string, number>();
  const flaws: string[] = [];
  let slowestMs = 0;

  /** One lane asks on one connection after the other, until all of them together have been refused often enough. */
  async function drive(lane: number, goOn: () => boolean): Promise<void> {
    const chance = random(seed, lane);
    const next = requestsFor(scene);
    const line = wire(gateway.port, limitMs);
    for (let number = 1; goOn(); number++) {
      const fuzzed = next(chance);
      const found = await line.ask(fuzzed.sent).then(
        (answer) => {
          slowestMs = Math.max(slowestMs, answer.ms);
          if (answer.status >= 400) refusals.set(fuzzed.endpoint, (refusals.get(fuzzed.endpoint) ?? 0) + 1);
          const flaw = judge(fuzzed, answer);
          return flaw && `${flaw}: ${answer.status} ${answer.body.slice(0, 200)}`;
        },
        (error: Error) => error.message,
      );
      if (found !== undefined) flaws.push(`seed ${seed}, lane ${lane}, request ${number}: ${found}\n${shown(fuzzed)}`);
    }
    line.close();
  }

  function shown({ sent }: Fuzzed): string {
    return bytesOf(sent).toString('latin1').slice(0, 1500);
  }

  it(`${wanted} of them are refused as they should be`, { timeout: 300_000 }, async () => {
    const started = performance.now();
    const refused = () => [...refusals.values()].reduce((sum, one) => sum + one, 0);
    const goOn = () => refused() < wanted && flaws.length < 10 && gateway.alive();
    await Promise.all(Array.from({ length: lanes }, (_, lane) => drive(lane, goOn)));
    console.log(
      `${refused()} refused in ${Math.round(performance.now() - started)} ms, slowest ${Math.round(slowestMs)} ms, ` +
        `${Math.round(gateway.residentMegabytes())} MB`,
    );
    expect(flaws).toEqual([]);
    expect(refused()).toBeGreaterThanOrEqual(wanted);
  });

  it('every endpoint had its share', () => {
    for (const { name } of endpoints(scene))
      expect([name, (refusals.get(name) ?? 0) > wanted / 100]).toEqual([name, true]);
  });
});

describe('afterwards', () => {
  it('the process lives, in the memory it had, and says it is well', async () => {
    expect(gateway.alive()).toBe(true);
    expect(gateway.residentMegabytes()).toBeLessThan(maxResidentMegabytes);
    const response = await fetch(`${gateway.issuer}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('somebody else’s grant is what it was', async () => {
    const { clientId, tokens } = scene.victim;
    expect(await statusOfCall(tokens.access_token)).toBe(200);
    expect((await refresh(gateway.issuer, clientId, tokens.refresh_token)).status).toBe(200);
  });

  it('the target saw nothing that it should not', () => {
    expect(gateway.trespasses).toEqual([]);
  });

  it('the log tells of no fault, and no secret', () => {
    const log = gateway.log();
    expect(log.split('"event":"http.request"').length).toBeGreaterThan(wanted);
    expect(gateway.faults()).toEqual([]);
    const secrets = [
      ...scene.foreignSecrets,
      ...Object.values(scene.kept).filter((value): value is string => typeof value === 'string' && value.length > 16),
      ...Object.values(scene.spent.tokens).filter(
        (value): value is string => typeof value === 'string' && value.length > 16,
      ),
      scene.spent.code,
      scene.confidential.secret,
    ];
    expect(secrets.filter((secret) => log.includes(secret))).toEqual([]);
  });
});
