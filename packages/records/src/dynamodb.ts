/** Owns the records in one DynamoDB table: every verb is one request on one item, conditional where it writes. */

import { createHash, randomUUID } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { asRecordsError, type DynamoDb, DynamoDbError, isThrottled } from './dynamodb-request.ts';
import { groupIndex } from './dynamodb-table.ts';
import { checkExpiry, checkRecord, checkVersion, groupOf, kindTable, systemSeconds } from './limits.ts';
import { compareUtf8 } from './ordered-ids.ts';
import { collectPage, maxPageCharacters, type PageQuery, type PageRow, pageQuery, stored } from './paging.ts';
import { type RecordMap, type Records, RecordsError, type RecordsOptions } from './records.ts';
import { decodeValue, encodeValue, knownVersion, maxTextBytes, refuseNewer } from './stored-value.ts';

export { type AwsCredentials, type CredentialSource, environmentCredentials } from './aws-credentials.ts';
export {
  type DynamoDb,
  type DynamoDbConnection,
  DynamoDbError,
  type DynamoDbOptions,
  dynamoDbConnection,
} from './dynamodb-request.ts';
export { createTable, tableDefinition, timeToLiveAttribute } from './dynamodb-table.ts';

export interface DynamoDbRecordsOptions<R extends RecordMap> extends RecordsOptions<R> {
  /** Made beforehand: by `createTable`, `gatehouse records create` or the CDK construct. */
  readonly table: string;
  /** `dynamoDbConnection(…).send`, or the official client's (`@mcp-gatehouse/records/dynamodb-sdk`). */
  readonly send: DynamoDb;
  /** Ends what `send` keeps open. */
  readonly onClose?: () => Promise<void>;
}

/** Of each kind: a partition writes a thousand units a second, and `list` asks every one of them. */
const buckets = 16;
/** What is smaller is not worth the time; a write is paid by the KB. */
const compressedFrom = 2048;
/** An item has 400 KB, its keys and names among them. */
const maxItemBytes = 390 * 1024;
/** How much longer than the record DynamoDB must keep the item: an instance whose clock is behind still counts on it. */
const keepSeconds = 15 * 60;

