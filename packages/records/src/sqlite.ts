/** Owns the records in one SQLite file, shared by the processes of one machine: an acknowledged write is on the disk. */

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { groupCommit } from './group-commit.ts';
import { checkExpiry, checkRecord, checkVersion, groupOf, kindTable, systemSeconds } from './limits.ts';
import { collectPage, type PageRow, pageQuery, stored } from './paging.ts';
import { type RecordMap, type Records, RecordsError, type RecordsOptions } from './records.ts';
import { openFile } from './sqlite-file.ts';
import { decodeValue, encodeValue, knownVersion, refuseNewer } from './stored-value.ts';

export interface SqliteRecordsOptions<R extends RecordMap> extends RecordsOptions<R> {
  /** On a local disk. Created for its owner only (0600, missing folders 0700); an existing file keeps its mode. */
  readonly file: string;
  /** How long to wait for another process's write before RecordsUnavailableError; 2000 unless told. */
  readonly busyTimeoutMs?: number;
}

/** Expired rows removed at once, and the writes between: more leave than can arrive, and a sweep takes about a millisecond. */
const sweepRows = 128;
const sweepEveryWrites = 64;

/**
 * Opens the file at once and in this call.
 *
 * @throws RecordsError if the file cannot be used (no database, another program's, of a newer release, no permission).
 * @throws RecordsUnavailableError if another process keeps it locked.
 */
export function sqliteRecords<R extends RecordMap>(options: SqliteRecordsOptions<R>): Records<R> {
  const { now = systemSeconds, busyTimeoutMs = 2000 } = options;
  if (!Number.isInteger(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > 60_000) {
    throw new RecordsError('busyTimeoutMs must be a whole number from 0 to 60000');
  }
  const table = kindTable(options.kinds);
  const database = openFile(options.file, busyTimeoutMs);
  const sql = statements(database);
  const commits = groupCommit(database, busyTimeoutMs, sweepNowAndThen);
  let writes = 0;

  function sweepNowAndThen(count: number): void {
    writes += count;
    if (writes < sweepEveryWrites) return;
    writes = 0;
    try {
      sql.sweep.run(now(), sweepRows);
    } catch {
      // Only tidying: expired rows are absent anyway, and what is wrong with the database the next verb will say.
    }
  }

  return {
    async get(kind, id) {
      checkRecord(table, kind, id);
      const row = await commits.read(() => sql.get.get(kind, id, now()));
      return row && stored(table, kind, pageRow(row as unknown as Row));
    },

    async create(kind, id, value, expiresAt) {
      checkRecord(table, kind, id);
      checkExpiry(expiresAt);
      const group = groupOf(table, kind, value) ?? null;
      const text = encodeValue(table, kind, value);
      const { changes } = await commits.write(() =>
        sql.create.run(kind, id, group, text, randomUUID(), expiresAt ?? null, now()),
      );
      return changes === 1;
    },

    async replace(kind, was, value, expiresAt) {
      const { id, version } = was;
      checkRecord(table, kind, id);
      checkVersion(version);
      checkExpiry(expiresAt);
      const group = groupOf(table, kind, value) ?? null;
      const text = encodeValue(table, kind, value);
      const { changes } = await commits.write(() =>
        sql.replace.run(group, text, randomUUID(), expiresAt ?? null, kind, id, version, now()),
      );
      return changes === 1;
    },

    async take(kind, id) {
      checkRecord(table, kind, id);
      const { taken, left } = await commits.write(() => {
        const seconds = now();
        const taken = sql.take.get(kind, id, seconds, knownVersion(table, kind)) as Pick<Row, 'value'> | undefined;
        const left = taken ? undefined : (sql.get.get(kind, id, seconds) as unknown as Row | undefined);
        return { taken, left };
      });
      if (left) refuseNewer(table, kind, id, left.value);
      return taken && decodeValue(table, kind, id, taken.value);
    },

    async list(kind, filter, after) {
      const query = pageQuery(table, kind, filter, after);
      const { group, afterId, limit } = query;
      return commits.read(() => {
        const rows =
          group === undefined
            ? sql.list.iterate(kind, afterId, now(), limit + 1)
            : sql.listGroup.iterate(kind, group, afterId, now(), limit + 1);
        return collectPage(table, kind, query, pageRows(rows as Iterable<unknown> as Iterable<Row>));
      });
    },

    close: commits.close,
  };
}

interface Row {
  readonly id: string;
  readonly value: string;
  readonly version: string;
  readonly expires_at: number | null;
}

function pageRow({ id, value, version, expires_at }: Row): PageRow {
  return { id, text: value, version, expiresAt: expires_at ?? undefined };
}

function* pageRows(rows: Iterable<Row>): Generator<PageRow> {
  for (const row of rows) yield pageRow(row);
}

/** One statement a verb: what makes it atomic among all processes is SQLite, not the order of our calls. */
function statements(database: DatabaseSync) {
  const living = '(expires_at IS NULL OR expires_at > ?)';
  const columns = 'id, value, version, expires_at';
  return {
    get: database.prepare(`SELECT ${columns} FROM records WHERE kind = ? AND id = ? AND ${living}`),
    create: database.prepare(`
      INSERT INTO records (kind, id, grp, value, version, expires_at) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (kind, id) DO UPDATE
        SET grp = excluded.grp, value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
        WHERE records.expires_at <= ?`),
    replace: database.prepare(`
      UPDATE records SET grp = ?, value = ?, version = ?, expires_at = ?
      WHERE kind = ? AND id = ? AND version = ? AND ${living}`),
    // Only what this release can read (stored-value.ts): CAST takes the digits a text begins with.
    take: database.prepare(`
      DELETE FROM records WHERE kind = ? AND id = ? AND ${living}
        AND (substr(value, 1, 1) <> 'v' OR CAST(substr(value, 2, 7) AS INTEGER) <= ?) RETURNING value`),
    list: database.prepare(`
      SELECT ${columns} FROM records WHERE kind = ? AND id > ? AND ${living} ORDER BY id LIMIT ?`),
    // Named, because without statistics the planner would rather walk the whole kind in the order of ids.
    listGroup: database.prepare(`
      SELECT ${columns} FROM records INDEXED BY records_by_group
      WHERE kind = ? AND grp = ? AND id > ? AND ${living} ORDER BY id LIMIT ?`),
    sweep: database.prepare(`
      DELETE FROM records WHERE (kind, id) IN
        (SELECT kind, id FROM records WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`),
  };
}
