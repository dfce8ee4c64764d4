/** `/decks/{deck_id}/cards`: the cards of a deck, and the edit of many of them as one step. */
import * as z from 'zod';
import { type Card, type Deck, DeckRefusal, type DeckWithCards, limits } from '../decks/deck.ts';
import { checkCard } from '../decks/draft.ts';
import { badCursor, cardFault, cardText, deckOf, etagOf, expecting, noDeck, refusedCards } from './deck-routes.ts';
import type { Fault } from './problem.ts';
import { type Answer, type Call, type Route, route } from './route.ts';
import type { Services } from './services.ts';
import * as shapes from './shapes.ts';

type Edit = z.output<typeof shapes.cardsEdit>;

const edited = z.strictObject({ deck: shapes.deck, cards: z.array(shapes.card) });

export function cardRoutes(services: Services): readonly Route[] {
  const { shelf } = services;
  return [
    route({
      method: 'GET',
      path: '/decks/{deck_id}/cards',
      id: 'listCards',
      scope: 'list_decks',
      summary: 'The cards of a deck in the order in which they are learned',
      params: shapes.deckParams,
      query: z.strictObject({
        cursor: shapes.cursor,
        limit: z
          .string()
          .regex(/^[1-9][0-9]{0,2}$/, 'it must be a whole number from 1 to 300')
          .refine((text) => Number(text) <= limits.cardsPerDeck, 'it must be a whole number from 1 to 300')
          .optional()
          .describe('Cards a page, 1 to 300; 100 unless told.'),
      }),
      answers: {
        200: {
          description: 'A page; `version` tells whether the deck was edited between two of them.',
          schema: z.strictObject({
            deck_id: z.string(),
            version: z.int(),
            cards: z.array(shapes.card),
            next_cursor: z.string().optional(),
          }),
        },
      },
      problems: ['not-found'],
      async handle({ owner, params, query }) {
        const found = shapes.isId(params.deck_id) ? await shelf.read(owner, params.deck_id) : undefined;
        if (!found) throw noDeck();
        const start = startOf(query.cursor);
        const end = start + Number(query.limit ?? 100);
        return {
          status: 200,
          headers: { etag: etagOf(found.deck) },
          json: {
            deck_id: found.deck.id,
            version: found.deck.version,
            cards: found.cards.slice(start, end).map(shapes.describeCard),
            ...(found.cards.length > end && { next_cursor: String(end) }),
          },
        };
      },
    }),
    route({
      method: 'POST',
      path: '/decks/{deck_id}/cards',
      id: 'editCards',
      scope: 'generate_deck',
      summary: 'Add, update, delete and order cards: all of it or nothing',
      description:
        'Cards are updated, then deleted, then put in order, then new ones come in. The same edit sent again, with no ' +
        'other in between, is one edit. With an Idempotency-Key, a repetition is answered with the deck as it is by then.',
      params: shapes.deckParams,
      body: shapes.cardsEdit,
      keyed: true,
      answers: { 200: { description: 'The deck and all its cards after the edit.', schema: edited } },
      problems: ['not-found', 'deck-changed', 'precondition-failed', 'deck-refused', 'quota-reached'],
      async handle(call) {
        const { owner, params, body } = call;
        return answerOf(
          await expecting(services, call, body.version, (expectedVersion) =>
            shelf.edit(owner, params.deck_id, { expectedVersion, ...changeOf(body) }).catch(async (error: unknown) => {
              throw error instanceof DeckRefusal ? await pointed(services, call, error) : error;
            }),
          ),
        );
      },
      async again({ owner, params }) {
        const found = shapes.isId(params.deck_id) ? await shelf.read(owner, params.deck_id) : undefined;
        if (!found) throw noDeck();
        return answerOf(found);
      },
    }),
  ];
}

function answerOf({ deck, cards }: DeckWithCards): Answer {
  return {
    status: 200,
    headers: { etag: etagOf(deck) },
    json: { deck: shapes.describeDeck(deck), cards: cards.map(shapes.describeCard) },
  };
}

function startOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^[1-9][0-9]{0,5}$/.test(cursor)) throw badCursor();
  return Number(cursor);
}

function changeOf(edit: Edit) {
  return {
    add: edit.add?.map(({ at, ...text }) => ({ ...cardText(text), at })),
    update: edit.update?.map(({ card_id, extra, front_language, back_language, ...rest }) => ({
      ...rest,
      card: card_id,
      extra: extra === null ? '' : extra,
      frontLanguage: front_language === null ? '' : front_language,
      backLanguage: back_language === null ? '' : back_language,
    })),
    remove: edit.delete,
    order: edit.order,
  };
}

/** The refusal again, with a pointer to each member that alone is at fault. */
async function pointed(
  services: Services,
  { owner, params, body }: Call<{ deck_id: string }, unknown, Edit>,
  refusal: DeckRefusal,
): Promise<Error> {
  const deck = await deckOf(services, owner, params.deck_id);
  const found = await services.shelf.read(owner, deck.id);
  const errors = found ? faultsOf(found.deck, found.cards, body) : [];
  return errors.length > 0 ? refusedCards('Nothing was changed.', errors) : refusal;
}

function faultsOf(deck: Deck, cards: readonly Card[], edit: Edit): readonly Fault[] {
  const known = new Map(cards.map((card) => [card.id, card]));
  const errors: Fault[] = [];
  const unknown = (pointer: string, id: string) => {
    if (!known.has(id)) errors.push({ pointer, detail: 'there is no such card in this deck' });
  };
  for (const [index, { at: _, ...text }] of (edit.add ?? []).entries()) {
    const checked = checkCard(deck.noteType, cardText(text));
    if (typeof checked === 'string') errors.push(cardFault(`/add/${index}`, checked));
  }
  for (const [index, { card_id, extra, front_language, back_language, ...update }] of (edit.update ?? []).entries()) {
    unknown(`/update/${index}/card_id`, card_id);
    const card = known.get(card_id);
    if (!card) continue;
    const text = {
      front: update.front ?? card.front,
      back: update.back ?? card.back,
      extra: extra ?? undefined,
      tags: update.tags ?? card.tags,
      frontLanguage: front_language ?? undefined,
      backLanguage: back_language ?? undefined,
    };
    const checked = checkCard(deck.noteType, text);
    if (typeof checked === 'string') errors.push(cardFault(`/update/${index}`, checked));
  }
  for (const [index, id] of (edit.delete ?? []).entries()) unknown(`/delete/${index}`, id);
  for (const [index, id] of (edit.order ?? []).entries()) unknown(`/order/${index}`, id);
  return errors;
}
