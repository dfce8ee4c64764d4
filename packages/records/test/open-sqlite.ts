/** Owns how the suite and its other processes open SQLite. */

import { sqliteRecords } from '../src/sqlite.ts';
import { kinds, type TestRecords } from './kinds.ts';

export function open(file: string, now?: () => number, using = kinds) {
  return sqliteRecords<TestRecords>({ kinds: using, file, busyTimeoutMs: 20_000, ...(now && { now }) });
}
