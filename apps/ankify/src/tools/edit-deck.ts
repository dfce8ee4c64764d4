/** `edit_deck`: cards added, changed, deleted and put in order, and the deck's own name, languages and speech. */
import { type McpServer, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { limits } from '../decks/deck.ts';
import { cardInput } from './create-deck.ts';
import { deckAnswer, deckAnswerOutput, refuseUnrecordable } from './deck-answer.ts';
import { answer, audioSchema, deckIdInput, isDeckId, noSuchDeck, scopes, type ToolContext } from './tool-context.ts';

const cardReference = z
  .union([z.string().max(64), z.int()])
  .describe('card_id of get_deck, or the position the card has before this edit.');
const language = z.string().max(40).optional();
const many = `at most ${limits.changesPerEdit} changes fit one call; send the rest in another`;
const list = <T extends z.ZodType>(item: T) => z.array(item).max(limits.changesPerEdit, many).optional();

const editInput = z.object({
  deck_id: deckIdInput,
  expected_version: z
    .int()
    .min(1)
    .optional()
    .describe('The version you read: if somebody changed the deck since, nothing is changed and you are told.'),
  name: z.string().max(limits.nameLength).optional().describe('A new name. In Anki this makes another deck.'),
  front_language: language.describe('"" takes it away.'),
  back_language: language.describe('"" takes it away.'),
  audio: audioSchema.optional(),
  update: list(
    z
      .object({ card: cardReference, ...cardInput, front: cardInput.front.optional() })
      .describe('What is left out stays.'),
  ).describe('Cards to change; "" takes extra away, tags replace all of the card.'),
  delete: list(cardReference).describe('Cards to delete.'),
  order: list(cardReference).describe('These cards come first, in this order; the others follow in theirs.'),
  add: list(
    z.object({
      ...cardInput,
      at: z.int().min(1).optional().describe('The position it gets, from 1. Default: the end.'),
    }),
  ).describe('New cards, added after everything else is done.'),
});

const editOutput = z.object({
  ...deckAnswerOutput,
  changed: z.boolean().describe('false: it was all like that before.'),
});

export function registerEditDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'edit_deck',
    {
      title: 'Edit an Anki deck',
      description:
        'Changes a deck: adds, changes, deletes or orders cards, or changes its name, languages or audio; all of it or, ' +
        'if something is wrong, nothing. Returns a new link; importing it updates the changed cards in Anki and keeps ' +
        'the learning progress. The same edit repeated within 10 minutes is made once.',
      inputSchema: editInput,
      outputSchema: editOutput,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      scopeChallenge: requireScopes(scopes.write),
    },
    (input, call) =>
      answer(context, 'edit_deck', async () => {
        const { deck_id, expected_version, name, front_language, back_language, audio, update, order, add } = input;
        const before = isDeckId(deck_id) ? await context.shelf.find(context.owner, deck_id) : undefined;
        if (!before) throw noSuchDeck(deck_id);
        refuseUnrecordable(context, audio);
        const after = await context.shelf.edit(context.owner, deck_id, {
          expectedVersion: expected_version,
          name,
          frontLanguage: front_language,
          backLanguage: back_language,
          speech: audio,
          update,
          remove: input.delete,
          order,
          add,
        });
        if (!after) throw noSuchDeck(deck_id);
        const { deck } = after;
        const changed = deck.version !== before.version;
        if (changed)
          context.log({ event: 'deck.edited', deckId: deck.id, version: deck.version, cards: deck.cardCount });
        const state = changed ? `is changed, version ${deck.version}` : `was like that before, version ${deck.version}`;
        const said = `The deck ${JSON.stringify(deck.name)} ${state}: ${deck.cardCount} cards.`;
        return deckAnswer(context, call, deck, said, { structured: { changed } });
      }),
  );
}
