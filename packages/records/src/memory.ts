/** Owns the records of one process, kept in memory: for tests, trials and what may be lost at a restart. */

import { checkExpiry, checkRecord, checkVersion, groupOf, kindTable, systemSeconds } from './limits.ts';
import { type Entry, Shelf, sweeper } from './memory-shelf.ts';
import { collectPage, pageQuery, stored } from './paging.ts';
import { type RecordMap, type Records, RecordsError, type RecordsOptions } from './records.ts';
import { decodeValue, encodeValue, refuseNewer } from './stored-value.ts';

export interface MemoryRecordsOptions<R extends RecordMap> extends RecordsOptions<R> {
  /** What several openings share, as instances and releases share a database; left out, nobody else sees these records. */
  readonly store?: MemoryStore;
}

/** What is kept, by kind. It lives for as long as somebody holds it. */
export interface MemoryStore {
  readonly shelves: Map<string, Shelf>;
  /** Writes so far: no version comes back. */
  writes: number;
}

export function memoryStore(): MemoryStore {
  return { shelves: new Map(), writes: 0 };
}

/** Values are kept as JSON text: what a caller gave or got stays the caller's, whatever is done to it. */
export function memoryRecords<R extends RecordMap>(options: MemoryRecordsOptions<R>): Records<R> {
  const { now = systemSeconds, store = memoryStore() } = options;
  const table = kindTable(options.kinds);
  const shelves = new Map([...table.keys()].map((kind) => [kind, shelfIn(store, kind)]));
  const sweep = sweeper([...shelves.values()]);
  let closed = false;

  function shelfOf(kind: string): Shelf {
    if (closed) throw new RecordsError('these records are closed');
    return shelves.get(kind) as Shelf;
  }

  function entry(kind: string, value: unknown, expiresAt: number | undefined): Entry {
    checkExpiry(expiresAt);
    const text = encodeValue(table, kind, value);
    return { text, version: String(++store.writes), expiresAt, group: groupOf(table, kind, value) };
  }

  return {
    async get(kind, id) {
      checkRecord(table, kind, id);
      const found = shelfOf(kind).get(id, now());
      return found && stored(table, kind, { id, ...found });
    },

    async create(kind, id, value, expiresAt) {
      checkRecord(table, kind, id);
      const made = entry(kind, value, expiresAt);
      const shelf = shelfOf(kind);
      const seconds = now();
      sweep(seconds);
      if (shelf.get(id, seconds)) return false;
      shelf.put(id, made);
      return true;
    },

    async replace(kind, was, value, expiresAt) {
      checkRecord(table, kind, was.id);
      checkVersion(was.version);
      const made = entry(kind, value, expiresAt);
      const shelf = shelfOf(kind);
      const seconds = now();
      sweep(seconds);
      if (shelf.get(was.id, seconds)?.version !== was.version) return false;
      shelf.put(was.id, made);
      return true;
    },

    async take(kind, id) {
      checkRecord(table, kind, id);
      const shelf = shelfOf(kind);
      const seconds = now();
      const found = shelf.get(id, seconds);
      if (found) refuseNewer(table, kind, id, found.text);
      shelf.remove(id);
      sweep(seconds);
      return found && decodeValue(table, kind, id, found.text);
    },

    async list(kind, filter, after) {
      const query = pageQuery(table, kind, filter, after);
      return collectPage(table, kind, query, shelfOf(kind).after(query.group, query.afterId, now()));
    },

    async close() {
      closed = true;
      shelves.clear();
    },
  };
}

function shelfIn({ shelves }: MemoryStore, kind: string): Shelf {
  const shelf = shelves.get(kind) ?? new Shelf();
  shelves.set(kind, shelf);
  return shelf;
}
