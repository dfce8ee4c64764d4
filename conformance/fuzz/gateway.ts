/** A gateway process to be fuzzed: every endpoint switched on, a small heap, its log in a file, a target that keeps watch. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalCognito } from 'local-cognito';
import type { ConfigInput } from '../../packages/gateway/src/serve.ts';
import { freePorts, root } from '../harness/stack.ts';

/** In megabytes. What a hundred thousand requests leave behind would not fit into it. */
const heapMegabytes = 192;
const userPoolId = 'eu-central-1_Fuzz00001';

export const victim = { username: 'victim', password: 'Correct-Horse-9-Battery' } as const;
export const attacker = { username: 'attacker', password: 'Correct-Horse-9-Staples' } as const;

export interface FuzzedGateway {
  readonly issuer: string;
  readonly port: number;
  readonly signInOrigin: string;
  /** A configured client that may introspect. */
  readonly introspector: { readonly id: string; readonly secret: string };
  /** What only the operator knows. */
  readonly operatorSecrets: readonly string[];
  /** What reached the target and should not have. */
  readonly trespasses: readonly string[];
  alive(): boolean;
  residentMegabytes(): number;
  log(): string;
  /** Lines of the log that tell of a fault: a client that goes away is none. */
  faults(): readonly string[];
  close(): Promise<void>;
}

export async function startFuzzedGateway(): Promise<FuzzedGateway> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-fuzz-'));
  const targetSecret = secretFile(dataDir, 'target');
  const target = await startTarget(targetSecret.value);
  const port = await freePorts();
  const issuer = `http://localhost:${port}`;
  const [operator, pool, client] = ['operator', 'pool', 'client'].map((name) => secretFile(dataDir, name)) as [
    Secret,
    Secret,
    Secret,
  ];
  const signIn = await startLocalCognito({
    config: {
      poolId: userPoolId,
      users: [victim, attacker].map((user) => ({ ...user, email: `${user.username}@example.com` })),
      clients: [
        {
          clientId: 'gatehouse',
          clientSecret: pool.value,
          callbackUrls: [`${issuer}/callback`],
          allowedScopes: ['openid'],
        },
      ],
    },
  });
  const config: ConfigInput = {
    issuer,
    listen: { port },
    identityProvider: {
      type: 'cognito',
      userPoolId,
      domain: signIn.origin,
      issuerOrigin: signIn.origin,
      clientId: 'gatehouse',
      clientSecret: pool.reference,
    },
    records: { type: 'sqlite', file: join(dataDir, 'gatehouse.sqlite') },
    secrets: [{ id: 'f1', secret: operator.reference }],
    clients: [
      {
        id: 'introspector',
        secret: client.reference,
        grantTypes: ['client_credentials'],
        introspects: ['/mcp'],
      },
    ],
    resources: [
      {
        path: '/mcp',
        name: 'Fuzzed',
        target: `${target.origin}/mcp`,
        targetSecret: targetSecret.reference,
        scopes: { read: 'read', write: 'write' },
        defaultScope: ['read'],
        open: [{ path: '/files', target: `${target.origin}/open` }],
      },
    ],
  };
  const configFile = join(dataDir, 'gateway.json');
  writeFileSync(configFile, JSON.stringify(config));
  const logFile = join(dataDir, 'log');
  const child = await startProcess(configFile, logFile);
  return {
    issuer,
    port,
    signInOrigin: signIn.origin,
    introspector: { id: 'introspector', secret: client.value },
    operatorSecrets: [operator, pool, client, targetSecret].map(({ value }) => value),
    trespasses: target.trespasses,
    alive: () => child.exitCode === null && child.signalCode === null,
    residentMegabytes: () =>
      Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024,
    log: () => readFileSync(logFile, 'utf8'),
    faults: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => /"event":"fault"|"status":5\d\d|Error/.test(line) && !line.includes('"outcome":"cut"'))
        .slice(0, 10),
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      await signIn.close();
      await target.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

interface Secret {
  readonly value: string;
  readonly reference: { readonly file: string };
}

function secretFile(dataDir: string, name: string): Secret {
  const value = randomBytes(30).toString('hex');
  const file = join(dataDir, `${name}.secret`);
  writeFileSync(file, value, { mode: 0o600 });
  return { value, reference: { file } };
}

async function startProcess(configFile: string, logFile: string): Promise<ChildProcess> {
  const out = openSync(logFile, 'a');
  const bin = join(root, 'packages/gateway/bin/gatehouse.js');
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${heapMegabytes}`, bin, 'serve', '--config', configFile, '--json', '--log', 'json'],
    { stdio: ['ignore', out, out] },
  );
  closeSync(out);
  while (!readFileSync(logFile, 'utf8').includes('"event":"gateway.ready"')) {
    if (child.exitCode !== null) throw new Error(`the gateway ended:\n${readFileSync(logFile, 'utf8')}`);
    await sleep(20);
  }
  return child;
}

/** Answers everything with 200, and writes down what a gateway must never let through. */
async function startTarget(secret: string) {
  const trespasses: string[] = [];
  // Whatever head the gateway lets pass.
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (req, res) => {
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    const place = path === '/mcp' ? 'mcp' : /^\/open\/[A-Za-z0-9._~/-]+$/.test(path) ? 'open' : 'elsewhere';
    if (place === 'elsewhere' || /\/\.{1,2}(\/|$)/.test(path)) trespasses.push(`path ${req.url}`);
    if (req.headers.authorization !== undefined) trespasses.push(`${path} with Authorization`);
    if (place === 'mcp' && req.headers['x-gatehouse-secret'] !== secret) trespasses.push(`${path} without the secret`);
    if (place === 'open' && !['GET', 'HEAD'].includes(req.method ?? '')) trespasses.push(`${req.method} ${path}`);
    req.resume();
    req.once('end', () => res.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}'));
  });
  // A connection of the gateway's is closed by the gateway.
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trespasses,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
