/** The official TypeScript SDK, version 2, as a client of MCP 2026-07-28: no `initialize`, `server/discover` instead. */
import {
  type AuthProvider,
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { walkThrough } from '../harness/person.ts';
import { type Stack, startStack } from '../harness/stack.ts';
import { accessTokenSeconds } from './expiry.ts';
import { pageOrigins, tellTheWholeStory } from './scenario.ts';
import { type Listener, listenForCallback, memoryProvider } from './sdk-application.ts';

let stack: Stack;
let listener: Listener;

beforeAll(async () => {
  listener = await listenForCallback();
  stack = await startStack({ env: { GATEHOUSE_ACCESS_TOKEN_SECONDS: String(accessTokenSeconds) } });
});

afterAll(async () => {
  await Promise.all([stack?.stop(), listener?.close()]);
});

it('signs in, makes a deck, refreshes, and is refused after expiry', { timeout: 60_000 }, async () => {
  onTestFailed(() => console.error(stack.output()));
  const application = memoryProvider<StoredOAuthClientInformation, StoredOAuthTokens, OAuthDiscoveryState>(
    listener.redirectUri,
    'SDK v2',
  );

  const before = connect(application.provider);
  await expect(before.connected).rejects.toThrow(UnauthorizedError);
  const { callback } = await walkThrough(String(application.opened[0]), pageOrigins(stack));
  const [answered] = await Promise.all([listener.callback(), fetch(callback)]);
  expect(answered.get('state')).toBe(application.lastState());
  await before.transport.finishAuth(answered);

  const { client, connected } = connect(application.provider);
  await connected;
  expect(client.getProtocolEra()).toBe('modern');
  const expired = await tellTheWholeStory(stack, {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    createDeck: async (deck) => (await client.callTool({ name: 'create_deck', arguments: deck })).structuredContent,
    credentials: async () => application.credentials(),
    peopleAsked: () => application.opened.length,
    async expectTurnedAway() {
      await expect(client.callTool({ name: 'list_decks' })).rejects.toThrow(UnauthorizedError);
      expect(application.invalidated).toContain('tokens');
      // It heals itself: what is left to do is to ask the person again.
      expect(application.opened).toHaveLength(2);
    },
  });
  await client.close();

  const withoutRefresh = connect({ token: async () => expired });
  await expect(withoutRefresh.connected).rejects.toThrow(UnauthorizedError);
});

function connect(authProvider: AuthProvider | OAuthClientProvider) {
  const transport = new StreamableHTTPClientTransport(new URL(stack.mcp), { authProvider });
  const client = new Client({ name: 'stranger', version: '2' }, { versionNegotiation: { mode: 'auto' } });
  return { transport, client, connected: client.connect(transport) };
}