export function dynamoDbRecords<R extends RecordMap>(options: DynamoDbRecordsOptions<R>): Records<R> {
  const { now = systemSeconds, table, send, onClose } = options;
  const kinds = kindTable(options.kinds);
  const underway = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (closed) throw new RecordsError('the records are closed');
    const running = work();
    underway.add(running);
    try {
      return await running;
    } catch (error) {
      throw asRecordsError(error, table);
    } finally {
      underway.delete(running);
    }
  }

  /** `repeatable`: a read, which may be sent again whatever became of it. What was throttled never happened. */
  async function request(operation: string, input: object, repeatable: boolean): Promise<Output> {
    for (let tries = 1; ; tries++) {
      try {
        return (await send(operation, { TableName: table, ...input })) as Output;
      } catch (error) {
        const answered = error instanceof DynamoDbError && error.status < 500;
        if (tries === 3 || !(isThrottled(error) || (repeatable && !answered))) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 50 * 2 ** tries));
      }
    }
  }

  /** True: written. False: the condition did not hold. */
  async function put(item: Item, condition: string, values: Item): Promise<boolean> {
    return run(async () => {
      const input = { Item: item, ConditionExpression: condition, ExpressionAttributeValues: values };
      try {
        await request('PutItem', input, false);
        return true;
      } catch (error) {
        if (isUnmet(error)) return false;
        throw error;
      }
    });
  }

  function itemOf(kind: string, id: string, value: unknown, expiresAt: number | undefined): Item {
    const group = groupOf(kinds, kind, value);
    const shape = knownVersion(kinds, kind);
    const item: Item = {
      ...keyOf(kind, id),
      ...encoded(encodeValue(kinds, kind, value)),
      n: { S: randomUUID() },
      // Also in the text, where no condition can see it: that may be compressed.
      ...(shape > 1 && { f: { N: String(shape) } }),
      ...(group !== undefined && { g: { S: groupKey(group, id) } }),
      ...(expiresAt !== undefined && {
        e: { N: number(expiresAt) },
        t: { N: String(Math.ceil(Math.min(Math.max(expiresAt, 0), 1e11)) + keepSeconds) },
        ...(Math.abs(expiresAt) > maxNumber && { x: { S: String(expiresAt) } }),
      }),
    };
    return item;
  }

  const nowValue = () => ({ ':now': { N: number(now()) } });

  async function living(kind: string, id: string): Promise<PageRow | undefined> {
    const { Item: item } = await request('GetItem', { Key: keyOf(kind, id), ConsistentRead: true }, true);
    const row = item && rowOf(item);
    return row && isLiving(row) ? row : undefined;
  }

  function isLiving({ expiresAt }: PageRow): boolean {
    return expiresAt === undefined || expiresAt > now();
  }

  /** One bucket's living records of a list in order, read as far as somebody asks. */
  async function* bucketRows(kind: string, bucket: number, query: PageQuery): AsyncGenerator<PageRow> {
    const { group, afterId, limit } = query;
    const prefix = group === undefined ? undefined : groupDigest(group);
    const [condition, values] =
      prefix === undefined
        ? afterId === ''
          ? ['p = :p', {}]
          : ['p = :p AND s > :after', { ':after': { S: afterId } }]
        : [
            'p = :p AND g BETWEEN :from AND :to',
            { ':from': { S: cut(prefix + afterId) }, ':to': { S: `${prefix}\u{10ffff}` } },
          ];
    let start: unknown;
    do {
      const answer = await request(
        'Query',
        {
          ConsistentRead: true,
          ...(prefix !== undefined && { IndexName: groupIndex, Select: 'ALL_ATTRIBUTES' }),
          KeyConditionExpression: condition,
          ExpressionAttributeValues: { ':p': { S: partition(kind, bucket) }, ...values },
          Limit: Math.max(8, Math.ceil(((limit + 1) * 2) / buckets)),
          ...(start !== undefined && { ExclusiveStartKey: start }),
        },
        true,
      );
      for (const item of answer.Items ?? []) {
        const row = rowOf(item);
        // Judged here: DynamoDB filters by nothing that the index does not hold.
        if (isLiving(row) && compareUtf8(row.id, afterId) > 0) yield row;
      }
      start = answer.LastEvaluatedKey;
    } while (start !== undefined);
  }

  return {
    async get(kind, id) {
      checkRecord(kinds, kind, id);
      const row = await run(() => living(kind, id));
      return row && stored(kinds, kind, row);
    },

    async create(kind, id, value, expiresAt) {
      checkRecord(kinds, kind, id);
      checkExpiry(expiresAt);
      const item = itemOf(kind, id, value, expiresAt);
      return put(item, 'attribute_not_exists(p) OR e <= :now', nowValue());
    },

    async replace(kind, was, value, expiresAt) {
      const { id, version } = was;
      checkRecord(kinds, kind, id);
      checkVersion(version);
      checkExpiry(expiresAt);
      const item = itemOf(kind, id, value, expiresAt);
      const values = { ':was': { S: version }, ...nowValue() };
      return put(item, 'n = :was AND (attribute_not_exists(e) OR e > :now)', values);
    },

    async take(kind, id) {
      checkRecord(kinds, kind, id);
      const input = {
        Key: keyOf(kind, id),
        ConditionExpression:
          'attribute_exists(p) AND (attribute_not_exists(e) OR e > :now) AND (attribute_not_exists(f) OR f <= :known)',
        ExpressionAttributeValues: { ...nowValue(), ':known': { N: String(knownVersion(kinds, kind)) } },
        ReturnValues: 'ALL_OLD',
      };
      return run(async () => {
        try {
          const { Attributes: item } = await request('DeleteItem', input, false);
          return item && decodeValue(kinds, kind, id, rowOf(item).text);
        } catch (error) {
          if (!isUnmet(error)) throw error;
        }
        const left = await living(kind, id);
        if (left) refuseNewer(kinds, kind, id, left.text);
        return undefined;
      });
    },

    async list(kind, filter, after) {
      const query = pageQuery(kinds, kind, filter, after);
      const rows = await run(async () => {
        const sources = Array.from({ length: buckets }, (_, bucket) => bucketRows(kind, bucket, query));
        return merged(sources, query.limit + 1);
      });
      return collectPage(kinds, kind, query, rows);
    },

    close() {
      closed ??= (async () => {
        await Promise.allSettled([...underway]);
        await onClose?.();
      })();
      return closed;
    },
  };
}

