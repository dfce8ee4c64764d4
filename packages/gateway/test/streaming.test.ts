/** Streams through the proxy, in both directions and to every early end; in steps that wait for each other, never by time. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { answersIn, ask, begin, hear, listen, message, open } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

const maxMessageBytes = 8 * 1024 * 1024;

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway(
    [{ path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/exports', target: `${target.url}/files` }] }],
    { limits: { callsPerCaller: 1000 } },
  );
  person = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];
const start = (method: string, headers = {}) =>
  begin(gateway.port, { method, path: '/mcp', headers: { ...person.authorization, ...headers } });

/** The next piece of a stream, as text. */
async function next(stream: IncomingMessage): Promise<string> {
  for (;;) {
    const chunk: unknown = stream.read();
    if (chunk !== null) return String(chunk);
    await once(stream, 'readable');
  }
}

/** Server-sent events from a target, begun and answered. */
async function eventStream() {
  const arrived = target.arrival();
  const { req, answer } = start('GET', { accept: 'text/event-stream' });
  req.end();
  const { req: atTarget, res } = await arrived;
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write('data: 1\n\n');
  const events = await answer;
  expect(await next(events)).toBe('data: 1\n\n');
  return { req, events, atTarget, res };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of buffers that somebody holds; what has passed and is not collected yet does not count. */
function buffersHeld(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** However it ended. */
function closed(stream: ServerResponse | IncomingMessage): Promise<void> {
  stream.on('error', () => {});
  return new Promise((resolve) => (stream.closed ? resolve() : stream.once('close', resolve)));
}

describe('what flows', () => {
  it('an event is with the client before the target makes the next one', async () => {
    const { events, res } = await eventStream();
    for (const event of ['data: 2\n\n', ': keep-alive\n\n', 'data: 3\n\n']) {
      res.write(event);
      expect(await next(events)).toBe(event);
    }
    res.end();
    expect(await bodyOf(events)).toHaveLength(0);
    expect(events.complete).toBe(true);
    expect(events.headers['content-type']).toBe('text/event-stream');
  });

  it('the head of a stream is with the client before the first event', async () => {
    const arrived = target.arrival();
    const { req, answer } = start('GET');
    req.end();
    const { res } = await arrived;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    const events = await answer;
    expect(events.statusCode).toBe(200);
    res.end('data: 1\n\n');
    expect(String(await bodyOf(events))).toBe('data: 1\n\n');
  });

  it.each([
    ['in chunks', {}],
    ['with a length', { 'content-length': '10' }],
  ])('a request body %s is with the target before the client sends the rest', async (_, headers) => {
    const arrived = target.arrival();
    const { req, answer } = start('POST', headers);
    req.write('first');
    const { req: atTarget, res } = await arrived;
    expect(await next(atTarget)).toBe('first');
    // And the answer may begin before the request has ended.
    res.writeHead(200).write('early');
    expect(await next(await answer)).toBe('early');
    req.end('after');
    expect(await next(atTarget)).toBe('after');
    res.end('late');
    expect(String(await bodyOf(await answer))).toBe('late');
  });

  it('a client that does not read stops the target, and loses nothing', { timeout: 60_000 }, async () => {
    const piece = randomBytes(64 * 1024);
    const pieces = 1024;
    const whole = createHash('sha256');
    for (let at = 0; at < pieces; at++) whole.update(piece);
    let accepted = 0;
    target.answer = async (_, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      for (let at = 0; at < pieces; at++) {
        if (!res.write(piece)) await once(res, 'drain');
        accepted += piece.length;
      }
      res.end();
    };
    const socket = await open(gateway.port);
    socket.write(message('GET /mcp', [bearer()]));
    await once(socket, 'readable');
    // Nobody reads. The loop turns for others until nothing is taken any more; an unbounded proxy takes all of it.
    const before = buffersHeld();
    for (let last = -1; accepted !== last && accepted < pieces * piece.length; ) {
      last = accepted;
      for (let turn = 0; turn < 50; turn++) await (await fetch(gateway.url('/healthz'))).arrayBuffer();
    }
    // Both sockets’ kernel buffers are in it, which may hold 6 MiB a side.
    expect(accepted).toBeLessThan(32 * 1024 * 1024);
    expect(buffersHeld() - before).toBeLessThan(16 * 1024 * 1024);
    const [answer] = answersIn(await listen(socket));
    expect(answer?.body.length).toBe(pieces * piece.length);
    expect(
      createHash('sha256')
        .update(answer?.body ?? '')
        .digest('hex'),
    ).toBe(whole.digest('hex'));
  });

  it('a target that does not read stops the client', { timeout: 60_000 }, async () => {
    const arrived = target.arrival();
    const piece = Buffer.alloc(64 * 1024, 'x');
    const { req, answer } = start('POST', { 'content-length': String(maxMessageBytes) });
    let sent = 0;
    const sending = (async () => {
      while (sent < maxMessageBytes) {
        if (!req.write(piece)) await once(req, 'drain');
        sent += piece.length;
      }
      req.end();
    })();
    const { req: atTarget, res } = await arrived;
    const before = buffersHeld();
    for (let last = -1; sent !== last && sent < maxMessageBytes; ) {
      last = sent;
      for (let turn = 0; turn < 50; turn++) await (await fetch(gateway.url('/healthz'))).arrayBuffer();
    }
    expect(buffersHeld() - before).toBeLessThan(4 * 1024 * 1024);
    expect(await bodyOf(atTarget)).toHaveLength(maxMessageBytes);
    await sending;
    res.end('done');
    expect(String(await bodyOf(await answer))).toBe('done');
  });
});

describe('a client that goes away is seen by the target', () => {
  it('during a stream', async () => {
    const { req, atTarget, res } = await eventStream();
    req.destroy();
    await Promise.all([closed(atTarget), closed(res)]);
    expect(res.writableFinished).toBe(false);
  });

  it('during a long call that has no answer yet', async () => {
    const arrived = target.arrival();
    const { req } = start('POST', { 'content-type': 'application/json', 'content-length': '2' });
    req.end('{}');
    const { req: atTarget, res } = await arrived;
    expect(String(await bodyOf(atTarget))).toBe('{}');
    req.destroy();
    await closed(res);
    expect(res.headersSent).toBe(false);
  });

  it.each([
    ['in chunks', {}],
    ['with a length', { 'content-length': '1000' }],
  ])('during an upload %s, which the target does not take for a whole one', async (_, headers) => {
    const arrived = target.arrival();
    const { req } = start('POST', headers);
    req.write('half');
    const { req: atTarget } = await arrived;
    expect(await next(atTarget)).toBe('half');
    req.destroy();
    await closed(atTarget);
    expect(atTarget.complete).toBe(false);
  });

  it('during a download from an open path', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/exports/big.apkg' });
    req.end();
    const { res } = await arrived;
    res.writeHead(200).write('half');
    expect(await next(await answer)).toBe('half');
    req.destroy();
    await closed(res);
  });

  it('two hundred times, and no connection is left', async () => {
    for (let wave = 0; wave < 4; wave++) {
      const streams = await Promise.all(Array.from({ length: 50 }, () => eventStream()));
      expect(target.openConnections).toBeGreaterThanOrEqual(50);
      const gone = streams.map(({ res }) => closed(res));
      for (const { req } of streams) req.destroy();
      await Promise.all(gone);
    }
    expect(target.inFlight).toBe(0);
    // A connection that was cut is not kept for the next request either.
    await target.untilDeserted();
    expect(target.openConnections).toBe(0);
  });

  it('and its end is one line in the log, no fault', async () => {
    const from = gateway.events.length;
    const { req, res } = await eventStream();
    req.destroy();
    await closed(res);
    const ended = () => gateway.events.slice(from).find(({ event }) => event === 'http.request');
    while (!ended()) await new Promise(setImmediate);
    expect(ended()).toMatchObject({ path: '/mcp', outcome: 'cut' });
    expect(gateway.events.slice(from).filter(({ event }) => event === 'fault')).toEqual([]);
  });
});

describe('bodies above the limit', () => {
  it('announced by Content-Length: 413 at once, and the target never hears of it', async () => {
    const from = target.requests;
    const headers = [bearer(), ['Content-Length', String(maxMessageBytes + 1)]] as const;
    const answer = await ask(gateway.port, message('POST /mcp', headers));
    expect(answer.status).toBe(413);
    expect(answer.json().error).toBe('payload_too_large');
    expect(answer.header('connection')).toBe('close');
    expect(target.requests).toBe(from);
  });

  it('in chunks: 413, and the target’s request breaks off', async () => {
    const arrived = target.arrival();
    const { req, answer } = start('POST');
    const piece = Buffer.alloc(1024 * 1024, 'x');
    req.write(piece);
    const { req: atTarget } = await arrived;
    const received = bodyOf(atTarget);
    received.catch(() => {});
    for (let at = 1; at <= 8; at++) req.write(piece);
    const refused = await answer;
    expect(refused.statusCode).toBe(413);
    expect(JSON.parse(String(await bodyOf(refused)))).toMatchObject({ error: 'payload_too_large' });
    await expect(received).rejects.toThrow();
    expect(atTarget.complete).toBe(false);
    req.destroy();
  });

  it('exactly at the limit both ways are let through', async () => {
    for (const headers of [{ 'content-length': String(maxMessageBytes) }, {}]) {
      const arrived = target.arrival();
      const { req, answer } = start('POST', headers);
      req.end(Buffer.alloc(maxMessageBytes, 'x'));
      const { req: atTarget, res } = await arrived;
      expect(await bodyOf(atTarget)).toHaveLength(maxMessageBytes);
      res.end();
      expect((await answer).statusCode).toBe(200);
      (await answer).resume();
    }
  });
});

describe('many, and odd, connections', () => {
  it('two requests on one connection have their own answers, in order', async () => {
    target.answer = async (req, res) => void res.end(`you said ${String(await bodyOf(req))}`);
    const socket = await open(gateway.port);
    const ask1 = message('POST /mcp', [bearer(), ['Content-Length', '1'], ['Connection', 'keep-alive']], '1');
    socket.write(Buffer.concat([ask1, message('POST /mcp', [bearer(), ['Content-Length', '1']], '2')]));
    const answers = answersIn(await listen(socket));
    expect(answers.map(({ body }) => String(body))).toEqual(['you said 1', 'you said 2']);
  });

  it('a refused request leaves the connection fit for the next one', async () => {
    target.answer = async (req, res) => void res.end(String(await bodyOf(req)));
    const socket = await open(gateway.port);
    socket.write(
      message(
        'POST /mcp',
        [
          ['Content-Length', '2'],
          ['Connection', 'keep-alive'],
        ],
        '{}',
      ),
    );
    await hear(socket, '"resource_metadata"');
    const rest = listen(socket);
    socket.write(message('POST /mcp', [bearer(), ['Content-Length', '2']], 'hi'));
    const text = String(await rest);
    // Either it goes on, or it said before that it would close: never is the body taken for a request.
    expect(text === '' || text.endsWith('\r\nhi\r\n0\r\n\r\n') || text.endsWith('\r\n\r\nhi')).toBe(true);
  });

  // Whoever holds streams open, which costs nothing, must not stop the target for everybody (SEC-10).
  it('hundreds of open streams do not stop a call', async () => {
    const streams = Array.from({ length: 300 }, async () => {
      const arrived = target.arrival();
      const { req, answer } = begin(gateway.port, { path: '/mcp', headers: person.authorization });
      req.end();
      const { res } = await arrived;
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      (await answer).resume();
      (await answer).on('error', () => {});
      return req;
    });
    const held = await Promise.all(streams);
    try {
      const call = await fetch(gateway.url('/mcp'), {
        method: 'POST',
        headers: person.authorization,
        body: '{}',
      });
      expect([200, 503]).toContain(call.status);
    } finally {
      for (const req of held) req.destroy();
    }
  });

  it('a broken chunk behind an answer that has begun adds nothing to it', async () => {
    const socket = await open(gateway.port);
    const arrived = target.arrival();
    const headers = [
      ['Authorization', `Bearer ${person.accessToken}`] as const,
      ['Transfer-Encoding', 'chunked'] as const,
    ];
    socket.write(message('POST /mcp', headers, '2\r\n{}\r\n'));
    const { req, res } = await arrived;
    req.on('error', () => {});
    res.writeHead(200).write('begun');
    await hear(socket, 'begun');
    const rest = listen(socket);
    socket.write('zz\r\n');
    expect(String(await rest)).not.toContain('HTTP/1.1');
  });
});
