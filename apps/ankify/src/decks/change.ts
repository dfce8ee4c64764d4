/** An edit of a deck as a pure function: the deck and its cards before, what is asked, the deck and its cards after. */
import { cardId, cardsPerNote, firstNoteId } from '../anki/ids.ts';
import { type Card, type Deck, DeckRefusal, type DeckWithCards, limits, type Speech } from './deck.ts';
import { type CardText, checkCard, checkLanguage, checkName, checkSpeech, type DraftCard, listed } from './draft.ts';

/** A card of the deck before the edit: its id, or its position from 1. */
export type CardReference = string | number;

export interface CardUpdate {
  readonly card: CardReference;
  /** Left out: stays. For `extra` and the languages, an empty text takes it away. */
  readonly front?: string | undefined;
  readonly back?: string | undefined;
  readonly extra?: string | undefined;
  /** Replaces all of them. */
  readonly tags?: readonly string[] | undefined;
  readonly frontLanguage?: string | undefined;
  readonly backLanguage?: string | undefined;
}

/** All or nothing. Cards are updated, then deleted, then put in order, then new ones come in. */
export interface DeckChange {
  /** Refused with `DeckConflict` if the deck has another one. */
  readonly expectedVersion?: number | undefined;
  readonly name?: string | undefined;
  /** An empty text takes it away. */
  readonly frontLanguage?: string | undefined;
  readonly backLanguage?: string | undefined;
  readonly speech?: Speech | undefined;
  readonly update?: readonly CardUpdate[] | undefined;
  readonly remove?: readonly CardReference[] | undefined;
  /** These come first, in this order; the others keep theirs behind them. */
  readonly order?: readonly CardReference[] | undefined;
  /** `at`: the position it gets, from 1; left out, at the end. One after the other. */
  readonly add?: ReadonlyArray<CardText & { readonly at?: number | undefined }> | undefined;
}

/** The same objects come back if nothing changes. Throws `DeckRefusal` that lists everything that is wrong. */
export function changed({ deck, cards }: DeckWithCards, change: DeckChange, now: number): DeckWithCards {
  checkAmount(change);
  const problems: string[] = [];
  const find = finder(cards, problems);
  const updates = updatesOf({ deck, cards }, change, find, problems);
  const removed = new Set((change.remove ?? []).flatMap((card) => find('delete', card) ?? []));
  for (const id of removed) {
    if (updates.has(id)) problems.push(`update: card ${JSON.stringify(id)} is deleted in the same edit`);
  }
  const order = orderOf(change, find, removed, problems);
  const added = (change.add ?? []).flatMap(({ at, ...text }, index) => {
    const card = checkCard(deck.noteType, text);
    if (typeof card !== 'string') return [{ at, card }];
    problems.push(`add ${index + 1}, ${card}`);
    return [];
  });
  if (problems.length > 0)
    throw new DeckRefusal(`Nothing was changed. Correct this and call again:\n${listed(problems)}`);
  const head = headOf(deck, change);

  const seconds = Math.floor(now);
  const kept = cards
    .filter((card) => !removed.has(card.id))
    .map((card) => updated(card, updates.get(card.id), seconds))
    .map((card) => (recordedAs(deck, card) === recordedAs(head, card) ? card : touched(card, seconds)));
  const ordered = order.length === 0 ? kept : inOrder(kept, order);
  const made = deck.cardsMade ?? deck.cardCount;
  if (made + added.length > limits.cardsMadePerDeck) {
    throw new DeckRefusal(
      `This deck has had ${made} cards over time, and takes no more. Make a new deck for the rest.`,
    );
  }
  for (const [index, { at, card }] of added.entries()) {
    const place = Math.min(at ?? ordered.length + 1, ordered.length + 1);
    ordered.splice(place - 1, 0, newCard(deck, card, made + index + 1, seconds));
  }
  const next = ordered.map((card, index) => (card.position === index + 1 ? card : { ...card, position: index + 1 }));
  checkResult(next);
  if (change.speech !== undefined) checkSpeech(head, next);
  const same = next.length === cards.length && next.every((card, index) => card === cards[index]);
  if (same && head === deck) return { deck, cards };
  return {
    deck: {
      ...head,
      cardCount: next.length,
      cardsMade: made + added.length,
      version: deck.version + 1,
      updatedAt: Math.max(seconds, deck.updatedAt),
    },
    cards: next,
  };
}

type Find = (list: string, reference: CardReference) => string | undefined;

/** Names each reference that is none; the same card named twice in one list is one too many. */
function finder(cards: readonly Card[], problems: string[]): Find {
  const ids = new Map(cards.map((card) => [card.id, card.id]));
  const seen = new Set<string>();
  return (list, reference) => {
    const id = typeof reference === 'number' ? cards[reference - 1]?.id : ids.get(reference);
    if (id === undefined) {
      problems.push(`${list}: there is no card ${JSON.stringify(reference)} in this deck`);
      return undefined;
    }
    if (seen.has(`${list} ${id}`)) {
      problems.push(`${list}: card ${JSON.stringify(reference)} is named twice`);
      return undefined;
    }
    seen.add(`${list} ${id}`);
    return id;
  };
}

