/** Connections that do not speak HTTP as they should: heads and bodies cut, changed, run together, or nothing of the kind. */
import { connect } from 'node:net';
import { hostile, type Random } from './random.ts';
import { requestsFor } from './requests.ts';
import type { Scene } from './scene.ts';
import { bytesOf } from './wire.ts';

/** Every answer on one connection, and how long it stood open after we had said all we had to say. */
export interface Heard {
  readonly statuses: readonly number[];
  /** What was received that is no HTTP answer. */
  readonly fault?: string;
}

/** Sends the bytes, closes its own half, and hears until the other side has closed too. */
export async function speak(port: number, bytes: Buffer, limitMs: number): Promise<Heard> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A server may answer and reset while we still write; what it said counts.
  socket.on('error', () => {});
  const closed = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
  socket.end(bytes);
  if (!(await closed)) {
    socket.destroy();
    return { statuses: [], fault: `still open after ${limitMs} ms` };
  }
  return heardIn(Buffer.concat(chunks));
}

/** By their status lines alone: where answers to pipelined requests end, only who knows the requests can say. */
function heardIn(bytes: Buffer): Heard {
  const text = bytes.toString('latin1');
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return text === '' || text.startsWith('HTTP/1.1 ')
    ? { statuses }
    : { statuses, fault: `no answer: ${text.slice(0, 80)}` };
}

/** The bytes of one bad connection. */
export function connectionsFor(scene: Scene): (random: Random) => Buffer {
  const request = requestsFor(scene);
  const { host } = new URL(scene.issuer);
  const head = (line: string, ...headers: string[]) =>
    Buffer.from([line, `host: ${host}`, ...headers, '', ''].join('\r\n'), 'latin1');
  const good = (random: Random) => bytesOf(request(random).sent);
  const inserted = (bytes: Buffer, at: number, more: Buffer) =>
    Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  const form = 'content-type: application/x-www-form-urlencoded';

  const kinds: ReadonlyArray<(random: Random) => Buffer> = [
    // Not HTTP at all.
    (random) => random.bytes(1 + random.below(2000)),
    () => Buffer.from('160301020001000001fc0303', 'hex'),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => Buffer.alloc(0),
    () => Buffer.alloc(70_000, 'A'),
    () => Buffer.from('\r\n'.repeat(5000)),
    // Nearly a request.
    (random) => good(random).subarray(0, 1 + random.below(400)),
    (random) => {
      const bytes = Buffer.from(good(random));
      for (let n = 1 + random.below(8); n > 0; n--)
        bytes[random.below(Math.min(bytes.length, 600))] = random.below(256);
      return bytes;
    },
    (random) => {
      const bytes = good(random);
      const odd = random.pick([
        '\r',
        '\n',
        '\r\n',
        '\u0000',
        ' ',
        '\t',
        ':',
        '\r\n ',
        '\r\n\r\n',
        '\u00ff',
        ...hostile,
      ]);
      return inserted(bytes, random.below(Math.min(bytes.length, 600)), Buffer.from(odd));
    },
    (random) => Buffer.from(good(random).toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
    (random) => Buffer.concat([good(random), good(random), good(random), random.bytes(30)]),
    // Request lines.
    (random) => head(`${random.pick(['GET', 'get', 'G E T', 'X'.repeat(300), ''])} / HTTP/1.1`),
    (random) => head(`GET / HTTP/${random.pick(['0.9', '1.0', '1.2', '2.0', '9.9', '1', '1.1.1', '-1.1'])}`),
    (random) => head(`CONNECT ${random.pick(['evil.example:443', '/mcp', host])} HTTP/1.1`),
    (random) => head(`GET ${random.pick(['mcp', '?', '', '//', `http://${host}/mcp`, 'a'.repeat(40_000)])} HTTP/1.1`),
    // Where a message ends.
    (random) =>
      head(
        'POST /token HTTP/1.1',
        form,
        `content-length: ${random.pick(['-1', '+3', '0x3', '3 ', '1e1', '9'.repeat(30), '', '3, 3', '5\r\ncontent-length: 3'])}`,
      ),
    (random) =>
      Buffer.concat([head('POST /token HTTP/1.1', form, 'content-length: 500'), Buffer.alloc(random.below(499), 'a')]),
    (random) =>
      Buffer.concat([
        head('POST /token HTTP/1.1', form, 'content-length: 3', 'transfer-encoding: chunked'),
        Buffer.from(random.pick(['0\r\n\r\n', 'abc', '3\r\nabc\r\n0\r\n\r\n'])),
      ]),
    (random) =>
      Buffer.concat([
        head('POST /register HTTP/1.1', 'content-type: application/json', 'transfer-encoding: chunked'),
        Buffer.from(
          random.pick([
            'g\r\n',
            '-1\r\n',
            'ffffffffffffffffff\r\n',
            '3\r\nabcd\r\n',
            '3;x="\r\nabc\r\n',
            '0\r\nhost: evil\r\n\r\n',
            '3\nabc\n0\n\n',
            '3\r\nabc',
            '',
          ]),
        ),
      ]),
    (random) =>
      Buffer.concat([
        head(
          'POST /mcp HTTP/1.1',
          `transfer-encoding: ${random.pick(['xchunked', 'gzip, chunked', 'chunked, identity', ' chunked', 'chunked\r\ntransfer-encoding: chunked'])}`,
        ),
        Buffer.from('0\r\n\r\n'),
      ]),
    // Headers.
    (random) => head('GET / HTTP/1.1', ...Array.from({ length: 50 + random.below(3000) }, (_, i) => `x-${i}: y`)),
    (random) => head('GET / HTTP/1.1', `x: ${'y'.repeat(random.below(80_000))}`),
    (random) =>
      head(
        'GET / HTTP/1.1',
        random.pick([
          'no colon',
          ': no name',
          'na me: x',
          'x\u0000: y',
          ' folded',
          'x: a\r\n b',
          'host: other',
          'x : y',
        ]),
      ),
    () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    (random) =>
      head(
        'GET /mcp HTTP/1.1',
        'connection: Upgrade',
        `upgrade: ${random.pick(['websocket', 'h2c', 'TLS/1.0'])}`,
        'http2-settings: AAMAAABk',
      ),
    (random) =>
      Buffer.concat([
        head('POST /token HTTP/1.1', form, 'content-length: 3', `expect: ${random.pick(['100-continue', 'x'])}`),
        Buffer.from('a=b'),
      ]),
  ];
  return (random) => random.pick(kinds)(random);
}
