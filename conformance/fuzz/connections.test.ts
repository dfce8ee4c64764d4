/**
 * Thousands of connections that break HTTP itself: each is answered or closed in time, none with a fault, and none of
 * them holds up the next person. The seed is printed; GATEHOUSE_FUZZ_SEED repeats a run.
 */
import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionsFor, speak } from './connections.ts';
import { type FuzzedGateway, startFuzzedGateway } from './gateway.ts';
import { random } from './random.ts';
import { type Scene, setScene } from './scene.ts';

const seed = Number(process.env.GATEHOUSE_FUZZ_SEED ?? randomInt(2 ** 31));
const wanted = Number(process.env.GATEHOUSE_FUZZ_CONNECTIONS ?? 5_000);
const lanes = 32;
const limitMs = 15_000;

let gateway: FuzzedGateway;
let scene: Scene;

beforeAll(async () => {
  console.log(`GATEHOUSE_FUZZ_SEED=${seed}`);
  gateway = await startFuzzedGateway();
  scene = await setScene(gateway);
});

afterAll(() => gateway?.close());

describe('connections that break HTTP', () => {
  it(`${wanted} of them are answered or closed`, { timeout: 120_000 }, async () => {
    const flaws: string[] = [];
    const statuses = new Map<number, number>();
    const drive = async (lane: number) => {
      const chance = random(seed, lane);
      const next = connectionsFor(scene);
      for (let number = 1; number <= wanted / lanes && flaws.length < 10 && gateway.alive(); number++) {
        const bytes = next(chance);
        const heard = await speak(gateway.port, bytes, limitMs);
        for (const status of heard.statuses) statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const fault = heard.fault ?? (heard.statuses.some((status) => status >= 500) ? `${heard.statuses}` : undefined);
        if (fault !== undefined) {
          flaws.push(
            `seed ${seed}, lane ${lane}, connection ${number}: ${fault}\n${bytes.toString('latin1').slice(0, 1000)}`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, lane) => drive(lane)));
    expect(flaws).toEqual([]);
    // Of many kinds, and mostly refused: what this test sends does reach the gateway.
    for (const status of [400, 401, 404, 431]) expect([status, statuses.has(status)]).toEqual([status, true]);
  });

  it('and the next person is served by a process that lives', async () => {
    expect(gateway.alive()).toBe(true);
    const response = await fetch(`${gateway.issuer}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
    const call = await fetch(scene.resource, {
      method: 'POST',
      headers: { authorization: `Bearer ${scene.victim.tokens.access_token}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(call.status).toBe(200);
    expect(gateway.trespasses).toEqual([]);
    expect(gateway.faults()).toEqual([]);
  });

  it('five hundred that say nothing more do not keep the next one out', async () => {
    const head = `POST /token HTTP/1.1\r\nhost: ${new URL(gateway.issuer).host}\r\ncontent-length: 9\r\n`;
    const idle = Array.from({ length: 500 }, (_, i) => {
      const socket = connect({ port: gateway.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write(head.slice(0, (i * 7) % head.length));
      return socket;
    });
    const response = await fetch(`${gateway.issuer}/healthz`, { signal: AbortSignal.timeout(limitMs) });
    expect(response.status).toBe(200);
    for (const socket of idle) socket.destroy();
  });
});
