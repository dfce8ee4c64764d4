/** The numbers Anki knows decks, note types, notes and cards by: derived from our own ids, the same in every export. */
import { createHash } from 'node:crypto';
import type { NoteType } from '../decks/deck.ts';
import { maxClozeNumber } from './cloze.ts';

/** Anki's ids are millisecond times; one from the past is never "in the future", which its database check would rewrite. */
const firstId = 1_000_000_000_000;
const idRange = 600_000_000_000;

export function idFrom(...parts: readonly string[]): number {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return firstId + (digest.readUIntBE(0, 6) % idRange);
}

/** Anki's Default deck; a deck of that name must be this one, because deck names are unique whatever their case. */
export const defaultDeckId = 1;

/**
 * Every deck of the path with its id, parents first. Anki finds decks by name, so the ids only need to be unique in
 * their file; they depend on the name alone, so that parents shared by two decks are the same.
 */
export function deckPath(name: string): Array<{ readonly id: number; readonly name: string }> {
  const components = name.split('::');
  return components.map((_, index) => {
    const path = components.slice(0, index + 1).join('::');
    return { id: path.toLowerCase() === 'default' ? defaultDeckId : idFrom('deck', path), name: path };
  });
}

/** How many card ids a note of this type may need: one for each template, or for each cloze. */
export function cardsPerNote(noteType: NoteType): number {
  return noteType === 'cloze' ? maxClozeNumber : 2;
}

const hour = 3_600_000;

/**
 * The id of a deck's first note, in milliseconds. Two decks made in the same moment must not overlap (an importer that
 * finds a card by its id would take one for the other), so each starts at its own moment of the hour before.
 */
export function firstNoteId(deckId: string, createdAtSeconds: number): number {
  return Math.floor(createdAtSeconds) * 1000 - hour + (idFrom('notes', deckId) % hour);
}

/** A UUID for the n-th card of a new deck: the same when a retried call builds the deck again. */
export function cardId(deckId: string, position: number): string {
  const bytes = createHash('sha256').update(`card ${deckId} ${position}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6); // version 8, RFC 9562 §5.8
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8); // its variant, §4.1
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
