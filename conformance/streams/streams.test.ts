/**
 * Streams through a gateway that is a process of its own: long and silent ones, a large one, many, and one that nobody reads
 * (RS-21, REL-06). GATEHOUSE_STREAM_SECONDS says how long the long one lasts; `npm run prove:streams` takes ten minutes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, expect, it } from 'vitest';
import { begin, message, open } from '../../packages/gateway/test/raw-http.ts';
import { bodyOf, startTarget, type Target } from '../../packages/gateway/test/target.ts';
import { type MeasuredGateway, startMeasuredGateway } from './gateway.ts';
import type { Usage } from './probe.ts';

const seconds = Number(process.env.GATEHOUSE_STREAM_SECONDS ?? 6);
/** Half a minute of silence is what front doors take; a short run is silent for as much shorter. */
const keepAliveSeconds = seconds >= 300 ? 20 : 1;

const [kilobyte, megabyte] = [1024, 1024 * 1024];
const events = { 'content-type': 'text/event-stream' };
const comment = ':\n\n';

let target: Target;
let gateway: MeasuredGateway;
const cleanUp: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
async function start(): Promise<void> {
  target = await startTarget();
  cleanUp.push(() => target.close());
  gateway = await startMeasuredGateway({ target: `${target.url}/mcp`, keepAliveSeconds });
  cleanUp.push(async () => expect(await gateway.close()).toBe(0));
}

/** Of a run that is made for its figures. */
function report(figures: Readonly<Record<string, number | string>>): void {
  if (process.env.GATEHOUSE_STREAM_SECONDS === undefined) return;
  process.stdout.write(
    `${Object.entries(figures)
      .map(([name, value]) => `  ${name}: ${value}`)
      .join('\n')}\n`,
  );
}
const megabytes = (bytes: number) => (bytes / megabyte).toFixed(1);
const held = ({ heapUsed, external }: Usage) => heapUsed + external;

/** A stream that the target has begun. */
async function stream(): Promise<{ answer: IncomingMessage; res: ServerResponse; end(): void }> {
  const arrived = target.arrival();
  const { req, answer } = begin(gateway.port, { path: '/mcp', headers: gateway.headers });
  req.end();
  const { res } = await arrived;
  res.writeHead(200, events).flushHeaders();
  return { answer: await answer, res, end: () => req.destroy() };
}

it('a long stream with long silences stays open, and every event of it comes whole', {
  timeout: (seconds + 120) * 1000,
}, async () => {
  await start();
  const { answer, res } = await stream();
  let text = '';
  let comments = 0;
  let [lastHeard, longestSilence] = [performance.now(), 0];
  answer.on('data', (chunk: Buffer) => {
    const now = performance.now();
    longestSilence = Math.max(longestSilence, now - lastHeard);
    lastHeard = now;
    text += String(chunk);
    comments = text.split(comment).length - 1;
  });
  /** A client that has everything that was sent; comments may stand between. */
  const reached = (what: string) => expect.poll(() => text, { timeout: 30_000, interval: 5 }).toContain(what);
  const commentsAfter = async (count: number) => {
    const from = comments;
    const timeout = (count + 2) * keepAliveSeconds * 1000 + 30_000;
    await expect.poll(() => comments, { timeout, interval: 20 }).toBeGreaterThanOrEqual(from + count);
  };
  const started = performance.now();
  const endings = ['\n', '\r\n', '\r'];
  const sent: string[] = [];
  let inside = 0;
  for (let at = 0; (performance.now() - started) / 1000 < seconds; at++) {
    const end = endings[at % endings.length] as string;
    await commentsAfter(2);
    // An event in two halves, between which the target is silent for longer than a comment takes.
    const [first, second] = [`id: ${at}${end}data: {"n":${at},`, `"half":2}${end}${end}`];
    sent.push(first + second);
    res.write(first);
    await reached(first);
    const before = comments;
    await pause(keepAliveSeconds * 1250);
    inside += comments - before;
    res.write(second);
    await reached(first + second);
  }
  await commentsAfter(1);
  res.end();
  await once(answer, 'end');
  expect(answer.complete).toBe(true);
  expect(inside).toBe(0);
  // Nothing lost, nothing twice, nothing between the halves.
  expect(text.replaceAll(comment, '')).toBe(sent.join(''));
  report({
    'a long stream, s': ((performance.now() - started) / 1000).toFixed(0),
    'its events': sent.length,
    'comments in it': comments,
    'its longest silence, s': (longestSilence / 1000).toFixed(2),
  });
  // What the shortest-tempered front doors take, measured where a busy machine cannot matter.
  if (keepAliveSeconds === 20) expect(longestSilence).toBeLessThan(30_000);
});

