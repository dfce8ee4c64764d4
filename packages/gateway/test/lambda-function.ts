/**
 * A Lambda function behind its Function URL, with what is Amazon's own in the middle: the runtime interface client
 * (npm `aws-lambda-ric`, in the folder that LAMBDA_RIC names) runs the bundle in a process an instance. Around it stand
 * the Runtime API that it polls, and a front that makes events of requests, as the platform's documentation says.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The folder of the package, unpacked; empty where it is not here. */
export const ric = process.env.LAMBDA_RIC ?? '';
export const ricIsHere = existsSync(join(ric, 'index.mjs'));

/** A test that fails leaves no process behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** One answer as the Runtime API receives it. */
export interface Invocation {
  /** Headers of the POST that carries the answer. */
  readonly headers: IncomingMessage['headers'];
  /** Status and headers of the answer, from before the eight zero bytes. */
  readonly prelude: Record<string, unknown> & { readonly statusCode: number };
  /** The body's pieces as they come. */
  readonly body: AsyncIterable<Buffer>;
  /** Once the body has ended: what an error in the middle is told by. */
  trailers(): IncomingMessage['trailers'];
}

export interface Instance {
  readonly child: ChildProcess;
  /** Milliseconds from the spawn to the first time it asked for an event. */
  readonly startedAfterMs: () => number;
  /** Resolves once it asks for an event; rejects with what it wrote, if its start failed. */
  ready(): Promise<void>;
  /** Waits for its turn: an instance works at one event at a time. */
  invoke(event: unknown, timeoutMs?: number): Promise<Invocation>;
  /** Resolves when it asks for the next event: from now on the platform may freeze it. */
  idle(): Promise<void>;
  stderr(): string;
  close(): Promise<void>;
}

interface Waiting {
  readonly event: unknown;
  readonly timeoutMs: number;
  resolve(invocation: Invocation): void;
  reject(cause: Error): void;
}

