/** SIGTERM at a real process: nothing in flight is lost, streams are ended and not cut, load balancers know first (REL-04). */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConfigInput } from '../src/serve.ts';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts';
import { type SignedIn, signIn } from './harness.ts';
import { begin } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

let target: Target;
let gateway: GatewayProcess;
let person: SignedIn;

beforeEach(async () => {
  target = await startTarget();
});
afterEach(async () => {
  await gateway.close();
  await target.close();
});

async function start(listen: ConfigInput['listen'] = {}): Promise<void> {
  gateway = await startGatewayProcess([{ path: '/mcp', target: `${target.url}/mcp` }], () => ({
    listen,
    limits: { callsPerCaller: 500 },
  }));
  person = await signIn(gateway);
}

/** A request that the target has and does not answer yet. */
async function hold(method: string, agent?: Agent) {
  const arrived = target.arrival();
  const { req, answer } = begin(gateway.port, {
    method,
    path: '/mcp',
    headers: person.authorization,
    ...(agent && { agent }),
  });
  req.end(method === 'POST' ? '{}' : undefined);
  const { res } = await arrived;
  return { answer, res };
}

async function untilRefused(): Promise<void> {
  for (;;) {
    const socket = connect(gateway.port, '127.0.0.1');
    const refused = await once(socket, 'connect').then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
    );
    socket.destroy();
    if (refused) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

it('two hundred requests in flight across SIGTERM all get their answer, whole', async () => {
  await start();
  const held = [];
  for (let at = 0; at < 200; at++) held.push(await hold('POST'));
  // Half have begun to be answered, on connections that could not yet be told to end.
  for (const { res } of held.slice(100)) res.writeHead(200, { 'content-type': 'application/json' }).write('{"whole":');
  await Promise.all(held.slice(100).map(({ answer }) => answer));
  const ended = gateway.command.stop();
  await untilRefused();
  for (const [at, { res }] of held.entries()) res.end(at < 100 ? '{"whole":true}' : 'true}');
  const answers = await Promise.all(held.map(({ answer }) => answer));
  const bodies = await Promise.all(answers.map(bodyOf));
  expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  expect(new Set(bodies.map(String))).toEqual(new Set(['{"whole":true}']));
  // Who had no head yet was told that the connection ends with the answer.
  expect(answers.slice(0, 100).every(({ headers }) => headers.connection === 'close')).toBe(true);
  expect((await ended).code).toBe(0);
});

it('a stream that only listens ends at once, and a call answered as events still gets its result', async () => {
  await start();
  const events = { 'content-type': 'text/event-stream' };
  const listening = await hold('GET');
  listening.res.writeHead(200, events).write('data: heard\n\n');
  const call = await hold('POST');
  call.res.writeHead(200, events).write('data: progress\n\n');
  const [stream, called] = await Promise.all([listening.answer, call.answer]);
  const ended = gateway.command.stop();
  expect(String(await bodyOf(stream))).toBe('data: heard\n\n');
  expect(stream.complete).toBe(true);
  call.res.end('data: result\n\n');
  expect(String(await bodyOf(called))).toBe('data: progress\n\ndata: result\n\n');
  expect(called.complete).toBe(true);
  expect((await ended).code).toBe(0);
});

it('what never ends is ended in order just before the time is over, and what never answers is cut', async () => {
  await start({ drainSeconds: 2 });
  const endless = await hold('POST');
  endless.res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  const mute = await hold('POST');
  const stream: IncomingMessage = await endless.answer;
  const ended = gateway.command.stop();
  expect(String(await bodyOf(stream))).toBe('data: 1\n\n');
  expect(stream.complete).toBe(true);
  await expect(mute.answer).rejects.toThrow();
  expect((await ended).code).toBe(0);
});

it('with a delay it is not ready first, lives, still answers, and lets go of connections it keeps', async () => {
  await start({ drainDelaySeconds: 3 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = async (path: string) => {
    const req = request({ agent, port: gateway.port, path }).end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    return { res, body: String(await bodyOf(res)), reused: req.reusedSocket };
  };
  expect((await get('/readyz')).res.statusCode).toBe(200);
  expect((await get('/readyz')).reused).toBe(true);
  const ended = gateway.command.stop();
  let ready = await get('/readyz');
  while (ready.res.statusCode === 200) ready = await get('/readyz');
  expect(ready.res.statusCode).toBe(503);
  expect(JSON.parse(ready.body)).toEqual({ status: 'draining' });
  expect(ready.res.headers.connection).toBe('close');
  const alive = await get('/healthz');
  expect([alive.res.statusCode, alive.reused]).toEqual([200, false]);
  const refreshed = await fetch(`${gateway.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: person.clientId,
      refresh_token: person.refreshToken,
    }),
  });
  expect(refreshed.status).toBe(200);
  await untilRefused();
  expect((await ended).code).toBe(0);
  agent.destroy();
});
