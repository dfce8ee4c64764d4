/**
 * The simulated database: the records contract, kept to the letter, behind a connection that delays, breaks before the
 * write, loses the answer after it, or delivers a write after its sender has given up.
 */
import { type RecordMap, type Records, RecordsUnavailableError, type Stored } from '@mcp-gatehouse/records';
import type { World } from './world.ts';

/** How a database can be wrong; the simulator must notice each. */
export type Flaw = 'replace-ignores-version' | 'reads-are-old' | 'forgets-writes' | 'absent-on-fault';

export interface Store {
  /** What everybody sees, as text: to tell end states apart. */
  summary(): string;
  readonly rows: Map<string, Row>;
  /** Whether to put anything in between: not while a scene is set. */
  quiet: boolean;
  readonly faults: number;
}

interface Row {
  readonly value: unknown;
  readonly version: string;
  readonly expiresAt: number | undefined;
  readonly group: string | undefined;
}

export interface ConnectionOptions {
  readonly world: World;
  readonly store: Store;
  readonly name: string;
  readonly now: () => number;
  /** Whether its process still lives, and what ends it. */
  readonly alive: () => boolean;
  readonly die: () => void;
  /** Told of every fault of this connection; what it gives is called when the fault has been heard of. */
  readonly onFault: () => () => void;
  /** Whether answers travel: needed where instances remember what they read. */
  readonly slowAnswers?: boolean;
  readonly groupOf?: (kind: string, value: unknown) => string | undefined;
  readonly flaw?: Flaw | undefined;
}

type CountedStore = Store & { faults: number; versions: number };

export function createStore(): Store {
  const rows = new Map<string, Row>();
  const store: CountedStore = {
    rows,
    quiet: false,
    faults: 0,
    versions: 0,
    summary: () => JSON.stringify([...rows].map(([key, { value }]) => [key, value])),
  };
  return store;
}

/** 0 is none. The first two can befall a read. */
const faults = ['none', 'refused', 'died before', 'answer lost', 'late', 'died after'] as const;

export function connect<R extends RecordMap>(options: ConnectionOptions): Records<R> {
  const { world, name, now, alive, die, flaw, slowAnswers = false } = options;
  const store = options.store as CountedStore;
  const { rows } = store;
  const live = (key: string): Row | undefined => {
    const row = rows.get(key);
    return row && row.expiresAt !== undefined && now() >= row.expiresAt ? undefined : row;
  };
  const put = (key: string, kind: string, value: unknown, expiresAt: number | undefined): void => {
    if (flaw === 'forgets-writes' && rows.has(key)) return;
    store.versions++;
    rows.set(key, { value, version: String(store.versions), expiresAt, group: options.groupOf?.(kind, value) });
  };
  const old = new Map<string, Row>();

  function call<T>(what: string, writes: boolean, effect: () => T): Promise<T> {
    if (store.quiet) return Promise.resolve(effect());
    return new Promise<T>((resolve, reject) => {
      const deliver = (give: () => void): void => {
        if (slowAnswers) world.soon(`${name} hears of ${what}`, () => alive() && give());
        else if (alive()) give();
      };
      world.soon(`${name} ${what}`, () => {
        // What a process sent before it died may arrive, or not.
        if (!alive()) {
          if (writes && world.chooser.choose(2) === 1) effect();
          return;
        }
        const fault = faults[world.chooser.fault(writes ? 5 : 2)] ?? 'none';
        if (fault === 'none') {
          const result = effect();
          return deliver(() => resolve(result));
        }
        store.faults++;
        world.note(() => fault);
        const heard = options.onFault();
        const away = (why: string): void => {
          heard();
          reject(new RecordsUnavailableError(why));
        };
        switch (fault) {
          case 'refused':
            if (flaw === 'absent-on-fault') return deliver(() => resolve(undefined as T));
            return deliver(() => away('refused'));
          case 'answer lost':
            effect();
            return deliver(() => away('the answer was lost'));
          case 'late':
            world.soon(`${name} ${what}, late`, () => void effect());
            return deliver(() => away('no answer in time'));
          case 'died after':
            effect();
            return die();
          case 'died before':
            return die();
        }
      });
    });
  }

  const stored = (id: string, { value, version, expiresAt }: Row) =>
    ({ id, value, version, ...(expiresAt !== undefined && { expiresAt }) }) as Stored<never>;

  return {
    get(kind, id) {
      const key = `${kind} ${id}`;
      return call(`get ${kind}`, false, () => {
        const row = live(key);
        const seen = flaw === 'reads-are-old' ? (old.get(key) ?? row) : row;
        if (flaw === 'reads-are-old' && row) old.set(key, row);
        return seen && stored(id, seen);
      });
    },
    create(kind, id, value, expiresAt) {
      return call(`create ${kind}`, true, () => {
        if (live(`${kind} ${id}`)) return false;
        put(`${kind} ${id}`, kind, value, expiresAt);
        return true;
      });
    },
    replace(kind, was, value, expiresAt) {
      return call(`replace ${kind}`, true, () => {
        const row = live(`${kind} ${was.id}`);
        if (flaw !== 'replace-ignores-version' && row?.version !== was.version) return false;
        put(`${kind} ${was.id}`, kind, value, expiresAt);
        return true;
      });
    },
    take(kind, id) {
      return call(`take ${kind}`, true, () => {
        const row = live(`${kind} ${id}`);
        rows.delete(`${kind} ${id}`);
        return row?.value as never;
      });
    },
    list(kind, filter = {}) {
      return call(`list ${kind}`, false, () => {
        const keys = [...rows.keys()].filter((key) => key.startsWith(`${kind} `)).sort();
        const items = keys.flatMap((key) => {
          const row = live(key);
          const here = row && (filter.group === undefined || row.group === filter.group);
          return here ? [stored(key.slice(kind.length + 1), row)] : [];
        });
        return { items };
      });
    },
    async close() {},
  };
}