export async function startInstance(folder: string, env: Readonly<Record<string, string>>): Promise<Instance> {
  const waiting: Waiting[] = [];
  const underway = new Map<string, Waiting>();
  let asking: ServerResponse | undefined;
  let asked = () => {};
  let numbers = 0;
  let startedAfterMs = Number.NaN;
  let started = performance.now();
  let failed: string | undefined;
  let output = '';

  const give = () => {
    const one = asking && waiting.shift();
    if (!asking || !one) return;
    const id = `invocation-${++numbers}`;
    underway.set(id, one);
    asking
      .writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': id,
        'lambda-runtime-deadline-ms': String(Date.now() + one.timeoutMs),
        'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:123456789012:function:gatehouse',
        'lambda-runtime-trace-id': 'Root=1-00000000-000000000000000000000000;Sampled=0',
      })
      .end(JSON.stringify(one.event));
    asking = undefined;
  };
  const api = createServer((req, res) => {
    const id = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/response$/.exec(req.url ?? '')?.[1];
    if (req.url === '/2018-06-01/runtime/invocation/next') {
      if (Number.isNaN(startedAfterMs)) startedAfterMs = performance.now() - started;
      asking = res;
      asked();
      give();
    } else if (id !== undefined) {
      const one = underway.get(id);
      underway.delete(id);
      if (one) void received(req, res).then(one.resolve, one.reject);
    } else {
      // The start failed, or an answer that is not streamed: no handler of ours gives one.
      void text(req).then((said) => {
        failed = said;
        for (const one of [...waiting.splice(0), ...underway.values()]) one.reject(new Error(said));
        res.writeHead(202).end('{}');
        asked();
      });
    }
  });
  // The platform waits for as long as a handler thinks.
  api.keepAliveTimeout = 0;
  const port = await listening(api);
  const native = existsSync(join(ric, 'rapid-client.node'));
  started = performance.now();
  const child = spawn(
    process.execPath,
    // Its HTTP client for `next` is its own in either case; the native one needs a compiler, and a stream never uses it.
    [
      ...(native ? [] : ['--import', new URL('./lambda-native-client.mjs', import.meta.url).href]),
      join(ric, 'index.mjs'),
    ],
    {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '',
        AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: native ? 'false' : 'true',
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        LAMBDA_TASK_ROOT: folder,
        _HANDLER: 'index.handler',
        AWS_LAMBDA_FUNCTION_NAME: 'gatehouse',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
        AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/gatehouse',
        AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  const ended = once(child, 'close').then(() => {
    running.delete(child);
    failed ??= `It ended:\n${output}`;
    for (const one of [...waiting.splice(0), ...underway.values()]) one.reject(new Error(failed));
    asked();
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const idle = async () => {
    while (!asking && failed === undefined) {
      await new Promise<void>((resolve) => {
        asked = resolve;
      });
    }
    if (failed !== undefined) throw new Error(failed);
  };
  return {
    child,
    startedAfterMs: () => startedAfterMs,
    ready: idle,
    idle,
    invoke: (event, timeoutMs = 20_000) =>
      new Promise((resolve, reject) => {
        if (failed !== undefined) return reject(new Error(failed));
        waiting.push({ event, timeoutMs, resolve, reject });
        give();
      }),
    stderr: () => output,
    async close() {
      child.kill('SIGKILL');
      await ended;
      api.close();
      api.closeAllConnections();
    },
  };
}

/** What the Runtime API reads of a streamed answer: the prelude, the zero bytes, and then pieces as they come. */
async function received(req: IncomingMessage, res: ServerResponse): Promise<Invocation> {
  req.once('end', () => res.writeHead(202).end('{}'));
  const pieces = req[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  let at = -1;
  while (at < 0) {
    const { done, value } = await pieces.next();
    if (done) throw new Error(`No prelude in ${JSON.stringify(head.toString())}, ${JSON.stringify(req.trailers)}`);
    head = Buffer.concat([head, value]);
    at = head.indexOf(Buffer.alloc(8));
  }
  const prelude = JSON.parse(head.subarray(0, at).toString());
  const first = head.subarray(at + 8);
  async function* body() {
    if (first.length > 0) yield first;
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) return;
      yield value;
    }
  }
  return { headers: req.headers, prelude, body: body(), trailers: () => req.trailers };
}

export async function text(stream: AsyncIterable<Buffer | string>): Promise<string> {
  return (await bytes(stream)).toString();
}

export async function bytes(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** The event of a Function URL, payload format 2.0. */
export function functionUrlEvent(request: {
  readonly method?: string;
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  readonly body?: Buffer;
  readonly host?: string;
}): Record<string, unknown> {
  const { method = 'GET', path, query = '', headers = {}, cookies, body, host = functionHost } = request;
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    ...(cookies && { cookies }),
    headers: { host, 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9', ...headers },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'abcdefghijklmnop',
      domainName: functionHost,
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '203.0.113.9', userAgent: 'tests' },
      requestId: '00000000-0000-0000-0000-000000000000',
      stage: '$default',
    },
    ...(body && { body: body.toString('base64') }),
    isBase64Encoded: body !== undefined,
  };
}

export const functionHost = 'abcdefghijklmnop.lambda-url.eu-central-1.on.aws';

/** Headers that Function URLs rename in an answer. */
const renamed = new Set(['www-authenticate']);

export interface FunctionUrl {
  readonly port: number;
  close(): Promise<void>;
}

/** A plain HTTP front: each request goes to the instance that has been idle for longest. */
export async function functionUrl(port: number, instances: readonly Instance[]): Promise<FunctionUrl> {
  const queues = instances.map((instance) => ({ instance, underway: 0 }));
  const server = createServer(async (req, res) => {
    const chosen = [...queues].sort((a, b) => a.underway - b.underway)[0] as (typeof queues)[number];
    chosen.underway++;
    queues.push(...queues.splice(queues.indexOf(chosen), 1));
    try {
      const { cookie, ...headers } = req.headers as Record<string, string>;
      const [path = '', query = ''] = (req.url ?? '').split('?');
      const body = await bytes(req);
      const { prelude, body: answer } = await chosen.instance.invoke(
        functionUrlEvent({
          method: req.method ?? 'GET',
          path,
          query,
          headers: { ...headers, host: functionHost },
          ...(cookie !== undefined && { cookies: cookie.split('; ') }),
          ...(body.length > 0 && { body }),
        }),
      );
      for (const [name, value] of Object.entries(prelude.headers as Record<string, string>)) {
        res.setHeader(renamed.has(name) ? `x-amzn-remapped-${name}` : name, value);
      }
      if (prelude.cookies) res.setHeader('set-cookie', prelude.cookies as string[]);
      res.writeHead(prelude.statusCode);
      for await (const piece of answer) res.write(piece);
      res.end();
    } catch {
      if (res.headersSent) res.destroy();
      else res.writeHead(502).end('Internal Server Error');
    } finally {
      chosen.underway--;
    }
  });
  await listening(server, port);
  return {
    port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function listening(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

export const buildScript = fileURLToPath(new URL('../../../tools/build-lambda.ts', import.meta.url));
