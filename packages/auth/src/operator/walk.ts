/** Every record of a kind, a bounded number at a time: what the operator's lists are made of. */
import type { RecordMap, Records, Stored } from '@mcp-gatehouse/records';

/** Records read for one answer at most, unless told. */
export const maxLooked = 100_000;

export interface Walk<T> {
  readonly items: readonly Stored<T>[];
  /** Pass it as `after` to go on; absent: there is nothing more. */
  readonly next?: string;
}

export interface WalkOptions<T> {
  readonly group?: string | undefined;
  readonly wanted: (value: T, id: string) => boolean;
  readonly after?: string | undefined;
  readonly limit: number;
  readonly looked: number;
}

/**
 * Up to `limit` records that are wanted, having looked at up to `looked`: a page may be short, and even empty, while
 * `next` says that there is more. Throws a `TypeError` for an `after` that no walk gave.
 */
export async function walk<R extends RecordMap, K extends keyof R & string>(
  records: Pick<Records<R>, 'list'>,
  kind: K,
  { group, wanted, after, limit, looked }: WalkOptions<R[K]>,
): Promise<Walk<R[K]>> {
  const items: Stored<R[K]>[] = [];
  let { page: cursor, id: passed } = readCursor(after);
  let left = looked;
  for (;;) {
    const page = await records.list(kind, { limit: 500, ...(group !== undefined && { group }) }, cursor);
    for (const one of page.items) {
      // Records come in the order of their ids, which are ASCII: what an earlier answer passed is not given twice.
      if (passed !== undefined && one.id <= passed) continue;
      if (wanted(one.value, one.id)) items.push(one);
      left -= 1;
      passed = one.id;
      if (items.length === limit || left === 0) {
        const last = page.next === undefined && one === page.items.at(-1);
        return { items, ...(!last && { next: writeCursor(cursor, one.id) }) };
      }
    }
    if (page.next === undefined) return { items };
    cursor = page.next;
  }
}

interface Cursor {
  readonly page: string | undefined;
  readonly id: string | undefined;
}

function writeCursor(page: string | undefined, id: string): string {
  return Buffer.from(JSON.stringify([page ?? null, id]), 'utf8').toString('base64url');
}

function readCursor(text: string | undefined): Cursor {
  if (text === undefined) return { page: undefined, id: undefined };
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const [page, id] = Array.isArray(value) ? (value as unknown[]) : [];
    if ((page === null || typeof page === 'string') && typeof id === 'string') return { page: page ?? undefined, id };
  } catch {
    // refused below, with the rest
  }
  throw new TypeError('after: is not what the page before gave as next');
}