it('an MCP client takes no notice of the comments, and hears what comes after them', {
  timeout: 120_000,
}, async () => {
  await start();
  let silent: ServerResponse | undefined;
  target.answer = async (req, res) => {
    if (req.method === 'GET') {
      silent = res.writeHead(200, events);
      return void res.flushHeaders();
    }
    const { id, method } = JSON.parse(String(await bodyOf(req))) as { id?: number; method: string };
    if (id === undefined) return void res.writeHead(202).end();
    const result =
      method === 'initialize'
        ? { protocolVersion: '2025-11-25', capabilities: { logging: {} }, serverInfo: { name: 'silent', version: '1' } }
        : {};
    return void res
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  };
  const client = new Client({ name: 'patient', version: '1' });
  const heard: unknown[] = [];
  client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params.data));
  const errors: unknown[] = [];
  client.onerror = (error) => void errors.push(error);
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.resource), { requestInit: { headers: gateway.headers } }),
  );
  await expect.poll(() => silent !== undefined).toBe(true);
  await pause(keepAliveSeconds * 2500);
  const notification = {
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level: 'info', data: 'after a while' },
  };
  silent?.write(`data: ${JSON.stringify(notification)}\n\n`);
  await expect.poll(() => heard).toEqual(['after a while']);
  expect(errors).toEqual([]);
  await client.close();
});

/** What an answer that passes stands in for a moment: the buffers of two sockets. */
const passingBytes = 8 * megabyte;
/** V8 collects buffers that nobody holds once there are some 64 MB of them: what may be resident beyond what is held. */
const garbageBytes = 96 * megabyte;

it('an answer of 100 MB passes whole, and no more of it is ever held than is on its way', {
  timeout: 120_000,
}, async () => {
  await start();
  const piece = randomBytes(64 * kilobyte);
  /** `meanwhile`, again and again until it is over. */
  const pass = async (bytes: number, meanwhile: () => Promise<unknown>) => {
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    target.answer = async (_, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      for (let at = 0; at < bytes; at += piece.length) {
        sent.update(piece);
        if (!res.write(piece)) await once(res, 'drain');
      }
      res.end();
    };
    const { req, answer } = begin(gateway.port, { path: '/mcp', headers: gateway.headers });
    req.end();
    let [length, over] = [0, false];
    const watching = (async () => {
      while (!over) await meanwhile();
    })();
    for await (const chunk of (await answer) as AsyncIterable<Buffer>) {
      received.update(chunk);
      length += chunk.length;
    }
    over = true;
    await watching;
    expect([length, received.digest('hex')]).toEqual([bytes, sent.digest('hex')]);
  };
  await pass(megabyte, () => pause(20));
  const before = await gateway.collected();
  await pass(100 * megabyte, () => pause(20));
  const first = await gateway.usage();
  let [mostHeld, looks] = [0, 0];
  await pass(100 * megabyte, async () => {
    mostHeld = Math.max(mostHeld, held(await gateway.collected()));
    looks += 1;
  });
  for (let more = 0; more < 3; more++) await pass(100 * megabyte, () => pause(20));
  const after = await gateway.collected();
  report({
    'resident before, MB': megabytes(before.rss),
    'resident at its peak, in the first 100 MB and in all 500, MB': `${megabytes(first.peak)} / ${megabytes(after.peak)}`,
    'held of 100 MB at most, MB': `${megabytes(mostHeld - held(before))} (${looks} looks)`,
    'held after, MB': megabytes(held(after) - held(before)),
  });
  expect(looks).toBeGreaterThan(3);
  expect(mostHeld - held(before)).toBeLessThan(passingBytes);
  expect(after.peak - before.rss).toBeLessThan(garbageBytes);
  expect(held(after) - held(before)).toBeLessThan(2 * megabyte);
});

/** Both of its sockets, both parsers, request and answer, the timer of its comments: by V8's count, and as the system sees it. */
const streamBytes = { held: 28 * kilobyte, resident: 64 * kilobyte, left: 6 * kilobyte };
const streams = 1000;

