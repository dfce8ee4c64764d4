/** A stdio server without an SDK that behaves as a test tells it: by its arguments, and by the tool that is called. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: unknown;
  readonly error?: unknown;
}

const flags = new Set(process.argv.slice(2));
const received: string[] = [];
const waiting = new Map<string, (answer: Message) => void>();
let calls = 0;
let questions = 0;
let initialized: unknown;

const write = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (value: unknown) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });

if (flags.has('--ignore-term')) {
  process.on('SIGTERM', () => {});
  // It does not end with its input either.
  setInterval(() => {}, 1000);
}
if (flags.has('--fail')) process.exit(7);
if (flags.has('--banner')) process.stdout.write('Server running on stdio\n');

function ask(method: string, params: object): Promise<Message> {
  const id = `q${++questions}`;
  write({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve));
}

async function call(id: number | string, name: string, args: Record<string, unknown>, meta: unknown): Promise<void> {
  const answer = (value: unknown) => write({ id, result: text(value) });
  switch (name) {
    case 'about':
      return void answer({ pid: process.pid, env: process.env, cwd: process.cwd(), calls, initialized });
    case 'echo':
      return void answer({ args, meta });
    case 'exact':
      // Digits that no double holds, and a line break that is only space.
      return void process.stdout.write(
        `{ "result" : {"content": [],\r "big": 12345678901234567890}, "jsonrpc":"2.0", "id": ${JSON.stringify(id)} }\n`,
      );
    case 'crash':
      return process.exit(3);
    case 'hang':
      received.push(JSON.stringify({ hangs: id }));
      return;
    case 'received':
      return void answer(received);
    case 'noise':
      process.stdout.write('this is no JSON\n[1]\n{"id":1}\n\n');
      return void answer('after the noise');
    case 'stderr':
      for (let n = 0; n < Number(args.lines); n++) process.stderr.write(`\u001b[31mline ${n}\u001b[0m\u202e end\n`);
      if (args.long) process.stderr.write(`${'x'.repeat(100_000)}\n`);
      return void answer('said');
    case 'long':
      return void answer('y'.repeat(Number(args.bytes)));
    case 'long-strange':
      return void process.stdout.write(
        `{"jsonrpc":"2.0","result":{"id":0},"x":"${'z'.repeat(Number(args.bytes))}","y":{},"id":${id}}\n`,
      );
    case 'flood':
      for (let n = 0; n < Number(args.messages); n++) {
        if (n === Number(args.messages) / 2) process.stderr.write('half of it\n');
        const data = `${n} ${'f'.repeat(1000)}`;
        const taken = write({ method: 'notifications/message', params: { level: 'info', data } });
        if (!taken) await once(process.stdout, 'drain');
      }
      return void answer('flooded');
    case 'sleep':
      await new Promise((resolve) => setTimeout(resolve, Number(args.ms)));
      return void answer('slept');
    case 'sample':
      return void answer(
        await ask('sampling/createMessage', {
          messages: [{ role: 'user', content: { type: 'text', text: String(args.prompt) } }],
          maxTokens: 5,
          _meta: { progressToken: 'mine' },
        }),
      );
    case 'roots':
      return void answer(await ask('roots/list', {}));
    case 'ping':
      return void answer(await ask('ping', {}));
    case 'announce':
      write({ method: String(args.method), params: args.params });
      return void answer('announced');
    case 'grandchild': {
      // It ignores the polite signal, and holds our output open.
      const code = "process.on('SIGTERM',()=>{});setInterval(()=>{},1000);console.error('up')";
      const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'inherit', 'pipe'] });
      await new Promise((resolve) => child.stderr.once('data', resolve));
      return void answer({ pid: child.pid });
    }
    default:
      return void write({ id, error: { code: -32602, message: `no tool ${name}` } });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Message;
  const { id, method, params = {} } = message;
  if (flags.has('--silent')) continue;
  if (method === undefined) {
    const asker = waiting.get(String(id));
    waiting.delete(String(id));
    if (asker) asker(message);
    else received.push(line); // nobody asked
    continue;
  }
  if (id === undefined) {
    received.push(line);
    continue;
  }
  if (method === 'server/discover' && flags.has('--exit-on-discover')) process.exit(1);
  if (method === 'server/discover' && flags.has('--silent-on-discover')) continue;
  switch (method) {
    case 'initialize':
      if (flags.has('--silent-initialize')) break;
      initialized = params;
      write({
        id,
        result: {
          protocolVersion: params.protocolVersion,
          capabilities: { tools: { listChanged: true }, logging: {}, tasks: {}, resources: { subscribe: true } },
          serverInfo: { name: 'scripted', version: '1' },
        },
      });
      break;
    case 'tools/call':
      calls += 1;
      void call(
        id,
        String(params.name),
        (params.arguments ?? {}) as Record<string, unknown>,
        (params as { _meta?: unknown })._meta,
      );
      break;
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      received.push(line);
      write({ id, result: {} });
      break;
    default:
      write({ id, error: { code: -32601, message: 'Method not found' } });
  }
}
process.stderr.write('no more input\n');
