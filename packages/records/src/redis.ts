/** Owns the records in Redis or Valkey, one server or a cluster: every writing verb is one script in one slot. */

import { createHash, randomUUID } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { checkExpiry, checkRecord, checkVersion, groupOf, kindTable, systemSeconds } from './limits.ts';
import { compareUtf8 } from './ordered-ids.ts';
import { collectPage, maxPageCharacters, type PageQuery, type PageRow, pageQuery, stored } from './paging.ts';
import { type RecordMap, type Records, RecordsError, type RecordsOptions, RecordsUnavailableError } from './records.ts';
import { createScript, idsScript, replaceScript, takeScript } from './redis-scripts.ts';
import { decodeValue, encodeValue, knownVersion } from './stored-value.ts';

/**
 * What Redis acknowledges it may still lose: without `appendfsync always` in a crash, and with replicas at a failover,
 * because replication is asynchronous. A spent code or refresh token can then come back for what is left of its life.
 */
export interface RedisRecordsOptions<R extends RecordMap> extends RecordsOptions<R> {
  /** `redis://host:6379/0`, or `rediss://` for TLS; of a cluster any of its nodes. */
  readonly url: string;
  /** In the place of one in the URL. */
  readonly password?: string;
  /** Whether the server is a cluster. */
  readonly cluster?: boolean;
  /** What every key begins with, after the brace of its hash tag; `gatehouse` unless told. */
  readonly prefix?: string;
  /** How long to wait for a connection, and for a command; 2000 and 3000 unless told. */
  readonly connectTimeoutMs?: number;
  readonly commandTimeoutMs?: number;
}

/** Of each kind: a cluster spreads them over its nodes, and `list` asks each of them. */
const buckets = 16;

/**
 * Connects at the first verb: a process starts without its database and heals by itself (REL-02). Every verb throws
 * `RecordsUnavailableError` while Redis is away, loading, out of memory, or a replica after a failover.
 */
export function redisRecords<R extends RecordMap>(options: RedisRecordsOptions<R>): Records<R> {
  const { now = systemSeconds, prefix = 'gatehouse' } = options;
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(prefix)) {
    throw new RecordsError('prefix must be 1 to 40 letters, digits, "_" and "-"');
  }
  const kinds = kindTable(options.kinds);
  const { connectTimeoutMs = 2000, commandTimeoutMs = 3000 } = options;
  const redis = connect({ ...options, connectTimeoutMs, commandTimeoutMs });
  // Of a whole verb: a cluster that is not there is looked for without an end.
  const deadlineMs = connectTimeoutMs + commandTimeoutMs;
  const underway = new Set<Promise<unknown>>();
  let checked: Promise<void> | undefined;
  let closed: Promise<void> | undefined;

  /** The length keeps kinds apart whatever characters they hold (SEC-19). */
  const tag = (kind: string, bucket: number) => `{${prefix}:${kind.length}:${kind}:${bucket}}`;
  const tagOf = (kind: string, id: string) => tag(kind, bucketOf(id));

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (closed) throw new RecordsError('the records are closed');
    const running = inTime(ready().then(work), deadlineMs);
    underway.add(running);
    try {
      return await running;
    } catch (error) {
      throw asRecordsError(error);
    } finally {
      underway.delete(running);
    }
  }

  /** Once; a failure is forgotten, so that nothing stays failed (SEC-19). */
  function ready(): Promise<void> {
    checked ??= checkEviction(redis).catch((error: unknown) => {
      checked = undefined;
      throw error;
    });
    return checked;
  }

  /** Ids of the living after `afterId`, of all buckets, in order; at least `count` of them unless there are fewer. */
  async function livingIds(kind: string, group: string, afterId: string, count: number): Promise<readonly string[]> {
    const perBucket = await Promise.all(
      Array.from({ length: buckets }, async (_, bucket) => {
        const ids: string[] = [];
        let after = afterId;
        do {
          const answer = await redis.gatehouseIds(tag(kind, bucket), now(), group, after, count - ids.length);
          const [last = '', ...found] = answer;
          ids.push(...found);
          after = last;
        } while (after !== '' && ids.length < count);
        return ids;
      }),
    );
    return perBucket.flat().sort(compareUtf8).slice(0, count);
  }

  async function readRow(kind: string, id: string): Promise<PageRow | undefined> {
    const [text, version, expiresAt] = await redis.hmget(`${tagOf(kind, id)}r:${id}`, 'v', 'n', 'x');
    if (typeof text !== 'string' || typeof version !== 'string') return undefined;
    const end = typeof expiresAt === 'string' ? Number(expiresAt) : undefined;
    if (end !== undefined && end <= now()) return undefined;
    return { id, text, version, expiresAt: end };
  }

  /** Reads on until the page and one record beyond it are there: what left between the two steps leaves no gap. */
  async function pageRows(kind: string, { group = '', afterId, limit }: PageQuery): Promise<readonly PageRow[]> {
    const rows: PageRow[] = [];
    let characters = 0;
    let after = afterId;
    for (;;) {
      const ids = await livingIds(kind, group, after, limit + 1 - rows.length);
      for (let at = 0; at < ids.length; at += 100) {
        const read = await Promise.all(ids.slice(at, at + 100).map((id) => readRow(kind, id)));
        for (const row of read) {
          if (!row) continue;
          rows.push(row);
          characters += row.text.length;
        }
        if (rows.length > limit || characters > maxPageCharacters * 2) return rows;
      }
      const last = ids.at(-1);
      if (last === undefined) return rows;
      after = last;
    }
  }

  return {
    async get(kind, id) {
      checkRecord(kinds, kind, id);
      const row = await run(() => readRow(kind, id));
      return row && stored(kinds, kind, row);
    },

    async create(kind, id, value, expiresAt) {
      checkRecord(kinds, kind, id);
      checkExpiry(expiresAt);
      const group = groupOf(kinds, kind, value) ?? '';
      const text = encodeValue(kinds, kind, value);
      const created = await run(() =>
        redis.gatehouseCreate(tagOf(kind, id), now(), id, text, randomUUID(), expiresAt ?? '', group),
      );
      return created === 1;
    },

    async replace(kind, was, value, expiresAt) {
      const { id, version } = was;
      checkRecord(kinds, kind, id);
      checkVersion(version);
      checkExpiry(expiresAt);
      const group = groupOf(kinds, kind, value) ?? '';
      const text = encodeValue(kinds, kind, value);
      const replaced = await run(() =>
        redis.gatehouseReplace(tagOf(kind, id), now(), id, text, randomUUID(), expiresAt ?? '', group, version),
      );
      return replaced === 1;
    },

    async take(kind, id) {
      checkRecord(kinds, kind, id);
      const text = await run(() => redis.gatehouseTake(tagOf(kind, id), now(), id, knownVersion(kinds, kind)));
      return text === null ? undefined : decodeValue(kinds, kind, id, text);
    },

    async list(kind, filter, after) {
      const query = pageQuery(kinds, kind, filter, after);
      return collectPage(kinds, kind, query, await run(() => pageRows(kind, query)));
    },

    close() {
      closed ??= (async () => {
        await Promise.allSettled([...underway]);
        redis.disconnect();
      })();
      return closed;
    },
  };
}

