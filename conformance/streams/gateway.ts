/** A gateway as a process of its own whose memory can be asked for, in front of one target, and a machine that may call it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../packages/gateway/src/serve.ts';
import { collect, freePorts, root, waitFor } from '../harness/stack.ts';
import type { Usage } from './probe.ts';

export interface MeasuredGateway {
  readonly port: number;
  readonly resource: string;
  /** For requests to the resource. */
  readonly headers: { readonly authorization: string };
  /** In bytes, as it is. */
  usage(): Promise<Usage>;
  /** After a full collection. */
  collected(): Promise<Usage>;
  /** SIGTERM; the exit code. */
  close(): Promise<number | null>;
}

export interface MeasuredOptions {
  readonly target: string;
  /** Silence in an event stream before a comment. */
  readonly keepAliveSeconds?: number;
}

export async function startMeasuredGateway({ target, keepAliveSeconds }: MeasuredOptions): Promise<MeasuredGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-streams-'));
  const secrets = { operator: '', provider: '', machine: '' };
  const reference = (name: keyof typeof secrets) => {
    secrets[name] = randomBytes(30).toString('hex');
    const file = join(folder, `${name}.secret`);
    writeFileSync(file, secrets[name], { mode: 0o600 });
    return { file };
  };
  const port = await freePorts();
  const issuer = `http://localhost:${port}`;
  // Nobody signs in, so nobody needs to be there.
  const nowhere = 'http://127.0.0.1:1';
  const config: ConfigInput = {
    issuer,
    listen: { port },
    resources: [{ path: '/mcp', target, ...(keepAliveSeconds !== undefined && { keepAliveSeconds }) }],
    identityProvider: {
      type: 'cognito',
      userPoolId: 'eu-central-1_Streams01',
      domain: nowhere,
      issuerOrigin: nowhere,
      clientId: 'gatehouse',
      clientSecret: reference('provider'),
    },
    records: { type: 'memory' },
    secrets: [{ id: 's1', secret: reference('operator') }],
    clients: [{ id: 'machine', secret: reference('machine'), grantTypes: ['client_credentials'] }],
    limits: { callsPerCaller: 5000 },
  };
  const file = join(folder, 'gateway.json');
  writeFileSync(file, JSON.stringify(config));
  const probe = new URL('./probe.ts', import.meta.url).href;
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--import',
      probe,
      join(root, 'packages/gateway/bin/gatehouse.js'),
      'serve',
      '--config',
      file,
      '--json',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Two arenas instead of eight a core: what is free in one is not asked for again in another.
      env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    },
  );
  const ended = once(child, 'exit');
  const close = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
    return child.exitCode;
  };
  const asked = async (question: 'usage' | 'collected') => {
    const told = once(child, 'message');
    child.send(question);
    const [usage] = await told;
    return usage as Usage;
  };
  try {
    await waitFor(child, collect(child), '"gateway.ready"');
    return {
      port,
      resource: `${issuer}/mcp`,
      headers: { authorization: `Bearer ${await machineToken(issuer, secrets.machine)}` },
      usage: () => asked('usage'),
      collected: () => asked('collected'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function machineToken(issuer: string, secret: string): Promise<string> {
  const issued = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`machine:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${issuer}/mcp` }),
  });
  if (issued.status !== 200) throw new Error(await issued.text());
  return ((await issued.json()) as { access_token: string }).access_token;
}
