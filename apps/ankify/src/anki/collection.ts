/**
 * A deck as an Anki collection: SQLite, schema 11, the newest that every program reads (Anki 2.1 to today, AnkiDroid,
 * Mnemosyne). Everything in it derives from the deck, never from the clock, so one version of a deck is one file.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Card, Deck, DeckWithCards } from '../decks/deck.ts';
import { parseCloze } from './cloze.ts';
import { escapeField, fieldChecksum, sortField } from './field.ts';
import { deckPath, defaultDeckId } from './ids.ts';
import { type AnkiNoteType, ankiNoteType } from './note-types.ts';

/** The media file that a side of a card plays. */
export interface CardSounds {
  readonly front?: string;
  readonly back?: string;
}

/** The bytes of `collection.anki2`. `sounds`: by the card's id. */
export function writeCollection({ deck, cards }: DeckWithCards, sounds?: ReadonlyMap<string, CardSounds>): Uint8Array {
  const database = new DatabaseSync(':memory:');
  try {
    database.exec(schema);
    const path = deckPath(deck.name);
    const ankiDeckId = path.at(-1)?.id ?? defaultDeckId;
    const noteTypes = new Map<number, AnkiNoteType>();
    const insertNote = database.prepare('INSERT INTO notes VALUES (?, ?, ?, ?, -1, ?, ?, ?, ?, 0, ?)');
    const insertCard = database.prepare(
      "INSERT INTO cards VALUES (?, ?, ?, ?, ?, -1, 0, 0, ?, 0, 0, 0, 0, 0, 0, 0, 0, '')",
    );
    for (const card of cards) {
      const noteType = noteTypeOf(deck, card);
      noteTypes.set(noteType.id, noteType);
      const { fields, ordinals } = contentOf(deck, card, sounds?.get(card.id));
      const [front] = fields;
      insertNote.run(
        card.ankiNoteId,
        card.id,
        noteType.id,
        card.updatedAt, // never the time of the export: an untouched note must lose against the learner's own edit
        card.tags.length > 0 ? ` ${card.tags.join(' ')} ` : '',
        fields.join('\x1f'),
        sortField(front),
        fieldChecksum(front),
        '',
      );
      for (const ordinal of ordinals) {
        const id = card.ankiNoteId + ordinal;
        insertCard.run(id, card.ankiNoteId, ankiDeckId, ordinal, card.updatedAt, card.position);
      }
    }
    insertCollectionRow(database, deck, path, noteTypes, cards.length);
    return database.serialize();
  } finally {
    database.close();
  }
}

function noteTypeOf(deck: Deck, card: Card): AnkiNoteType {
  if (deck.speech === 'off') return ankiNoteType(deck.noteType, {});
  const front = card.frontLanguage ?? deck.frontLanguage;
  const back = card.backLanguage ?? deck.backLanguage;
  return ankiNoteType(deck.noteType, { ...(front && { front }), ...(back && { back }) });
}

function contentOf(
  deck: Deck,
  card: Card,
  sounds: CardSounds = {},
): { fields: [front: string, ...rest: string[]]; ordinals: readonly number[] } {
  const clips = [sounds.front, sounds.back].map((file) => (file === undefined ? '' : `[sound:${file}]`));
  const rest = [escapeField(card.back), escapeField(card.extra ?? ''), ...clips];
  if (deck.noteType === 'cloze') {
    const cloze = parseCloze(card.front);
    // Checked before a deck is stored: here it would be our fault, not the author's.
    if ('refused' in cloze) throw new Error(`card ${card.position} of deck ${deck.id}: ${cloze.refused}`);
    return { fields: [cloze.html, ...rest], ordinals: cloze.ordinals };
  }
  return { fields: [escapeField(card.front), ...rest], ordinals: deck.noteType === 'reversed' ? [0, 1] : [0] };
}

