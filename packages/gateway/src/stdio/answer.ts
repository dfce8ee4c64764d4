/** How one request of a client is answered over HTTP (MCP, Streamable HTTP): as JSON, or as a stream of events where something comes before the answer. */
import type { ServerResponse } from 'node:http';

/** A stream of events that is open: what is written goes out at once. */
export interface EventStream {
  readonly open: boolean;
  send(text: string): void;
  end(): void;
}

/** What slows a sender down, or cuts a reader off: `res` holds more than it passes on. */
export type OnFull = (res: ServerResponse) => void;

export interface Answer {
  /** Nobody is left to be answered, or it was. */
  readonly over: boolean;
  readonly stream: EventStream;
  /** The last message; JSON with `status` where nothing went before it. */
  finish(text: string, status?: number): void;
  /** Ends without a message, where a client waits for none. */
  abandon(): void;
}

export interface AnswerOptions {
  readonly onFull: OnFull;
  /** An answer that takes longer becomes a stream, and a silent stream says that it lives; 0: neither. */
  readonly keepAliveSeconds: number;
  /** Of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

const streamHead = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };

export function answerTo(res: ServerResponse, options: AnswerOptions): Answer {
  const stream = eventStream(res, options);
  return {
    get over() {
      return res.writableEnded || res.destroyed;
    },
    stream,
    finish(text, status = 200) {
      if (res.writableEnded || res.destroyed) return;
      if (res.headersSent) {
        stream.send(text);
        res.end();
      } else sendJson(res, status, text, options.headers);
      if (res.writableNeedDrain) options.onFull(res);
    },
    abandon() {
      if (res.writableEnded || res.destroyed) return;
      if (!res.headersSent) res.writeHead(200, { ...options.headers, ...streamHead });
      res.end();
    },
  };
}

/** Its head goes out with the first message, or when nothing has gone out for a while. */
export function eventStream(res: ServerResponse, { onFull, keepAliveSeconds, headers }: AnswerOptions): EventStream {
  const write = (text: string) => {
    if (res.writableEnded || res.destroyed) return;
    if (!res.headersSent) res.writeHead(200, { ...headers, ...streamHead });
    if (!res.write(text)) onFull(res);
  };
  // Before whatever stands between here and the client gives a silent connection up.
  if (keepAliveSeconds > 0) {
    const alive = setInterval(() => {
      if (res.writableLength === 0) write(': alive\n\n');
    }, keepAliveSeconds * 1000);
    alive.unref();
    res.once('close', () => clearInterval(alive));
  }
  return {
    get open() {
      return !res.writableEnded && !res.destroyed;
    },
    // `event: message` is the default; clients of every revision read it either way.
    send: (text) => write(`event: message\ndata: ${text}\n\n`),
    end() {
      if (!res.headersSent && !res.destroyed) res.writeHead(200, { ...headers, ...streamHead });
      res.end();
    },
  };
}

export function sendJson(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': String(Buffer.byteLength(text)),
  });
  res.end(text);
}
