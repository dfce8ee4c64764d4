/** Comments in silent streams: between events and nowhere else, however the target writes its lines (RS-21; HTML, "Event stream interpretation"). */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepAlive } from '../src/proxy/keep-alive.ts';
import { openTarget } from '../src/proxy/target.ts';
import { type Forwarding, startForwarding } from './forwarding.ts';
import { begin, hear, message, open } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

describe('where a comment may stand', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** What a client gets of these pieces when the target is silent for an interval after each of them. */
  function written(pieces: ReadonlyArray<Buffer | string>, waits: readonly number[] = []): string {
    const out: string[] = [];
    const res = Object.assign(new EventEmitter(), {
      destroyed: false,
      writableEnded: false,
      writableLength: 0,
      write: (chunk: Buffer | string) => void out.push(`[${String(chunk)}]`),
    });
    const comments = keepAlive(res as unknown as ServerResponse, 20);
    for (const [at, piece] of pieces.entries()) {
      const next = comments.next(piece);
      if (next.length > 0) out.push(String(next));
      res.writableLength = waits[at] ?? 0;
      vi.advanceTimersByTime(20_000);
    }
    comments.end();
    vi.advanceTimersByTime(60_000);
    return out.join('');
  }
  const c = '[:\n\n]';

  it.each([
    ['before the first event', [''], c],
    ['after an event', ['data: 1\n\n'], `data: 1\n\n${c}`],
    ['not in a line', ['data: 1'], 'data: 1'],
    [
      'not after the line of an event that has no end yet',
      ['data: 1\n', 'data: 2\n', '\n'],
      `data: 1\ndata: 2\n\n${c}`,
    ],
    ['with CR LF', ['data: 1\r\n\r\n'], `data: 1\r\n\r\n${c}`],
    ['not between CR LF and CR LF', ['data: 1\r\n', '\r\n'], `data: 1\r\n\r\n${c}`],
    ['not in the middle of the second CR LF', ['data: 1\r\n\r', '\n'], `data: 1\r\n\r\n${c}`],
    ['not in the middle of the first CR LF', ['data: 1\r', '\n', '\r\n'], `data: 1\r\n\r\n${c}`],
    ['byte by byte', [...'id: 1\r\ndata: é\r\n\r\n'], `id: 1\r\ndata: é\r\n\r\n${c}`],
    ['with CR alone', ['data: 1\r', '\r'], `data: 1\r\r${c}`],
    ['with LF and CR LF mixed', ['data: 1\n\r\n'], `data: 1\n\r\n${c}`],
    ['with CR and CR LF mixed', ['data: 1\r\r\n'], `data: 1\r\r\n${c}`],
    ['after a comment of the target', [': here\n\n'], `: here\n\n${c}`],
    ['again and again', ['data: 1\n\n', '', ''], `data: 1\n\n${c}${c}${c}`],
    // Its last unit is 0x010A: cut to a byte it would be a line feed.
    ['not after a letter that looks like a line feed', ['data: 1\n\u010a'], 'data: 1\n\u010a'],
    ['not after two of them', ['\u010a\u010a'], '\u010a\u010a'],
  ])('%s', (_, pieces, expected) => {
    expect(written(pieces)).toBe(expected);
    expect(written(pieces.map((piece) => Buffer.from(piece)))).toBe(expected);
  });

  it('never while what was written before still waits for the client', () => {
    expect(written(['data: 1\n\n', '', ''], [10, 10, 0])).toBe(`data: 1\n\n${c}`);
  });

  it('not in a stream that is not silent', () => {
    const out: string[] = [];
    const res = { destroyed: false, writableEnded: false, writableLength: 0, write: () => void out.push('comment') };
    const comments = keepAlive(res as unknown as ServerResponse, 20);
    for (let at = 0; at < 50; at++) {
      comments.next('data: 1\n\n');
      vi.advanceTimersByTime(19_999);
    }
    expect(out).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(out).toEqual(['comment']);
    Object.assign(res, { writableEnded: true });
    vi.advanceTimersByTime(60_000);
    expect(out).toHaveLength(1);
    // And it is over: no timer goes on for a stream that has ended.
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a byte order mark that is not first any more is taken away, and stays where nothing came before it', () => {
    const marked = Buffer.from('\ufeffdata: 1\n\n');
    expect(written(['', marked])).toBe(`${c}data: 1\n\n${c}`);
    expect(written([marked])).toBe(`\ufeffdata: 1\n\n${c}`);
    expect(written(['', Buffer.from('data: 1\n\n'), marked])).toBe(`${c}data: 1\n\n${c}\ufeffdata: 1\n\n${c}`);
  });
});

