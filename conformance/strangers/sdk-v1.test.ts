/** The official TypeScript SDK, version 1, which clients of MCP 2025-11-25 and before are made with. */
import {
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  UnauthorizedError,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
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
  const application = memoryProvider<OAuthClientInformationMixed, OAuthTokens, OAuthDiscoveryState>(
    listener.redirectUri,
    'SDK v1',
  );

  const before = connect({ authProvider: application.provider });
  await expect(before.connected).rejects.toThrow(UnauthorizedError);
  const { callback } = await walkThrough(String(application.opened[0]), pageOrigins(stack));
  const [answered] = await Promise.all([listener.callback(), fetch(callback)]);
  expect(answered.get('state')).toBe(application.lastState());
  await before.transport.finishAuth(answered.get('code') ?? '');

  const { client, connected } = connect({ authProvider: application.provider });
  await connected;
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

  const withoutRefresh = connect({ requestInit: { headers: { authorization: `Bearer ${expired}` } } });
  const refusal = await withoutRefresh.connected.catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(StreamableHTTPError);
  expect(refusal).toMatchObject({ code: 401 });
});

function connect(options: { authProvider?: OAuthClientProvider; requestInit?: RequestInit }) {
  const transport = new StreamableHTTPClientTransport(new URL(stack.mcp), options);
  const client = new Client({ name: 'stranger', version: '1' });
  return { transport, client, connected: client.connect(transport as Transport) };
}
