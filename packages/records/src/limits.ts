/** Owns what a kind, an id, a group, a value and an expiry may be, so that every back-end refuses the same input. */

import { type Kinds, type RecordMap, RecordsError } from './records.ts';

export const maxKeyBytes = 1024;
export const maxValueBytes = 1024 * 1024;
/** Every back-end compares versions as numbers, and none of them loses a digit of these. */
export const maxVersion = 999_999;

/** What is known of one kind; `Kinds` without its types. */
export interface Kind {
  readonly groupOf: ((value: never) => string) | undefined;
  readonly version: number;
  readonly upgrade: ((value: never, from: number) => unknown) | undefined;
}

/** The listed kinds. A Map: `kind` may be `__proto__`. */
export type KindTable = ReadonlyMap<string, Kind>;

/** @throws RecordsError for a kind that could not be kept, or whose older values could not be read. */
export function kindTable<R extends RecordMap>(kinds: Kinds<R>): KindTable {
  const table = new Map<string, Kind>();
  for (const [kind, { groupOf, version = 1, upgrade }] of Object.entries(kinds)) {
    checkKey('kind', kind);
    if (!Number.isInteger(version) || version < 1 || version > maxVersion) {
      throw new RecordsError(`the version of kind ${kind} must be a whole number from 1 to ${maxVersion}`);
    }
    if (version > 1 && upgrade === undefined) {
      throw new RecordsError(
        `kind ${kind} has version ${version} and no upgrade: what was written before could not be read`,
      );
    }
    table.set(kind, { groupOf, version, upgrade });
  }
  return table;
}

/** The key of one record. @throws RecordsError for an unlisted kind or an id no back-end could keep apart from others. */
export function checkRecord(table: KindTable, kind: string, id: string): void {
  checkKind(table, kind);
  checkKey('id', id);
}

export function checkKind(table: KindTable, kind: string): void {
  if (!table.has(kind)) throw new RecordsError(`unlisted kind of record: ${JSON.stringify(String(kind).slice(0, 80))}`);
}

/**
 * NUL ends a string for some databases and lone surrogates all become U+FFFD in UTF-8: either would let two different
 * keys name one record (SEC-19).
 */
export function checkKey(what: 'kind' | 'id' | 'group', text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new RecordsError(`${what} must be a string, got ${typeof text}`);
  if (text.length === 0) throw new RecordsError(`${what} must not be empty`);
  // One UTF-16 unit is at most three bytes of UTF-8: short strings need no counting.
  if (text.length * 3 > maxKeyBytes && (text.length > maxKeyBytes || Buffer.byteLength(text) > maxKeyBytes)) {
    throw new RecordsError(`${what} is longer than ${maxKeyBytes} bytes`);
  }
  if (text.includes('\0')) throw new RecordsError(`${what} must not contain NUL`);
  if (!text.isWellFormed()) throw new RecordsError(`${what} must not contain a lone surrogate`);
}

/** The group of a value, for a kind that has groups. */
export function groupOf(table: KindTable, kind: string, value: unknown): string | undefined {
  const name = table.get(kind)?.groupOf;
  if (name === undefined) return undefined;
  const group: unknown = name(value as never);
  checkKey('group', group);
  return group;
}

export function checkExpiry(expiresAt: unknown): asserts expiresAt is number | undefined {
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) {
    throw new RecordsError('expiresAt must be a finite number of seconds since the epoch');
  }
}

export function checkVersion(version: unknown): asserts version is string {
  if (typeof version !== 'string') throw new RecordsError('replace needs the record as it was read: no version');
}

/** The default clock: seconds since the epoch. */
export function systemSeconds(): number {
  return Date.now() / 1000;
}
