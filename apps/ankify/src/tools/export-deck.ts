/** `export_deck`, a new download link, and `delete_deck`. */
import { type McpServer, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import { jobId } from '../jobs/job.ts';
import { deckAnswer, deckAnswerOutput } from './deck-answer.ts';
import { answer, deckIdInput, isDeckId, noSuchDeck, scopes, type ToolContext } from './tool-context.ts';

export function registerExportDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'export_deck',
    {
      title: 'Export an Anki deck',
      description:
        'Returns a new link to the .apkg file of a deck, good for an hour. Importing the deck again duplicates ' +
        'nothing and keeps the learning progress. If recorded speech is missing, it is recorded first.',
      inputSchema: z.object({ deck_id: deckIdInput }),
      outputSchema: z.object(deckAnswerOutput),
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      scopeChallenge: requireScopes(scopes.write),
    },
    ({ deck_id }, call) =>
      answer(context, 'export_deck', async () => {
        const deck = isDeckId(deck_id) ? await context.shelf.find(context.owner, deck_id) : undefined;
        if (!deck) throw noSuchDeck(deck_id);
        const said = `${JSON.stringify(deck.name)}, ${deck.cardCount} cards.`;
        return deckAnswer(context, call, deck, said);
      }),
  );
}

export function registerDeleteDeck(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'delete_deck',
    {
      title: 'Delete an Anki deck',
      description:
        'Deletes a deck from Ankify for good; its download links end. Decks already imported into Anki stay there. ' +
        'Ask the user before you call this.',
      inputSchema: z.object({ deck_id: deckIdInput }),
      outputSchema: z.object({ deck_id: z.string(), deleted: z.literal(true) }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
      scopeChallenge: requireScopes(scopes.write),
    },
    ({ deck_id }) =>
      answer(context, 'delete_deck', async () => {
        const deck = isDeckId(deck_id) ? await context.shelf.remove(context.owner, deck_id) : undefined;
        if (!deck) throw noSuchDeck(deck_id);
        context.log({ event: 'deck.deleted', deckId: deck.id });
        const speech = jobId(context.owner, { kind: 'speech', deckId: deck.id, version: deck.version });
        await context.jobs?.cancel(context.owner, speech, 'The deck was deleted.');
        return {
          content: [{ type: 'text', text: `The deck ${JSON.stringify(deck.name)} is deleted.` }],
          structuredContent: { deck_id: deck.id, deleted: true },
        };
      }),
  );
}
