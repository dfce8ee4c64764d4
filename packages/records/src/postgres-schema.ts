/** Owns the PostgreSQL table: its columns and indexes, its version, and clear words for a table that is not ours. */

import type { ClientBase } from 'pg';
import { RecordsError } from './records.ts';

export const schemaVersion = 1;

/** What `COMMENT ON TABLE` says, so that a table of another program or of a newer release is never written to. */
const mark = 'gatehouse records, schema ';

/**
 * `COLLATE "C"` compares bytes: the order of `list` is the order of UTF-8, whatever the database's locale. `value` is
 * text and not jsonb, which would cost a second parse and change numbers. The indexes are partial: only a grouped record
 * is in the one, only an expiring one in the other.
 */
export function schemaStatements(table: string): readonly string[] {
  const quoted = quoteName(table);
  return [
    `CREATE TABLE ${quoted} (
      kind text COLLATE "C" NOT NULL,
      id text COLLATE "C" NOT NULL,
      grp text COLLATE "C",
      value text NOT NULL,
      version uuid NOT NULL,
      expires_at double precision,
      PRIMARY KEY (kind, id)
    ) WITH (fillfactor = 80)`,
    `CREATE INDEX ${quoteName(`${table}_by_group`)} ON ${quoted} (kind, grp, id) WHERE grp IS NOT NULL`,
    `CREATE INDEX ${quoteName(`${table}_by_expiry`)} ON ${quoted} (expires_at) WHERE expires_at IS NOT NULL`,
    `COMMENT ON TABLE ${quoted} IS '${mark}${schemaVersion}'`,
  ];
}

/** A name that needs no quoting in any place, and leaves room for the names of the indexes (63 bytes). */
export function checkTableName(table: string): void {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(table)) {
    throw new RecordsError('table must be 1 to 40 lower-case letters, digits and underscores, a letter first');
  }
}

export function quoteName(name: string): string {
  return `"${name}"`;
}

/** Creates the table unless it is there. Any number of processes may do so at once. */
export async function prepareTable(client: ClientBase, table: string): Promise<void> {
  if (await checkOwner(client, table)) return;
  await client.query('BEGIN');
  try {
    // CREATE … IF NOT EXISTS still fails when two sessions run it together; whoever waits here finds it done.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`gatehouse ${table}`]);
    if (!(await checkOwner(client, table))) {
      for (const statement of schemaStatements(table)) await client.query(statement);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}); // the connection may be what failed
    throw error;
  }
}

/** False: there is no such table yet. @throws RecordsError if it is not ours, or of a newer release. */
async function checkOwner(client: ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT obj_description(oid, 'pg_class') AS comment FROM pg_class WHERE oid = to_regclass($1)`,
    [quoteName(table)],
  );
  const [found] = rows;
  if (!found) return false;
  const version = found.comment?.startsWith(mark) ? Number(found.comment.slice(mark.length)) : Number.NaN;
  if (!Number.isInteger(version)) throw new RecordsError(`the table ${table} was not made by Gatehouse`);
  if (version > schemaVersion) {
    throw new RecordsError(
      `the table ${table} was made by a newer release (schema ${version}, this one knows ${schemaVersion})`,
    );
  }
  return true;
}
