/** `generate_deck`: a deck about a topic or from a text, by our language model, or by the caller's with our instructions. */
import { type McpServer, requireScopes, type ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { limits } from '../decks/deck.ts';
import { cardsFromText } from '../generate/cards-from-text.ts';
import { instructionsFor } from '../generate/instructions.ts';
import { cardJsonSchema, checkRequest, type GenerateRequest, generateLimits } from '../generate/request.ts';
import { isOpen } from '../jobs/job.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { deckAnswer, deckAnswerOutput, follow, progressText, refuseUnrecordable } from './deck-answer.ts';
import { answer, audioSchema, noteTypeSchema, scopes, type ToolContext, toolError } from './tool-context.ts';

const generateInput = z.object({
  topic: z
    .string()
    .max(generateLimits.topicLength, `topic: at most ${generateLimits.topicLength} characters; put more into text`)
    .optional()
    .describe('What the cards shall be about, such as "irregular verbs in Spanish". Give a topic, a text, or both.'),
  text: z
    .string()
    .max(generateLimits.textLength, `text: at most ${generateLimits.textLength} characters at a time`)
    .optional()
    .describe(
      'Material to make cards of. A list that already is one (term - definition, Q: and A:, a table) is taken as it is.',
    ),
  name: z.string().max(limits.nameLength).optional().describe('The name of the deck in Anki. Default: the topic.'),
  note_type: noteTypeSchema.optional().describe('Default: basic.'),
  front_language: z.string().max(40).optional().describe('Language of the fronts, such as "de" or "pt-BR".'),
  back_language: z.string().max(40).optional().describe('Language of the backs.'),
  count: z
    .int()
    .min(1, 'count: at least 1')
    .max(
      generateLimits.cards,
      `count: at most ${generateLimits.cards} cards at a time; call again with another part of the topic`,
    )
    .default(generateLimits.defaultCards)
    .describe('How many cards to write.'),
  audio: audioSchema.optional().describe('As in create_deck.'),
});

const generateOutput = z.object({
  ...deckAnswerOutput,
  deck_id: deckAnswerOutput.deck_id.optional(),
  cards: deckAnswerOutput.cards.optional(),
  version: deckAnswerOutput.version.optional(),
  status: z
    .enum(['ready', 'working', 'failed', 'cards_needed'])
    .describe(
      'working: call get_job with job_id. cards_needed: this server has no language model; write the cards yourself as ' +
        'instructions say, and call create_deck. failed: the deck is made, but its speech could not be recorded.',
    ),
  instructions: z.string().optional(),
  card_schema: z.record(z.string(), z.unknown()).optional().describe('JSON Schema of one of the cards of create_deck.'),
  create_deck: z.record(z.string(), z.unknown()).optional().describe('The other arguments for create_deck.'),
});

export function registerGenerateDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'generate_deck',
    {
      title: 'Generate an Anki deck',
      description:
        'Makes an Anki deck about a topic or from a text. Where this server has a language model, it writes the cards, ' +
        'which takes up to some minutes: the answer may be a job_id for get_job. Where it has none, the answer is ' +
        'cards_needed with instructions: write the cards yourself and call create_deck. If you know already which cards ' +
        'you want, call create_deck at once. The same call repeated within 10 minutes is the same deck.',
      inputSchema: generateInput,
      outputSchema: generateOutput,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
      scopeChallenge: requireScopes(scopes.write),
    },
    (input, call) =>
      answer(context, 'generate_deck', async () => {
        refuseUnrecordable(context, input.audio);
        const request = checkRequest({
          ...input,
          noteType: input.note_type,
          frontLanguage: input.front_language,
          backLanguage: input.back_language,
          speech: input.audio,
        });
        const written = input.topic === undefined ? await fromList(context, call, request, input.note_type) : undefined;
        if (written) return written;
        const { jobs } = context;
        if (!jobs?.kinds.has('generate')) return cardsNeeded(request);
        return generated(context, jobs, call, request);
      }),
  );
}

/** A text in which every line already is a card needs nobody to write any. */
async function fromList(
  context: ToolContext,
  call: ServerContext,
  request: GenerateRequest,
  asked: GenerateRequest['noteType'] | undefined,
) {
  const parsed = cardsFromText(request.text ?? '', { noteType: asked });
  const { cards, errors } = parsed;
  if (errors.length > 0 || cards.length < 2 || cards.length > limits.cardsPerDeck) return undefined;
  const { topic: _, text: __, count: ___, ...head } = request;
  const draft = { ...head, noteType: parsed.noteType, cards: cards.map(({ card }) => card) };
  const deck = await context.shelf.add(context.owner, draft);
  context.log({ event: 'deck.stored', deckId: deck.id, cards: deck.cardCount, malformedRows: 0 });
  const said = `The text is a list already: each of its ${deck.cardCount} entries is a card. deck_id ${deck.id}.`;
  return deckAnswer(context, call, deck, said);
}

async function generated(context: ToolContext, jobs: Jobs, call: ServerContext, request: GenerateRequest) {
  const { owner, shelf } = context;
  const work = { kind: 'generate', request } as const;
  let started = await jobs.start(owner, work);
  // Made within the last minutes, and deleted since: whoever asks again wants it again.
  const isGone = started.state === 'done' && !(started.deckId && (await shelf.find(owner, started.deckId)));
  if (isGone) started = await jobs.start(owner, work, { anew: true });
  const job = await follow(context, call, started);
  if (job.state === 'failed') return toolError(`No deck was made. ${job.error ?? ''}`);
  if (isOpen(job)) {
    const text = `The cards are being written (${progressText(job)}). Call get_job with job_id ${job.id} until it is done.`;
    return { content: [{ type: 'text' as const, text }], structuredContent: { status: 'working', job_id: job.id } };
  }
  const deck = job.deckId === undefined ? undefined : await shelf.find(owner, job.deckId);
  if (!deck) return toolError('The deck was deleted while it was made. Call the tool again.');
  const said = `The deck ${JSON.stringify(deck.name)} is made: ${deck.cardCount} cards, deck_id ${deck.id}. Show them to the user with get_deck.`;
  return deckAnswer(context, call, deck, job.note === undefined ? said : `${said}\n${job.note}`);
}

function cardsNeeded(request: GenerateRequest) {
  const { name, noteType, frontLanguage, backLanguage, count, speech } = request;
  const instructions =
    `${instructionsFor(request)}\nWrite ${count} cards about what the user asked for, and call create_deck with them ` +
    'and the arguments in create_deck.';
  const create_deck = {
    name,
    note_type: noteType,
    ...(frontLanguage && { front_language: frontLanguage }),
    ...(backLanguage && { back_language: backLanguage }),
    audio: speech,
  };
  const structuredContent = { status: 'cards_needed', instructions, card_schema: cardJsonSchema, create_deck };
  const text = `This server has no language model: you write the cards.\n${JSON.stringify(structuredContent)}`;
  return { content: [{ type: 'text' as const, text }], structuredContent };
}
