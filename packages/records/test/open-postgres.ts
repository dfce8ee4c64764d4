/** Owns how the suite and its other processes open PostgreSQL: `url#table`. */

import { postgresRecords } from '../src/postgres.ts';
import { kinds, type TestRecords } from './kinds.ts';

export function open(place: string, now?: () => number, using = kinds) {
  const [connectionString = '', table = ''] = place.split('#');
  return postgresRecords<TestRecords>({
    kinds: using,
    connectionString,
    table,
    connectTimeoutMs: 20_000,
    statementTimeoutMs: 20_000,
    ...(now && { now }),
  });
}