/** The scripts as commands: sent by their digest, and whole where the server does not know them yet. */
interface Commands {
  gatehouseCreate(...parameters: ReadonlyArray<string | number>): Promise<number>;
  gatehouseReplace(...parameters: ReadonlyArray<string | number>): Promise<number>;
  gatehouseTake(...parameters: ReadonlyArray<string | number>): Promise<string | null>;
  gatehouseIds(...parameters: ReadonlyArray<string | number>): Promise<string[]>;
}

interface ConnectOptions {
  readonly url: string;
  readonly password?: string;
  readonly cluster?: boolean;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

function connect(options: ConnectOptions): (Redis | Cluster) & Commands {
  const { url, password, connectTimeoutMs, commandTimeoutMs } = options;
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) throw new RecordsError('url must be redis:// or rediss://');
  const shared = {
    ...(password !== undefined && { password }),
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 1,
    // A command whose answer was lost may have been carried out: sent again, a take would find nothing, and the caller
    // would believe that there was nothing.
    autoResendUnfulfilledCommands: false,
    lazyConnect: true,
    enableAutoPipelining: true,
    retryStrategy: (times: number) => Math.min(1000, 50 * times),
    // After a failover this connection leads to a replica: a new one finds the primary.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
  const redis = options.cluster
    ? new Cluster([url], {
        redisOptions: { ...shared, ...(url.startsWith('rediss:') && { tls: {} }) },
        lazyConnect: true,
        enableAutoPipelining: true,
        slotsRefreshTimeout: connectTimeoutMs,
        clusterRetryStrategy: (times) => Math.min(1000, 50 * times),
      })
    : new Redis(url, shared);
  // Said by the verb that fails; without a listener it would be printed.
  redis.on('error', () => {});
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(name, { numberOfKeys: 1, lua });
  return redis as (Redis | Cluster) & Commands;
}

const scripts = {
  gatehouseCreate: createScript,
  gatehouseReplace: replaceScript,
  gatehouseTake: takeScript,
  gatehouseIds: idsScript,
};

/** A verb that waits for longer than anybody is told that nobody knows. */
function inTime<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new RecordsUnavailableError('Redis did not answer in time')), deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** An eviction is a loss: a spent jti or an ended grant would be forgotten, and with it that it was spent. */
async function checkEviction(redis: Redis | Cluster): Promise<void> {
  const facts = await redis.info('memory');
  const policy = /^maxmemory_policy:(\S+)/m.exec(facts)?.[1];
  if (policy?.startsWith('allkeys-')) {
    throw new RecordsError(`Redis evicts keys when memory is short (${policy}): set maxmemory-policy to noeviction`);
  }
}

function bucketOf(id: string): number {
  return (createHash('sha256').update(id).digest()[0] as number) % buckets;
}

/** What an operator must mend is a `RecordsError`; all else may be over in a moment. */
function asRecordsError(error: unknown): Error {
  if (error instanceof RecordsError || error instanceof RecordsUnavailableError) return error;
  const { message = String(error) } = error as Error;
  if (/^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR unknown command)/.test(message)) {
    return new RecordsError(`Redis refuses: ${message}`, { cause: error });
  }
  return new RecordsUnavailableError(`Redis does not answer as it should: ${message}`, { cause: error });
}
