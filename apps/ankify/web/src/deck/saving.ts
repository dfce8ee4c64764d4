/** Gets the work of an editor to the server, one request at a time: retried while nobody answers, merged where others wrote. */
import { isPassing } from '../api/client.ts';
import { editCards, patchDeck, readDeck } from '../api/decks.ts';
import { ApiProblem } from '../api/problem.ts';
import type { DeckState } from './deck-state.ts';
import { editOf, isBlank, isComplete, merge, type Row, withIds } from './rows.ts';
import { dropUnsaved, keepUnsaved } from './unsaved.ts';

const restMs = 900;
const longestWaitMs = 30_000;

export interface Saving {
  /** Something was changed: kept here at once, sent when the person pauses. */
  touch(): void;
  /** Sends now. Resolves to whether everything that can be saved is saved. */
  flush(): Promise<boolean>;
  close(): void;
}

export function createSaving(state: DeckState): Saving {
  /** Taken by the server exactly so: what it made of them is not sent again. */
  const saved = new WeakSet<Row>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let failures = 0;
  /** Sent, and not answered yet: the same is sent again, whatever was typed meanwhile. */
  let open: (() => Promise<void>) | undefined;
  /** The row behind each pointer of its problems. */
  let rowAt: ReadonlyMap<string, string> = new Map();

  const later = (milliseconds: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), milliseconds);
  };

  function keep(): boolean {
    const deck = state.deck.value;
    if (!deck) return true;
    const { base, rows, patch } = state;
    return keepUnsaved(deck.deck_id, {
      version: deck.version,
      base: base.value,
      rows: rows.value.filter((row) => !row.removed || row.cardId !== undefined),
      patch: patch.value,
    });
  }

  function nextRequest(): (() => Promise<void>) | undefined {
    const deck = state.deck.value;
    if (!deck) return undefined;
    const { deck_id, version, note_type } = deck;
    const patch = state.patch.value;
    rowAt = new Map();
    if (patch) {
      return async () => {
        state.deck.value = await patchDeck(deck_id, { version, ...patch });
        if (state.patch.value === patch) state.patch.value = undefined;
      };
    }
    const next = editOf(state.base.value, state.rows.value, note_type, (row) => saved.has(row));
    if (!next) return undefined;
    const key = crypto.randomUUID();
    rowAt = next.rowAt;
    return async () => {
      const answer = await editCards(deck_id, { version, ...next.edit }, key);
      for (const row of next.sent) saved.add(row);
      const rows = withIds(state.rows.value, next.sent, answer.cards);
      for (const [index, row] of rows.entries()) {
        const before = state.rows.value[index];
        if (before && saved.has(before)) saved.add(row);
      }
      state.rows.value = rows;
      state.base.value = answer.cards;
      state.deck.value = answer.deck;
    };
  }

  async function mergeTheirs(id: string): Promise<void> {
    const theirs = await readDeck(id);
    const merged = merge(state.base.value, state.rows.value, theirs.cards);
    state.rows.value = merged.rows;
    state.base.value = theirs.cards;
    state.deck.value = theirs.deck;
    state.conflicts.value = merged.conflicts;
    state.changed.value = merged.summary;
  }

  async function run(): Promise<void> {
    for (;;) {
      if (state.conflicts.value.length > 0) {
        state.status.value = 'conflict';
        keep();
        return;
      }
      open ??= nextRequest();
      if (!open) {
        settle();
        return;
      }
      state.status.value = 'saving';
      try {
        await open();
        open = undefined;
        failures = 0;
        state.refused.value = undefined;
        state.faults.value = new Map();
      } catch (error) {
        if (!(await recovered(error))) return;
      }
    }
  }

  /** True: go on at once. */
  async function recovered(error: unknown): Promise<boolean> {
    const id = state.deck.value?.deck_id ?? '';
    if (isPassing(error)) return wait();
    open = undefined;
    if (error instanceof ApiProblem && ['deck-changed', 'precondition-failed'].includes(error.kind)) {
      try {
        await mergeTheirs(id);
        return true;
      } catch (cause) {
        return recovered(cause);
      }
    }
    keep();
    state.refused.value = error;
    state.faults.value = faultsOf(error);
    state.patch.value = undefined;
    state.status.value = error instanceof ApiProblem && error.status < 500 ? 'refused' : 'stuck';
    return false;
  }

  function faultsOf(error: unknown): ReadonlyMap<string, string> {
    const faults = new Map<string, string>();
    for (const { pointer, detail } of error instanceof ApiProblem ? error.errors : []) {
      const key = rowAt.get(/^\/(?:add|update)\/\d+/.exec(pointer)?.[0] ?? '');
      if (key !== undefined) faults.set(key, detail);
    }
    return faults;
  }

  function wait(): false {
    failures += 1;
    state.status.value = keep() ? 'waiting' : 'memory';
    later(Math.min(longestWaitMs, 1000 * 2 ** failures));
    return false;
  }

  function settle(): void {
    const deck = state.deck.value;
    if (!deck) return;
    const { rows } = state;
    const isWaiting = rows.value.some((row) => row.removed || (!isBlank(row) && !isComplete(deck.note_type, row)));
    if (isWaiting) keep();
    else dropUnsaved(deck.deck_id);
    state.status.value = 'saved';
  }

  async function flush(): Promise<boolean> {
    clearTimeout(timer);
    running ??= run().finally(() => {
      running = undefined;
    });
    await running;
    return state.status.value === 'saved';
  }

  const online = () => void flush();
  const leave = () => {
    if (state.status.value !== 'saved') keep();
  };
  addEventListener('online', online);
  addEventListener('pagehide', leave);

  return {
    touch() {
      if (state.status.value === 'saved' || state.status.value === 'refused') state.status.value = 'unsaved';
      keep();
      later(restMs);
    },
    flush,
    close() {
      removeEventListener('online', online);
      removeEventListener('pagehide', leave);
      // What is left is sent now; if that fails, it is kept for the next visit.
      if (state.status.value === 'unsaved') void flush().finally(() => clearTimeout(timer));
      else clearTimeout(timer);
    },
  };
}
