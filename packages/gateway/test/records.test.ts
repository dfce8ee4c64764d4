/** `gatehouse records create`, as an operator runs it: on every database, twice, and with what they got wrong. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dynalite from 'dynalite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../records/test/postgres-server.ts';
import { type RedisServer, startRedis } from '../../records/test/redis-server.ts';
import { openRecords } from '../src/open-records.ts';
import type { Config } from '../src/serve.ts';
import { run as gatehouse } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'records-'));
const dynamoDb = dynalite({ createTableMs: 0 });
let postgres: PostgresServer;
let redis: RedisServer;

beforeAll(async () => {
  dynamoDb.listen(0, '127.0.0.1');
  [postgres, redis] = await Promise.all([startPostgres(), startRedis(), once(dynamoDb, 'listening')]);
});
afterAll(async () => {
  dynamoDb.close();
  await Promise.all([postgres.remove(), redis.remove()]);
  rmSync(folder, { recursive: true });
});

let files = 0;
function configuration(records: object): string {
  const file = join(folder, `${++files}.json`);
  const config = {
    issuer: 'https://mcp.example.com',
    resources: [{ path: '/mcp', target: 'http://localhost:1/mcp' }],
    identityProvider: { type: 'oidc', issuer: 'https://login.example.com', clientId: 'gatehouse' },
    records,
    secrets: [{ id: 'k1', secret: { env: 'NOT_NEEDED_HERE' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const aws = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'a secret of the tests' };
const create = (records: object, ...flags: string[]) =>
  gatehouse(['records', 'create', '--config', configuration(records), ...flags], { env: aws });

describe('makes what is missing, and leaves what is there', () => {
  it('SQLite: the file', async () => {
    const file = join(folder, 'new', 'records.db');
    expect(await create({ type: 'sqlite', file })).toMatchObject({ code: 0, stdout: `Ready: sqlite at ${file}.\n` });
    expect(existsSync(file)).toBe(true);
    expect((await create({ type: 'sqlite', file })).code).toBe(0);
  });

  it('PostgreSQL: the table', async () => {
    const records = { type: 'postgres', connectionString: postgres.url, table: 'made_by_command' };
    for (let time = 0; time < 2; time++) {
      expect(await create(records)).toMatchObject({ code: 0, stdout: `Ready: postgres at ${postgres.url}.\n` });
    }
  });

  it('DynamoDB: the table, and says whether it was there', async () => {
    const { port } = dynamoDb.address() as AddressInfo;
    const records = {
      type: 'dynamodb',
      table: 'gatehouse',
      region: 'eu-central-1',
      endpoint: `http://127.0.0.1:${port}`,
    };
    expect(await create(records)).toMatchObject({ code: 0, stdout: 'Made: the dynamodb table gatehouse.\n' });
    const again = await create(records, '--json');
    expect(JSON.parse(again.stdout)).toEqual({ type: 'dynamodb', place: 'gatehouse', created: false });
  });

  it('Redis: nothing, but it must answer and evict nothing', async () => {
    const records = { type: 'redis', url: redis.url };
    expect((await create(records)).code).toBe(0);
    redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const refused = await create(records);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('maxmemory-policy to noeviction') });
  });
});

describe('says what is in it', () => {
  const now = Math.floor(Date.now() / 1000);
  /** Two that live, one that has expired an hour ago by the clock of whoever looks, and one without an end. */
  async function fill(records: Config['records']) {
    // An hour ago: so the one that lives for a minute has expired by now, and is not yet swept.
    const opened = await openRecords(records, () => now - 3600);
    const event = { time: now - 3000, event: 'e', level: 'info', outcome: 'success', details: {} } as never;
    await opened.create('auditEvent', 'gone', event, now - 3540);
    await opened.create('auditEvent', 'lives', event, now + 3600);
    await opened.create('auditEvent', 'newer', { ...(event as object), time: now - 10 } as never, now + 3600);
    await opened.create('keySet', 'k', { current: 'k', keys: [] });
    await opened.close();
  }
  const stats = async (records: object, ...flags: string[]) => {
    const ended = await gatehouse(['records', 'stats', '--config', configuration(records), ...flags], { env: aws });
    expect([ended.code, ended.stderr]).toEqual([0, '']);
    return ended.stdout;
  };
  const found = async (records: object, ...flags: string[]) => {
    const { kinds, ...rest } = JSON.parse(await stats(records, '--json', ...flags)) as {
      kinds: Array<Record<string, unknown>>;
    };
    return { ...rest, ...Object.fromEntries(kinds.map((one) => [String(one.kind), one])) } as Record<string, unknown>;
  };
  const whole = { kind: 'auditEvent', live: 2, bytes: expect.any(Number), oldest: now - 3000, newest: now - 10 };

  it('SQLite: every kind, live and expired, and the size of the file', async () => {
    const records = { type: 'sqlite' as const, file: join(folder, 'stats.db') };
    await fill(records);
    expect(await found(records)).toMatchObject({
      type: 'sqlite',
      place: records.file,
      bytes: expect.any(Number),
      auditEvent: { ...whole, expired: 1 },
      keySet: { live: 1, expired: 0 },
      grant: { kind: 'grant', live: 0, expired: 0, bytes: 0 },
    });
    const text = await stats(records);
    expect(text).toMatch(/^sqlite at \S+stats\.db: [\d.]+ KiB on disk\n\nKIND +LIVE +EXPIRED +SIZE +OLDEST +NEWEST\n/);
    expect(text).toMatch(/\nauditEvent +2 +1 +\d+ B +20\S+Z +20\S+Z\n/);
    expect((await found(records, '--most', '1')).auditEvent).toMatchObject({ live: 1, cut: true, expired: 1 });
  });

  it('PostgreSQL: the same, and what the table takes', async () => {
    const records = { type: 'postgres' as const, connectionString: postgres.url, table: 'counted' };
    await fill(records);
    const { bytes, ...rest } = await found(records);
    expect(rest).toMatchObject({ auditEvent: { ...whole, expired: 1 }, keySet: { live: 1 } });
    expect(bytes).toBeGreaterThan(8000);
  });

  it('DynamoDB and Redis: what lives', async () => {
    const { port } = dynamoDb.address() as AddressInfo;
    const table = { type: 'dynamodb', table: 'counted', region: 'eu-central-1', endpoint: `http://127.0.0.1:${port}` };
    await create(table);
    expect(await found(table)).toMatchObject({ about: expect.stringContaining('six hours'), grant: { live: 0 } });
    const server = await startRedis();
    try {
      await fill({ type: 'redis', url: server.url });
      expect((await found({ type: 'redis', url: server.url })).auditEvent).toEqual(whole);
    } finally {
      await server.remove();
    }
  });
});

describe('what is wrong is said, with a cure', () => {
  it.each<[words: string, args: string[], code: number]>([
    ['gatehouse records create', [], 2],
    ['gatehouse records stats', ['look'], 2],
    ['Say whose records', ['stats'], 2],
    ['--most takes a whole number', ['stats', '--most', '0'], 2],
    ['--most belongs to records stats', ['create', '--most', '1'], 2],
    ['--config FILE', ['create'], 2],
    ['cannot be read', ['create', '--config', '/nowhere/gatehouse.yaml'], 1],
  ])('%s: %j', async (words, args, code) => {
    const result = await gatehouse(['records', ...args], { cwd: folder });
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(words);
  });

  it('a database that is away, and memory', async () => {
    const away = await create({ type: 'postgres', connectionString: 'postgres://nobody@127.0.0.1:1/none' });
    expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('PostgreSQL does not answer') });
    expect(await create({ type: 'memory' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nothing made'),
    });
  });

  it('teaches', async () => {
    const { code, stdout } = await gatehouse(['records', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('dynamodb:CreateTable');
  });
});
