/** The JSON of the API: what comes in, what goes out, and how records become it. The words are those of the MCP tools. */
import * as z from 'zod';
import { type Card, type Deck, limits } from '../decks/deck.ts';
import type { Job } from '../jobs/job.ts';

export const time = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC.' });
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const language = z.string().max(40);
const languageIn = language.describe('BCP 47 or a name: `de`, `pt-BR`, `German`.');

export const noteType = z.enum(['basic', 'reversed', 'cloze']);
export const audio = z
  .enum(['off', 'device', 'recorded'])
  .describe('`device`: Anki reads the cards aloud; `recorded`: the package holds clips.');

/** Named here, so that the document has each of them once. */
export const deck = z
  .strictObject({
    deck_id: z.string(),
    name: z.string(),
    note_type: noteType,
    card_count: z.int(),
    front_language: language.optional(),
    back_language: language.optional(),
    audio,
    version: z.int().describe('Counts the edits. Send it back with the next one.'),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Deck' });

export const card = z
  .strictObject({
    card_id: z.string(),
    position: z.int(),
    front: z.string(),
    back: z.string(),
    extra: z.string().optional(),
    tags: z.array(z.string()),
    front_language: language.optional().describe('Where it differs from the deck’s.'),
    back_language: language.optional(),
    updated_at: time,
  })
  .meta({ id: 'Card' });

export const job = z
  .strictObject({
    job_id: z.string(),
    kind: z.enum(['speech', 'generate']),
    deck_id: z.string().optional().describe('The deck it works on, or the one it has made.'),
    state: z.enum(['waiting', 'working', 'done', 'failed']),
    done: z.int(),
    total: z.int().describe('0: not known yet.'),
    error: z.string().optional().describe('Of a failed one, for the user.'),
    note: z.string().optional().describe('What a done one could not do, or did otherwise than asked, for the user.'),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Job' });

export const deckParams = z.object({ deck_id: z.string() });
export const noQuery = z.strictObject({});
export const cursor = z.string().min(1).max(400).optional().describe('A `next_cursor`.');

/** Anything that is no UUID is no id of ours, and never reaches the database as a key. */
export function isId(id: string): boolean {
  return uuid.test(id);
}

const field = z.string().max(limits.fieldLength);
const tags = z.array(z.string().max(limits.tagLength)).max(limits.tagsPerCard);
export const name = z.string().max(limits.nameLength).describe('`Parent::Child` makes a sub-deck.');

export const newCard = z.strictObject({
  front: field.describe('Plain text; of a cloze deck with `{{c1::hidden::hint}}`.'),
  back: field.optional().describe('May be left out for cloze only.'),
  extra: field.optional(),
  tags: tags.optional(),
  front_language: languageIn.optional(),
  back_language: languageIn.optional(),
});

export const newDeck = z.strictObject({
  name,
  note_type: noteType,
  front_language: languageIn.optional(),
  back_language: languageIn.optional(),
  audio: audio.optional().describe('`device` if a language is given, else `off`.'),
  cards: z.array(newCard).min(1).max(limits.cardsPerDeck),
});

const version = z.int().min(1).optional().describe('The one you read: another by now is 409 `deck-changed`.');

export const deckPatch = z.strictObject({
  version,
  name: name.optional(),
  front_language: languageIn.nullable().optional().describe('null takes it away.'),
  back_language: languageIn.nullable().optional(),
  audio: audio.optional(),
});

const cardId = z.string().min(1).max(64);

export const cardsEdit = z.strictObject({
  version,
  add: z
    .array(newCard.extend({ at: z.int().min(1).optional().describe('Its position, from 1; else the end.') }))
    .max(limits.cardsPerDeck)
    .optional(),
  update: z
    .array(
      z.strictObject({
        card_id: cardId,
        front: field.optional(),
        back: field.optional(),
        extra: field.nullable().optional().describe('null takes it away; left out, it stays.'),
        tags: tags.optional().describe('Replaces all of them.'),
        front_language: languageIn.nullable().optional(),
        back_language: languageIn.nullable().optional(),
      }),
    )
    .max(limits.cardsPerDeck)
    .optional(),
  delete: z.array(cardId).max(limits.cardsPerDeck).optional(),
  order: z.array(cardId).max(limits.cardsPerDeck).optional().describe('These come first, in this order.'),
});

export const jobAnswer = z.strictObject({ job });

export function describeDeck(from: Deck): z.input<typeof deck> {
  return {
    deck_id: from.id,
    name: from.name,
    note_type: from.noteType,
    card_count: from.cardCount,
    ...(from.frontLanguage && { front_language: from.frontLanguage }),
    ...(from.backLanguage && { back_language: from.backLanguage }),
    audio: from.speech,
    version: from.version,
    created_at: isoTime(from.createdAt),
    updated_at: isoTime(from.updatedAt),
  };
}

export function describeCard(from: Card): z.input<typeof card> {
  return {
    card_id: from.id,
    position: from.position,
    front: from.front,
    back: from.back,
    ...(from.extra !== undefined && { extra: from.extra }),
    tags: from.tags.slice(),
    ...(from.frontLanguage && { front_language: from.frontLanguage }),
    ...(from.backLanguage && { back_language: from.backLanguage }),
    updated_at: isoTime(from.updatedAt),
  };
}

export function describeJob(from: Job): z.input<typeof job> {
  return {
    job_id: from.id,
    kind: from.kind,
    ...(from.deckId !== undefined && { deck_id: from.deckId }),
    state: from.state,
    done: from.done,
    total: from.total,
    ...(from.error !== undefined && { error: from.error }),
    ...(from.note !== undefined && { note: from.note }),
    created_at: isoTime(from.createdAt),
    updated_at: isoTime(from.updatedAt),
  };
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
