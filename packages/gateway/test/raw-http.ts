/** HTTP as bytes on a socket, for what `fetch` would not let us send and what it would hide of the answer. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Name and value as they came. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Buffer;
  header(name: string): string | undefined;
  json(): Record<string, unknown>;
}

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  // A server may answer and reset while we still write; what it said counts.
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Sends the bytes and gives every answer that came until the server closed. Ask it to, with `connection: close`. */
export async function speak(port: number, ...bytes: Array<string | Buffer>): Promise<readonly Answer[]> {
  const socket = await open(port);
  const heard = listen(socket);
  for (const part of bytes) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return answersIn(await heard);
}

/** The one answer of a request that was sent as bytes. */
export async function ask(port: number, ...bytes: Array<string | Buffer>): Promise<Answer> {
  const [answer, ...more] = await speak(port, ...bytes);
  if (!answer || more.length > 0) throw new Error(`${answer ? more.length + 1 : 'no'} answers`);
  return answer;
}

/** A request's bytes; the headers as written, `Host` and `Connection: close` added where they are not given. */
export function message(
  line: string,
  headers: ReadonlyArray<readonly [string, string]> = [],
  body: string | Buffer = '',
): Buffer {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const all = [
    ...(names.has('host') ? [] : [['Host', 'localhost']]),
    ...headers,
    ...(names.has('connection') ? [] : [['Connection', 'close']]),
  ];
  const head = `${line} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}

/** Everything that is received until the connection is closed, by whom and however. */
export async function listen(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** Resolves once what was received matches. Rejects if the connection closes before. */
export async function hear(socket: Socket, words: string): Promise<string> {
  let text = '';
  const add = (chunk: Buffer) => {
    text += chunk.toString('latin1');
  };
  socket.on('data', add);
  while (!text.includes(words)) {
    if (socket.closed) throw new Error(`closed before ${words}: ${text}`);
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  }
  socket.off('data', add);
  return text;
}

export function answersIn(bytes: Buffer): readonly Answer[] {
  const answers: Answer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) throw new Error(`half an answer: ${rest.toString('latin1')}`);
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    const headers = lines.map((line): [string, string] => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    });
    const header = (name: string) => headers.find(([given]) => given.toLowerCase() === name)?.[1];
    rest = rest.subarray(end + 4);
    const length = header('content-length');
    let body = rest;
    if (status < 200) body = rest.subarray(0, 0);
    else if (header('transfer-encoding') === 'chunked') {
      const pieces: Buffer[] = [];
      for (;;) {
        const at = rest.indexOf('\r\n');
        const size = Number.parseInt(rest.subarray(0, at).toString('latin1'), 16);
        if (at < 0 || Number.isNaN(size)) throw new Error('a broken chunked answer');
        if (size === 0) break;
        pieces.push(rest.subarray(at + 2, at + 2 + size));
        rest = rest.subarray(at + 4 + size);
      }
      rest = rest.subarray(5);
      body = Buffer.concat(pieces);
    } else if (length !== undefined) {
      body = rest.subarray(0, Number(length));
      rest = rest.subarray(body.length);
    } else rest = rest.subarray(rest.length);
    if (status < 200) continue;
    answers.push({
      status,
      headers,
      body,
      header,
      json: () => JSON.parse(body.toString('utf8')) as Record<string, unknown>,
    });
  }
  return answers;
}

/** A request through `node:http` on a connection of its own, body still to be written. */
export function begin(port: number, options: RequestOptions): { req: ClientRequest; answer: Promise<IncomingMessage> } {
  const req = request({ host: '127.0.0.1', port, agent: false, ...options });
  const answer = once(req, 'response').then(([res]) => res as IncomingMessage);
  // A test that does not wait for an answer lets it fail.
  answer.catch(() => {});
  req.on('error', () => {});
  return { req, answer };
}
