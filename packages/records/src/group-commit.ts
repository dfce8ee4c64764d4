/** Owns the order of writes to one SQLite connection: what arrives together is committed together, then acknowledged. */

import type { DatabaseSync } from 'node:sqlite';
import { RecordsError, RecordsUnavailableError } from './records.ts';

/** Writes in one commit: bounds how long the event loop stands still. */
const maxBatch = 256;
/** Writes waiting for the database: bounds memory while another process holds it (SEC-10). */
const maxWaiting = 10_000;

interface Waiting {
  readonly run: () => unknown;
  readonly resolve: (outcome: never) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: number;
}

export interface GroupCommit {
  /** Runs one statement; resolves after the commit that made it durable. */
  write<T>(run: () => T): Promise<T>;
  /** Runs one reading statement, outside of any commit. */
  read<T>(run: () => T): Promise<T>;
  /** Settles what is waiting, then closes the database. */
  close(): Promise<void>;
}

/**
 * A commit at full durability costs one fsync, whether it holds one write or two hundred. Statements stay independent
 * of each other: the transaction only shares the fsync, and nobody is answered before it.
 *
 * Another process's lock is waited for with timers, up to `busyTimeoutMs`: SQLite's own waiting would stop the event loop.
 */
export function groupCommit(
  database: DatabaseSync,
  busyTimeoutMs: number,
  afterCommit: (n: number) => void,
): GroupCommit {
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const waiting: Waiting[] = [];
  let scheduled = false;
  let closing: Promise<void> | undefined;
  let drained: (() => void) | undefined;

  function write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (closing) return reject(closedError());
      if (waiting.length >= maxWaiting) return reject(new RecordsUnavailableError('too many writes are waiting'));
      waiting.push({ run, resolve, reject, deadline: performance.now() + busyTimeoutMs });
      if (scheduled) return;
      scheduled = true;
      // After the I/O callbacks of this turn: requests that arrived together share a commit.
      setImmediate(flush);
    });
  }

  function flush(): void {
    scheduled = false;
    const outcome = commitBatch();
    if (outcome === 'busy') {
      refuseLate();
      schedule(() => setTimeout(flush, 1 + Math.random() * 4));
    } else {
      schedule(() => setImmediate(flush));
    }
  }

  function schedule(again: () => unknown): void {
    if (waiting.length > 0) {
      scheduled = true;
      again();
    } else {
      drained?.();
    }
  }

  function commitBatch(): 'busy' | 'done' {
    try {
      begin.run();
    } catch (cause) {
      if (isBusy(cause)) return 'busy';
      for (const { reject } of waiting.splice(0, maxBatch)) reject(unavailable(cause));
      return 'done';
    }
    const batch = waiting.splice(0, maxBatch);
    let outcomes: unknown[];
    try {
      outcomes = batch.map(({ run }) => run());
      commit.run();
    } catch (cause) {
      // Input was checked before, so this is the database failing: nobody in the batch may believe to have written.
      try {
        rollback.run();
      } catch {
        // SQLite has already rolled back by itself (disk full, I/O error).
      }
      for (const { reject } of batch) reject(unavailable(cause));
      return 'done';
    }
    for (const [i, { resolve }] of batch.entries()) resolve(outcomes[i] as never);
    afterCommit(batch.length);
    return 'done';
  }

  /** Waiting writes are in the order of their deadlines. */
  function refuseLate(): void {
    const time = performance.now();
    while (waiting[0] !== undefined && waiting[0].deadline <= time) {
      waiting.shift()?.reject(new RecordsUnavailableError('the database stayed locked by another process'));
    }
  }

  async function read<T>(run: () => T): Promise<T> {
    const deadline = performance.now() + busyTimeoutMs;
    for (;;) {
      if (closing) throw closedError();
      try {
        return run();
      } catch (cause) {
        // Readers wait for nobody in WAL mode but the recovery after another process's crash.
        if (!isBusy(cause) || performance.now() >= deadline) throw unavailable(cause);
      }
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 4));
    }
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      if (scheduled) await new Promise<void>((resolve) => (drained = resolve));
      database.close();
    })();
    return closing;
  }

  return { write, read, close };
}

/** SQLITE_BUSY or SQLITE_LOCKED, in any of their extended forms. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 5 || code === 6;
}

/** The primary result code of a SQLite error (https://sqlite.org/rescode.html). */
export function sqliteCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Only the database's own errors are translated; anything else is a fault of the program and stays what it is. */
function unavailable(cause: unknown): Error {
  if (sqliteCode(cause) === undefined) return cause as Error;
  return new RecordsUnavailableError(`the database failed: ${(cause as Error).message}`, { cause });
}

function closedError(): RecordsError {
  return new RecordsError('these records are closed');
}
