/** The tools that read: `list_decks` and `get_deck`. */
import { type McpServer, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { DeckRefusal } from '../decks/deck.ts';
import {
  answer,
  cardOutput,
  deckIdInput,
  deckOutput,
  describeCard,
  describeDeck,
  isDeckId,
  noSuchDeck,
  scopes,
  type ToolContext,
} from './tool-context.ts';

const cursorInput = z
  .string()
  .max(2000, 'cursor: it is not a next_cursor of an answer')
  .optional()
  .describe('The next_cursor of the answer before; leave it out for the first page.');
const nextCursor = z.string().optional().describe('Present if there is more: call again with it as cursor.');

const cardsPerPage = 100;

const annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

export function registerListDecks(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'list_decks',
    {
      title: "List the user's Anki decks",
      description: 'Lists the decks Ankify keeps for the user, oldest first, without their cards. Answers in pages.',
      inputSchema: z.object({ cursor: cursorInput }),
      outputSchema: z.object({ decks: z.array(z.object(deckOutput)), next_cursor: nextCursor }),
      annotations,
      scopeChallenge: requireScopes(scopes.read),
    },
    ({ cursor }) =>
      answer(context, 'list_decks', async () => {
        const page = await context.shelf.list(context.owner, cursor);
        const result = {
          decks: page.decks.map(describeDeck),
          ...(page.next !== undefined && { next_cursor: page.next }),
        };
        return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
      }),
  );
}

export function registerGetDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'get_deck',
    {
      title: 'Read an Anki deck',
      description: `Returns a deck of the user with its cards in order, ${cardsPerPage} a page.`,
      inputSchema: z.object({ deck_id: deckIdInput, cursor: cursorInput }),
      outputSchema: z.object({ ...deckOutput, cards: z.array(cardOutput), next_cursor: nextCursor }),
      annotations,
      scopeChallenge: requireScopes(scopes.read),
    },
    ({ deck_id, cursor }) =>
      answer(context, 'get_deck', async () => {
        const found = isDeckId(deck_id) ? await context.shelf.read(context.owner, deck_id) : undefined;
        if (!found) throw noSuchDeck(deck_id);
        const start = startOf(cursor);
        const end = start + cardsPerPage;
        const result = {
          ...describeDeck(found.deck),
          cards: found.cards.slice(start, end).map(describeCard),
          ...(found.cards.length > end && { next_cursor: String(end) }),
        };
        return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result };
      }),
  );
}

function startOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^[1-9][0-9]{0,5}$/.test(cursor)) {
    throw new DeckRefusal('cursor: it is not a next_cursor of get_deck. Leave it out to start from the first card.');
  }
  return Number(cursor);
}
