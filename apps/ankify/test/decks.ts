/** Decks for the tests of the package writer, and a reader of what it wrote. */
import { DatabaseSync } from 'node:sqlite';
import { unzipSync } from 'fflate';
import { cardId, cardsPerNote, firstNoteId } from '../src/anki/ids.ts';
import type { Card, Deck, DeckWithCards } from '../src/decks/deck.ts';

export const madeAt = 1_795_000_000;

export function deckOf(fields: Partial<Deck>, texts: ReadonlyArray<Partial<Card>>): DeckWithCards {
  const id = fields.id ?? '019a0000-0000-7000-8000-000000000001';
  const deck: Deck = {
    id,
    owner: 'anna',
    name: 'Test',
    noteType: 'basic',
    speech: 'off',
    cardCount: texts.length,
    version: 1,
    contents: `${id}.1`,
    createdAt: madeAt,
    updatedAt: madeAt,
    ...fields,
  };
  const firstId = firstNoteId(id, deck.createdAt);
  const cards = texts.map((text, index) => ({
    id: cardId(id, index + 1),
    ankiNoteId: firstId + index * cardsPerNote(deck.noteType),
    position: index + 1,
    front: `front ${index + 1}`,
    back: `back ${index + 1}`,
    tags: [],
    updatedAt: deck.createdAt,
    ...text,
  }));
  return { deck, cards };
}

/** Version 2 of a deck of three: the first card edited, the second unchanged, the third removed, one new. */
export function edited({ deck, cards }: DeckWithCards): DeckWithCards {
  const [first, second, third] = cards;
  if (!first || !second || !third) throw new Error('the deck must have three cards');
  const updatedAt = deck.updatedAt + 60;
  const fresh: Card = {
    ...third,
    id: cardId(deck.id, 4),
    ankiNoteId: third.ankiNoteId + cardsPerNote(deck.noteType),
    front: 'Kuh',
    back: 'cow',
    updatedAt,
  };
  const changed = { ...first, back: `${first.back} (edited)`, updatedAt };
  return { deck: { ...deck, version: 2, updatedAt }, cards: [changed, second, fresh] };
}

type Row = Record<string, string | number | null>;

/** Reads a package with SQLite's own eyes: nothing of the writer is used. */
export function readApkg(bytes: Uint8Array) {
  const files = unzipSync(bytes);
  const collection = files['collection.anki2'];
  if (!collection) throw new Error('no collection.anki2 in the package');
  const database = new DatabaseSync(':memory:');
  database.deserialize(collection);
  const all = (sql: string) => database.prepare(sql).all() as Row[];
  const col = all('SELECT * FROM col')[0] ?? {};
  const result = {
    files: Object.keys(files),
    media: JSON.parse(Buffer.from(files.media ?? []).toString()),
    integrity: all('PRAGMA integrity_check')[0]?.integrity_check,
    col,
    models: JSON.parse(String(col.models)) as Record<string, AnkiModel>,
    decks: JSON.parse(String(col.decks)) as Record<string, { id: number; name: string }>,
    notes: all('SELECT *, typeof(sfld) AS sfldType FROM notes ORDER BY id'),
    cards: all('SELECT * FROM cards ORDER BY id'),
    orphans: all('SELECT id FROM cards WHERE nid NOT IN (SELECT id FROM notes)'),
  };
  database.close();
  return result;
}

export interface AnkiModel {
  id: number;
  name: string;
  type: number;
  mod: number;
  css: string;
  flds: Array<{ name: string }>;
  tmpls: Array<{ name: string; qfmt: string; afmt: string }>;
}
