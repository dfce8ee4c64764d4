/**
 * A user's decks in the records. The deck's own record is the commit: cards are written before it under an id nobody
 * else knows, and removed after it, so no reader ever sees half a deck; a crash in between leaves unreachable cards,
 * which the next edit of the deck, or its deletion, removes.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { ContentionError, NewerRecordError, RecordsError, type Stored } from '@mcp-gatehouse/records';
import { cardId, cardsPerNote, firstNoteId } from '../anki/ids.ts';
import type { Usage } from '../usage/usage.ts';
import { changed, type DeckChange } from './change.ts';
import {
  type Card,
  type CardsRecord,
  type Deck,
  DeckConflict,
  type DeckRecords,
  DeckRefusal,
  type DeckWithCards,
  limits,
} from './deck.ts';
import type { Draft } from './draft.ts';

export interface Shelf {
  /** Stores the deck; within ten minutes the same draft of the same owner gives the deck it became. Throws `DeckRefusal`. */
  add(owner: string, draft: Draft): Promise<Deck>;
  /** Undefined: there is none, or it is somebody else's; the two look alike. */
  find(owner: string, deckId: string): Promise<Deck | undefined>;
  read(owner: string, deckId: string): Promise<DeckWithCards | undefined>;
  /** A page in the order of their creation; `after` is the `next` of the page before. Throws `DeckRefusal` for another. */
  list(owner: string, after?: string): Promise<{ readonly decks: readonly Deck[]; readonly next?: string }>;
  /**
   * All of the change or nothing. The same change again, within ten minutes and with no other in between, gives the
   * version it made. Undefined as for `find`. Throws `DeckRefusal`, `DeckConflict`.
   */
  edit(owner: string, deckId: string, change: DeckChange): Promise<DeckWithCards | undefined>;
  /** The removed deck; undefined as for `find`. */
  remove(owner: string, deckId: string): Promise<Deck | undefined>;
}

export const decksPerPage = 50;

/** An edit takes milliseconds; cards that are older than this and of no deck were left by one that was cut off. */
const leftoverSeconds = 60;
const editTries = 8;

/** With `usage`, decks and cards are charged to their owner before they are made. */
export function createShelf(records: DeckRecords, now: () => number, usage?: Usage): Shelf {
  const charge = async (owner: string, amounts: { decks?: number; cards?: number }) => {
    const refusal = await usage?.charge(owner, amounts);
    if (refusal) throw new DeckRefusal(refusal.message, { quota: refusal });
  };
  const find: Shelf['find'] = async (owner, deckId) => {
    const stored = await records.get('deck', deckId);
    return stored?.value.owner === owner ? stored.value : undefined;
  };
  const read: Shelf['read'] = async (owner, deckId) => {
    for (let lost = 0; lost < editTries; lost++) {
      const deck = await find(owner, deckId);
      const stored = deck && (await records.get('cards', deck.contents));
      if (stored || !deck) return stored && { deck, cards: stored.value.cards };
    }
    throw new ContentionError(`deck ${deckId} was changed at every try to read it`);
  };
  /** Undefined: somebody wrote first, and nothing of this is left. */
  async function commit(stored: Stored<Deck>, after: DeckWithCards, lastEdit: string) {
    const { id, owner, contents: replaced } = stored.value;
    const contents = contentsId(id, now());
    const amounts = {
      cards: Math.max(0, (after.deck.cardsMade ?? 0) - (stored.value.cardsMade ?? stored.value.cardCount)),
    };
    const chargedAt = now();
    await charge(owner, amounts);
    const deck = { ...after.deck, contents, lastEdit };
    let made = false;
    try {
      await records.create('cards', contents, { owner, deckId: id, cards: after.cards });
      made = await records.replace('deck', stored, deck);
    } finally {
      if (!made) await usage?.refund(owner, amounts, chargedAt);
    }
    await records.take('cards', made ? replaced : contents);
    return made ? { deck, cards: after.cards } : undefined;
  }
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
      const contents = contentsId(deckId, now());
      const deck = deckOf(owner, draft, { deckId, createdAt, contents });
      const amounts = { decks: 1, cards: deck.cardCount };
      const chargedAt = now();
      await charge(owner, amounts);
      let made = false;
      try {
        await records.create('cards', contents, { owner, deckId, cards: cardsOf(draft, deckId, createdAt) });
        made = await records.create('deck', deckId, deck);
      } finally {
        if (!made) await usage?.refund(owner, amounts, chargedAt);
      }
      if (made) return deck;
      await records.take('cards', contents); // the same call, sent twice at once: the other one won
      const winner = await find(owner, deckId);
      if (!winner) throw new DeckRefusal('The deck was deleted while it was made. Call the tool again.');
      return winner;
    },
    read,
    async edit(owner, deckId, change) {
      const { expectedVersion, ...asked } = change;
      const digest = createHash('sha256').update(JSON.stringify(asked)).digest('hex');
      for (let lost = 0; lost < editTries; lost++) {
        const stored = await records.get('deck', deckId);
        if (stored?.value.owner !== owner) return undefined;
        const deck = stored.value;
        const of = await cardsOfDeck(records, deck);
        if (!of.current) continue; // another edit was just committed
        const before = { deck, cards: of.current.cards };
        if (deck.lastEdit === digest && deck.updatedAt + limits.recentSeconds > now()) return before;
        if (expectedVersion !== undefined && expectedVersion !== deck.version) throw new DeckConflict(deck.version);
        const after = changed(before, change, now());
        if (after.deck === deck) return before;
        const edited = await commit(stored, after, digest);
        if (!edited) continue;
        await sweep(records, of.others, now());
        return edited;
      }
      throw new ContentionError(`lost ${editTries} tries to edit a deck`);
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
      if (!removed) return undefined;
      const { others } = await cardsOfDeck(records, removed);
      await records.take('cards', removed.contents);
      await sweep(records, others, now());
      return removed;
    },
  };
}

/** The cards of the deck as it is, and what else there is under its name. */
async function cardsOfDeck(records: DeckRecords, deck: Deck) {
  const { items } = await records.list('cards', { group: deck.id });
  const listed = items.find(({ id }) => id === deck.contents);
  // Stored before decks could be edited, the cards are listed by their owner.
  const current: Stored<CardsRecord> | undefined = listed ?? (await records.get('cards', deck.contents));
  return { current: current?.value, others: items.filter(({ id }) => id !== deck.contents).map(({ id }) => id) };
}

async function sweep(records: DeckRecords, contents: readonly string[], now: number): Promise<void> {
  for (const id of contents) {
    if (madeAt(id) + leftoverSeconds < now) await records.take('cards', id);
  }
}

/** Tells when it was made, so that what another edit is just about to commit is not taken for a leftover. */
function contentsId(deckId: string, now: number): string {
  return `${deckId}.${Math.floor(now)}.${randomUUID()}`;
}

function madeAt(contents: string): number {
  return Number(/\.(\d{1,12})\./.exec(contents)?.[1] ?? 0);
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
