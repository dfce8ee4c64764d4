/** A target that is looked after: away after two bad looks, back after one good one, and nobody waits for it in between (REL-01). */
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { certificate, startOrigin } from '../../auth/test/net/servers.ts';
import { healthCheck } from '../src/proxy/health-check.ts';
import { openTarget, type TargetHealthCheck, type TargetOptions } from '../src/proxy/target.ts';
import { startForwarding } from './forwarding.ts';
import { freePort } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const cleanUp: Array<() => Promise<unknown> | unknown> = [];
let target: Target;
beforeEach(async () => {
  target = await startTarget();
});
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
  await target.close().catch(() => {});
});

/** Looked at only when the test says so, after the first look at the start. */
const never = { everySeconds: 3600 };

function opened(options: TargetOptions) {
  const told: Array<readonly [state: string, cause: string | undefined]> = [];
  const onChange: TargetHealthCheck['onChange'] = (state, cause) =>
    told.push([state, cause === undefined ? undefined : String(cause)]);
  const made = openTarget({ ...options, healthCheck: { ...never, ...options.healthCheck, onChange } });
  cleanUp.push(() => made.close());
  if (!made.health) throw new Error('there is no check');
  return { made, health: made.health, told };
}

it('500 twice is away, any other answer is not, and one good look brings it back', async () => {
  let status = 404;
  const seen: string[] = [];
  target.answer = (req, res) => {
    seen.push(`${req.method} ${req.url} ${req.headers['x-api-key']}`);
    res.writeHead(status).end();
  };
  const headers = { 'X-Api-Key': 'k' };
  const { health, told } = opened({ url: `${target.url}/mcp`, headers, healthCheck: { ...never, path: '/up' } });
  for (status of [200, 301, 401, 404, 499]) expect(await health.look()).toBe('ok');
  status = 503;
  expect([await health.look(), await health.look(), await health.look()]).toEqual(['ok', 'away', 'away']);
  expect(told).toEqual([['away', expect.stringContaining('503')]]);
  status = 200;
  expect(await health.look()).toBe('ok');
  status = 500;
  // The count begins anew.
  expect([await health.look(), health.state()]).toEqual(['ok', 'ok']);
  expect(told.map(([state]) => state)).toEqual(['away', 'ok']);
  expect(new Set(seen)).toEqual(new Set(['GET /up k']));
});

it('an answer without an end is one, and its connection is let go', async () => {
  target.answer = (_, res) => void res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  const { health } = opened({ url: target.url, healthCheck: { ...never, path: '/' } });
  expect(await health.look()).toBe('ok');
  expect(await health.look()).toBe('ok');
  await target.untilDeserted();
});

it('without a path, a connection is enough, and no request is sent', async () => {
  const { health, told } = opened({ url: target.url });
  expect(await health.look()).toBe('ok');
  expect(target.requests).toBe(0);
  await target.close();
  expect([await health.look(), await health.look()]).toEqual(['ok', 'away']);
  expect(told).toEqual([['away', expect.stringContaining('ECONNREFUSED')]]);
});

it('over TLS a connection that is not believed is none', async () => {
  const own = certificate('127.0.0.1');
  const origin = await startOrigin(own);
  cleanUp.push(() => origin.close());
  const url = `https://127.0.0.1:${origin.port}/`;
  const believed = opened({ url, tls: { ca: own.cert } });
  expect([await believed.health.look(), await believed.health.look()]).toEqual(['ok', 'ok']);
  const doubted = opened({ url });
  await doubted.health.look();
  expect(await doubted.health.look()).toBe('away');
});

it('while it is away nobody waits for it: refused at once, and asked again when it is back', async () => {
  const port = await freePort();
  const { made, health } = opened({ url: `http://127.0.0.1:${port}/mcp` });
  const forwarding = await startForwarding(made);
  cleanUp.push(() => forwarding.close());
  // Not known to be away yet: it is tried.
  const post = message('POST /', [['Content-Length', '2']], '{}');
  await health.look();
  if (health.state() === 'ok') expect((await ask(forwarding.port, post)).body.toString()).toBe('unreachable');
  await health.look();
  expect(health.state()).toBe('away');
  expect((await ask(forwarding.port, post)).body.toString()).toBe('away');
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  expect(await health.look()).toBe('ok');
  expect((await ask(forwarding.port, post)).status).toBe(200);
});

it('looks again and again by itself, one at a time, and stops when it is told', async () => {
  let underway = 0;
  let most = 0;
  let looks = 0;
  const answers: Array<() => void> = [];
  const probe = () => {
    underway += 1;
    looks += 1;
    most = Math.max(most, underway);
    return new Promise<void>((resolve) => {
      answers.push(() => {
        underway -= 1;
        resolve();
      });
    });
  };
  const health = healthCheck({ probe, everySeconds: 0.01, onChange: () => {} });
  cleanUp.push(() => health.stop());
  // Asked for while one is under way: it is joined.
  const joined = [health.look(), health.look()];
  await expect.poll(() => answers.length).toBe(1);
  answers.shift()?.();
  expect(await Promise.all(joined)).toEqual(['ok', 'ok']);
  await expect.poll(() => answers.length).toBe(1);
  expect([looks, most]).toEqual([2, 1]);
  health.stop();
  answers.shift()?.();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(looks).toBe(2);
});

it('what a look says after the end is told to nobody', async () => {
  let fail = (_: Error) => {};
  const told: string[] = [];
  const probe = () =>
    new Promise<void>((_, reject) => {
      fail = reject;
    });
  const health = healthCheck({ probe, everySeconds: 3600, onChange: (state) => void told.push(state) });
  fail(new Error('1'));
  await health.look();
  const last = health.look();
  health.stop();
  fail(new Error('2'));
  expect([await last, told]).toEqual(['ok', []]);
});
