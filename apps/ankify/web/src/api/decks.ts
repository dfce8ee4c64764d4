/** The calls of the API that the page makes, one function each. */
import { signal } from '@preact/signals';
import { call, send } from './client.ts';
import type {
  About,
  Card,
  CardsEdit,
  Deck,
  DeckPatch,
  Export,
  Generate,
  Job,
  NewDeck,
  Parsed,
  Side,
  Usage,
} from './shapes.ts';

/** What this server can do; undefined until it was asked. */
export const about = signal<About | undefined>(undefined);

export async function loadAbout(): Promise<About> {
  about.value ??= await call<About>('GET', '');
  return about.value;
}

export async function allDecks(abort: AbortSignal): Promise<readonly Deck[]> {
  const decks: Deck[] = [];
  let cursor: string | undefined;
  do {
    const query: string = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const page = await call<{ decks: Deck[]; next_cursor?: string }>('GET', `/decks${query}`, { signal: abort });
    decks.push(...page.decks);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return decks;
}

/** A deck and its cards of one and the same version. */
export async function readDeck(id: string): Promise<{ deck: Deck; cards: readonly Card[] }> {
  for (;;) {
    const deck = await call<Deck>('GET', `/decks/${encodeURIComponent(id)}`);
    const cards = await readCards(deck);
    if (cards) return { deck, cards };
  }
}

/** Undefined: somebody edited in between. */
async function readCards(deck: Deck): Promise<readonly Card[] | undefined> {
  const cards: Card[] = [];
  let cursor: string | undefined;
  do {
    const query: string = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await call<{ version: number; cards: Card[]; next_cursor?: string }>(
      'GET',
      `/decks/${deck.deck_id}/cards?limit=300${query}`,
    );
    if (page.version !== deck.version) return undefined;
    cards.push(...page.cards);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return cards;
}

export const parseText = (body: { text: string; note_type?: string }, abort: AbortSignal) =>
  call<Parsed>('POST', '/parse', { body, signal: abort });

export const createDeck = (body: NewDeck, idempotencyKey: string) =>
  call<Deck>('POST', '/decks', { body, idempotencyKey });

export const generateDeck = (body: Generate, idempotencyKey: string) =>
  call<{ job: Job }>('POST', '/generate', { body, idempotencyKey });

export const patchDeck = (id: string, body: DeckPatch) => call<Deck>('PATCH', `/decks/${id}`, { body });

export const editCards = (id: string, body: CardsEdit, idempotencyKey: string) =>
  call<{ deck: Deck; cards: readonly Card[] }>('POST', `/decks/${id}/cards`, { body, idempotencyKey });

export const deleteDeck = (id: string) => call<void>('DELETE', `/decks/${id}`);

export const exportDeck = (id: string) =>
  call<Export | { readonly status: 'working'; readonly job: Job }>('GET', `/decks/${id}/export`);

export const readJob = (id: string, waitSeconds: number, abort: AbortSignal) =>
  call<Job>('GET', `/jobs/${id}?wait_seconds=${waitSeconds}`, { signal: abort });

export const readUsage = () => call<Usage>('GET', '/usage');

/** MP3. */
export async function clip(deckId: string, cardId: string, side: Side): Promise<Blob> {
  const query = new URLSearchParams({ deck_id: deckId, card_id: cardId, side });
  const response = await send('GET', `/audio?${query}`, { accept: 'audio/mpeg' });
  return response.blob();
}
