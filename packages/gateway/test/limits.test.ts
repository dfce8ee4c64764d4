/** How much may be under way at once: a flood by one, or at one place, takes nothing from the others (SEC-10, REL-06). */
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpHandler, HttpReply, LogEvent } from '@mcp-gatehouse/auth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundedHandler, callsInFlight } from '../src/limits.ts';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { begin, listen, message, open } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

describe('calls in flight', () => {
  const perCaller = 5;
  const perResource = 8;
  let target: Target;
  let gateway: TestGateway;
  let [greedy, other]: [SignedIn, SignedIn] = [] as never;

  beforeAll(async () => {
    target = await startTarget();
    gateway = await startGateway(
      [
        { path: '/mcp', target: `${target.url}/mcp` },
        { path: '/second', target: `${target.url}/second` },
      ],
      { limits: { callsPerCaller: perCaller, callsPerResource: perResource } },
    );
    // One person, two clients.
    [greedy, other] = [await signIn(gateway), await signIn(gateway)];
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
  });

  const call = (who: SignedIn, headers = {}) =>
    fetch(gateway.url('/mcp'), { method: 'POST', body: '{}', headers: { ...who.authorization, ...headers } });

  /** A call that its target has and does not answer. */
  async function hold(who: SignedIn, path = '/mcp') {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { method: 'POST', path, headers: who.authorization });
    req.end('{}');
    const { res } = await arrived;
    return { req, answer, res };
  }

  type Held = { readonly answer: Promise<IncomingMessage>; readonly res: ServerResponse };
  async function letGo(held: readonly Held[]): Promise<void> {
    for (const { answer, res } of held) {
      res.end('{}');
      await bodyOf(await answer);
    }
  }

  it('a client that holds all it may is told to wait; another is served, and so is whoever signs in', async () => {
    const held = [];
    for (let at = 0; at < perCaller; at++) held.push(await hold(greedy));
    const before = target.requests;
    const refused = await call(greedy, { origin: gateway.issuer });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('access-control-allow-origin')).toBe(gateway.issuer);
    expect(await refused.json()).toMatchObject({ error: 'too_many_requests' });
    expect(target.requests).toBe(before);
    expect((await call(other)).status).toBe(200);
    const newcomer = await signIn(gateway);
    expect((await call(newcomer)).status).toBe(200);

    // One place is free again as soon as one call has ended, and no more than one.
    await letGo(held.splice(0, 1));
    held.push(await hold(greedy));
    expect((await call(greedy)).status).toBe(429);
    await letGo(held);
    expect((await call(greedy)).status).toBe(200);
  });

  it('clients that go away give their places back', async () => {
    for (let round = 0; round < 3; round++) {
      const held = [];
      for (let at = 0; at < perCaller; at++) held.push(await hold(greedy));
      const gone = held.map(({ res }) => once(res, 'close'));
      for (const { req } of held) req.destroy();
      await Promise.all(gone);
    }
    expect((await call(greedy)).status).toBe(200);
  });

  it('a resource that is full is 503 for everybody, and the others are not', async () => {
    const second = await signIn({ issuer: gateway.issuer, path: '/second' });
    const third = await signIn(gateway);
    const held = [];
    for (let at = 0; at < perCaller; at++) held.push(await hold(greedy));
    for (let at = perCaller; at < perResource; at++) held.push(await hold(other));
    const full = await call(third);
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '2']);
    await letGo([await hold(second, '/second')]);
    await letGo(held);
    expect((await call(third)).status).toBe(200);
  });
});

it('who has nothing in flight leaves no trace, and who is gone already is not counted', () => {
  const calls = callsInFlight({ callsPerCaller: 2, callsPerResource: 10_000 });
  const answer = (destroyed = false) => Object.assign(new EventEmitter(), { destroyed }) as unknown as ServerResponse;
  const answers = Array.from({ length: 1000 }, (_, at) => ({
    caller: { clientId: 'c', subject: `${at}` },
    res: answer(),
  }));
  for (const { caller, res } of answers) expect(calls.enter(caller, res)).toBeUndefined();
  expect(calls.callers).toBe(1000);
  for (const { res } of answers) res.emit('close');
  expect(calls.callers).toBe(0);
  for (let at = 0; at < 5; at++) expect(calls.enter({ clientId: 'c', subject: 's' }, answer(true))).toBeUndefined();
  expect(calls.callers).toBe(0);
});

