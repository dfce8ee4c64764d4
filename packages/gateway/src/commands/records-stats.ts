/**
 * What is in the records: of every kind how many live ones, counted by reading them, and what the database itself says
 * of expired rows and of its size. Read-only, and bounded.
 */
import { readFileSync, statSync } from 'node:fs';
import { type AuthRecords, authKinds } from '@mcp-gatehouse/auth';
import type { Records } from '@mcp-gatehouse/records';
import type { RecordsConfig } from '../config/records.ts';
import { readSecret } from '../config/secrets.ts';

export type StoredRecordsConfig = Exclude<RecordsConfig, { type: 'memory' }>;

export interface KindStats {
  readonly kind: string;
  readonly live: number;
  /** Rows that have expired and wait for their removal; absent: the database does not say. They are absent to gateways. */
  readonly expired?: number;
  /** Of the live ones, as JSON. */
  readonly bytes: number;
  /** When the first and the last of the live ones were made, in seconds, where their kind says so. */
  readonly oldest?: number;
  readonly newest?: number;
  /** There are more than were read: `live` and `bytes` are too low. */
  readonly cut?: true;
}

export interface RecordsStats {
  readonly kinds: readonly KindStats[];
  /** What the database takes on its disk, indexes among it, as far as it says so. */
  readonly bytes?: number;
  /** As of when, where the database does not count at once. */
  readonly about?: string;
}

export interface StatsOptions {
  readonly records: Pick<Records<AuthRecords>, 'list'>;
  readonly config: StoredRecordsConfig;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Read of each kind at most. */
  readonly most: number;
  readonly onKind?: (kind: string) => void;
}

export async function recordsStats({ records, config, now, most, onKind }: StatsOptions): Promise<RecordsStats> {
  const walked: KindStats[] = [];
  for (const kind of Object.keys(authKinds) as Array<keyof AuthRecords & string>) {
    onKind?.(kind);
    walked.push(await walkKind(records, kind, most));
  }
  // After the records themselves, which say in better words that their database is away.
  const { expired, bytes, about } = await ownWords(config, now);
  return {
    kinds: walked.map((one) => ({ ...one, ...(expired && { expired: expired.get(one.kind) ?? 0 }) })),
    ...(bytes !== undefined && { bytes }),
    ...(about !== undefined && { about }),
  };
}

async function walkKind(
  records: StatsOptions['records'],
  kind: keyof AuthRecords & string,
  most: number,
): Promise<KindStats> {
  let [live, bytes, oldest, newest] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let after: string | undefined;
  do {
    const page = await records.list(kind, { limit: Math.min(1000, most - live) }, after);
    for (const { value } of page.items) {
      live += 1;
      bytes += Buffer.byteLength(JSON.stringify(value));
      const made = madeAt(value);
      if (made === undefined) continue;
      oldest = Math.min(oldest, made);
      newest = Math.max(newest, made);
    }
    after = page.next;
  } while (after !== undefined && live < most);
  return {
    kind,
    live,
    bytes,
    ...(oldest <= newest && { oldest, newest }),
    ...(after !== undefined && { cut: true as const }),
  };
}

/** Kinds name the moment differently, and some keep none. */
function madeAt(value: object): number | undefined {
  const times: Readonly<Record<string, unknown>> = { ...value };
  return ['createdAt', 'time', 'signedInAt'].map((name) => times[name]).find((one) => typeof one === 'number');
}

interface OwnWords {
  readonly expired?: ReadonlyMap<string, number>;
  readonly bytes?: number;
  readonly about?: string;
}

function ownWords(config: StoredRecordsConfig, now: number): Promise<OwnWords> {
  switch (config.type) {
    case 'sqlite':
      return ofSqlite(config.file, now);
    case 'postgres':
      return ofPostgres(config, now);
    case 'dynamodb':
      return ofDynamoDb(config);
    case 'redis':
      // It removes by itself what has expired, and shares its memory among all who use it.
      return Promise.resolve({});
  }
}

const expiredByKind = 'SELECT kind, count(*) AS n FROM';

async function ofSqlite(file: string, now: number): Promise<OwnWords> {
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(file, { readOnly: true, timeout: 2000 });
  try {
    const rows = database.prepare(`${expiredByKind} records WHERE expires_at <= ? GROUP BY kind`).all(now);
    const bytes = ['', '-wal'].reduce(
      (sum, end) => sum + (statSync(file + end, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
    return { expired: new Map(rows.map(({ kind, n }) => [String(kind), Number(n)])), bytes };
  } finally {
    database.close();
  }
}

async function ofPostgres(config: Extract<RecordsConfig, { type: 'postgres' }>, now: number): Promise<OwnWords> {
  const { connectionString, password, certificateAuthorityFile, table = 'gatehouse_records' } = config;
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString,
    ...(password && { password: readSecret('records.password', password) }),
    ...(certificateAuthorityFile !== undefined && {
      ssl: { ca: readFileSync(certificateAuthorityFile, 'utf8'), rejectUnauthorized: true },
    }),
    connectionTimeoutMillis: config.connectTimeoutMs ?? 2000,
    // A count reads more than a verb does.
    statement_timeout: 30_000,
    query_timeout: 31_000,
    application_name: 'gatehouse records stats',
  });
  // A connection that dies is said by the query that waits for it.
  client.on('error', () => {});
  await client.connect();
  try {
    // The name is of lower-case letters, digits and underscores: the schema says so.
    const { rows } = await client.query<{ kind: string; n: string }>(
      `${expiredByKind} "${table}" WHERE expires_at <= $1 GROUP BY kind`,
      [now],
    );
    const size = await client.query<{ bytes: string }>('SELECT pg_total_relation_size($1::regclass) AS bytes', [
      `"${table}"`,
    ]);
    return {
      expired: new Map(rows.map(({ kind, n }) => [kind, Number(n)])),
      bytes: Number(size.rows[0]?.bytes ?? 0),
    };
  } finally {
    await client.end();
  }
}

async function ofDynamoDb({
  table,
  region,
  endpoint,
}: Extract<RecordsConfig, { type: 'dynamodb' }>): Promise<OwnWords> {
  const { dynamoDbConnection } = await import('@mcp-gatehouse/records/dynamodb');
  const { send, close } = dynamoDbConnection({ ...(region && { region }), ...(endpoint && { endpoint }) });
  try {
    const { Table } = (await send('DescribeTable', { TableName: table })) as { Table?: { TableSizeBytes?: number } };
    const bytes = Table?.TableSizeBytes;
    return { ...(bytes !== undefined && { bytes, about: 'DynamoDB counts its bytes every six hours' }) };
  } finally {
    await close();
  }
}