type Attribute = { readonly S: string } | { readonly N: string } | { readonly B: string };
type Item = Record<string, Attribute>;
interface Output {
  readonly Item?: Item;
  readonly Attributes?: Item;
  readonly Items?: readonly Item[];
  readonly LastEvaluatedKey?: unknown;
}

/** The first rows of all sources together, in order; each source is read only as far as it is needed. */
async function merged(sources: ReadonlyArray<AsyncGenerator<PageRow>>, count: number): Promise<readonly PageRow[]> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  const rows: PageRow[] = [];
  let characters = 0;
  while (rows.length < count && characters <= maxPageCharacters * 2) {
    let first: number | undefined;
    for (const [at, head] of heads.entries()) {
      if (head.done) continue;
      const best = first === undefined ? undefined : heads[first];
      if (!best || best.done || compareUtf8(head.value.id, best.value.id) < 0) first = at;
    }
    const head = first === undefined ? undefined : heads[first];
    if (first === undefined || !head || head.done) break;
    rows.push(head.value);
    characters += head.value.text.length;
    heads[first] = await (sources[first] as AsyncGenerator<PageRow>).next();
  }
  return rows;
}

/** The bucket stands last and is a number, so that no kind can reach into another's (SEC-19). */
function partition(kind: string, bucket: number): string {
  return `${kind}#${bucket}`;
}

function keyOf(kind: string, id: string): Item {
  const bucket = (createHash('sha256').update(id).digest()[0] as number) % buckets;
  return { p: { S: partition(kind, bucket) }, s: { S: id } };
}

/** Of one length, so that no group's ids lie among another's. */
function groupDigest(group: string): string {
  return createHash('sha256').update(group).digest('base64url').slice(0, 22);
}

function groupKey(group: string, id: string): string {
  return cut(groupDigest(group) + id);
}

/** A sort key has 1024 bytes. Ids that differ only behind that stand in any order within their group. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= 1024) return text;
  let end = 1024;
  const bytes = Buffer.from(text);
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** DynamoDB's numbers end at 10^126. */
const maxNumber = 1e120;

function number(value: number): string {
  return String(Math.min(Math.max(value, -maxNumber), maxNumber));
}

function encoded(text: string): Item {
  const plain = Buffer.byteLength(text);
  if (plain < compressedFrom) return { v: { S: text } };
  const bytes = deflateRawSync(text);
  if (bytes.length > maxItemBytes) {
    throw new RecordsError(
      `value is longer than DynamoDB takes: ${bytes.length} bytes, compressed, of ${maxItemBytes}`,
    );
  }
  return { v: { B: bytes.toString('base64') } };
}

function rowOf(item: Item): PageRow {
  const text = (name: string) => Object.values(item[name] ?? {})[0] as string | undefined;
  const { v } = item;
  const bytes = v && 'B' in v ? Buffer.from(v.B, 'base64') : undefined;
  const expiry = text('x') ?? text('e');
  return {
    id: text('s') as string,
    text: bytes ? inflateRawSync(bytes, { maxOutputLength: maxTextBytes }).toString('utf8') : (text('v') as string),
    version: text('n') as string,
    expiresAt: expiry === undefined ? undefined : Number(expiry),
  };
}

function isUnmet(error: unknown): boolean {
  return error instanceof DynamoDbError && error.code === 'ConditionalCheckFailedException';
}
