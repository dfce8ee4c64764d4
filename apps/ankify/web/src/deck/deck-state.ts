/** One deck that is open for editing: its cards as rows, what may be done to them, and what became of it. */
import { type Signal, signal } from '@preact/signals';
import { readDeck } from '../api/decks.ts';
import type { Card, Deck, DeckPatch } from '../api/shapes.ts';
import { type Conflict, emptyRow, merge, type Row, type RowField, rowOf, type Summary } from './rows.ts';
import { createSaving, type Saving } from './saving.ts';
import { readUnsaved } from './unsaved.ts';

export type Status = 'saved' | 'unsaved' | 'saving' | 'waiting' | 'memory' | 'conflict' | 'refused' | 'stuck';

export interface DeckState {
  readonly deck: Signal<Deck | undefined>;
  /** The cards as the server has them. */
  readonly base: Signal<readonly Card[]>;
  readonly rows: Signal<readonly Row[]>;
  readonly patch: Signal<Omit<DeckPatch, 'version'> | undefined>;
  readonly status: Signal<Status>;
  readonly conflicts: Signal<readonly Conflict[]>;
  readonly changed: Signal<Summary | undefined>;
  readonly refused: Signal<unknown>;
  /** Of single rows, by their key: what the server has against them, in English. */
  readonly faults: Signal<ReadonlyMap<string, string>>;
}

export interface DeckEditor extends DeckState {
  readonly failed: Signal<unknown>;
  readonly restored: Signal<boolean>;
  /** Where the keyboard shall go once the rows are shown; counted, so that the same place twice is asked twice. */
  readonly focus: Signal<{ readonly key: string; readonly part: string; readonly at: number } | undefined>;
  load(): Promise<void>;
  edit(key: string, field: RowField, text: string): void;
  /** Behind the row of `key`, else at the end. */
  add(key?: string): void;
  /** Returns the new place, from 1; undefined: it is at the end already. */
  move(key: string, by: 1 | -1): number | undefined;
  /** False: it is the last one. */
  remove(key: string): boolean;
  undo(key: string): void;
  change(patch: Omit<DeckPatch, 'version'>): void;
  choose(conflict: Conflict, take: 'mine' | 'theirs'): void;
  flush(): Promise<boolean>;
  close(): void;
  focusOn(key: string, part: string): void;
}

/** How long a deletion can be taken back. */
const undoMs = 8000;

export function openDeck(id: string): DeckEditor {
  const state: DeckState = {
    deck: signal<Deck | undefined>(undefined),
    base: signal<readonly Card[]>([]),
    rows: signal<readonly Row[]>([]),
    patch: signal<Omit<DeckPatch, 'version'> | undefined>(undefined),
    status: signal<Status>('saved'),
    conflicts: signal<readonly Conflict[]>([]),
    changed: signal<Summary | undefined>(undefined),
    refused: signal<unknown>(undefined),
    faults: signal<ReadonlyMap<string, string>>(new Map()),
  };
  const { deck, base, rows, patch, conflicts } = state;
  const saving: Saving = createSaving(state);
  const failed = signal<unknown>(undefined);
  const restored = signal(false);
  const focus: DeckEditor['focus'] = signal(undefined);
  const timers = new Map<string, ReturnType<typeof setTimeout>>();

  const replace = (key: string, change: (row: Row) => Row) => {
    rows.value = rows.value.map((row) => (row.key === key ? change(row) : row));
  };
  const focusOn = (key: string, part: string) => {
    focus.value = { key, part, at: (focus.value?.at ?? 0) + 1 };
  };
  const drop = (key: string) => {
    timers.delete(key);
    rows.value = rows.value.filter((row) => row.key !== key);
    saving.touch();
  };

  return {
    ...state,
    failed,
    restored,
    focus,
    focusOn,
    flush: saving.flush,
    async load() {
      try {
        const read = await readDeck(id);
        const unsaved = readUnsaved(id);
        base.value = read.cards;
        if (unsaved) {
          // What was being deleted is deleted: nobody is there any more to take it back.
          const mine = unsaved.rows.filter((row) => !row.removed);
          const merged = merge(unsaved.base, mine, read.cards);
          rows.value = merged.rows;
          conflicts.value = merged.conflicts;
          patch.value = unsaved.patch;
          if (unsaved.version !== read.deck.version) state.changed.value = merged.summary;
          restored.value = true;
        } else rows.value = read.cards.map(rowOf);
        deck.value = read.deck;
        failed.value = undefined;
        if (unsaved) saving.touch();
      } catch (error) {
        failed.value = error;
      }
    },
    edit(key, field, text) {
      replace(key, (row) => ({ ...row, [field]: text }));
      saving.touch();
    },
    add(key) {
      const row = emptyRow();
      const at = key === undefined ? -1 : rows.value.findIndex((one) => one.key === key);
      rows.value = at < 0 ? [...rows.value, row] : rows.value.toSpliced(at + 1, 0, row);
      focusOn(row.key, 'front');
    },
    move(key, by) {
      const from = rows.value.findIndex((row) => row.key === key);
      const to = from + by;
      const row = rows.value[from];
      if (!row || to < 0 || to >= rows.value.length) return undefined;
      rows.value = rows.value.toSpliced(from, 1).toSpliced(to, 0, row);
      saving.touch();
      return to + 1;
    },
    remove(key) {
      if (rows.value.filter((row) => !row.removed).length <= 1) return false;
      replace(key, (row) => ({ ...row, removed: true }));
      timers.set(
        key,
        setTimeout(() => drop(key), undoMs),
      );
      focusOn(key, 'undo');
      return true;
    },
    undo(key) {
      clearTimeout(timers.get(key));
      timers.delete(key);
      replace(key, ({ removed: _, ...row }) => row);
      focusOn(key, 'front');
    },
    change(wanted) {
      patch.value = { ...patch.value, ...wanted };
      saving.touch();
    },
    choose(conflict, take) {
      const { key, field, theirs } = conflict;
      conflicts.value = conflicts.value.filter((one) => one !== conflict);
      if (field === 'gone') {
        if (take === 'theirs') rows.value = rows.value.filter((row) => row.key !== key);
        // It is a new card now: the one it was is gone.
        else replace(key, ({ cardId: _, ...row }) => row);
      } else if (take === 'theirs') replace(key, (row) => ({ ...row, [field]: theirs }));
      saving.touch();
    },
    close() {
      for (const [key, timer] of timers) {
        clearTimeout(timer);
        drop(key);
      }
      saving.close();
    },
  };
}
