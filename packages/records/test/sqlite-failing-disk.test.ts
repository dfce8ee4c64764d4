/**
 * A disk that fails while SQLite writes: refused is refused, acknowledged stays, and the file stays whole. The failures
 * are those of the real system calls, which strace makes (https://man7.org/linux/man-pages/man1/strace.1.html, --inject).
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { open } from './open-sqlite.ts';
import { startProcess } from './process.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'records-disk-'));
  file = join(folder, 'records.db');
  // Made beforehand: what fails is then the writing of records.
  await open(file).close();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Outcome {
  readonly acknowledged: readonly number[];
  readonly refused: Readonly<Record<string, string>>;
}

/** Writes in a process whose calls on `path` fail as told; the process then ends without closing its records. */
async function writeOn(path: string, calls: string, failure: string, count: number): Promise<Outcome> {
  const strace = `exec strace -f -qq -o '${join(folder, 'trace')}' -P '${path}' -e trace=${calls}`;
  const writer = startProcess(
    new URL('./open-sqlite.ts', import.meta.url),
    `${strace} -e 'inject=${calls}:${failure}' "$@"`,
  );
  expect(await writer.ask({ do: 'open', place: file })).toBe(true);
  const outcome = (await writer.ask({ do: 'write through failures', count })) as Outcome;
  expect(await writer.end()).toBe(0);
  return outcome;
}

/** What the next process finds. */
async function expectWhole({ acknowledged, refused }: Outcome): Promise<void> {
  const stranger = new DatabaseSync(file);
  expect(stranger.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  stranger.close();
  const records = open(file);
  try {
    for (const n of acknowledged) {
      expect((await records.get('note', `n${n}`))?.value.text, `n${n}`).toBe(`${n} `.repeat(4000));
    }
    for (const n of Object.keys(refused)) {
      // Nobody was promised anything: it is there as it was meant, or it is not.
      const stored = await records.get('note', `n${n}`);
      expect([undefined, `${n} `.repeat(4000)]).toContain(stored?.value.text);
      if (!stored) expect(await records.create('note', `n${n}`, { text: 'again' })).toBe(true);
    }
    expect(await records.create('note', 'later', { text: '' })).toBe(true);
  } finally {
    await records.close();
  }
}

/** The first calls are those of the worker's own first record; a write is about ten, and one sync. */
test.each([
  { what: 'the log cannot be synced', calls: 'fsync,fdatasync', failure: 'error=EIO:when=8..11' },
  { what: 'the log can never be synced again', calls: 'fsync,fdatasync', failure: 'error=EIO:when=8+' },
  { what: 'there is no space for the log', calls: 'pwrite64', failure: 'error=ENOSPC:when=40..60' },
  { what: 'there will be no space for the log', calls: 'pwrite64', failure: 'error=ENOSPC:when=40+' },
  { what: 'the quota is used up now and then', calls: 'pwrite64', failure: 'error=EDQUOT:when=30+25' },
  { what: 'the log cannot be written', calls: 'pwrite64', failure: 'error=EIO:when=40..60' },
])('$what: some writes are refused as unavailable, none is half there', async ({ calls, failure }) => {
  const outcome = await writeOn(`${file}-wal`, calls, failure, 40);
  expect(new Set(Object.values(outcome.refused))).toEqual(new Set(['RecordsUnavailableError']));
  expect(outcome.acknowledged.length).toBeGreaterThan(2);
  // What ends, ends: nothing stays failed once the disk works again.
  if (!failure.endsWith('+')) expect(outcome.acknowledged).toContain(39);
  else expect(Object.keys(outcome.refused)).toContain('39');
  await expectWhole(outcome);
});

/** What was acknowledged is in the log already: moving it to the file is tried again, by whoever comes next. */
test.each([
  { what: 'has no space', calls: 'pwrite64', failure: 'error=ENOSPC:when=1+' },
  { what: 'cannot be written', calls: 'pwrite64', failure: 'error=EIO:when=1+' },
  { what: 'cannot be synced', calls: 'fsync,fdatasync', failure: 'error=EIO:when=1+' },
])('the file itself $what: no acknowledged write is lost', async ({ calls, failure }) => {
  const outcome = await writeOn(file, calls, failure, 275);
  expect(outcome.acknowledged.length + Object.keys(outcome.refused).length).toBe(275);
  expect(outcome.acknowledged.length).toBeGreaterThan(200);
  for (const name of Object.values(outcome.refused)) expect(name).toBe('RecordsUnavailableError');
  const injected = await readFile(join(folder, 'trace'), 'utf8');
  expect(injected, 'the disk did fail').toContain('INJECTED');
  await expectWhole(outcome);
});
