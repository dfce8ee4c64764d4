/** What this server can do (`/`), what the caller has used of it (`/usage`), and the description of all routes. */
import * as z from 'zod';
import { limits } from '../decks/deck.ts';
import { generateLimits } from '../generate/request.ts';
import { type Route, route } from './route.ts';
import type { Services } from './services.ts';
import { isoTime, time } from './shapes.ts';

const counted = z.strictObject({ used: z.int(), limit: z.int(), left: z.int() }).meta({ id: 'Counted' });

/** `document`: asked for when somebody wants it, because it describes these routes, too. */
export function aboutRoutes(services: Services, document: () => unknown): readonly Route[] {
  const { recorded, modelName, usage } = services;
  return [
    route({
      method: 'GET',
      path: '/',
      id: 'readServer',
      scope: 'list_decks',
      summary: 'What this server can do',
      answers: {
        200: {
          description: 'The server.',
          schema: z.strictObject({
            name: z.literal('Ankify'),
            version: z.string(),
            speech: z.strictObject({ provider: z.enum(['espeak-ng', 'polly']) }).nullable(),
            model: z.string().nullable().describe('`provider:model`; null: `/generate` cannot be used.'),
            limits: z.record(z.string(), z.int()),
          }),
        },
      },
      problems: [],
      async handle() {
        return {
          status: 200,
          json: {
            name: 'Ankify',
            version: '0.1.0',
            speech: recorded ? { provider: recorded.speech.provider } : null,
            model: modelName ?? null,
            limits: {
              decks: limits.decksPerUser,
              cards_per_deck: limits.cardsPerDeck,
              changes_per_edit: limits.changesPerEdit,
              deck_bytes: limits.deckBytes,
              field_length: limits.fieldLength,
              name_length: limits.nameLength,
              tags_per_card: limits.tagsPerCard,
              tag_length: limits.tagLength,
              generated_cards: generateLimits.cards,
              topic_length: generateLimits.topicLength,
              text_length: generateLimits.textLength,
            },
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/usage',
      id: 'readUsage',
      scope: 'list_decks',
      summary: 'What you have used this month, and what is left',
      answers: {
        200: {
          description: 'Of the calendar month in UTC.',
          schema: z.strictObject({
            month: z.string().describe('`2026-11`'),
            resets_at: time,
            decks: counted,
            cards: counted,
            characters: counted.describe('Of recorded speech.'),
            model_tokens: counted,
          }),
        },
      },
      problems: [],
      async handle({ owner }) {
        const { month, resetsAt, used, limits: most, left } = await usage.report(owner);
        const of = (what: keyof typeof used) => ({ used: used[what], limit: most[what], left: left[what] });
        return {
          status: 200,
          json: {
            month,
            resets_at: isoTime(resetsAt),
            decks: of('decks'),
            cards: of('cards'),
            characters: of('characters'),
            model_tokens: of('modelTokens'),
          },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/openapi.json',
      id: 'readDocument',
      scope: 'list_decks',
      summary: 'This description (OpenAPI 3.1)',
      answers: { 200: { description: 'The document.', schema: z.looseObject({ openapi: z.literal('3.1.1') }) } },
      problems: [],
      async handle() {
        return { status: 200, json: document() };
      },
    }),
  ];
}
