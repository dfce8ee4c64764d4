/** The clients that public servers are used with: the SDK v2 and the Inspector's command line, each through the whole OAuth flow. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  Client,
  type OAuthDiscoveryState,
  SSEClientTransport,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { expect } from 'vitest';
import { walkThrough } from '../harness/person.ts';
import { collect, freePorts } from '../harness/stack.ts';
import { commandOf, type Home, makeHome } from '../strangers/child.ts';
import { listenForCallback, memoryProvider } from '../strangers/sdk-application.ts';
import type { Protected } from './protect.ts';

/** How a client speaks to the gateway. */
export type Transport = 'http' | 'sse';

export const answers = {
  elicitation: { name: 'Ada Lovelace', integer: 42 },
  sampling: 'It is a gate.',
} as const;

/** A client that has signed in. It answers what servers ask, and notes what it was asked. */
export async function connectSdk(server: Protected, form: Transport) {
  const listener = await listenForCallback();
  try {
    const application = memoryProvider<StoredOAuthClientInformation, StoredOAuthTokens, OAuthDiscoveryState>(
      listener.redirectUri,
      'SDK v2',
    );
    const asked: string[] = [];
    const open = () => {
      const options = { authProvider: application.provider };
      const url = new URL(server.url);
      const transport =
        form === 'sse' ? new SSEClientTransport(url, options) : new StreamableHTTPClientTransport(url, options);
      const client = new Client(
        { name: 'public-servers', version: '2' },
        { capabilities: { elicitation: {}, sampling: {} }, versionNegotiation: { mode: 'auto' } },
      );
      client.setRequestHandler('elicitation/create', ({ params }) => {
        asked.push(params.message);
        return { action: 'accept', content: answers.elicitation };
      });
      client.setRequestHandler('sampling/createMessage', ({ params }) => {
        asked.push(JSON.stringify(params.messages));
        return { role: 'assistant', model: 'none', content: { type: 'text', text: answers.sampling } };
      });
      return { client, transport };
    };
    const before = open();
    await expect(before.client.connect(before.transport)).rejects.toThrow(UnauthorizedError);
    const { callback } = await walkThrough(String(application.opened[0]), server.pageOrigins);
    const [answered] = await Promise.all([listener.callback(), fetch(callback)]);
    await before.transport.finishAuth(answered);
    const { client, transport } = open();
    await client.connect(transport);
    expect(application.opened).toHaveLength(1);
    return { client, asked };
  } finally {
    await listener.close();
  }
}

/** The content of a tool's answer that are words. */
export function words(result: unknown): string {
  const { content } = result as { content: Array<{ type: string; text?: string }> };
  return content.map(({ text }) => text ?? '').join('\n');
}

export interface Inspector {
  /** What a method answered; it must go well. */
  ask(...args: string[]): Promise<Record<string, unknown>>;
  remove(): Promise<void>;
}

/** Its first question brings the person to the pages; those after it find the credentials in its store. */
export async function startInspector(server: Protected, form: Transport): Promise<Inspector> {
  const home: Home = makeHome();
  const callbackPort = await freePorts();
  const running = new Set<ChildProcess>();
  let signedIn = false;
  return {
    async ask(...args) {
      const child = spawn(
        process.execPath,
        [
          ...[commandOf('@modelcontextprotocol/inspector', 'mcp-inspector'), '--cli', server.url, '--format', 'json'],
          ...['--transport', form, '--callback-url', `http://127.0.0.1:${callbackPort}/oauth/callback`],
          ...args,
        ],
        {
          cwd: home.directory,
          env: {
            ...home.env,
            MCP_AUTO_OPEN_ENABLED: 'true',
            MCP_STORAGE_DIR: join(home.directory, 'storage'),
            MCP_CATALOG_PATH: join(home.directory, 'mcp.json'),
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
      const ended = once(child, 'close');
      if (!signedIn) {
        const { callback } = await walkThrough(await home.nextOpened(0, output), server.pageOrigins);
        expect((await fetch(callback)).status).toBe(200);
        signedIn = true;
      }
      const [code] = await ended;
      running.delete(child);
      expect(code, output()).toBe(0);
      expect(home.opened()).toHaveLength(1);
      return (JSON.parse(answer) as { result: Record<string, unknown> }).result;
    },
    async remove() {
      for (const child of running) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      home.remove();
    },
  };
}
