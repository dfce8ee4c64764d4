/** What PostgreSQL's troubles look like from outside: away is `RecordsUnavailableError`, a fault of the set-up is words. */

import { createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, expect, test } from 'vitest';
import { postgresRecords } from '../src/postgres.ts';
import { schemaVersion } from '../src/postgres-schema.ts';
import { type Records, RecordsError, RecordsUnavailableError } from '../src/records.ts';
import { kinds, type TestRecords } from './kinds.ts';
import { startPostgres } from './postgres-server.ts';

const server = await startPostgres();
afterAll(() => server.remove());

const opened: Records<TestRecords>[] = [];
afterEach(async () => {
  for (const records of opened.splice(0)) await records.close();
});

function open(options: Partial<Parameters<typeof postgresRecords<TestRecords>>[0]> = {}): Records<TestRecords> {
  const records = postgresRecords<TestRecords>({ kinds, connectionString: server.url, ...options });
  opened.push(records);
  return records;
}

async function asAdministrator<T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<T>(text, values)).rows;
  } finally {
    await client.end();
  }
}

test('a database that goes away and comes back costs the calls in between and nothing else', async () => {
  const records = open({ table: 'restart' });
  await records.create('note', 'kept', { text: 'one' });
  // A crash: what was acknowledged comes back out of the log.
  await server.stop('immediate');
  await expect(records.get('note', 'kept')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.create('note', 'new', { text: '' })).rejects.toThrow(RecordsUnavailableError);
  await expect(records.list('note')).rejects.toThrow(RecordsUnavailableError);
  await server.start();
  expect((await records.get('note', 'kept'))?.value).toEqual({ text: 'one' });
  expect(await records.create('note', 'new', { text: '' })).toBe(true);
});

test('starts without its database, and heals when it is there', async () => {
  await server.stop('fast');
  const records = open({ table: 'late' });
  await expect(records.get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  await server.start();
  expect(await records.create('note', 'n', { text: '' })).toBe(true);
});

test('connections that died while idle are not felt by readers', async () => {
  const records = open({ table: 'idle', maxConnections: 4 });
  await Promise.all(Array.from({ length: 8 }, (_, i) => records.create('note', `n${i}`, { text: '' })));
  await asAdministrator('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
    'gatehouse',
  ]);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => records.get('note', `n${i}`)));
  expect(answers.every((stored) => stored !== undefined)).toBe(true);
});

test('a statement that a lock holds up ends in time, and nothing was written', async () => {
  const records = open({ table: 'locked', statementTimeoutMs: 300 });
  await records.create('note', 'n', { text: 'one' });
  const was = await records.get('note', 'n');
  if (!was) throw new Error('no note');
  const holder = new pg.Client({ connectionString: server.url });
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT * FROM locked FOR UPDATE');
  await expect(records.replace('note', was, { text: 'two' })).rejects.toThrow(RecordsUnavailableError);
  await holder.query('ROLLBACK');
  await holder.end();
  expect((await records.get('note', 'n'))?.value.text).toBe('one');
});

test('a server that takes connections and says nothing is away, in time', async () => {
  const sockets: Socket[] = [];
  const silent: Server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await new Promise((listening) => silent.once('listening', listening));
  const { port } = silent.address() as { port: number };
  const records = open({ connectionString: `postgres://u@127.0.0.1:${port}/d`, connectTimeoutMs: 200 });
  await expect(records.get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('what an operator must mend is said in words, and never as an outage', async () => {
  await asAdministrator('CREATE TABLE theirs (id text)');
  await expect(open({ table: 'theirs' }).get('note', 'n')).rejects.toThrow(/theirs was not made by Gatehouse/);

  await open({ table: 'newer' }).get('note', 'n');
  await asAdministrator(`COMMENT ON TABLE newer IS 'gatehouse records, schema ${schemaVersion + 1}'`);
  await expect(open({ table: 'newer' }).get('note', 'n')).rejects.toThrow(
    /newer release \(schema 2, this one knows 1\)/,
  );

  await asAdministrator('CREATE ROLE weak LOGIN');
  const weak = open({ connectionString: server.url.replace('gatehouse@', 'weak@'), table: 'weaks' });
  const refused = await weak.get('note', 'n').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RecordsError);
  expect(String(refused)).toContain('permission denied');

  const nowhere = open({ connectionString: server.url.replace('/postgres', '/nowhere') });
  await expect(nowhere.get('note', 'n')).rejects.toThrow(/database "nowhere" does not exist/);
  expect(() => open({ table: 'a"; DROP TABLE x' })).toThrow(RecordsError);
});

test('a user without the right to create tables uses one that is there', async () => {
  await open({ table: 'prepared' }).get('note', 'n');
  await asAdministrator('CREATE ROLE reader LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON prepared TO reader');
  const records = open({ connectionString: server.url.replace('gatehouse@', 'reader@'), table: 'prepared' });
  expect(await records.create('note', 'n', { text: '' })).toBe(true);
});

test('a password that is a function is asked for every connection', async () => {
  let asked = 0;
  const records = open({
    table: 'token',
    maxConnections: 3,
    password: async () => {
      asked++;
      return 'a token of fifteen minutes';
    },
  });
  await Promise.all(Array.from({ length: 12 }, (_, i) => records.create('note', `n${i}`, { text: '' })));
  // `trust` asks for no password; what counts is that a wrong one in the connection string is not kept.
  expect(asked).toBeLessThanOrEqual(4);
  expect(await records.get('note', 'n3')).toBeDefined();
});

test('acknowledged means on the disk, though the server’s default says otherwise', async () => {
  await asAdministrator(`ALTER ROLE gatehouse SET synchronous_commit = off`);
  try {
    const records = open({ table: 'durable' });
    await records.create('note', 'n', { text: '' });
    const [settings] = await asAdministrator<{ setting: string }>(`SHOW synchronous_commit`).then((rows) =>
      rows.map((row) => ({ setting: Object.values(row)[0] as string })),
    );
    expect(settings?.setting, 'the default that was set').toBe('off');
    await server.stop('immediate');
    await server.start();
    expect(await records.get('note', 'n')).toBeDefined();
  } finally {
    await asAdministrator(`ALTER ROLE gatehouse RESET synchronous_commit`);
  }
});

test('expired rows leave, a few with every so many writes', async () => {
  let seconds = 1000;
  const records = open({ table: 'sweeping', now: () => seconds });
  for (let i = 0; i < 300; i++) await records.create('note', `old ${i}`, { text: '' }, 1500);
  seconds = 2000;
  for (let i = 0; i < 300; i++) await records.create('note', `new ${i}`, { text: '' });
  await records.close();
  const [row] = await asAdministrator<{ count: string }>('SELECT count(*) FROM sweeping WHERE expires_at <= 2000');
  expect(Number(row?.count)).toBe(0);
});

test('rows are found by an index, whatever the planner knows', async () => {
  await open({ table: 'planned' }).create('deck', 'd', { owner: 'ann', title: '' });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query('SET enable_seqscan = off');
  const explained = async (rest: string) =>
    (await client.query(`EXPLAIN SELECT id FROM planned WHERE ${rest}`)).rows
      .map((row) => row['QUERY PLAN'])
      .join('\n');
  expect(await explained(`kind = 'deck' AND grp = 'ann' AND id > '' ORDER BY id LIMIT 10`)).toContain(
    'planned_by_group',
  );
  expect(await explained(`kind = 'deck' AND id > '' ORDER BY id LIMIT 10`)).toContain('planned_pkey');
  expect(await explained('expires_at <= 5 ORDER BY expires_at LIMIT 10')).toContain('planned_by_expiry');
  await client.end();
});
