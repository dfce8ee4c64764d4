/** One connection at a time to the gateway, kept alive, as bytes: it sends what no client library would let us send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Sent {
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly target: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Buffer;
  /** Sizes of the chunks the body is cut into; undefined: sent whole, with its length. */
  readonly chunks?: readonly number[];
}

export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: string;
  readonly ms: number;
  header(name: string): string | undefined;
}

/** The request's bytes. Header text is Latin-1, where every byte can be said. */
export function bytesOf({ method, target, headers, body, chunks }: Sent): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const hasBody = body.length > 0 || method === 'POST';
  const framing = chunks ? 'transfer-encoding: chunked\r\n' : hasBody ? `content-length: ${body.length}\r\n` : '';
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}${framing}\r\n`, 'latin1');
  if (!chunks) return Buffer.concat([head, body]);
  const parts: Buffer[] = [head];
  let at = 0;
  for (const size of [...chunks, body.length]) {
    const part = body.subarray(at, at + size);
    if (part.length > 0) parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
    at += part.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** Rejects if there is no whole answer within `limitMs`, and if there is more than one. */
export function wire(port: number, limitMs: number) {
  let socket: Socket | undefined;
  const reopen = async () => {
    socket?.destroy();
    socket = await open(port);
    return socket;
  };

  return {
    async ask(sent: Sent): Promise<Answer> {
      const started = performance.now();
      const kept = socket && !socket.destroyed && socket.writable ? socket : undefined;
      let heard = kept && (await exchange(kept, bytesOf(sent), sent.method === 'HEAD', limitMs));
      // Behind an answer, what is no HTTP ends the connection and is not answered; as the first thing said, it is.
      heard ??= await exchange(await reopen(), bytesOf(sent), sent.method === 'HEAD', limitMs);
      if (heard === undefined) throw new Error('closed without an answer');
      if (heard.close) socket?.destroy();
      return { ...heard.answer, ms: performance.now() - started };
    },
    close: () => socket?.destroy(),
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  // What becomes of a connection is seen by the request that is under way on it.
  socket.on('error', () => {});
  return socket;
}

/** Undefined: the connection was closed, and nothing was said. */
function exchange(socket: Socket, bytes: Buffer, headless: boolean, limitMs: number) {
  return new Promise<{ answer: Omit<Answer, 'ms'>; close: boolean } | undefined>((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      outcome();
    };
    const fail = (reason: string) =>
      settle(() => {
        socket.destroy();
        reject(new Error(`${reason}; received ${JSON.stringify(received.toString('latin1').slice(0, 300))}`));
      });
    const timer = setTimeout(() => fail(`no answer within ${limitMs} ms`), limitMs);
    const onData = (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const found = parse(received, headless, false);
      if (found === 'more') return;
      if (typeof found === 'string') return fail(found);
      if (found.length < received.length) return fail('more than one answer');
      settle(() => resolve(found));
    };
    const onClose = () => {
      if (received.length === 0) return settle(() => resolve(undefined));
      const found = parse(received, headless, true);
      if (typeof found === 'string') return fail(`closed without a whole answer (${found})`);
      settle(() => resolve({ ...found, close: true }));
    };
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.write(bytes);
  });
}

interface Parsed {
  readonly answer: Omit<Answer, 'ms'>;
  readonly close: boolean;
  /** Bytes of the whole answer, interim answers before it included. */
  readonly length: number;
}

/** The first final answer; `more`: not all of it is there; another text: it is none. */
export function parse(bytes: Buffer, headless: boolean, ended: boolean, from = 0): Parsed | string {
  const end = bytes.indexOf('\r\n\r\n', from);
  if (end < 0) return 'more';
  const [first = '', ...lines] = bytes.subarray(from, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) /.exec(first)?.[1]);
  if (Number.isNaN(status)) return `no HTTP answer: ${first.slice(0, 80)}`;
  if (status < 200) return parse(bytes, headless, ended, end + 4);
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(':');
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  const header = (name: string) => headers.find(([given]) => given === name)?.[1];
  const close = header('connection') === 'close';
  const start = end + 4;
  const whole = (body: string, length: number): Parsed => ({
    answer: { status, headers, body, header },
    close,
    length,
  });
  if (headless || status === 204 || status === 304) return whole('', start);
  if (header('transfer-encoding') === 'chunked') return chunked(bytes, start, whole);
  const length = header('content-length');
  if (length === undefined) return ended ? whole(bytes.subarray(start).toString('utf8'), bytes.length) : 'more';
  const stop = start + Number(length);
  return bytes.length < stop ? 'more' : whole(bytes.subarray(start, stop).toString('utf8'), stop);
}

function chunked(bytes: Buffer, start: number, whole: (body: string, length: number) => Parsed): Parsed | string {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol < 0) return 'more';
    const size = Number.parseInt(bytes.subarray(at, eol).toString('latin1'), 16);
    if (Number.isNaN(size)) return 'a broken chunk';
    const next = eol + 2 + size + 2;
    if (bytes.length < next) return 'more';
    if (size === 0) return whole(Buffer.concat(parts).toString('utf8'), next);
    parts.push(bytes.subarray(eol + 2, eol + 2 + size));
    at = next;
  }
}