it('a thousand streams at once cost little each, and nothing once their clients are gone', {
  timeout: 180_000,
}, async () => {
  await start();
  const wave = async (count: number) => {
    const opened = [];
    // In tens, so that no queue of connections overflows.
    for (let at = 0; at < count; at += 10) {
      opened.push(...(await Promise.all(Array.from({ length: 10 }, () => stream()))));
    }
    return opened;
  };
  const gone = async (opened: Awaited<ReturnType<typeof wave>>) => {
    for (const { end, answer } of opened) {
      answer.on('error', () => {});
      end();
    }
    await expect.poll(() => target.inFlight, { timeout: 60_000 }).toBe(0);
    await expect.poll(() => target.openConnections, { timeout: 60_000 }).toBe(0);
  };
  await gone(await wave(100));
  const before = await gateway.collected();
  const opened = await wave(streams);
  expect(target.inFlight).toBe(streams);
  // Every one of them is alive: an event to each, and a comment after it.
  const heard = opened.map(({ answer }) => {
    let text = '';
    answer.on('data', (chunk) => {
      text += String(chunk);
    });
    return () => text;
  });
  for (const { res } of opened) res.write('data: 1\n\n');
  await expect
    .poll(() => heard.filter((text) => text().includes(`data: 1\n\n`)).length, { timeout: 60_000 })
    .toBe(streams);
  if (keepAliveSeconds < 5) {
    await expect.poll(() => heard.filter((text) => text().endsWith(comment)).length, { timeout: 60_000 }).toBe(streams);
  }
  const during = await gateway.collected();
  // A call beside them is answered.
  target.answer = (_, res) => void res.end('called');
  const { req, answer } = begin(gateway.port, { method: 'POST', path: '/mcp', headers: gateway.headers });
  req.end('{}');
  expect(String(await bodyOf(await answer))).toBe('called');
  await gone(opened);
  const after = await gateway.collected();
  report({
    'streams at once': streams,
    'heap and buffers of each, KB': ((held(during) - held(before)) / streams / kilobyte).toFixed(1),
    'resident of each, KB': ((during.rss - before.rss) / streams / kilobyte).toFixed(1),
    'heap and buffers left of each, KB': ((held(after) - held(before)) / streams / kilobyte).toFixed(1),
  });
  expect((held(during) - held(before)) / streams).toBeLessThan(streamBytes.held);
  expect((during.rss - before.rss) / streams).toBeLessThan(streamBytes.resident);
  // The pool keeps the place of each for the next one.
  expect((held(after) - held(before)) / streams).toBeLessThan(streamBytes.left);
});

/** The kernel's buffers of two connections, at most 6 MB each to receive and 4 to send, and ours between them. */
const takenBytes = 24 * megabyte;

it('of 1 GB for a client that reads nothing, a few MB leave the target, and the gateway holds none of the rest', {
  timeout: 120_000,
}, async () => {
  await start();
  const piece = Buffer.alloc(64 * kilobyte, 'x');
  let taken = 0;
  let refusedAt = 0;
  target.answer = async (_, res) => {
    res.writeHead(200, { 'content-type': 'application/octet-stream' });
    // The client goes before its end, and the drain that is waited for never comes.
    while (taken < 1024 * megabyte) {
      if (!res.write(piece)) {
        refusedAt = taken;
        await once(res, 'drain');
      }
      taken += piece.length;
    }
    res.end();
  };
  const before = await gateway.collected();
  const socket = await open(gateway.port);
  socket.write(message('GET /mcp', [['Authorization', gateway.headers.authorization]]));
  await once(socket, 'readable');
  // Until nothing moves while the gateway answers many others, who each take their turn.
  for (let last = -1; last !== taken; ) {
    last = taken;
    for (let turn = 0; turn < 100; turn++)
      await (await fetch(`http://localhost:${gateway.port}/healthz`)).arrayBuffer();
  }
  const during = await gateway.usage();
  report({
    'taken of 1 GB, MB': megabytes(taken),
    'heap and buffers above before, MB': megabytes(held(during) - held(before)),
    'resident above before, MB': megabytes(during.rss - before.rss),
  });
  expect(taken).toBeLessThan(takenBytes);
  // The target was told to wait, and waits.
  expect(refusedAt).toBe(taken);
  expect(held(during) - held(before)).toBeLessThan(16 * megabyte);
  expect(during.rss - before.rss).toBeLessThan(32 * megabyte);
  socket.destroy();
  await expect.poll(() => target.inFlight, { timeout: 30_000 }).toBe(0);
});