function insertCollectionRow(
  database: DatabaseSync,
  deck: Deck,
  path: ReturnType<typeof deckPath>,
  noteTypes: ReadonlyMap<number, AnkiNoteType>,
  noteCount: number,
): void {
  const decks = new Map([[defaultDeckId, 'Default'], ...path.map(({ id, name }) => [id, name] as const)]);
  database
    .prepare("INSERT INTO col VALUES (1, ?, ?, ?, 11, 0, 0, 0, ?, ?, ?, ?, '{}')")
    .run(
      Math.floor(deck.createdAt / 86_400) * 86_400,
      deck.updatedAt * 1000,
      deck.createdAt * 1000,
      JSON.stringify({ ...collectionSettings, nextPos: noteCount + 1 }),
      JSON.stringify(Object.fromEntries(noteTypes)),
      JSON.stringify(Object.fromEntries(Array.from(decks, ([id, name]) => [id, ankiDeck(id, name, deck.updatedAt)]))),
      JSON.stringify({ 1: studyOptions }),
    );
}

function ankiDeck(id: number, name: string, updatedAt: number) {
  return {
    id,
    mod: updatedAt,
    name,
    usn: id === defaultDeckId ? 0 : -1,
    lrnToday: [0, 0],
    revToday: [0, 0],
    newToday: [0, 0],
    timeToday: [0, 0],
    collapsed: false,
    browserCollapsed: false,
    desc: '',
    dyn: 0,
    conf: 1,
    extendNew: 0,
    extendRev: 0,
  };
}

const collectionSettings = {
  curDeck: 1,
  activeDecks: [1],
  curModel: null,
  collapseTime: 1200,
  timeLim: 0,
  estTimes: true,
  dueCounts: true,
  newSpread: 0,
  sortType: 'noteFld',
  sortBackwards: false,
  addToCur: true,
};

/** Anki's own defaults: the format wants a preset, and the learner's own is kept on import. */
const studyOptions = {
  id: 1,
  mod: 0,
  name: 'Default',
  usn: 0,
  maxTaken: 60,
  autoplay: true,
  timer: 0,
  replayq: true,
  dyn: false,
  new: { bury: false, delays: [1, 10], initialFactor: 2500, ints: [1, 4, 0], order: 1, perDay: 20 },
  rev: { bury: false, ease4: 1.3, ivlFct: 1, maxIvl: 36500, perDay: 200, hardFactor: 1.2 },
  lapse: { delays: [10], leechAction: 1, leechFails: 8, minInt: 1, mult: 0 },
};

/** `sfld integer` is the format's own: numbers then sort as numbers. */
const schema = `
CREATE TABLE col (id integer PRIMARY KEY, crt integer NOT NULL, mod integer NOT NULL, scm integer NOT NULL,
  ver integer NOT NULL, dty integer NOT NULL, usn integer NOT NULL, ls integer NOT NULL, conf text NOT NULL,
  models text NOT NULL, decks text NOT NULL, dconf text NOT NULL, tags text NOT NULL);
CREATE TABLE notes (id integer PRIMARY KEY, guid text NOT NULL, mid integer NOT NULL, mod integer NOT NULL,
  usn integer NOT NULL, tags text NOT NULL, flds text NOT NULL, sfld integer NOT NULL, csum integer NOT NULL,
  flags integer NOT NULL, data text NOT NULL);
CREATE TABLE cards (id integer PRIMARY KEY, nid integer NOT NULL, did integer NOT NULL, ord integer NOT NULL,
  mod integer NOT NULL, usn integer NOT NULL, type integer NOT NULL, queue integer NOT NULL, due integer NOT NULL,
  ivl integer NOT NULL, factor integer NOT NULL, reps integer NOT NULL, lapses integer NOT NULL,
  left integer NOT NULL, odue integer NOT NULL, odid integer NOT NULL, flags integer NOT NULL, data text NOT NULL);
CREATE TABLE revlog (id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, ease integer NOT NULL,
  ivl integer NOT NULL, lastIvl integer NOT NULL, factor integer NOT NULL, time integer NOT NULL,
  type integer NOT NULL);
CREATE TABLE graves (usn integer NOT NULL, oid integer NOT NULL, type integer NOT NULL);
CREATE INDEX ix_notes_usn ON notes (usn);
CREATE INDEX ix_notes_csum ON notes (csum);
CREATE INDEX ix_cards_usn ON cards (usn);
CREATE INDEX ix_cards_nid ON cards (nid);
CREATE INDEX ix_cards_sched ON cards (did, queue, due);
CREATE INDEX ix_revlog_usn ON revlog (usn);
CREATE INDEX ix_revlog_cid ON revlog (cid);
`;
