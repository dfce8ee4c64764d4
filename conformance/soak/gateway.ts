/** What a soak runs against: a gateway process whose memory can be asked for, a user pool, and a target with every kind of answer. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { startLocalCognito } from 'local-cognito';
import type { ConfigInput } from '../../packages/gateway/src/serve.ts';
import { freePorts, root } from '../harness/stack.ts';

export const person = { username: 'ada', password: 'Correct-Horse-9-Battery' } as const;

export interface SoakedGateway {
  readonly issuer: string;
  readonly port: number;
  readonly resource: string;
  readonly signInOrigin: string;
  /** Lines of the log that tell of a fault. */
  readonly faults: readonly string[];
  alive(): boolean;
  /** After a full collection, in bytes. */
  memory(): Promise<NodeJS.MemoryUsage>;
  /** SIGTERM; the exit code. */
  close(): Promise<number | null>;
}

export async function startSoakedGateway(): Promise<SoakedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-soak-'));
  const secret = (name: string) => {
    const value = randomBytes(30).toString('hex');
    const file = join(folder, `${name}.secret`);
    writeFileSync(file, value, { mode: 0o600 });
    return { value, file };
  };
  const [operator, client] = [secret('operator'), secret('client')];
  const port = await freePorts();
  const issuer = `http://localhost:${port}`;
  const poolId = 'eu-central-1_Soak00001';
  const pool = await startLocalCognito({
    config: {
      poolId,
      users: [{ ...person, email: 'ada@example.com' }],
      clients: [
        {
          clientId: 'gatehouse',
          clientSecret: client.value,
          callbackUrls: [`${issuer}/callback`],
          allowedScopes: ['openid'],
        },
      ],
    },
  });
  const target = await startTarget();
  const config: ConfigInput = {
    issuer,
    listen: { port },
    resources: [{ path: '/mcp', name: 'Soaked', target: `${target.origin}/mcp` }],
    identityProvider: {
      type: 'cognito',
      userPoolId: poolId,
      domain: pool.origin,
      issuerOrigin: pool.origin,
      clientId: 'gatehouse',
      clientSecret: { file: client.file },
    },
    records: { type: 'sqlite', file: join(folder, 'gatehouse.sqlite') },
    secrets: [{ id: 's1', secret: { file: operator.file } }],
  };
  const configFile = join(folder, 'gateway.json');
  writeFileSync(configFile, JSON.stringify(config));
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      // On a large machine V8 keeps hundreds of megabytes of garbage before it looks: here it may not, and a leak ends it.
      '--max-old-space-size=128',
      '--import',
      new URL('./memory-probe.ts', import.meta.url).href,
      join(root, 'packages/gateway/bin/gatehouse.js'),
      'serve',
      '--config',
      configFile,
      '--json',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Two arenas instead of eight a core: what is free in one is not asked for again in another, and a leak is seen.
      env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    },
  );
  const faults: string[] = [];
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    if (/"event":"fault"|"status":5\d\d/.test(line) && faults.length < 20) faults.push(line.slice(0, 1000));
  });
  await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`the gateway did not start:\n${faults.join('\n')}`))),
  ]);
  return {
    issuer,
    port,
    resource: `${issuer}/mcp`,
    signInOrigin: pool.origin,
    faults,
    alive: () => child.exitCode === null && child.signalCode === null,
    async memory() {
      const told = once(child, 'message');
      child.send('memory');
      const [usage] = await told;
      return usage as NodeJS.MemoryUsage;
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      await pool.close();
      await target.close();
      rmSync(folder, { recursive: true, force: true });
      return child.exitCode;
    },
  };
}

/** Bytes of the answer that slow readers get. */
const largeAnswer = 1024 * 1024;

/** Answers a POST by what its body asks for: an answer, a late one, a large one, events; and GET with events. */
async function startTarget() {
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => {
      if (body.length < 64) body += chunk.toString('latin1');
    });
    req.once('end', () => void answer(req.method === 'GET' ? 'events' : body, res));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(asked: string, res: ServerResponse): Promise<void> {
  if (asked === 'events') {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let event = 1; event <= 20 && !res.destroyed; event++) {
      res.write(`data: ${event}\n\n`);
      await pause(10);
    }
    res.end();
    return;
  }
  if (asked === 'late') await pause(100);
  const large = asked === 'large';
  res.writeHead(200, { 'content-type': large ? 'application/octet-stream' : 'application/json' });
  res.end(large ? Buffer.alloc(largeAnswer) : '{"jsonrpc":"2.0","id":1,"result":{}}');
}
