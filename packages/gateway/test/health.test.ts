/** `/healthz` and `/readyz`: what load balancers are told, what a flood of probes costs, and that it heals (REL-02, REL-04). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReadinessOptions, readiness } from '../src/health.ts';
import { startGateway, type TestGateway } from './harness.ts';

/** A readiness whose one part the test holds in its hand. */
function partInHand(options: Partial<ReadinessOptions> = {}) {
  const asked: Array<{ ok(): void; fail(cause: Error): void }> = [];
  const news: string[] = [];
  let milliseconds = 0;
  const made = readiness({
    checks: {
      records: () => new Promise<void>((ok, fail) => asked.push({ ok, fail })),
    },
    clock: () => milliseconds,
    onChange: (part, state) => news.push(`${part} ${state}`),
    ...options,
  });
  return {
    ...made,
    asked,
    news,
    later: (by: number) => {
      milliseconds += by;
    },
  };
}

describe('readiness', () => {
  it('five hundred probes at once, and those of the next second, cost one read', async () => {
    const part = partInHand();
    const answers = Promise.all(Array.from({ length: 500 }, () => part.answer()));
    part.asked[0]?.ok();
    expect(new Set((await answers).map(({ status }) => status))).toEqual(new Set([200]));
    part.later(999);
    expect((await part.answer()).body).toBe('{"status":"ok","records":"ok"}');
    expect(part.asked).toHaveLength(1);
    part.later(1);
    const again = part.answer();
    expect(part.asked).toHaveLength(2);
    part.asked[1]?.ok();
    await again;
  });

  it('says which part is away in one word, never why, and heals by itself', async () => {
    const part = partInHand();
    const bad = part.answer();
    part.asked[0]?.fail(new Error('password authentication failed for user "gatehouse"'));
    const { status, headers, body } = await bad;
    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 503,
      body: { status: 'unavailable', records: 'away' },
    });
    expect(headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' });
    part.later(1000);
    const good = part.answer();
    part.asked[1]?.ok();
    expect((await good).status).toBe(200);
    // Each change is told once, and that all is well at the start is no change.
    expect(part.news).toEqual(['records away', 'records ok']);
  });

  it('a read that hangs is away when the patience is over, and is not begun again beside itself', async () => {
    const part = partInHand({ patienceMs: 10 });
    expect((await part.answer()).status).toBe(503);
    part.later(1000);
    expect((await part.answer()).status).toBe(503);
    expect(part.asked).toHaveLength(1);
    part.asked[0]?.ok();
    part.later(1000);
    const after = part.answer();
    await new Promise(setImmediate);
    part.asked[1]?.ok();
    expect((await after).status).toBe(200);
  });

  it('a check that throws at once is away and nothing worse', async () => {
    const made = readiness({
      checks: {
        keys: () => {
          throw new Error('at once');
        },
      },
    });
    expect((await made.answer()).body).toBe('{"status":"unavailable","keys":"away"}');
  });

  it('once the end has begun it is not ready, also for who asked before', async () => {
    const part = partInHand();
    const before = part.answer();
    part.drain();
    part.asked[0]?.ok();
    expect((await before).body).toBe('{"status":"draining"}');
    expect((await part.answer()).status).toBe(503);
    expect(part.asked).toHaveLength(1);
  });
});

describe('at a gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway([{ path: '/mcp', target: 'http://127.0.0.1:1/mcp' }]);
  });
  afterAll(() => gateway.close());

  it('both are answered whatever the host is called, by GET and HEAD alone', async () => {
    const ready = await fetch(gateway.url('/readyz').replace('localhost', '127.0.0.1'));
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'ok', records: 'ok', keys: 'ok' });
    expect(await (await fetch(gateway.url('/healthz'))).json()).toEqual({ status: 'ok' });
    for (const path of ['/healthz', '/readyz']) {
      expect((await fetch(gateway.url(path), { method: 'HEAD' })).status).toBe(200);
      const wrong = await fetch(gateway.url(path), { method: 'POST' });
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });
});
