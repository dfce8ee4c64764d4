/** The MCP Inspector's command line: one process a command, with the credentials of the one before from its store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
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
const running = new Set<ChildProcess>();
let said = '';

beforeAll(async () => {
  home = makeHome();
  callbackPort = await freePort();
  stack = await startStack({ env: { GATEHOUSE_ACCESS_TOKEN_SECONDS: String(accessTokenSeconds) } });
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await stack?.stop();
  console.log(home.directory);
});

it('signs in, makes a deck, refreshes, and is refused after expiry', { timeout: 120_000 }, async () => {
  onTestFailed(() => console.error(`${said}\n${stack.output()}`));
  const signIn = inspector('--method', 'tools/list');
  const authorizeUrl = await home.nextOpened(0, signIn.output);
  const { callback } = await walkThrough(authorizeUrl, pageOrigins(stack));
  const told = await fetch(callback);
  expect(told.status, await told.text()).toBe(200);
  const listed = await signIn.ended;
  console.log(listed, home.opened(), said);
});

function inspector(...args: string[]) {
  const child = spawn(
    process.execPath,
    [
      commandOf('@modelcontextprotocol/inspector', 'mcp-inspector'),
      '--cli',
      stack.mcp,
      '--callback-url',
      `http://127.0.0.1:${callbackPort}/oauth/callback`,
      '--format',
      'json',
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
  running.add(child);
  const output = collect(child);
  let answer = '';
  child.stdout.on('data', (chunk: Buffer) => {
    answer += chunk.toString('utf8');
  });
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    said += output();
    return { code: code as number | null, answer };
  });
  return { output, ended };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
