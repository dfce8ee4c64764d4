/** Whoever is to come again is told when (RFC 9110 §10.2.3): where the identity provider is away, where a command has no place left, and where the target itself said so. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ResourceInput } from './harness.ts';
import { type Person, type SettingsGateway, startSettingsGateway, type Tokens } from './settings-gateway.ts';
import { startTarget, type Target } from './target.ts';

const script = fileURLToPath(new URL('stdio/scripted-server.ts', import.meta.url));
/** Seconds that the gateway is ahead of the pool. */
let ahead = 0;
let target: Target;
let gateway: SettingsGateway;
const tokens = new Map<string, Tokens>();

beforeAll(async () => {
  target = await startTarget();
  const command = { command: process.execPath, args: [script], maxProcesses: 1 };
  const resources: ResourceInput[] = [
    { path: '/provider', target: `${target.url}/provider`, identity: 'providerToken' },
    { path: '/command', target: command },
    { path: '/busy', target: { url: `${target.url}/busy`, connections: 1, connectSeconds: 1 } },
    { path: '/plain', target: `${target.url}/plain` },
  ];
  const settings = { resources, lifetimes: { accessTokenSeconds: 7200 } };
  const now = () => Math.floor(Date.now() / 1000) + ahead;
  gateway = await startSettingsGateway(() => settings, now);
  for (const { path } of resources)
    for (const person of ['ada', 'bob'] as const)
      tokens.set(`${path} ${person}`, await gateway.tokens(gateway.issuer + path, person));
});
afterAll(async () => {
  await gateway?.close();
  await target?.close();
});
beforeEach(() => {
  target.seen.length = 0;
});

const origin = 'http://localhost:6274';
const post = (path: string, person: Person, body: object = { jsonrpc: '2.0', id: 1, method: 'ping' }) =>
  fetch(gateway.issuer + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens.get(`${path} ${person}`)?.accessToken}`,
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream', origin },
    },
    body: JSON.stringify(body),
  });

/** A page may read it too. */
function expectComeAgain(answer: Response, status: number, seconds: number): void {
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, String(seconds)]);
  expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
  expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
}

it('where the target itself says when, that is what the client hears', async () => {
  for (const [status, seconds] of [
    [503, 17],
    [429, 3],
  ] as const) {
    const arrived = target.arrival();
    const answer = post('/plain', 'ada');
    (await arrived).res.writeHead(status, { 'retry-after': String(seconds) }).end();
    expectComeAgain(await answer, status, seconds);
  }
});

it('where every connection to it is taken', async () => {
  const arrived = target.arrival();
  const held = post('/busy', 'ada');
  const { res } = await arrived;
  const refused = await post('/busy', 'bob');
  expectComeAgain(refused, 503, 2);
  expect(await refused.json()).toMatchObject({ error: 'target_busy' });
  res.end('{}');
  expect((await held).status).toBe(200);
});

it('where a command has no place for one more process', async () => {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params };
  const first = await post('/command', 'ada', initialize);
  expect(first.status).toBe(200);
  await first.body?.cancel();
  expectComeAgain(await post('/command', 'bob', initialize), 503, 5);
});

it('where the identity provider is away as its token has ended: no target is asked without it', async () => {
  expect((await post('/provider', 'ada')).status).toBe(200);
  await gateway.losePool();
  expect((await post('/provider', 'ada')).status, 'until its token ends').toBe(200);
  ahead = 3700;
  target.seen.length = 0;
  const refused = await post('/provider', 'ada');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expectComeAgain(refused, 503, Number(refused.headers.get('retry-after')));
  expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' });
  expect(target.seen).toEqual([]);
  // Nobody loses their access by it, and who needs no token of the provider’s notices nothing.
  expect((await post('/plain', 'ada')).status).toBe(200);
});
