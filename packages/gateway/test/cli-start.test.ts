/** What an operator is told when a gateway cannot start for a reason of theirs: the place, in words, and no stack. */
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Ended, run } from './command.ts';
import { freePort } from './harness.ts';

let folder: string;
let ports: readonly string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'));
  ports = ['--port', String(await freePort()), '--sign-in-port', String(await freePort())];
});
afterAll(() => rmSync(folder, { recursive: true }));

const target = ['--target', 'http://localhost:1/mcp'];

function config(changes: Readonly<Record<string, unknown>>): string {
  const secret = join(folder, 'operator.secret');
  writeFileSync(secret, 'an operator secret of thirty-two bytes or more');
  const path = join(folder, 'gatehouse.json');
  const base = {
    issuer: 'https://mcp.example',
    resources: [{ path: '/mcp', target: 'http://localhost:1/' }],
    identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'x' },
    records: { type: 'memory' },
    secrets: [{ id: 'k', secret: { file: secret } }],
  };
  writeFileSync(path, JSON.stringify({ ...base, ...changes }));
  return path;
}

function expectWords({ code, stdout, stderr }: Ended, words: RegExp): void {
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
}

it.each([
  [
    'a database that is none',
    'gatehouse.sqlite',
    'this is no database, and it is long enough to be seen',
    /not a database/,
  ],
  ['a broken user pool', 'user-pool.json', '{broken', /user-pool\.json: not JSON/],
  ['a secret that is too short', 'gatehouse.secret', 'short\n', /at least 32 bytes/],
  ['a client secret of the wrong form', 'cognito-client.secret', 'short\n', /cognito-client\.secret|clientSecret/],
])('%s in the data directory is said without a stack', async (_, name, text, words) => {
  const data = join(folder, name.replaceAll('.', '-'));
  mkdirSync(data);
  writeFileSync(join(data, name), text);
  expectWords(await run(['serve', '--local', ...target, ...ports, '--data', data]), words);
});

it('an issuer that is not https is said without a stack', async () => {
  const args = [
    'serve',
    '--local',
    ...target,
    ...ports,
    '--issuer',
    'http://mcp.example',
    '--data',
    join(folder, 'http'),
  ];
  expectWords(await run(args), /issuer: .*must be https/);
});

it('a place where no database can be is said without a stack', async () => {
  const file = join(folder, 'gatehouse.json', 'x.sqlite');
  const path = config({ records: { type: 'sqlite', file }, listen: { port: await freePort() } });
  expectWords(await run(['serve', '--config', path]), /x\.sqlite/);
});

// With a file there is no --port to choose; the setting is listen.port.
it('a port in use names the setting where a file was given', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const ended = await run(['serve', '--config', config({ listen: { port } })]);
  taken.close();
  expectWords(ended, /listen\.port/);
  expect(ended.stderr).not.toContain('--port');
});

it('an address that is not ours names its setting', async () => {
  const ended = await run(['serve', '--config', config({ listen: { host: '192.0.2.1', port: await freePort() } })]);
  expectWords(ended, /listen\.host/);
});

it('flags that are refused leave no data directory behind', async () => {
  const data = join(folder, 'refused');
  const { code } = await run(['serve', '--local', '--target', 'http://u:p@localhost', ...ports, '--data', data]);
  expect(code).toBe(1);
  expect(existsSync(data)).toBe(false);
});
