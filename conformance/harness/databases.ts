/** Owns the databases that gateway instances share: real servers, each of which can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ConfigInput } from '../../packages/gateway/src/serve.ts';
import { createTable, dynamoDbConnection } from '../../packages/records/src/dynamodb.ts';
import { startPostgres } from '../../packages/records/test/postgres-server.ts';
import { startRedis } from '../../packages/records/test/redis-server.ts';
import { collect, waitFor } from './stack.ts';

export const databaseTypes = ['sqlite', 'postgres', 'redis', 'dynamodb'] as const;
export type DatabaseType = (typeof databaseTypes)[number];

export interface Database {
  readonly type: DatabaseType;
  /** As the gateway's configuration names it; over `port`, where a proxy stands before it. */
  records(port?: number): ConfigInput['records'];
  /** What a gateway needs besides. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it listens; undefined: it is a file. */
  readonly port: number | undefined;
  /** No goodbye: SIGKILL, and PostgreSQL's immediate shutdown. A file is locked by somebody else. */
  crash(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Those that `GATEHOUSE_DATABASES` names, by commas; all unless it is set. */
export function chosenDatabases(): readonly DatabaseType[] {
  const chosen = process.env.GATEHOUSE_DATABASES?.split(',');
  return chosen ? databaseTypes.filter((type) => chosen.includes(type)) : databaseTypes;
}

export function startDatabase(type: DatabaseType): Promise<Database> {
  return starters[type]();
}

const starters: Readonly<Record<DatabaseType, () => Promise<Database>>> = {
  async sqlite() {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    const file = join(folder, 'gatehouse.sqlite');
    let other: DatabaseSync | undefined;
    return {
      type: 'sqlite',
      records: () => ({ type: 'sqlite', file }),
      env: {},
      port: undefined,
      // What a file can suffer beside its processes' ends: somebody, such as a backup, keeps it locked.
      async crash() {
        other = new DatabaseSync(file);
        other.exec('PRAGMA busy_timeout = 20000; BEGIN EXCLUSIVE');
      },
      async start() {
        other?.close();
        other = undefined;
      },
      async remove() {
        other?.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },

  async postgres() {
    const server = await startPostgres();
    return {
      type: 'postgres',
      records: (port = server.port) => ({
        type: 'postgres',
        connectionString: server.url.replace(`:${server.port}/`, `:${port}/`),
      }),
      env: {},
      port: server.port,
      crash: () => server.stop('immediate'),
      start: () => persistently(() => server.start()),
      remove: () => server.remove(),
    };
  },

  async redis() {
    // An acknowledged write survives a kill only like this (docs of the records).
    const server = await startRedis({ fsync: 'always' });
    return {
      type: 'redis',
      records: (port = server.port) => ({ type: 'redis', url: `redis://127.0.0.1:${port}` }),
      env: {},
      port: server.port,
      crash: () => server.kill(),
      start: () => persistently(() => server.start()),
      remove: () => server.remove(),
    };
  },

  async dynamodb() {
    const folder = mkdtempSync(join(tmpdir(), 'dynalite-'));
    const port = await freePort();
    const env = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'of the tests' };
    let child: ChildProcess | undefined;
    const crash = async () => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    };
    const start = () =>
      persistently(async () => {
        const program = fileURLToPath(new URL('dynamodb-process.ts', import.meta.url));
        child = spawn(process.execPath, [program, join(folder, 'data'), String(port)], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        await waitFor(child, collect(child), 'dynamodb is ready');
      });
    await start();
    const endpoint = (at: number) => `http://127.0.0.1:${at}`;
    const administrator = dynamoDbConnection({
      region: env.AWS_REGION,
      endpoint: endpoint(port),
      credentials: async () => ({ accessKeyId: 'test', secretAccessKey: 'of the tests' }),
      timeoutMs: 20_000,
    });
    await createTable(administrator.send, 'gatehouse');
    await administrator.close();
    return {
      type: 'dynamodb',
      records: (at = port) => ({ type: 'dynamodb', table: 'gatehouse', endpoint: endpoint(at) }),
      env,
      port,
      crash,
      start,
      async remove() {
        await crash();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

/** Its port may for a moment be the other end of somebody's connection. */
async function persistently(start: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 20) throw error;
      await pause(250);
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
