/** The MCP Inspector's command line: one process a command, with the credentials of the one before from its store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { walkThrough } from '../harness/person.ts';
import { collect, type Stack, startStack } from '../harness/stack.ts';
import { commandOf, type Home, makeHome } from './child.ts';
import { accessTokenSeconds } from './expiry.ts';
import { type Credentials, pageOrigins, tellTheWholeStory } from './scenario.ts';

let stack: Stack;
let home: Home;
let callbackPort: number;
const started: ChildProcess[] = [];
const outputs: Array<() => string> = [];
/** Everything that every command wrote. */
const said = () => outputs.map((output) => output()).join('\n');

/** Its exit code for "somebody has to sign in". */
const authRequired = 3;

beforeAll(async () => {
  home = makeHome();
  callbackPort = await freePort();
  stack = await startStack({ env: { GATEHOUSE_ACCESS_TOKEN_SECONDS: String(accessTokenSeconds) } });
});

afterAll(async () => {
  for (const child of started) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await stack?.stop();
  home?.remove();
});

it('signs in, makes a deck, refreshes, and is refused after expiry', { timeout: 120_000 }, async () => {
  onTestFailed(() => console.error(`${said()}\n${stack.output()}`));
  const first = inspector('--method', 'tools/list');
  const authorizeUrl = await home.nextOpened(0, first.output);
  const { callback } = await walkThrough(authorizeUrl, pageOrigins(stack));
  const told = await fetch(callback);
  expect(told.status, await told.text()).toBe(200);
  const listed = (await first.result()) as { tools: Array<{ name: string }> };

  const expired = await tellTheWholeStory(stack, {
    tools: async () => listed.tools.map(({ name }) => name),
    async createDeck(deck) {
      const call = ['--method', 'tools/call', '--tool-name', 'create_deck', '--tool-args-json', JSON.stringify(deck)];
      const result = (await inspector(...call).result()) as { structuredContent: unknown };
      return result.structuredContent;
    },
    credentials: async () => storedCredentials(),
    peopleAsked: () => home.opened().length,
    async expectTurnedAway() {
      const { code, answer } = await inspector('--method', 'tools/list', '--stored-auth-only').ended;
      expect({ code, answer }).toEqual({ code: authRequired, answer: '' });
      expect(said()).toContain('"code":"auth_required"');
    },
  });

  const header = ['--header', `Authorization: Bearer ${expired}`];
  const { code, answer } = await inspector('--method', 'tools/list', '--stored-auth-only', ...header).ended;
  expect({ code, answer }).toEqual({ code: authRequired, answer: '' });
});

function inspector(...args: string[]) {
  const child = spawn(
    process.execPath,
    [
      commandOf('@modelcontextprotocol/inspector', 'mcp-inspector'),
      ...['--cli', stack.mcp, '--format', 'json', '--callback-url', `http://127.0.0.1:${callbackPort}/oauth/callback`],
      ...args,
    ],
    {
      cwd: home.directory,
      env: {
        ...home.env,
        // Without a terminal it signs in only if told that somebody is there.
        MCP_AUTO_OPEN_ENABLED: 'true',
        MCP_STORAGE_DIR: join(home.directory, 'storage'),
        MCP_CATALOG_PATH: join(home.directory, 'mcp.json'),
        // Not the keychain of whoever runs the tests.
        MCP_INSPECTOR_SECRET_STORE: 'file',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  const output = collect(child);
  outputs.push(output);
  let answer = '';
  child.stdout.on('data', (chunk: Buffer) => {
    answer += chunk.toString('utf8');
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, answer }));
  return {
    output,
    ended,
    /** What the method answered, if all went well. */
    async result(): Promise<unknown> {
      const { code } = await ended;
      expect(code, output()).toBe(0);
      return (JSON.parse(answer) as { result: unknown }).result;
    },
  };
}

/** Of its store: the state is in one file, what is secret in another. */
function storedCredentials(): Credentials {
  const read = (name: string) => JSON.parse(readFileSync(join(home.directory, 'storage', name), 'utf8'));
  const { servers } = read('oauth.json') as {
    servers: Record<string, { byIssuer: Record<string, { clientInformation: { client_id: string } }> }>;
  };
  const { secrets } = read('secrets.json') as { secrets: Record<string, string> };
  const tokens = Object.entries(secrets).find(([name]) => name.includes(':tokens:'))?.[1] ?? '{}';
  const { access_token: accessToken = '', refresh_token: refreshToken = '' } = JSON.parse(tokens);
  return {
    clientId: servers[stack.mcp]?.byIssuer[stack.issuer]?.clientInformation.client_id ?? '',
    accessToken,
    refreshToken,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
