/** Several gateway processes on one database behind one balancer, with what they need around them: started, killed, restarted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../packages/gateway/src/serve.ts';
import { type Balancer, startBalancer } from '../harness/balancer.ts';
import { type Database, type DatabaseType, startDatabase } from '../harness/databases.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { collect, root, waitFor } from '../harness/stack.ts';
import { type ControlledProvider, startControlledProvider } from './provider.ts';
import { startTarget, type Target } from './target.ts';

export interface Instance {
  readonly name: number;
  /** Of this process alone, past the balancer. */
  readonly origin: string;
  /** Whether it is up and the balancer sends to it. */
  readonly running: boolean;
  /** SIGKILL; the balancer goes on sending to it, as it does when a machine dies. */
  kill(): Promise<void>;
  /** Out of the balancer and SIGTERM in the same moment; gives the exit code. */
  terminate(): Promise<number | null>;
  start(): Promise<void>;
  /** What its clock shows too much, in seconds, until it ends. */
  setClock(shiftSeconds: number): Promise<void>;
}

export interface Instances {
  /** The issuer, where clients go. */
  readonly issuer: string;
  readonly resource: string;
  readonly all: readonly Instance[];
  readonly balancer: Balancer;
  readonly database: Database;
  readonly provider: ControlledProvider;
  readonly target: Target;
  /** Between the gateways and the database, and between the clients and the balancer. */
  readonly databaseProxy: FaultProxy | undefined;
  readonly clientProxy: FaultProxy | undefined;
  /** What all processes wrote; the newest megabytes of it. */
  log(): string;
  close(): Promise<void>;
}

export interface InstancesOptions {
  readonly type: DatabaseType;
  readonly count?: number;
  /** Puts the fault proxies in. */
  readonly faults?: boolean;
  readonly config?: Partial<ConfigInput>;
}

const unlimited: ConfigInput['budgets'] = {
  authorize: false,
  consent: false,
  connectionsChange: false,
  token: false,
  register: false,
  revoke: false,
};
const keptLogChunks = 20_000;

export async function startInstances({ type, count = 3, faults = false, config = {} }: InstancesOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const ends: Array<() => Promise<unknown>> = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  const opened = async <T>(opening: Promise<T>, end: (made: T) => Promise<unknown>): Promise<T> => {
    const made = await opening;
    ends.push(() => end(made));
    return made;
  };
  try {
    const database = await opened(startDatabase(type), (one) => one.remove());
    const target = await opened(startTarget(), (one) => one.close());
    const provider = await opened(startControlledProvider(), (one) => one.close());
    const balancer = await opened(startBalancer(), (one) => one.close());
    const { port } = database;
    const shutProxy = (one: FaultProxy) => one.close();
    const databaseProxy = faults && port !== undefined ? await opened(startFaultProxy(port), shutProxy) : undefined;
    const clientProxy = faults
      ? await opened(startFaultProxy(Number(new URL(balancer.origin).port)), shutProxy)
      : undefined;
    const issuer = clientProxy ? `http://localhost:${clientProxy.port}` : balancer.origin;
    const settings: ConfigInput = {
      issuer,
      listen: { port: 0 },
      resources: [{ path: '/mcp', name: 'Instances', target: target.url }],
      identityProvider: {
        type: 'oidc',
        issuer: provider.issuer,
        clientId: 'gatehouse',
        clientSecret: { env: 'TEST_PROVIDER_SECRET' },
        offline: true,
      },
      records: database.records(databaseProxy?.port),
      secrets: [{ id: 'tests', secret: { env: 'TEST_GATEHOUSE_SECRET' } }],
      budgets: unlimited,
      ...config,
    };
    const configFile = join(folder, 'gatehouse.json');
    writeFileSync(configFile, JSON.stringify(settings));
    const env = {
      ...process.env,
      ...database.env,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(folder, 'compiled'),
      TEST_PROVIDER_SECRET: provider.clientSecret,
      TEST_GATEHOUSE_SECRET: randomBytes(48).toString('base64url'),
    };
    const written: string[] = [];
    const log = {
      add(text: string) {
        written.push(text);
        if (written.length > keptLogChunks) written.splice(0, keptLogChunks / 2);
      },
    };
    const all = Array.from({ length: count }, (_, name) => openInstance({ name, configFile, env, balancer, log }));
    ends.push(() => Promise.all(all.map((one) => one.kill())));
    // One after the other: two cores.
    for (const one of all) await one.start();
    const made: Instances = {
      issuer,
      resource: `${issuer}/mcp`,
      all,
      balancer,
      database,
      provider,
      target,
      databaseProxy,
      clientProxy,
      log: () => written.join(''),
      close,
    };
    return made;
  } catch (error) {
    await close();
    throw error;
  }
}

interface InstanceParts {
  readonly name: number;
  readonly configFile: string;
  readonly env: NodeJS.ProcessEnv;
  readonly balancer: Balancer;
  readonly log: { add(text: string): void };
}

function openInstance({ name, configFile, env, balancer, log }: InstanceParts): Instance {
  let child: ChildProcess | undefined;
  let port = 0;
  const alive = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    if (!child || !alive()) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  async function setClock(shiftSeconds: number): Promise<void> {
    if (!child || !alive()) return;
    const told = Promise.race([once(child, 'message'), once(child, 'exit')]);
    child.send({ shiftSeconds }, () => {});
    await told;
  }

  return {
    name,
    get origin() {
      return `http://localhost:${port}`;
    },
    get running() {
      return alive() && port !== 0;
    },
    async kill() {
      await end('SIGKILL');
    },
    terminate() {
      balancer.remove(name);
      return end('SIGTERM');
    },
    async start() {
      const program = join(root, 'conformance/instances/instance.ts');
      const args = [program, 'serve', '--config', configFile, '--json', '--log', 'json'];
      const started = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
      child = started;
      const output = collect(started);
      const line = /\{"event":"gateway\.ready".*"port":(\d+)/;
      await waitFor(started, output, line);
      port = Number(line.exec(output())?.[1]);
      log.add(output());
      started.stdout?.removeAllListeners('data').on('data', (chunk: Buffer) => log.add(chunk.toString()));
      started.stderr?.removeAllListeners('data').on('data', (chunk: Buffer) => log.add(chunk.toString()));
      balancer.add(name, port);
      await setClock(0);
    },
    setClock,
  };
}
