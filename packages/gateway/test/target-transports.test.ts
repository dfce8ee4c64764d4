/** Targets that are no Streamable HTTP endpoint, from the configuration alone: commands, and HTTP+SSE of 2024-11-05; told who calls, or not (SEC-17, SEC-11). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { poolSecretEnv, type ResourceInput, secretEnv } from './harness.ts';
import { type LegacyServer, startLegacyServer } from './legacy-sse-gateway.ts';
import { type Person, type SettingsGateway, startSettingsGateway, type Tokens } from './settings-gateway.ts';
import { isAlive } from './stdio/stdio-harness.ts';

const script = fileURLToPath(new URL('stdio/scripted-server.ts', import.meta.url));
const keyEnv = 'GATEHOUSE_TEST_TRANSPORT_KEY';
process.env[keyEnv] = 'k-of-the-operator-4711';

let legacy: LegacyServer;
let gateway: SettingsGateway;
const tokens = new Map<string, Tokens>();

beforeAll(async () => {
  legacy = await startLegacyServer();
  const command = { command: process.execPath, args: [script], env: { KEY: { env: keyEnv }, PLAIN: 'x' } };
  const resources: ResourceInput[] = [
    { path: '/told', target: command },
    { path: '/untold', target: command, identity: 'none' },
    { path: '/shared', target: { ...command, processes: 'shared' }, identity: 'none' },
    { path: '/sse', target: { url: legacy.url, transport: 'sse' } },
    { path: '/untold/sse', target: { url: legacy.url, transport: 'sse' }, identity: 'none' },
  ];
  gateway = await startSettingsGateway(() => ({ resources }));
  for (const { path } of resources)
    for (const person of ['ada', 'bob'] as const)
      tokens.set(`${path} ${person}`, await gateway.tokens(gateway.issuer + path, person));
});
afterAll(async () => {
  await gateway?.close();
  await legacy?.close();
});

const opened: Client[] = [];
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close();
});

const tokenOf = (path: string, person: Person) => tokens.get(`${path} ${person}`) as Tokens;

async function connect(path: string, person: Person): Promise<Client> {
  const authorization = `Bearer ${tokenOf(path, person).accessToken}`;
  const headers = { authorization, 'x-gatehouse-subject': 'root', 'x-gatehouse-secret': 'guessed' };
  const options = { requestInit: { headers } };
  const url = new URL(gateway.issuer + path);
  const sse = path.endsWith('sse');
  const transport = sse ? new SSEClientTransport(url, options) : new StreamableHTTPClientTransport(url, options);
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport as Transport);
  opened.push(client);
  return client;
}

interface About {
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
}

async function about(path: string, person: Person): Promise<About> {
  const client = await connect(path, person);
  const { content } = await client.callTool({ name: 'about', arguments: {} });
  return JSON.parse((content as Array<{ text: string }>)[0]?.text ?? '') as About;
}

describe('a command', () => {
  it('that is told: no process for two people, and each has its person in its environment', async () => {
    const [ada, bob] = [await about('/told', 'ada'), await about('/told', 'bob')];
    expect(ada.pid).not.toBe(bob.pid);
    for (const [person, { env }] of [['ada', ada] as const, ['bob', bob] as const]) {
      expect(env).toMatchObject({
        GATEHOUSE_SUBJECT: decodeJwt(tokenOf('/told', person).accessToken).sub,
        GATEHOUSE_IDENTITY_ISSUER: gateway.poolIssuer,
      });
    }
  });

  it('that is not told: still no process for two people, and no name in any of them', async () => {
    const [ada, bob] = [await about('/untold', 'ada'), await about('/untold', 'bob')];
    expect(ada.pid).not.toBe(bob.pid);
    for (const { env } of [ada, bob]) expect(Object.keys(env).filter((name) => /^GATEHOUSE/.test(name))).toEqual([]);
  });

  it('that is shared: one process for both, and nobody’s name', async () => {
    const [ada, bob] = [await about('/shared', 'ada'), await about('/shared', 'bob')];
    expect(bob.pid).toBe(ada.pid);
    expect(Object.keys(ada.env).filter((name) => /^GATEHOUSE/.test(name))).toEqual([]);
  });

  it.each(['/told', '/untold', '/shared'])(
    '%s has what is configured, and of ours nothing: no secret, no token',
    async (path) => {
      const { pid, env } = await about(path, 'ada');
      expect(env).toMatchObject({ KEY: process.env[keyEnv], PLAIN: 'x' });
      const everything = JSON.stringify(env) + readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      for (const name of [secretEnv, poolSecretEnv]) expect(everything).not.toContain(process.env[name]);
      expect(everything).not.toContain(tokenOf(path, 'ada').accessToken);
      expect(env).not.toHaveProperty(keyEnv);
      expect(JSON.stringify(gateway.events)).not.toContain(process.env[keyEnv]);
    },
  );

  it('takes a token for it and for nothing else', async () => {
    const { accessToken } = tokenOf('/told', 'ada');
    const answer = await fetch(`${gateway.issuer}/untold`, {
      method: 'POST',
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(answer.status).toBe(401);
  });
});

describe('HTTP+SSE', () => {
  const subjects = () => new Set(legacy.posted.map(({ subject }) => subject));

  it('that is told who calls, with every message', async () => {
    legacy.posted.length = 0;
    const client = await connect('/sse', 'ada');
    const { content } = await client.callTool({ name: 'search', arguments: { q: 'it' } });
    expect(content).toEqual([{ type: 'text', text: 'found it' }]);
    expect(subjects()).toEqual(new Set([decodeJwt(tokenOf('/sse', 'ada').accessToken).sub]));
  });

  it('that is not told: the same calls, and no name, not even one that the client made up', async () => {
    legacy.posted.length = 0;
    const client = await connect('/untold/sse', 'bob');
    const { content } = await client.callTool({ name: 'search', arguments: { q: 'it' } });
    expect(content).toEqual([{ type: 'text', text: 'found it' }]);
    expect(legacy.posted.length).toBeGreaterThan(2);
    expect(subjects()).toEqual(new Set([undefined]));
  });
});

it('what belongs to a person ends with the gateway: no process is left', async () => {
  const pids = [(await about('/told', 'ada')).pid, (await about('/shared', 'bob')).pid];
  expect(pids.every(isAlive)).toBe(true);
  for (const client of opened.splice(0)) await client.close();
  await gateway.close();
  await vi.waitFor(() => expect(pids.some(isAlive)).toBe(false), { timeout: 10_000 });
});
