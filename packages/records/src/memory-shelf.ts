/** Owns the records of one kind in memory, their order and groups, and the removal of expired ones. */

import { OrderedIds } from './ordered-ids.ts';

export interface Entry {
  /** The value as JSON. */
  readonly text: string;
  readonly version: string;
  readonly expiresAt: number | undefined;
  readonly group: string | undefined;
}

export class Shelf {
  readonly #entries = new Map<string, Entry>();
  readonly #ids = new OrderedIds();
  readonly #groups = new Map<string, OrderedIds>();

  /** Records held, those that expired and were not removed yet among them. */
  get size(): number {
    return this.#entries.size;
  }

  get(id: string, seconds: number): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry && isLive(entry, seconds) ? entry : undefined;
  }

  put(id: string, entry: Entry): void {
    const before = this.#entries.get(id);
    this.#entries.set(id, entry);
    if (before === undefined) this.#ids.add(id);
    else if (before.group === entry.group) return;
    else this.#leaveGroup(id, before.group);
    if (entry.group === undefined) return;
    const group = this.#groups.get(entry.group) ?? new OrderedIds();
    this.#groups.set(entry.group, group);
    group.add(id);
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#ids.delete(id);
    this.#leaveGroup(id, entry.group);
  }

  /** Living records after an id, in order; of one group or of all. Do not write while reading. */
  *after(
    group: string | undefined,
    afterId: string,
    seconds: number,
  ): Generator<Entry & { readonly id: string }, void> {
    const ids = group === undefined ? this.#ids : this.#groups.get(group);
    for (const id of ids?.after(afterId) ?? []) {
      const entry = this.get(id, seconds);
      if (entry) yield { id, ...entry };
    }
  }

  /** A Map's iterator stays valid while the Map changes, and meets what is added before it ends. */
  all(): Iterator<[string, Entry]> {
    return this.#entries.entries();
  }

  #leaveGroup(id: string, name: string | undefined): void {
    if (name === undefined) return;
    const group = this.#groups.get(name);
    group?.delete(id);
    if (group?.empty) this.#groups.delete(name);
  }
}

function isLive(entry: Entry, seconds: number): boolean {
  return entry.expiresAt === undefined || entry.expiresAt > seconds;
}

/** Records looked at by each write: at a steady pace, expired ones are then at most about a third of the living. */
const sweepSteps = 4;

/** Goes round all shelves, a few steps a write: no timer, no pause that grows with the number of records. */
export function sweeper(shelves: readonly Shelf[]): (seconds: number) => void {
  let at = 0;
  let round = shelves[0]?.all();
  return (seconds) => {
    for (let step = 0; step < sweepSteps; step++) {
      const next = round?.next();
      if (next === undefined) return;
      if (next.done) {
        at = (at + 1) % shelves.length;
        round = shelves[at]?.all();
      } else if (!isLive(next.value[1], seconds)) {
        shelves[at]?.remove(next.value[0]);
      }
    }
  };
}
