/**
 * A tool that needs more than the token allows, and the official SDKs: version 2 asks the person for the union of scopes;
 * version 1 refreshes instead, to no avail, so that a resource it is to use asks for its full set at first.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client as ClientV2,
  type OAuthDiscoveryState as DiscoveryV2,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport as TransportV2,
  UnauthorizedError as UnauthorizedV2,
} from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { type OAuthDiscoveryState as DiscoveryV1, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { checkConfig, createLog, localConfig, type RunningGateway, serve } from '../../packages/gateway/src/serve.ts';
import { walkThrough } from '../harness/person.ts';
import { freePorts } from '../harness/stack.ts';
import { type Listener, listenForCallback, memoryProvider } from './sdk-application.ts';

let listener: Listener;
let target: { url: string; close(): Promise<void> };
let gateway: RunningGateway;
let origin: string;
let signIn: string;
let dataDir: string;
let log = '';

/** Two tools, and what was called of them. */
const called: string[] = [];

beforeAll(async () => {
  [listener, target] = await Promise.all([listenForCallback(), startNotes()]);
  const port = await freePorts();
  [origin, signIn] = [`http://localhost:${port}`, `http://localhost:${port + 1}`];
  dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const local = { dataDir, issuer: origin, signInPort: port + 1 };
  const notes = {
    target: target.url,
    scopes: { read: 'read your notes', write: 'change your notes' },
    tools: { read_notes: { scope: 'read' }, 'write_*': { scope: 'write' } },
  };
  const config = checkConfig('the step-up test', {
    ...localConfig(local),
    listen: { port },
    resources: [
      { ...notes, path: '/narrow/mcp', defaultScope: ['read'] },
      { ...notes, path: '/full/mcp' },
    ],
  });
  gateway = await serve(config, {
    local,
    log: createLog('json', (line) => {
      log += line;
    }),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([target?.close(), listener?.close()]);
  if (dataDir) rmSync(dataDir, { recursive: true, force: true });
});

it('SDK v2 asks the person for the union, and goes on', async () => {
  onTestFailed(() => console.error(log));
  const application = memoryProvider<StoredOAuthClientInformation, StoredOAuthTokens, DiscoveryV2>(
    listener.redirectUri,
    'SDK v2',
  );
  const connect = () => {
    const transport = new TransportV2(new URL(`${origin}/narrow/mcp`), { authProvider: application.provider });
    const client = new ClientV2({ name: 'stranger', version: '2' }, { versionNegotiation: { mode: 'auto' } });
    return { transport, client, connected: client.connect(transport) };
  };
  const before = connect();
  await expect(before.connected).rejects.toThrow(UnauthorizedV2);
  await before.transport.finishAuth(await personSays(application.opened[0]));
  expect(scopeAsked(application.opened[0])).toEqual(['read']);

  const { client, transport, connected } = connect();
  await connected;
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_notes']);
  await client.callTool({ name: 'read_notes' });
  expect(application.opened).toHaveLength(1);

  await expect(client.callTool({ name: 'write_notes' })).rejects.toThrow(UnauthorizedV2);
  expect(called).not.toContain('write_notes');
  expect(application.opened).toHaveLength(2);
  expect(scopeAsked(application.opened[1])).toEqual(['read', 'write']);
  await transport.finishAuth(await personSays(application.opened[1]));

  await client.callTool({ name: 'write_notes' });
  await client.callTool({ name: 'read_notes' });
  expect(called).toEqual(['read_notes', 'write_notes', 'read_notes']);
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_notes', 'write_notes']);
  expect(application.opened).toHaveLength(2);
  await client.close();
});

it('SDK v1 does not step up while it can refresh; with the full set at first it needs not', async () => {
  onTestFailed(() => console.error(log));
  const narrow = await signedInV1('/narrow/mcp');
  expect(scopeAsked(narrow.application.opened[0])).toEqual(['read']);
  expect((await narrow.client.listTools()).tools.map(({ name }) => name)).toEqual(['read_notes']);
  const { accessToken } = narrow.application.credentials();
  const refused: unknown = await narrow.client.callTool({ name: 'write_notes' }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 403 });
  expect(refused).not.toBeInstanceOf(UnauthorizedError);
  // It refreshed, got the same scope, and gave up; nobody was asked.
  expect(narrow.application.credentials().accessToken).not.toBe(accessToken);
  expect(narrow.application.opened).toHaveLength(1);
  expect(called).not.toContain('write_notes');
  // What it holds is as good as before.
  await narrow.client.callTool({ name: 'read_notes' });
  await narrow.client.close();

  const full = await signedInV1('/full/mcp');
  expect(scopeAsked(full.application.opened[0])).toEqual(['read', 'write']);
  expect((await full.client.listTools()).tools.map(({ name }) => name)).toEqual(['read_notes', 'write_notes']);
  await full.client.callTool({ name: 'write_notes' });
  expect(called).toEqual(['write_notes']);
  expect(full.application.opened).toHaveLength(1);
  await full.client.close();
});

async function signedInV1(path: string) {
  called.length = 0;
  const application = memoryProvider<OAuthClientInformationMixed, OAuthTokens, DiscoveryV1>(
    listener.redirectUri,
    'SDK v1',
  );
  const connect = () => {
    const transport = new TransportV1(new URL(origin + path), { authProvider: application.provider });
    const client = new ClientV1({ name: 'stranger', version: '1' });
    return { transport, client, connected: client.connect(transport as Transport) };
  };
  const before = connect();
  await expect(before.connected).rejects.toThrow(UnauthorizedError);
  await before.transport.finishAuth((await personSays(application.opened[0])).get('code') ?? '');
  const { client, connected } = connect();
  await connected;
  return { application, client };
}

/** Through the pages; the query the client is told. */
async function personSays(opened: URL | undefined): Promise<URLSearchParams> {
  const { callback } = await walkThrough(String(opened), [origin, signIn]);
  const [query] = await Promise.all([listener.callback(), fetch(callback)]);
  return query;
}

/** Without `offline_access`, which version 2 adds for its refresh token. */
function scopeAsked(opened: URL | undefined): readonly string[] {
  const scope = opened?.searchParams.get('scope') ?? '';
  return scope
    .split(' ')
    .filter((one) => one !== 'offline_access')
    .sort();
}

async function startNotes() {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'notes', version: '1' });
      for (const name of ['read_notes', 'write_notes']) {
        server.registerTool(name, { description: `Does ${name}.` }, () => {
          called.push(name);
          return { content: [{ type: 'text', text: 'done' }] };
        });
      }
      return server;
    },
    { legacy: 'stateless' },
  );
  const serveNode = toNodeHandler(handler);
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const body = () => request[Symbol.asyncIterator]();
    void serveNode({ method, url, headers, [Symbol.asyncIterator]: body }, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      await handler.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
