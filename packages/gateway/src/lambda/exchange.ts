/**
 * One event through the gateway's own HTTP server: the request is written to it and its answer read from it over a pair
 * of streams in memory, so that every byte takes the path that it takes in a process of its own.
 */
import { once } from 'node:events';
import { type IncomingMessage, request, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { problem } from '../problem.ts';
import { type EventRequest, requestOf } from './event.ts';
import type { LambdaPlatform, ResponseStream } from './platform.ts';

export interface ExchangeOptions {
  readonly server: Server;
  readonly platform: Pick<LambdaPlatform, 'HttpResponseStream'>;
  /** Of the issuer. */
  readonly publicHost: string;
  /** Milliseconds from now; what is not answered by then is ended by us and not by the platform. */
  readonly deadlineMs: number;
}

/** API Gateway wants the prelude and what ends it within the first 16 KiB of an answer. */
const maxPreludeBytes = 16 * 1024 - 8;

/** Headers of a target that the prelude could not hold anyway. */
const maxHeadBytes = 64 * 1024;

/**
 * Resolves when the answer is whole, or has been ended in good order at the deadline. Rejects if it broke off in the
 * middle: the runtime then tells the platform, because half an answer must not look like a whole one.
 */
export async function exchange(event: unknown, stream: ResponseStream, options: ExchangeOptions): Promise<void> {
  const asked = requestOf(event, options.publicHost);
  const begin = (status: number, rawHeaders: readonly string[]): ResponseStream | undefined => {
    const prelude = asked.prelude(status, rawHeaders);
    if (Buffer.byteLength(JSON.stringify(prelude)) > maxPreludeBytes) return undefined;
    const out = options.platform.HttpResponseStream.from(stream, prelude);
    // The head goes out with the first write, and at once: the first event of a stream may be minutes away.
    out.write('');
    return out;
  };
  const refuse = (status: number, error: string, words: string): void => {
    const reply = problem(status, error, words);
    const out = begin(status, Object.entries(reply.headers).flat() as string[]) as ResponseStream;
    if (!('method' in asked && asked.method === 'HEAD')) out.write(reply.body);
    out.end();
  };
  if ('unreadable' in asked) return refuse(400, 'invalid_request', asked.unreadable);

  const { near, far, leave } = connection(options.server, asked);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    leave();
  }, options.deadlineMs);
  // The runtime's own connection broke: nobody takes the rest.
  stream.once('error', leave);
  try {
    const answer = await headOf(near, asked);
    if (!answer) {
      return late
        ? refuse(504, 'timeout', 'The answer took longer than this server may wait for it.')
        : refuse(502, 'bad_gateway', 'The connection broke off before there was an answer.');
    }
    const out = begin(answer.statusCode as number, answer.rawHeaders);
    if (!out) {
      leave();
      return refuse(502, 'target_unreadable', 'The answer has more headers than the platform takes.');
    }
    const whole = await passedOn(answer, out);
    const events = (answer.headers['content-type'] ?? '').startsWith('text/event-stream');
    // Its client knows what it has, and comes back for more (Last-Event-ID).
    if (!whole && !(late && events)) {
      throw new Error(late ? 'The answer took longer than the function may run.' : 'The answer broke off.');
    }
    out.end();
  } finally {
    clearTimeout(deadline);
    leave();
    // What the server does at the end of a request, its log line for one, is done before we are frozen.
    if (!far.closed) await once(far, 'close');
    await turn();
  }
}

interface Connection {
  readonly near: Duplex;
  readonly far: Duplex;
  /** As a client that goes away: the server aborts what it has begun for it. */
  leave(): void;
}

function connection(server: Server, { remoteAddress }: EventRequest): Connection {
  const [near, far] = duplexPair();
  Object.defineProperty(far, 'remoteAddress', { value: remoteAddress });
  // https://nodejs.org/api/http.html#event-connection: any Duplex will do.
  server.emit('connection', far);
  return {
    near,
    far,
    leave() {
      near.destroy();
      far.destroy();
    },
  };
}

/** Undefined: the connection ended before there was one. */
function headOf(near: Duplex, asked: EventRequest): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({
      createConnection: () => near,
      method: asked.method,
      path: asked.target,
      headers: asked.rawHeaders,
      maxHeaderSize: maxHeadBytes,
    });
    outgoing.once('response', resolve);
    // After the head, what happens is told by the answer itself.
    outgoing.on('error', () => resolve(undefined));
    outgoing.end(asked.body);
  });
}

/** Whether it came to its end. Never faster than it is taken. */
async function passedOn(answer: IncomingMessage, out: ResponseStream): Promise<boolean> {
  answer.on('data', (chunk: Buffer) => {
    if (out.write(chunk)) return;
    answer.pause();
    out.once('drain', () => answer.resume());
  });
  answer.on('error', () => {});
  if (!answer.closed) await once(answer, 'close').catch(() => {});
  return answer.complete;
}