describe('the authorization server', () => {
  /** Endpoints that answer when they are told to. */
  function slow(limits: { requestsPerEndpoint: number; requestSeconds: number }) {
    const waiting: Array<(reply: HttpReply) => void> = [];
    const events: LogEvent[] = [];
    const inner: HttpHandler = {
      owns: (path) => path === '/token' || path === '/authorize',
      handle: () => new Promise((resolve) => waiting.push(resolve)),
    };
    const handler = boundedHandler(inner, limits, (event) => events.push(event));
    const request = (path: string, accept?: string) =>
      handler.handle({ method: 'POST', path, query: '', headers: { accept }, body: Buffer.alloc(0) });
    return { request, waiting, events, handler };
  }
  const done: HttpReply = { status: 200, headers: {}, body: '' };

  it('each endpoint has places of its own, given back when the work is over', async () => {
    const { request, waiting, events } = slow({ requestsPerEndpoint: 2, requestSeconds: 60 });
    const [first, second] = [request('/authorize'), request('/authorize')];
    const refused = await request('/authorize');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2', 'access-control-allow-origin': '*' } });
    expect(JSON.parse(refused?.body ?? '')).toMatchObject({ error: 'temporarily_unavailable' });
    expect(events).toMatchObject([{ event: 'refused', path: '/authorize', reason: 'limits.in_flight' }]);
    const elsewhere = request('/token');
    expect(waiting).toHaveLength(3);
    for (const answer of waiting) answer(done);
    expect(await Promise.all([first, second, elsewhere])).toEqual([done, done, done]);
    const after = request('/authorize');
    waiting[3]?.(done);
    expect(await after).toBe(done);
  });

  it('what takes too long is answered for it, and keeps its place until it is over', async () => {
    const { request, waiting, events } = slow({ requestsPerEndpoint: 1, requestSeconds: 0.01 });
    expect(await request('/token')).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(events).toMatchObject([{ event: 'fault', path: '/token', reason: 'limits.time' }]);
    expect((await request('/token'))?.status).toBe(503);
    expect(waiting).toHaveLength(1);
    waiting[0]?.(done);
    await new Promise(setImmediate);
    const after = request('/token');
    expect(waiting).toHaveLength(2);
    waiting[1]?.(done);
    expect((await after)?.status).toBe(200);
  });

  it('a person gets a page', async () => {
    const { request } = slow({ requestsPerEndpoint: 1, requestSeconds: 0.01 });
    const reply = await request('/authorize', 'text/html,application/xhtml+xml;q=0.9');
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(String(reply?.headers['content-type'])).toContain('text/html');
    expect(reply?.body).toContain('try again');
    expect(reply?.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('is asked nothing that is not its own', async () => {
    const { handler, request } = slow({ requestsPerEndpoint: 1, requestSeconds: 60 });
    expect(handler.owns('/mcp')).toBe(false);
    expect(await request('/mcp')).toBeUndefined();
  });
});

describe('clients that take nothing', () => {
  let target: Target;
  let gateway: TestGateway;
  let person: SignedIn;
  beforeAll(async () => {
    target = await startTarget();
    gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], { limits: { stalledSeconds: 1 } });
    person = await signIn(gateway);
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
  });

  it('a reader that stopped is cut, and its target learns of it; a stream that is silent lives', async () => {
    const silentAt = target.arrival();
    const silent = begin(gateway.port, { path: '/mcp', headers: person.authorization });
    silent.req.end();
    const { res: silentTarget } = await silentAt;
    silentTarget.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    const quiet = await silent.answer;

    const stuckAt = target.arrival();
    const socket = await open(gateway.port);
    socket.write(message('GET /mcp', [['Authorization', `Bearer ${person.accessToken}`]]));
    const { res } = await stuckAt;
    const closed = once(res, 'close');
    const piece = Buffer.alloc(64 * 1024);
    res.writeHead(200, { 'content-type': 'application/octet-stream' });
    const more = () => {
      while (!res.destroyed && res.write(piece));
    };
    res.on('drain', more);
    more();
    await closed;
    socket.destroy();

    // Longer than the stalled one was given.
    silentTarget.end('data: 2\n\n');
    expect(String(await bodyOf(quiet))).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('who asks ahead without end and reads nothing is not listened to any more, and then cut', async () => {
    const socket = await open(gateway.port);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    const ask = message('GET /.well-known/oauth-authorization-server', [['Connection', 'keep-alive']]);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => ask));
    let taken = 0;
    const write = () => {
      while (!socket.destroyed && taken < 1e9 && socket.write(many)) taken += many.length;
    };
    socket.on('drain', write);
    write();
    socket.pause();
    await gone;
    // What the kernel holds of both directions, and never all that was sent.
    expect(taken).toBeLessThan(64 * 1024 * 1024);
    expect((await fetch(gateway.url('/healthz'))).status).toBe(200);
  });

  it('five hundred that send their bodies byte by byte leave room for a form that comes whole', async () => {
    const sockets = await Promise.all(Array.from({ length: 600 }, () => open(gateway.port)));
    for (const socket of sockets) {
      socket.write('POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ngrant_type=');
    }
    // The last of them has been read as soon as one that came after it is answered.
    const response = await fetch(gateway.url('/token'), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: person.clientId,
        refresh_token: person.refreshToken,
      }),
    });
    expect(response.status).toBe(200);
    const heard = sockets.map((socket) => listen(socket));
    for (const socket of sockets) socket.destroy();
    await Promise.all(heard);
  });
});
