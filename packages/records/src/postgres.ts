/** Owns the records in one PostgreSQL table: every verb is one statement, and what makes it atomic is the row. */

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { checkExpiry, checkRecord, checkVersion, groupOf, kindTable, systemSeconds } from './limits.ts';
import { collectPage, type PageRow, pageQuery, stored } from './paging.ts';
import { checkTableName, prepareTable, quoteName } from './postgres-schema.ts';
import { type RecordMap, type Records, RecordsError, type RecordsOptions, RecordsUnavailableError } from './records.ts';
import { decodeValue, encodeValue, knownVersion, refuseNewer } from './stored-value.ts';

export interface PostgresRecordsOptions<R extends RecordMap> extends RecordsOptions<R> {
  /** `postgres://user@host:5432/database?sslmode=verify-full`, as libpq writes it. The primary, never a replica. */
  readonly connectionString: string;
  /** In the place of one in the connection string; a function is asked for every new connection (IAM tokens). */
  readonly password?: string | (() => Promise<string>);
  /** PEM of the authority that signed the server's certificate, such as Amazon's bundle for RDS. */
  readonly certificateAuthority?: string;
  /** `gatehouse_records` unless told; made at the first use if it is missing and the user may. */
  readonly table?: string;
  /** Connections of this process; 10 unless told. */
  readonly maxConnections?: number;
  /** How long to wait for a connection, and for a statement; 2000 and 3000 unless told. */
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
}

/** As in SQLite: more leave than can arrive. */
const sweepRows = 128;
const sweepEveryWrites = 64;

/**
 * Connects at the first verb and not here: a process starts without its database and heals by itself (REL-02).
 *
 * Every verb throws `RecordsUnavailableError` while the database is away, overloaded, or a replica after a failover.
 */
export function postgresRecords<R extends RecordMap>(options: PostgresRecordsOptions<R>): Records<R> {
  const { now = systemSeconds, table = 'gatehouse_records', statementTimeoutMs = 3000 } = options;
  checkTableName(table);
  const kinds = kindTable(options.kinds);
  const pool = openPool(options);
  const sql = statements(quoteName(table), table);
  const underway = new Set<Promise<unknown>>();
  let prepared: Promise<void> | undefined;
  let closed: Promise<void> | undefined;
  let writes = 0;

  async function run(statement: Statement, values: readonly unknown[]): Promise<pg.QueryResult<Row>> {
    if (closed) throw new RecordsError('the records are closed');
    const work = (async () => {
      await ready();
      return await query(statement, values);
    })();
    underway.add(work);
    try {
      return await work;
    } catch (error) {
      throw asRecordsError(error);
    } finally {
      underway.delete(work);
    }
  }

  /** Once for a pool; a failure is forgotten, so that nothing stays failed (SEC-19). */
  function ready(): Promise<void> {
    prepared ??= (async () => {
      const client = await pool.connect();
      try {
        await prepareTable(client, table);
        client.release();
      } catch (error) {
        client.release(true);
        throw error;
      }
    })().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  }

  async function query({ name, text, repeatable }: Statement, values: readonly unknown[]) {
    const ask = () => pool.query<Row>({ name, text, values: [...values] });
    try {
      return await ask();
    } catch (error) {
      // A connection that died while it lay idle is found out by whoever uses it next. Only a read may be sent twice.
      if (repeatable && isConnectionError(error)) return await ask();
      throw error;
    }
  }

  async function write(statement: Statement, values: readonly unknown[]): Promise<pg.QueryResult<Row>> {
    const result = await run(statement, values);
    if (++writes >= sweepEveryWrites) {
      writes = 0;
      // Only tidying: expired rows are absent anyway, and what is wrong with the database the next verb will say.
      void run(sql.sweep, [now(), sweepRows]).catch(() => {});
    }
    return result;
  }

  return {
    async get(kind, id) {
      checkRecord(kinds, kind, id);
      const { rows } = await run(sql.get, [kind, id, now()]);
      const [row] = rows;
      return row && stored(kinds, kind, pageRow(row));
    },

    async create(kind, id, value, expiresAt) {
      checkRecord(kinds, kind, id);
      checkExpiry(expiresAt);
      const group = groupOf(kinds, kind, value) ?? null;
      const text = encodeValue(kinds, kind, value);
      const { rowCount } = await write(sql.create, [kind, id, group, text, randomUUID(), expiresAt ?? null, now()]);
      return rowCount === 1;
    },

    async replace(kind, was, value, expiresAt) {
      const { id, version } = was;
      checkRecord(kinds, kind, id);
      checkVersion(version);
      checkExpiry(expiresAt);
      const group = groupOf(kinds, kind, value) ?? null;
      const text = encodeValue(kinds, kind, value);
      // What is no version of ours is no version of this record; PostgreSQL would call it a faulty uuid.
      if (!uuid.test(version)) return false;
      const values = [kind, id, version, group, text, randomUUID(), expiresAt ?? null, now()];
      const { rowCount } = await write(sql.replace, values);
      return rowCount === 1;
    },

    async take(kind, id) {
      checkRecord(kinds, kind, id);
      const { rows: taken } = await write(sql.take, [kind, id, now(), knownVersion(kinds, kind)]);
      if (taken[0]) return decodeValue(kinds, kind, id, taken[0].value);
      const { rows: left } = await run(sql.get, [kind, id, now()]);
      if (left[0]) refuseNewer(kinds, kind, id, left[0].value);
      return undefined;
    },

    async list(kind, filter, after) {
      const page = pageQuery(kinds, kind, filter, after);
      const { group, afterId, limit } = page;
      const { rows } =
        group === undefined
          ? await run(sql.list, [kind, afterId, now(), limit + 1])
          : await run(sql.listGroup, [kind, afterId, now(), limit + 1, group]);
      return collectPage(kinds, kind, page, rows.map(pageRow));
    },

    close() {
      closed ??= (async () => {
        // A pool that is ended forgets who waits for a connection: they go first.
        await Promise.allSettled([...underway]);
        await pool.end();
      })();
      return closed;
    },
  };

  function openPool({
    connectionString,
    password,
    certificateAuthority,
    maxConnections,
    connectTimeoutMs,
  }: typeof options) {
    const opened = new pg.Pool({
      connectionString,
      ...(password !== undefined && { password }),
      ...(certificateAuthority !== undefined && { ssl: { ca: certificateAuthority, rejectUnauthorized: true } }),
      max: maxConnections ?? 10,
      connectionTimeoutMillis: connectTimeoutMs ?? 2000,
      statement_timeout: statementTimeoutMs,
      // The server's own clock ends a statement; this one ends the wait for a server that is gone without a word.
      query_timeout: statementTimeoutMs + 1000,
      keepAlive: true,
      application_name: 'gatehouse',
      onConnect: checkConnection,
    } as pg.PoolConfig);
    // Idle connections that die, and those in use: without a listener either would end the process.
    opened.on('error', () => {});
    opened.on('connect', (client) => client.on('error', () => {}));
    return opened;
  }
}

