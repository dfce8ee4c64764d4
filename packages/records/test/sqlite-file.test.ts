/** The SQLite file itself: who may read it, files that are not ours, locks, full and damaged disks, expired rows. */

import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Records, RecordsError, RecordsUnavailableError } from '../src/records.ts';
import { sqliteRecords } from '../src/sqlite.ts';
import { kinds, type TestRecords } from './kinds.ts';
import { startProcess } from './process.ts';

let folder: string;
let file: string;
let cleanUp: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'records-file-'));
  file = join(folder, 'records.db');
});
afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
  cleanUp = [];
  await rm(folder, { recursive: true, force: true });
});

function open(options: { path?: string; busyTimeoutMs?: number; now?: () => number } = {}): Records<TestRecords> {
  const { path = file, ...rest } = options;
  const records = sqliteRecords<TestRecords>({ kinds, file: path, ...rest });
  cleanUp.push(() => records.close());
  return records;
}

/** Another connection, as another program would have it. */
function stranger(path = file): DatabaseSync {
  const database = new DatabaseSync(path);
  cleanUp.push(() => database.isOpen && database.close());
  return database;
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('only the owner may read the file, its companions and the folders made for it', async () => {
  const path = join(folder, 'made', 'for it', 'records.db');
  const records = open({ path });
  await records.create('note', 'n', { text: '' });
  for (const made of [path, `${path}-wal`, `${path}-shm`]) expect(mode(made)).toBe('600');
  for (const made of [join(folder, 'made'), join(folder, 'made', 'for it')]) expect(mode(made)).toBe('700');
});

test('writes are as durable as SQLite makes them', async () => {
  await open().create('note', 'n', { text: '' });
  expect(stranger().prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
});

test('a name means a file, whatever SQLite would read into it', async () => {
  for (const path of ['', ':memory:']) expect(() => open({ path })).toThrow(RecordsError);
  const path = join(folder, 'file:x?mode=memory');
  await open({ path }).create('note', 'n', { text: '' });
  expect(statSync(path).size).toBeGreaterThan(0);
});

test('what is no database is refused and left as it is', () => {
  const texts = ['not a database, only a text of a certain length'.repeat(100), 'SQLite format 3\0'.repeat(300)];
  for (const text of texts) {
    writeFileSync(file, text);
    expect(() => open()).toThrow(RecordsError);
    expect(() => open()).toThrow(/records\.db.*not a database/);
    expect(readFileSync(file, 'utf8')).toBe(text);
  }
});

test('the database of another program is refused and left as it is', () => {
  const other = stranger();
  other.exec('CREATE TABLE records (kind TEXT, id TEXT)');
  expect(() => open()).toThrow(/another program/);
  expect(() => open()).toThrow(RecordsError);
  expect(other.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'delete' });
  other.exec('DROP TABLE records; PRAGMA application_id = 7');
  expect(() => open()).toThrow(/another program/);
});

test('a file of a newer release is refused with words', async () => {
  await open().close();
  stranger().exec('PRAGMA user_version = 2');
  expect(() => open()).toThrow(RecordsError);
  expect(() => open()).toThrow(/has version 2; this release knows 1/);
});

test('a place where no file can be is refused with words', async () => {
  await mkdir(file);
  expect(() => open()).toThrow(RecordsError);
  writeFileSync(join(folder, 'a file'), '');
  expect(() => open({ path: join(folder, 'a file', 'records.db') })).toThrow(RecordsError);
  for (const busyTimeoutMs of [-1, 1.5, Number.NaN, 1e9]) expect(() => open({ busyTimeoutMs })).toThrow(RecordsError);
});

test('while another process holds the file, reads go on, writes are refused in time, and later work again', async () => {
  const records = open({ busyTimeoutMs: 40 });
  await records.create('note', 'n', { text: '' });
  const other = stranger();
  other.exec('BEGIN IMMEDIATE');
  let turns = 0;
  const turning = setInterval(() => turns++, 1);
  cleanUp.push(() => clearInterval(turning));
  const refused = records.create('note', 'm', { text: '' });
  expect((await records.get('note', 'n'))?.id).toBe('n');
  await expect(refused).rejects.toThrow(RecordsUnavailableError);
  expect(turns, 'the event loop did not stand still').toBeGreaterThan(2);
  await expect(records.take('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  other.exec('ROLLBACK');
  expect(await records.get('note', 'm')).toBeUndefined();
  expect(await records.create('note', 'm', { text: '' })).toBe(true);
});

test('a write waits for a lock that is released in time, in its turn', async () => {
  const records = open({ busyTimeoutMs: 20_000 });
  const other = stranger();
  other.exec('BEGIN IMMEDIATE');
  const waiting = Array.from({ length: 1000 }, (_, i) => records.create('note', 'n', { text: `${i}` }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const closing = records.close();
  other.exec('ROLLBACK');
  expect((await Promise.all(waiting)).indexOf(true)).toBe(0);
  await closing;
});

test('opening waits for a lock no longer than it may, and not at all for a writer', async () => {
  const other = stranger();
  other.exec('BEGIN EXCLUSIVE');
  expect(() => open({ busyTimeoutMs: 30 })).toThrow(RecordsUnavailableError);
  other.exec('ROLLBACK');
  await open().create('note', 'n', { text: '' });
  other.exec('BEGIN IMMEDIATE');
  expect((await open({ busyTimeoutMs: 0 }).get('note', 'n'))?.id).toBe('n');
});

test('writes that wait are bounded', async () => {
  const records = open({ busyTimeoutMs: 200 });
  stranger().exec('BEGIN IMMEDIATE');
  const names = new Set<string>();
  const waiting = Array.from({ length: 10_050 }, () => records.take('note', 'n').catch((e: Error) => e.message));
  for (const message of await Promise.all(waiting)) names.add(message as string);
  expect([...names].sort()).toEqual(['the database stayed locked by another process', 'too many writes are waiting']);
});

test('on a full disk a write is refused as unavailable, and what was acknowledged stays', async () => {
  // The limit on the size of a file is the disk full that needs no privileges; in units of 512 or 1024 bytes.
  const full = startProcess(new URL('./open-sqlite.ts', import.meta.url), 'ulimit -f 2000');
  cleanUp.push(() => full.kill());
  expect(await full.ask({ do: 'open', place: file })).toBe(true);
  const answer = (await full.ask({ do: 'fill until refused' })) as { acknowledged: number };
  expect(answer).toMatchObject({
    refused: 'RecordsUnavailableError',
    again: 'RecordsUnavailableError',
    readable: true,
  });
  expect(answer.acknowledged).toBeGreaterThan(10);
  expect(await full.end()).toBe(0);
  const records = open();
  for (let n = 0; n < answer.acknowledged; n++) expect((await records.get('note', `n${n}`))?.id).toBe(`n${n}`);
});

test('a damaged file is a refusal, not a crash', async () => {
  const first = open();
  for (let i = 0; i < 200; i++) await first.create('note', `n${i}`, { text: 'x'.repeat(500) });
  await first.close();
  const descriptor = openSync(file, 'r+');
  for (let page = 1; page < statSync(file).size / 4096; page++)
    writeSync(descriptor, Buffer.alloc(4000, 0xa5), 0, 4000, page * 4096);
  closeSync(descriptor);
  const records = open();
  await expect(records.get('note', 'n1')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.create('note', 'new', { text: '' })).rejects.toThrow(RecordsUnavailableError);
  await expect(records.list('note')).rejects.toThrow(RecordsUnavailableError);
});

test('expired rows leave in portions, faster than new ones come', async () => {
  let seconds = 0;
  const records = open({ now: () => seconds });
  const rows = () => (stranger().prepare('SELECT count(*) AS n FROM records').get() as { n: number }).n;
  await Promise.all(Array.from({ length: 2000 }, (_, i) => records.create('note', `old${i}`, { text: '' }, 10)));
  seconds = 10;
  const before = rows();
  for (let i = 0; i < 64; i++) await records.create('note', `new${i}`, { text: '' }, 20);
  expect(before + 64 - rows(), 'a portion').toBe(128);
  for (let i = 64; i < 2000; i++) await records.create('note', `new${i}`, { text: '' }, 20);
  expect(rows()).toBe(2000);
});
