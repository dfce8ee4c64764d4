/** The resource `ankify://decks/{id}`: a deck of the user with all of its cards, as JSON. */
import { type McpServer, ResourceNotFoundError, ResourceTemplate, requireScopes } from '@modelcontextprotocol/server';
import {
  deckUri,
  describeCard,
  describeDeck,
  isDeckId,
  packageOf,
  scopes,
  type ToolContext,
} from '../tools/tool-context.ts';

const mediaType = 'application/json';

export function registerDeckResources(server: McpServer, context: ToolContext): void {
  const { owner, shelf } = context;
  const template = new ResourceTemplate('ankify://decks/{id}', {
    // The SDK has no challenge for a list: who may not read decks sees none.
    list: async () => ({ resources: context.scopes.includes(scopes.read) ? await listed() : [] }),
  });
  async function listed() {
    const { decks } = await shelf.list(owner);
    return decks.map((deck) => ({
      uri: deckUri(deck.id),
      name: deck.name,
      title: deck.name,
      description: `${deck.cardCount} cards`,
      mimeType: mediaType,
    }));
  }
  server.registerResource(
    'deck',
    template,
    {
      title: 'Anki deck',
      description: 'A deck of the user with its cards in order.',
      mimeType: mediaType,
      scopeChallenge: requireScopes(scopes.read),
    },
    async (uri, { id }) => {
      const found = typeof id === 'string' && isDeckId(id) ? await shelf.read(owner, id) : undefined;
      if (!found) throw new ResourceNotFoundError(uri.href);
      const json = {
        ...describeDeck(found.deck),
        cards: found.cards.map(describeCard),
        ...(await packageIfReady(found.deck)),
      };
      return { contents: [{ uri: uri.href, mimeType: mediaType, text: JSON.stringify(json) }] };
    },
  );

  /** A link is an export, which needs the scope for it; and a deck without its speech is not ready. */
  async function packageIfReady(deck: Parameters<typeof packageOf>[1]) {
    if (!context.scopes.includes(scopes.write) || deck.speech === 'recorded') return {};
    return packageOf(context, deck).structured;
  }
}