/** A read must see every acknowledged write, and an acknowledged write must survive: neither holds everywhere. */
async function checkConnection(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ replica: boolean }>(
    `SELECT pg_is_in_recovery() AS replica,
      CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END`,
  );
  if (rows[0]?.replica) throw new RecordsUnavailableError('this PostgreSQL server is a replica');
}

interface Row {
  readonly id: string;
  readonly value: string;
  readonly version: string;
  readonly expires_at: number | null;
}

interface Statement {
  /** Of the prepared statement, which a connection keeps. */
  readonly name: string;
  readonly text: string;
  /** Whether sending it twice is sending it once. */
  readonly repeatable: boolean;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function pageRow({ id, value, version, expires_at }: Row): PageRow {
  return { id, text: value, version, expiresAt: expires_at ?? undefined };
}

function statements(quoted: string, table: string) {
  const columns = 'id, value, version, expires_at';
  const living = (parameter: string) => `(expires_at IS NULL OR expires_at > ${parameter})`;
  const named = (verb: string, text: string): Statement => ({
    name: `gatehouse ${table} ${verb}`,
    text,
    repeatable: text.startsWith('SELECT'),
  });
  return {
    get: named('get', `SELECT ${columns} FROM ${quoted} WHERE kind = $1 AND id = $2 AND ${living('$3')}`),
    create: named(
      'create',
      `INSERT INTO ${quoted} AS r (kind, id, grp, value, version, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (kind, id) DO UPDATE
        SET grp = excluded.grp, value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
        WHERE r.expires_at <= $7`,
    ),
    replace: named(
      'replace',
      `UPDATE ${quoted} SET grp = $4, value = $5, version = $6, expires_at = $7
      WHERE kind = $1 AND id = $2 AND version = $3 AND ${living('$8')}`,
    ),
    // Only what this release can read (stored-value.ts).
    take: named(
      'take',
      `DELETE FROM ${quoted} WHERE kind = $1 AND id = $2 AND ${living('$3')}
        AND COALESCE(substring(left(value, 10) from '^v([0-9]+) ')::int, 1) <= $4 RETURNING value`,
    ),
    list: named(
      'list',
      `SELECT ${columns} FROM ${quoted} WHERE kind = $1 AND id > $2 AND ${living('$3')} ORDER BY id LIMIT $4`,
    ),
    listGroup: named(
      'list group',
      `SELECT ${columns} FROM ${quoted}
      WHERE kind = $1 AND grp = $5 AND id > $2 AND ${living('$3')} ORDER BY id LIMIT $4`,
    ),
    // Rows that somebody writes at this moment are left alone: a sweep waits for nobody and nobody for it.
    sweep: named(
      'sweep',
      `DELETE FROM ${quoted} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${quoted} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        AND expires_at <= $1`,
    ),
  };
}

/** Connection failures as Node and as the driver name them. */
function isConnectionError(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    // 08 connection; 57P01–57P03: shut down, crashed, starting up.
    return /^(08|57P0)/.test(error.code ?? '');
  }
  const { code, message = '' } = error as NodeJS.ErrnoException;
  return code !== undefined
    ? /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT)/.test(code)
    : /connection|terminat/i.test(message);
}

/**
 * Whose fault it is: what an operator must mend (password, rights, a table that is not ours) is a `RecordsError`, all
 * else may be over in a moment.
 */
function asRecordsError(error: unknown): Error {
  if (error instanceof RecordsError || error instanceof RecordsUnavailableError) return error;
  if (error instanceof pg.DatabaseError && /^(28|42|3D|3F)/.test(error.code ?? '')) {
    return new RecordsError(`PostgreSQL refuses: ${error.message}`, { cause: error });
  }
  const { message = String(error) } = error as Error;
  return new RecordsUnavailableError(`PostgreSQL does not answer as it should: ${message}`, { cause: error });
}