describe('through the proxy', () => {
  let target: Target;
  let forwarding: Forwarding;
  beforeEach(async () => {
    target = await startTarget();
  });
  afterEach(async () => {
    await forwarding.close();
    await target.close();
  });
  const start = async (changes: Parameters<typeof startForwarding>[1]) => {
    forwarding = await startForwarding(openTarget({ url: target.url }), changes);
  };
  const quick = { keepAliveSeconds: 0.02 };
  const events = { 'content-type': 'text/event-stream; charset=utf-8' };

  it('a silent stream is kept alive from its head on, and events come through whole', async () => {
    await start(quick);
    const arrived = target.arrival();
    const socket = await open(forwarding.port);
    socket.write(message('GET /'));
    const { res } = await arrived;
    res.writeHead(200, events).flushHeaders();
    expect(await hear(socket, '\r\n:\n\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    res.write('data: {"a"');
    await hear(socket, 'data: {"a"');
    // In the middle of an event: for many intervals there is nothing.
    let between = '';
    socket.on('data', (chunk) => {
      between += String(chunk);
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(between).toBe('');
    res.write(':1}\n\n');
    await hear(socket, ':\n\n');
    expect(between).toMatch(/^5\r\n:1\}\n\n\r\n3\r\n:\n\n/);
    socket.destroy();
  });

  it('an answer to a call that comes as events is kept alive too', async () => {
    await start(quick);
    const arrived = target.arrival();
    const { req, answer } = begin(forwarding.port, { method: 'POST', path: '/' });
    req.end('{}');
    const { res } = await arrived;
    res.writeHead(200, events).flushHeaders();
    const stream = await answer;
    let text = '';
    stream.on('data', (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text).toContain(':\n\n:\n\n');
    res.end('data: result\n\n');
    await expect.poll(() => stream.complete).toBe(true);
    expect(text.replaceAll(':\n\n', '')).toBe('data: result\n\n');
  });

  it('a stream that is read on its way gets them between what is written, whatever is held back', async () => {
    const rewrite = () => ({
      whole: false,
      push: (chunk: Buffer) => (chunk.includes('\n\n') ? 'data: rewritten\n\n' : ''),
      end: () => '',
    });
    await start({ ...quick, rewrite });
    const arrived = target.arrival();
    const { req, answer } = begin(forwarding.port, { path: '/' });
    req.end();
    const { res } = await arrived;
    res.writeHead(200, events).write('data: held');
    const stream: IncomingMessage = await answer;
    let text = '';
    stream.on('data', (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text).toMatch(/^(:\n\n)+$/);
    res.write(' back\n\n');
    await expect.poll(() => text).toMatch(/^(:\n\n)+data: rewritten\n\n(:\n\n)+$/);
    req.destroy();
  });

  it.each([
    ['JSON', 200, { 'content-type': 'application/json' }, '{}', quick],
    ['events of a length', 200, { ...events, 'content-length': '9' }, 'data: 1\n\n', quick],
    ['encoded events', 200, { ...events, 'content-encoding': 'gzip' }, gzipSync('data: 1\n\n'), quick],
    ['an error', 500, events, 'data: 1\n\n', quick],
    ['what only begins like one', 200, { 'content-type': 'text/event-stream-2' }, 'data: 1\n\n', quick],
    ['events, where it is switched off', 200, events, 'data: 1\n\n', { keepAliveSeconds: 0 }],
  ])('nothing is added to %s', async (_, status, headers, body, changes) => {
    await start(changes);
    const arrived = target.arrival();
    const { req, answer } = begin(forwarding.port, { path: '/' });
    req.end();
    const { res } = await arrived;
    res.writeHead(status, headers).flushHeaders();
    const stream = await answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
    res.end(body);
    expect(await bodyOf(stream)).toEqual(Buffer.from(body));
  });
});
