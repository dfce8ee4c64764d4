/** MCP servers for the tests to stand behind the gateway: plain `node:http`, told by each test what to answer. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface Target {
  readonly url: string;
  readonly port: number;
  /** Requests that came whole, in order. Only the answer made by `echo` notes them. */
  readonly seen: Seen[];
  answer: RequestListener;
  /** The next request as soon as its headers are there, in place of `answer`. */
  arrival(): Promise<{ req: IncomingMessage; res: ServerResponse }>;
  readonly openConnections: number;
  /** Requests that have come, whoever answered them. */
  readonly requests: number;
  /** Requests that have neither been answered nor ended. */
  readonly inFlight: number;
  /** Resolves once no connection to it is open. */
  untilDeserted(): Promise<void>;
  close(): Promise<void>;
}

export async function startTarget(): Promise<Target> {
  const sockets = new Set<Socket>();
  const waiting: Array<(arrived: { req: IncomingMessage; res: ServerResponse }) => void> = [];
  const seen: Seen[] = [];
  let requests = 0;
  let inFlight = 0;
  const server = createServer((req, res) => {
    requests += 1;
    inFlight += 1;
    res.on('close', () => {
      inFlight -= 1;
    });
    const taker = waiting.shift();
    if (taker) taker({ req, res });
    else target.answer(req, res);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const target: Target = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    answer: (req, res) => void note(req, res, seen),
    arrival: () => new Promise((resolve) => waiting.push(resolve)),
    get openConnections() {
      return sockets.size;
    },
    get requests() {
      return requests;
    },
    get inFlight() {
      return inFlight;
    },
    async untilDeserted() {
      while (sockets.size > 0) await Promise.race([...sockets].map((socket) => once(socket, 'close')));
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return target;
}

async function note(req: IncomingMessage, res: ServerResponse, seen: Seen[]): Promise<void> {
  const body = await bodyOf(req).catch(() => undefined);
  if (!body) return;
  const { method = '', url = '', headers, rawHeaders } = req;
  seen.push({ method, url, headers, rawHeaders, body });
  res.writeHead(200, { 'content-type': 'application/json' }).end('{"from":"target"}');
}

/** Rejects if the stream breaks off. */
export async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
