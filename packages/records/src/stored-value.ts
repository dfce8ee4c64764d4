/**
 * Owns the text a value is stored as, in every back-end: JSON, and before it the version of its shape.
 *
 * Version 1 is plain JSON, any other `v2 {...}`: no JSON begins with that letter, and what was written before there were
 * versions is version 1. Older values are upgraded when they are read and stored anew when they are next written; a newer
 * one is refused, because guessing what it says would be worse than waiting for the release that knows.
 */

import { type KindTable, maxValueBytes, maxVersion } from './limits.ts';
import { NewerRecordError, RecordsError } from './records.ts';

/** What a text may have at most: a value, and its version. */
export const maxTextBytes = maxValueBytes + `v${maxVersion} `.length;

const prefix = /^v([1-9][0-9]{0,5}) /;

/** The version this release writes, and the newest it can read. */
export function knownVersion(table: KindTable, kind: string): number {
  return table.get(kind)?.version ?? 1;
}

/** @throws RecordsError if the value is no JSON or too long. */
export function encodeValue(table: KindTable, kind: string, value: unknown): string {
  const text = json(value);
  const version = knownVersion(table, kind);
  return version === 1 ? text : `v${version} ${text}`;
}

/** The version of a stored text; undefined if nobody has written it so. */
function versionOf(text: string): number | undefined {
  if (!text.startsWith('v')) return 1;
  const digits = prefix.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * The value of a stored text as this release knows it.
 *
 * @throws NewerRecordError if a newer release wrote it.
 * @throws RecordsError if it is damaged, or its upgrade fails.
 */
export function decodeValue<T>(table: KindTable, kind: string, id: string, text: string): T {
  refuseNewer(table, kind, id, text);
  const known = knownVersion(table, kind);
  const version = versionOf(text);
  if (version === undefined)
    throw new RecordsError(`${recordName(kind, id)} is damaged: no release writes such a version`);
  const value = parsed(kind, id, version === 1 ? text : text.slice(text.indexOf(' ') + 1));
  return (version === known ? value : upgraded(table, kind, id, value, version)) as T;
}

/**
 * What a take that found nothing it may remove asks of the record that is still there.
 *
 * @throws NewerRecordError if a newer release wrote it.
 */
export function refuseNewer(table: KindTable, kind: string, id: string, text: string): void {
  const version = versionOf(text);
  const known = knownVersion(table, kind);
  if (version === undefined || version <= known) return;
  throw new NewerRecordError(
    `${recordName(kind, id)} was written by a newer release (version ${version}; this one knows ${known}): run that release`,
  );
}

function parsed(kind: string, id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause: the message of the parser quotes the text, and that is nothing for a log (SEC-07).
    throw new RecordsError(`${recordName(kind, id)} is damaged: it is not JSON`);
  }
}

function upgraded(table: KindTable, kind: string, id: string, value: unknown, from: number): unknown {
  let result: unknown;
  try {
    result = table.get(kind)?.upgrade?.(value as never, from);
  } catch (cause) {
    throw new RecordsError(`${recordName(kind, id)} of version ${from} cannot be upgraded`, { cause });
  }
  if (result === undefined)
    throw new RecordsError(`${recordName(kind, id)} of version ${from}: its upgrade gives nothing`);
  return result;
}

/** Ids are anybody's bytes, and a kilobyte of them; quoted and cut they do a log no harm. */
function recordName(kind: string, id: string): string {
  return `record ${kind} ${JSON.stringify(id.slice(0, 80))}`;
}

/** A value as JSON text, which is also what isolates it from the caller's object. */
function json(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new RecordsError('value is not JSON', { cause });
  }
  if (text === undefined) throw new RecordsError(`value is not JSON: ${typeof value}`);
  if (text.length * 3 > maxValueBytes && (text.length > maxValueBytes || Buffer.byteLength(text) > maxValueBytes)) {
    throw new RecordsError(`value is longer than ${maxValueBytes} bytes of JSON`);
  }
  return text;
}
