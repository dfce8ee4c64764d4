/** Owns the SQLite file: who may read it, its schema and version, and clear words for a file that is not ours. */

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isBusy, sqliteCode } from './group-commit.ts';
import { RecordsError, RecordsUnavailableError } from './records.ts';

/** "GtRc" in the header of the file (https://sqlite.org/fileformat2.html, offset 68), shown by file(1). */
const applicationId = 0x47745263;
const schemaVersion = 1;

/**
 * `expires_at` in seconds; NULL never expires. Kind and id are columns of their own, so that no byte of an id can reach
 * into another kind (SEC-19). The second index holds only what expires: the sweep reads nothing else.
 */
const schema = `
  CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    grp TEXT,
    value TEXT NOT NULL,
    version TEXT NOT NULL,
    expires_at REAL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX records_by_group ON records (kind, grp, id) WHERE grp IS NOT NULL;
  CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Opens or creates the file, waiting up to `busyTimeoutMs` for others that do the same.
 *
 * @throws RecordsError if the file is no database, another program's, of a newer version, or cannot be opened.
 * @throws RecordsUnavailableError if another process kept it locked.
 */
export function openFile(file: string, busyTimeoutMs: number): DatabaseSync {
  if (file === '' || file === ':memory:') throw new RecordsError('sqliteRecords needs a file; see memoryRecords');
  // Absolute, so that SQLite reads no meaning (`file:` URI, `:memory:`) into a name.
  const path = resolve(file);
  const deadline = performance.now() + busyTimeoutMs;
  let database: DatabaseSync | undefined;
  try {
    createPrivately(path);
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    prepareFile(database, deadline);
    return database;
  } catch (cause) {
    if (database?.isOpen) database.close();
    throw openError(path, cause);
  }
}

/** Readable by its owner only, and so are `-wal` and `-shm`: SQLite gives them the mode of the file. */
function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    // Exclusive: closing a descriptor of an existing database would drop the POSIX locks this process holds on it.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function prepareFile(database: DatabaseSync, deadline: number): void {
  // First, so that the journal mode of another program's database is never touched. A transaction, because the parts
  // of the answer must not be read before and after another process made it ours.
  const found = untilFree(deadline, () => transaction(database, 'DEFERRED', () => checkOwner(database)));
  // The change to WAL needs the file alone, and SQLite does not wait for that by itself.
  untilFree(deadline, () => database.exec('PRAGMA journal_mode = WAL'));
  database.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA trusted_schema = OFF;
    PRAGMA journal_size_limit = 67108864;
  `);
  if (found === 'fresh') untilFree(deadline, () => transaction(database, 'IMMEDIATE', () => createSchema(database)));
  // From here on locks are waited for without stopping the event loop (group-commit.ts).
  database.exec('PRAGMA busy_timeout = 0');
}

function createSchema(database: DatabaseSync): void {
  // Another process may have done it since we looked.
  if (checkOwner(database) === 'fresh') database.exec(schema);
}

function transaction<T>(database: DatabaseSync, kind: 'DEFERRED' | 'IMMEDIATE', steps: () => T): T {
  database.exec(`BEGIN ${kind}`);
  try {
    const result = steps();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function checkOwner(database: DatabaseSync): 'fresh' | 'ours' {
  const owner = pragma(database, 'application_id');
  const version = pragma(database, 'user_version');
  if (owner === 0 && version === 0) {
    const { n } = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
    if (n === 0) return 'fresh';
  }
  if (owner !== applicationId) throw new RecordsError('it is the database of another program');
  if (version > schemaVersion) {
    throw new RecordsError(`it has version ${version}; this release knows ${schemaVersion}: upgrade it`);
  }
  return 'ours';
}

function pragma(database: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return (database.prepare(`PRAGMA ${name}`).get() as Record<typeof name, number>)[name];
}

function untilFree<T>(deadline: number, attempt: () => T): T {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * 10);
    }
  }
}

function openError(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (isBusy(cause)) return new RecordsUnavailableError(`cannot open ${path}: ${reason}`, { cause });
  const known = cause instanceof RecordsError || sqliteCode(cause) !== undefined || (cause as { code?: unknown }).code;
  return known
    ? new RecordsError(`cannot open ${path}: ${reason}; name another file, or move this one away to start afresh`, {
        cause,
      })
    : (cause as Error);
}