/** The whole text of each updated card, checked. */
function updatesOf({ deck, cards }: DeckWithCards, change: DeckChange, find: Find, problems: string[]) {
  const byId = new Map(cards.map((card) => [card.id, card]));
  const updates = new Map<string, DraftCard>();
  for (const update of change.update ?? []) {
    const card = byId.get(find('update', update.card) ?? '');
    if (!card) continue;
    const text = checkCard(deck.noteType, {
      front: update.front ?? card.front,
      back: update.back ?? card.back,
      extra: update.extra ?? card.extra,
      tags: update.tags ?? card.tags,
      frontLanguage: update.frontLanguage ?? card.frontLanguage,
      backLanguage: update.backLanguage ?? card.backLanguage,
    });
    if (typeof text === 'string') problems.push(`update card ${card.position}, ${text}`);
    else updates.set(card.id, text);
  }
  return updates;
}

function orderOf(change: DeckChange, find: Find, removed: ReadonlySet<string>, problems: string[]): string[] {
  return (change.order ?? []).flatMap((reference) => {
    const id = find('order', reference);
    if (id === undefined) return [];
    if (!removed.has(id)) return [id];
    problems.push(`order: card ${JSON.stringify(reference)} is deleted in the same edit`);
    return [];
  });
}

/** The card itself if its text is the same: its time must not move, or it would overwrite the learner's own edit. */
function updated(card: Card, text: DraftCard | undefined, now: number): Card {
  if (!text || sameText(card, text)) return card;
  const { id, ankiNoteId, position } = card;
  return touched({ id, ankiNoteId, position, ...text, updatedAt: card.updatedAt }, now);
}

/** Later than before even within one second: Anki takes a note only if it is newer. */
function touched(card: Card, now: number): Card {
  return { ...card, updatedAt: Math.max(now, card.updatedAt + 1) };
}

/** A note holds the names of its clips: where those change, so does the note, whatever its text. */
function recordedAs(deck: Deck, card: Card): string {
  if (deck.speech !== 'recorded') return '';
  return [card.frontLanguage ?? deck.frontLanguage, card.backLanguage ?? deck.backLanguage].join(' ');
}

function sameText(card: Card, text: DraftCard): boolean {
  return (
    card.front === text.front &&
    card.back === text.back &&
    card.extra === text.extra &&
    card.frontLanguage === text.frontLanguage &&
    card.backLanguage === text.backLanguage &&
    card.tags.length === text.tags.length &&
    card.tags.every((tag, index) => tag === text.tags[index])
  );
}

function inOrder(cards: readonly Card[], order: readonly string[]): Card[] {
  const place = new Map(order.map((id, index) => [id, index]));
  return cards.toSorted((a, b) => (place.get(a.id) ?? order.length) - (place.get(b.id) ?? order.length));
}

/** `number`: the how-manieth card of this deck it ever is. */
function newCard(deck: Deck, text: DraftCard, number: number, now: number): Card {
  const ankiNoteId = firstNoteId(deck.id, deck.createdAt) + (number - 1) * cardsPerNote(deck.noteType);
  return { id: cardId(deck.id, number), ankiNoteId, position: 0, ...text, updatedAt: Math.max(now, deck.updatedAt) };
}

/** The deck itself if nothing about it changes. */
function headOf(deck: Deck, change: DeckChange): Deck {
  const name = change.name === undefined ? deck.name : checkName(change.name);
  const frontLanguage = languageAfter('front_language', change.frontLanguage, deck.frontLanguage);
  const backLanguage = languageAfter('back_language', change.backLanguage, deck.backLanguage);
  const speech = change.speech ?? deck.speech;
  if (
    name === deck.name &&
    frontLanguage === deck.frontLanguage &&
    backLanguage === deck.backLanguage &&
    speech === deck.speech
  ) {
    return deck;
  }
  const { frontLanguage: _, backLanguage: __, ...rest } = deck;
  return { ...rest, name, ...(frontLanguage && { frontLanguage }), ...(backLanguage && { backLanguage }), speech };
}

function languageAfter(field: string, asked: string | undefined, before: string | undefined): string | undefined {
  return asked === undefined ? before : checkLanguage(field, asked);
}

function checkAmount({ add = [], update = [], remove = [] }: DeckChange): void {
  const amount = add.length + update.length + remove.length;
  if (amount <= limits.changesPerEdit) return;
  throw new DeckRefusal(
    `The edit has ${amount} changes; at most ${limits.changesPerEdit} fit one call. Send the rest in another.`,
  );
}

function checkResult(cards: readonly Card[]): void {
  if (cards.length === 0) throw new DeckRefusal('A deck needs a card. Use delete_deck to delete the whole deck.');
  if (cards.length > limits.cardsPerDeck) {
    throw new DeckRefusal(
      `The deck would have ${cards.length} cards; at most ${limits.cardsPerDeck} fit. Put the rest into another deck ` +
        'of the same name: Anki joins them to one.',
    );
  }
  const size = Buffer.byteLength(JSON.stringify(cards));
  if (size > limits.deckBytes) {
    throw new DeckRefusal(
      `The cards would take ${size} bytes; at most ${limits.deckBytes} fit one deck. Put the rest into another deck ` +
        'of the same name: Anki joins them to one.',
    );
  }
}
