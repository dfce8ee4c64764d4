/** The command as people run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../src/server.ts';

const BIN = fileURLToPath(new URL('../bin/local-cognito.js', import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-cognito-'));
});
afterEach(() => rm(folder, { recursive: true }));

function start(args: string[]): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** Runs to its end. */
async function run(args: string[], input = ''): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = start(args);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += chunk));
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  child.stdin?.end(input);
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** The first output line that matches. */
async function line(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (!child.stdout) throw new Error('no stdout');
  for await (const text of createInterface({ input: child.stdout })) if (pattern.test(text)) return text;
  throw new Error(`ended without ${pattern}`);
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'with no arguments but a port it serves the demo pool until %s',
  async (signal) => {
    const child = start(['--json', '--port', '0']);
    const { origin, issuer, clients } = JSON.parse(await line(child, /server\.listening/));
    expect(clients).toEqual(['localpublicclient', 'localwebclient', 'localmachineclient']);
    const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
    expect(await discovery.json()).toMatchObject({ token_endpoint: `${origin}/oauth2/token` });
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([0, null]);
  },
);

test('the greeting names what was made, and its curl line works as printed', async () => {
  const child = start(['--port', '0']);
  const curl = await line(child, /^ {2}curl /);
  const [, credentials = '', url = ''] = /-u (\S+) -d grant_type=client_credentials (\S+)$/.exec(curl) ?? [];
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  });
  expect(await response.json()).toMatchObject({ token_type: 'Bearer' });
});

test('--init writes a configuration that starts, and never overwrites one', async () => {
  expect(await run(['--init'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Wrote local-cognito.json') });
  const written = await readFile(join(folder, 'local-cognito.json'), 'utf8');
  expect(parseConfig(JSON.parse(written)).clients).toHaveLength(3);
  expect(await run(['--init'])).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });
  const child = start(['--json', '--port', '0', '--config', 'local-cognito.json', '--state', 'state.json']);
  await line(child, /server\.listening/);
  expect(JSON.parse(await readFile(join(folder, 'state.json'), 'utf8'))).toMatchObject({ version: 1 });
});

test('--hash prints a hash the configuration takes', async () => {
  const { code, stdout } = await run(['--hash'], 'Some-Password-1\n');
  expect(code).toBe(0);
  const users = [{ username: 'u', email: 'u@example.com', passwordHash: stdout.trim() }];
  const clients = [{ clientId: 'a', callbackUrls: ['http://localhost/'] }];
  expect(parseConfig({ users, clients }).users[0]?.passwordHash).toBe(stdout.trim());
});

test('a port in use is one clear line', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run(['--port', String(port)]);
  other.close();
  expect(code).toBe(1);
  expect(stderr).toBe(`local-cognito: port ${port} is in use; choose another with --port, or 0 for any free one\n`);
});

test.each<[string, string[], string]>([
  ['unknown option', ['--colour'], "Unknown option '--colour'"],
  ['a stray word', ['serve'], 'serve'],
  ['bad port', ['--port', '70000'], '--port 70000: a number from 0 to 65535 is needed'],
  ['no such file', ['--config', 'missing.json'], 'missing.json: one fault\n  no such file'],
  ['faulty file', ['--config', 'faulty.json'], 'clients[0].callbackUrls: at least one is needed'],
  ['the demo pool on all addresses', ['--host', '0.0.0.0'], 'stays on 127.0.0.1'],
  ['bad origin', ['--port', '0', '--origin', 'nonsense'], 'is not an origin'],
  ['state in no folder', ['--port', '0', '--state', 'no/such/state.json'], 'no/such'],
])('a mistake is explained on standard error, without a stack: %s', async (_, args, message) => {
  await writeFile(join(folder, 'faulty.json'), '{"clients":[{"clientId":"a"}]}');
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test('--help lists every option', async () => {
  const { code, stdout } = await run(['--help']);
  expect(code).toBe(0);
  for (const option of ['config', 'port', 'host', 'origin', 'state', 'json', 'init', 'hash']) {
    expect(stdout).toContain(`--${option}`);
  }
});
