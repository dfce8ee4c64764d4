/** `mcp-remote`, the bridge that hosts of stdio servers use: here the host is the SDK, and the bridge does the rest. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { walkThrough } from '../harness/person.ts';
import { type Stack, startStack } from '../harness/stack.ts';
import { commandOf, type Home, makeHome } from './child.ts';
import { accessTokenSeconds } from './expiry.ts';
import { type Credentials, pageOrigins, tellTheWholeStory } from './scenario.ts';

let stack: Stack;
let home: Home;
let bridge: ReturnType<typeof startBridge>;

beforeAll(async () => {
  home = makeHome();
  stack = await startStack({ env: { GATEHOUSE_ACCESS_TOKEN_SECONDS: String(accessTokenSeconds) } });
});

afterAll(async () => {
  await bridge?.stop();
  await stack?.stop();
  home?.remove();
});

it('signs in, makes a deck, refreshes, and is refused after expiry', { timeout: 90_000 }, async () => {
  bridge = startBridge();
  onTestFailed(() => console.error(`${bridge.output()}\n${stack.output()}`));
  const { client, connected } = bridge;
  const authorizeUrl = await home.nextOpened(0, bridge.output);
  const { callback } = await walkThrough(authorizeUrl, pageOrigins(stack));
  const told = await fetch(callback);
  expect(told.status, await told.text()).toBe(200);
  await connected;

  await tellTheWholeStory(stack, {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    createDeck: async (deck) => (await client.callTool({ name: 'create_deck', arguments: deck })).structuredContent,
    credentials: async () => storedCredentials(),
    peopleAsked: () => home.opened().length,
    async expectTurnedAway() {
      // It cannot work, so it opens the browser again and the host's call waits for a person who does not come.
      const call = client.callTool({ name: 'list_decks' }).then(
        () => 'answered',
        () => 'failed',
      );
      await home.nextOpened(1, bridge.output);
      await bridge.stop();
      expect(await call).toBe('failed');
    },
  });
});

function startBridge() {
  let text = '';
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [commandOf('mcp-remote', 'mcp-remote'), stack.mcp],
    env: { ...home.env, MCP_REMOTE_CONFIG_DIR: join(home.directory, 'mcp-remote') },
    stderr: 'pipe',
  });
  transport.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const client = new Client({ name: 'host', version: '1' });
  const connected = client.connect(transport, { timeout: 60_000 });
  // Whoever fails before waiting for it has said why.
  connected.catch(() => {});
  const stop = async () => {
    const { pid } = transport;
    await client.close();
    try {
      if (pid !== null) process.kill(pid, 'SIGKILL');
    } catch {
      // it is gone already, as it should be
    }
  };
  return { client, connected, output: () => text, stop };
}

/** From its files: `<hash>_client_info.json` and `<hash>_tokens.json`. */
function storedCredentials(): Credentials {
  const folder = join(home.directory, 'mcp-remote', 'mcp-remote-v1');
  const read = (end: string) => {
    const name = readdirSync(folder).find((file) => file.endsWith(end));
    if (name === undefined) throw new Error(`mcp-remote has stored no ${end}`);
    return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, string>;
  };
  const { client_id: clientId = '' } = read('_client_info.json');
  const { access_token: accessToken = '', refresh_token: refreshToken = '' } = read('_tokens.json');
  return { clientId, accessToken, refreshToken };
}
