/** Owns the page of `list`: its limits, and the opaque cursor that leads to the next one. */

import { createHash } from 'node:crypto';
import { checkKey, checkKind, type KindTable, maxKeyBytes } from './limits.ts';
import { type Filter, type Page, RecordsError, type Stored } from './records.ts';
import { decodeValue } from './stored-value.ts';

/** A page also ends here, so that a thousand records of a megabyte are not read at once. */
export const maxPageCharacters = 8 * 1024 * 1024;

const defaultLimit = 100;
const maxLimit = 1000;
const contextBytes = 8;
const longestCursor = Math.ceil(((contextBytes + maxKeyBytes) * 4) / 3);

export interface PageQuery {
  readonly group: string | undefined;
  readonly limit: number;
  /** Ids strictly after this one; the empty string is before all. */
  readonly afterId: string;
}

export function pageQuery(table: KindTable, kind: string, filter: Filter = {}, after?: string): PageQuery {
  checkKind(table, kind);
  const { group, limit = defaultLimit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new RecordsError(`limit must be a whole number from 1 to ${maxLimit}`);
  }
  if (group !== undefined) {
    checkKey('group', group);
    if (table.get(kind)?.groupOf === undefined) throw new RecordsError(`records of kind ${kind} have no groups`);
  }
  return { group, limit, afterId: after === undefined ? '' : readCursor(kind, group, after) };
}

/**
 * Collects a page from records in order, reading one record beyond it to learn whether another page follows.
 *
 * @throws NewerRecordError if one of the page is of a newer release: left out, it would pass for absent.
 */
export function collectPage<T>(
  table: KindTable,
  kind: string,
  query: PageQuery,
  rows: Iterable<PageRow>,
): Page<Stored<T>> {
  const items: Stored<T>[] = [];
  let characters = 0;
  let lastId = '';
  for (const row of rows) {
    if (items.length === query.limit || characters > maxPageCharacters) {
      return { items, next: writeCursor(kind, query.group, lastId) };
    }
    items.push(stored(table, kind, row));
    characters += row.text.length;
    lastId = row.id;
  }
  return { items };
}

export interface PageRow {
  readonly id: string;
  readonly text: string;
  readonly version: string;
  readonly expiresAt: number | undefined;
}

/** A row as the caller sees it. @throws NewerRecordError, RecordsError as `decodeValue`. */
export function stored<T>(table: KindTable, kind: string, { id, text, version, expiresAt }: PageRow): Stored<T> {
  const value = decodeValue<T>(table, kind, id, text);
  return expiresAt === undefined ? { id, value, version } : { id, value, version, expiresAt };
}

/**
 * A cursor names the last id it delivered and the list it came from. It is not a credential: one made by hand leads to
 * nothing that the same call without it would not show. What it must never be is trusted as more than an id.
 */
function writeCursor(kind: string, group: string | undefined, lastId: string): string {
  return Buffer.concat([context(kind, group), Buffer.from(lastId)]).toString('base64url');
}

function readCursor(kind: string, group: string | undefined, cursor: unknown): string {
  if (typeof cursor !== 'string' || cursor.length > longestCursor) throw notOurs();
  const bytes = Buffer.from(cursor, 'base64url');
  // Buffer skips what is not base64url: only the exact spelling we would have written is ours.
  if (bytes.length <= contextBytes || bytes.toString('base64url') !== cursor) throw notOurs();
  if (!bytes.subarray(0, contextBytes).equals(context(kind, group))) throw notOurs();
  try {
    const id = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(contextBytes));
    checkKey('id', id);
    return id;
  } catch (cause) {
    throw notOurs(cause);
  }
}

/** Neither a kind nor a group holds NUL or is empty, so the joined text is unambiguous. */
function context(kind: string, group: string | undefined): Buffer {
  return createHash('sha256')
    .update(`${kind}\0${group ?? ''}`)
    .digest()
    .subarray(0, contextBytes);
}

function notOurs(cause?: unknown): RecordsError {
  return new RecordsError('this page cursor was not given out for this list', { cause });
}
