/**
 * A user's decks in the records. The deck's own record is the commit: cards are written before it under an id nobody
 * else knows, and removed after it, so no reader ever sees half a deck; a crash in between leaves unreachable cards.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { NewerRecordError, RecordsError } from '@mcp-gatehouse/records';
import { cardId, cardsPerNote, firstNoteId } from '../anki/ids.ts';
import { type Card, type Deck, type DeckRecords, DeckRefusal, type DeckWithCards, limits } from './deck.ts';
import type { Draft } from './draft.ts';

export interface Shelf {
  /** Stores the deck; within ten minutes the same draft of the same owner gives the deck it became. Throws `DeckRefusal`. */
  add(owner: string, draft: Draft): Promise<Deck>;
  /** Undefined: there is none, or it is somebody else's; the two look alike. */
  find(owner: string, deckId: string): Promise<Deck | undefined>;
  read(owner: string, deckId: string): Promise<DeckWithCards | undefined>;
  /** A page in the order of their creation; `after` is the `next` of the page before. Throws `DeckRefusal` for another. */
  list(owner: string, after?: string): Promise<{ readonly decks: readonly Deck[]; readonly next?: string }>;
  /** The removed deck; undefined as for `find`. */
  remove(owner: string, deckId: string): Promise<Deck | undefined>;
}

export const decksPerPage = 50;

export function createShelf(records: DeckRecords, now: () => number): Shelf {
  const find: Shelf['find'] = async (owner, deckId) => {
    const stored = await records.get('deck', deckId);
    return stored?.value.owner === owner ? stored.value : undefined;
  };
  return {
    find,
    async add(owner, draft) {
      const size = Buffer.byteLength(JSON.stringify(draft.cards));
      if (size > limits.deckBytes) {
        throw new DeckRefusal(
          `The cards take ${size} bytes; at most ${limits.deckBytes} fit one deck. Send them as several decks; ` +
            'with the same name they are one deck in Anki.',
        );
      }
      const { deckId, createdAt } = await claim(records, owner, draft, now());
      const known = await find(owner, deckId);
      if (known) return known;
      const { items } = await records.list('deck', { group: owner, limit: limits.decksPerUser });
      if (items.length >= limits.decksPerUser) {
        throw new DeckRefusal(`You have ${items.length} decks, which is the most. Delete one with delete_deck first.`);
      }
      const contents = `${deckId}.${randomUUID()}`;
      const deck = deckOf(owner, draft, { deckId, createdAt, contents });
      await records.create('cards', contents, { owner, cards: cardsOf(draft, deckId, createdAt) });
      if (await records.create('deck', deckId, deck)) return deck;
      await records.take('cards', contents); // the same call, sent twice at once: the other one won
      const winner = await find(owner, deckId);
      if (!winner) throw new DeckRefusal('The deck was deleted while it was made. Call the tool again.');
      return winner;
    },
    async read(owner, deckId) {
      const deck = await find(owner, deckId);
      const stored = deck && (await records.get('cards', deck.contents));
      return stored && { deck, cards: stored.value.cards };
    },
    async list(owner, after) {
      const { items, next } = await records
        .list('deck', { group: owner, limit: decksPerPage }, after)
        .catch((error: unknown) => {
          if (error instanceof NewerRecordError || !(error instanceof RecordsError) || after === undefined) throw error;
          throw new DeckRefusal(
            'cursor: it is not a next_cursor of list_decks. Leave it out to start from the first deck.',
          );
        });
      return { decks: items.map((stored) => stored.value), ...(next !== undefined && { next }) };
    },
    async remove(owner, deckId) {
      if (!(await find(owner, deckId))) return undefined;
      const removed = await records.take('deck', deckId);
      if (removed) await records.take('cards', removed.contents);
      return removed;
    },
  };
}

/** Which deck this content is: the one it became in the last ten minutes, or a new one. */
async function claim(records: DeckRecords, owner: string, draft: Draft, now: number) {
  const key = createHash('sha256')
    .update(JSON.stringify([owner, draft]))
    .digest('hex');
  const createdAt = Math.floor(now);
  const fresh = { owner, deckId: timeOrderedId(now), createdAt };
  if (await records.create('recentDeck', key, fresh, createdAt + limits.recentSeconds)) return fresh;
  return (await records.get('recentDeck', key))?.value ?? fresh; // it expired between the two reads
}

function deckOf(owner: string, draft: Draft, made: { deckId: string; createdAt: number; contents: string }): Deck {
  return {
    id: made.deckId,
    owner,
    name: draft.name,
    noteType: draft.noteType,
    ...(draft.frontLanguage && { frontLanguage: draft.frontLanguage }),
    ...(draft.backLanguage && { backLanguage: draft.backLanguage }),
    speech: draft.speech,
    cardCount: draft.cards.length,
    version: 1,
    contents: made.contents,
    createdAt: made.createdAt,
    updatedAt: made.createdAt,
  };
}

function cardsOf(draft: Draft, deckId: string, createdAt: number): Card[] {
  const firstId = firstNoteId(deckId, createdAt);
  const spacing = cardsPerNote(draft.noteType);
  return draft.cards.map((card, index) => ({
    id: cardId(deckId, index + 1),
    ankiNoteId: firstId + index * spacing,
    position: index + 1,
    ...card,
    updatedAt: createdAt,
  }));
}

/** A UUID of version 7 (RFC 9562 §5.7): ids in their own order are decks in the order of their creation. */
function timeOrderedId(nowSeconds: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Math.floor(nowSeconds * 1000), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
