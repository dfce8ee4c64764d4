/** Cards from text (`/parse`, without storing anything) and from a topic or a text by a language model (`/generate`). */
import * as z from 'zod';
import { limits } from '../decks/deck.ts';
import type { DraftCard } from '../decks/draft.ts';
import { cardsFromText } from '../generate/cards-from-text.ts';
import { checkRequest, generateLimits } from '../generate/request.ts';
import { jobAnswer, refuseUnrecordable } from './deck-routes.ts';
import { Problem } from './problem.ts';
import { type Route, route } from './route.ts';
import type { Services } from './services.ts';
import * as shapes from './shapes.ts';

const format = z
  .enum(['table', 'lines', 'questions', 'markdown'])
  .describe('`table`: TSV or CSV; `lines`: term - definition; `questions`: Q: and A:; `markdown`: headings, bold.');

const row = z.int().describe('Number of the first line in the text, from 1.');
const lastRow = z.int().describe('Of the last one.');

const parsedCard = z.strictObject({
  row,
  last_row: lastRow,
  front: z.string(),
  back: z.string(),
  extra: z.string().optional(),
  tags: z.array(z.string()),
  front_language: z.string().optional(),
  back_language: z.string().optional(),
});

export function textRoutes(services: Services): readonly Route[] {
  const { jobs } = services;
  return [
    route({
      method: 'POST',
      path: '/parse',
      id: 'parseText',
      scope: 'list_decks',
      summary: 'What pasted text would become; nothing is stored',
      description: 'Every line that is not empty is in a card, in an error or in the header.',
      body: z.strictObject({
        text: z.string().max(limits.deckBytes),
        format: format.optional().describe('Guessed unless told.'),
        note_type: shapes.noteType.optional().describe('Guessed unless told.'),
      }),
      answers: {
        200: {
          description: 'Cards as `POST /decks` takes them, beside their lines.',
          schema: z.strictObject({
            format,
            note_type: shapes.noteType,
            cards: z.array(parsedCard),
            errors: z.array(z.strictObject({ row, last_row: lastRow, reason: z.string(), text: z.string() })),
            header_row: z.int().optional().describe('The line that names the columns of a table.'),
          }),
        },
      },
      problems: ['deck-refused'],
      async handle({ body: { text, format: asked, note_type } }) {
        const parsed = cardsFromText(text, { format: asked, noteType: note_type });
        return {
          status: 200,
          json: {
            format: parsed.format,
            note_type: parsed.noteType,
            cards: parsed.cards.map(({ from, to, card }) => ({ row: from, last_row: to, ...describeDraft(card) })),
            errors: parsed.errors.map(({ from, to, reason, text: line }) => ({
              row: from,
              last_row: to,
              reason,
              text: line,
            })),
            ...(parsed.header && { header_row: parsed.header.from }),
          },
        };
      },
    }),
    route({
      method: 'POST',
      path: '/generate',
      id: 'generateDeck',
      scope: 'generate_deck',
      summary: 'Have a language model write a deck',
      description: 'The job that is `done` names the deck. The same request within ten minutes is the same job.',
      body: z.strictObject({
        topic: z.string().max(generateLimits.topicLength).optional().describe('This or `text`, or both.'),
        text: z.string().max(generateLimits.textLength).optional().describe('Material; never instructions.'),
        name: shapes.name.optional().describe('Made of the topic unless given.'),
        note_type: shapes.noteType.optional(),
        front_language: z.string().max(40).optional(),
        back_language: z.string().max(40).optional(),
        count: z
          .int()
          .min(1)
          .max(generateLimits.cards)
          .optional()
          .describe(`${generateLimits.defaultCards} unless told.`),
        audio: shapes.audio.optional(),
      }),
      keyed: true,
      answers: { 202: { description: 'The job.', schema: shapes.jobAnswer } },
      problems: ['no-model', 'no-speech', 'deck-refused', 'quota-reached'],
      async handle({ owner, body }) {
        if (!jobs.kinds.has('generate')) {
          throw new Problem(
            'no-model',
            'No language model is configured on this server. Paste your own text, or let your assistant write the cards.',
          );
        }
        refuseUnrecordable(services, body.audio);
        const request = checkRequest({
          topic: body.topic,
          text: body.text,
          name: body.name,
          noteType: body.note_type,
          frontLanguage: body.front_language,
          backLanguage: body.back_language,
          count: body.count,
          speech: body.audio,
        });
        const job = await jobs.start(owner, { kind: 'generate', request });
        return jobAnswer({ job: shapes.describeJob(job) }, `jobs/${job.id}`);
      },
    }),
  ];
}

function describeDraft(card: DraftCard) {
  return {
    front: card.front,
    back: card.back,
    ...(card.extra !== undefined && { extra: card.extra }),
    tags: card.tags.slice(),
    ...(card.frontLanguage && { front_language: card.frontLanguage }),
    ...(card.backLanguage && { back_language: card.backLanguage }),
  };
}
