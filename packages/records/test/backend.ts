/** Owns what the conformance suite needs to know of a back-end, and closes what a test opened. */

import { afterEach } from 'vitest';
import type { Kinds, Records, Stored } from '../src/records.ts';
import type { TestRecords } from './kinds.ts';

export interface Backend {
  /** The address of a database nobody has used yet. */
  place(): Promise<string>;
  /** `using`: the kinds as another release knows them. */
  open(place: string, now?: () => number, using?: Kinds<TestRecords>): Records<TestRecords>;
}

export type Fresh = (now?: () => number) => Promise<Records<TestRecords>>;

/** Opens a new database for a test of the calling suite. */
export function freshRecords(backend: Backend): Fresh {
  const opened: Records<TestRecords>[] = [];
  afterEach(async () => {
    for (const records of opened.splice(0)) await records.close();
  });
  return async (now) => {
    const records = backend.open(await backend.place(), now);
    opened.push(records);
    return records;
  };
}

/** A note that must be there. */
export async function readNote(records: Records<TestRecords>, id: string): Promise<Stored<TestRecords['note']>> {
  const stored = await records.get('note', id);
  if (stored === undefined) throw new Error(`no note ${id}`);
  return stored;
}
