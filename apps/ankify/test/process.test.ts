/** The process: started from the environment, on SQLite, stopped by SIGTERM, started again with everything there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../../packages/gateway/test/harness.ts';
import { animals } from './service.ts';

let data: string;
const running: ChildProcess[] = [];
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'ankify-process-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(data, { recursive: true });
});

const main = join(import.meta.dirname, '../src/main.ts');
const gatewaySecret = 'a-secret-of-the-gateway';

function start(environment: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const lines: string[] = [];
  const exit = new Promise<{ code: number | null; stderr: string; lines: string[] }>((resolve) =>
    child.once('close', (code) => resolve({ code, stderr, lines })),
  );
  const listening = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      resolve(JSON.parse(line).url);
    });
    void exit.then(({ stderr: said }) => reject(new Error(said)));
  });
  listening.catch(() => {}); // awaited only where it must listen
  return { child, listening, exit };
}

async function call(url: string, name: string, input: Record<string, unknown>) {
  const mcp = new Client({ name: 'test', version: '1' });
  const headers = {
    'x-gatehouse-subject': 'anna',
    'x-gatehouse-client-id': 'c',
    'x-gatehouse-scope': 'generate_deck list_decks',
    'x-gatehouse-secret': gatewaySecret,
  };
  await mcp.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }));
  const { structuredContent } = await mcp.callTool({ name, arguments: input });
  await mcp.close();
  // biome-ignore lint/suspicious/noExplicitAny: the test states what it expects.
  return structuredContent as any;
}

test('a deck and its link outlive the process', async () => {
  const environment = {
    ANKIFY_PORT: '0',
    ANKIFY_PUBLIC_URL: 'http://localhost:8080/ankify/',
    ANKIFY_DATA: join(data, 'decks'),
    ANKIFY_GATEWAY_SECRET: gatewaySecret,
  };
  const first = start(environment);
  const url = await first.listening;
  const { deck_id, download_url } = await call(url, 'create_deck', animals);
  expect(download_url).toMatch(/^http:\/\/localhost:8080\/ankify\/exports\//);
  first.child.kill('SIGTERM');
  const { code, lines, stderr } = await first.exit;
  expect([code, lines]).toEqual([0, [JSON.stringify({ event: 'ankify.listening', url })]]);
  expect(JSON.parse(stderr.split('\n').find((line) => line.includes('deck.stored')) ?? '{}')).toMatchObject({
    cards: 3,
  });
  expect(statSync(join(data, 'decks', 'link.key')).mode & 0o777).toBe(0o600);

  const second = start(environment);
  const again = await second.listening;
  expect((await call(again, 'list_decks', {})).decks).toMatchObject([{ deck_id, card_count: 3 }]);
  expect((await call(again, 'get_deck', { deck_id })).cards).toHaveLength(3);
  const path = new URL(download_url).pathname.replace('/ankify', '');
  const download = await fetch(again + path);
  expect(download.status).toBe(200);
  expect((await download.bytes()).subarray(0, 2)).toEqual(new Uint8Array([0x50, 0x4b]));
  second.child.kill('SIGTERM');
  expect((await second.exit).code).toBe(0);
});

test('two that start at once share one key', async () => {
  const environment = { ANKIFY_PUBLIC_URL: 'http://localhost', ANKIFY_DATA: data };
  const both = [start(environment), start(environment)];
  await Promise.all(both.map(({ listening }) => listening));
  expect(Buffer.from(readFileSync(join(data, 'link.key'), 'utf8').trim(), 'base64url')).toHaveLength(32);
});

test.each<[string, Record<string, string>, RegExp]>([
  ['nothing', {}, /ANKIFY_PUBLIC_URL: missing[\s\S]*ANKIFY_DATA: missing/],
  ['a bad port', { ANKIFY_PORT: '70000' }, /ANKIFY_PORT: a port from 0/],
  ['a bad URL', { ANKIFY_PUBLIC_URL: 'ankify', ANKIFY_DATA: 'DATA' }, /publicUrl is not an absolute URL/],
  [
    'a short secret',
    { ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: 'DATA', ANKIFY_GATEWAY_SECRET: 'x' },
    /secret must have 16/,
  ],
  [
    'everything else that is faulty, at once,',
    {
      ANKIFY_PUBLIC_URL: 'http://x',
      ANKIFY_DATA: 'DATA',
      ANKIFY_SPEECH: 'loud',
      ANKIFY_BLOBS: 's3://UPPER',
      ANKIFY_MONTHLY_DECKS: '-1',
      ANKIFY_PAGE_PORT: 'http',
    },
    /ANKIFY_SPEECH: installed, espeak-ng, polly, off[\s\S]*ANKIFY_BLOBS: directory, or[\s\S]*ANKIFY_MONTHLY_DECKS: a whole number[\s\S]*ANKIFY_PAGE_PORT: a port/,
  ],
  [
    'a page at an unsafe address',
    {
      ANKIFY_PUBLIC_URL: 'http://x',
      ANKIFY_DATA: 'DATA',
      ANKIFY_PAGE_PORT: '1',
      ANKIFY_PAGE_URL: 'http://ankify.example',
    },
    /ANKIFY_PAGE_URL: an origin such as https/,
  ],
  [
    'a page of any port without its address',
    { ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: 'DATA', ANKIFY_PAGE_PORT: '0' },
    /ANKIFY_PAGE_URL: missing/,
  ],
  [
    'a page’s client without a page',
    { ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: 'DATA', ANKIFY_PAGE_CLIENT_ID: 'page' },
    /ANKIFY_PAGE_PORT: missing; ANKIFY_PAGE_CLIENT_ID is set/,
  ],
  [
    'a cloud’s speech without its region',
    {
      ANKIFY_PUBLIC_URL: 'http://x',
      ANKIFY_DATA: 'DATA',
      ANKIFY_SPEECH: 'polly',
      AWS_REGION: '',
      AWS_DEFAULT_REGION: '',
    },
    /AWS_REGION: missing; ANKIFY_SPEECH names Amazon Polly/,
  ],
  [
    'a model nobody knows',
    { ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: 'DATA', ANKIFY_MODEL: 'gpt' },
    /ANKIFY_MODEL: use anthropic:/,
  ],
  [
    'a host for everybody without a secret',
    { ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: 'DATA', ANKIFY_HOST: '0.0.0.0' },
    /secret is required/,
  ],
])('%s in the environment is told at the start', async (_, environment, message) => {
  const given = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value === 'DATA' ? data : value]),
  );
  const { code, stderr, lines } = await start(given).exit;
  expect([code, lines]).toEqual([1, []]);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('    at ');
});

test('a damaged key is told, never replaced: the links in use would die', async () => {
  writeFileSync(join(data, 'link.key'), 'short\n');
  const { code, stderr } = await start({ ANKIFY_PUBLIC_URL: 'http://x', ANKIFY_DATA: data }).exit;
  expect(code).toBe(1);
  expect(stderr).toMatch(/link\.key is not a key/);
  expect(readFileSync(join(data, 'link.key'), 'utf8')).toBe('short\n');
});

test('with a page: its address is told, a taken port is named, and both ends are orderly', async () => {
  const port = await freePort();
  const environment = {
    ANKIFY_PUBLIC_URL: 'http://localhost:8080/ankify',
    ANKIFY_DATA: data,
    ANKIFY_GATEWAY_SECRET: gatewaySecret,
    ANKIFY_PAGE_PORT: String(port),
    ANKIFY_SPEECH: 'off',
  };
  const first = start(environment);
  const url = await first.listening;
  const page = `http://localhost:${port}`;
  expect(await (await fetch(`${page}/healthz`)).text()).toBe('ok\n');
  const second = await start({ ...environment, ANKIFY_DATA: join(data, 'other') }).exit;
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`ANKIFY_PAGE_PORT: ${port} is in use`)]);
  expect(second.lines).toEqual([]);
  first.child.kill('SIGTERM');
  const { code, lines, stderr } = await first.exit;
  expect([code, lines]).toEqual([0, [JSON.stringify({ event: 'ankify.listening', url, page })]]);
  expect(stderr).toContain('"event":"ankify.parts","speech":"off","model":"none","blobs":"directory"');
});
