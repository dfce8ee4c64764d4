/** The command line: what it says, where it says it, and how it ends when it cannot start. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatehouse, run } from './command.ts';
import { freePort } from './harness.ts';

let folder: string;
let taken: Server;
let takenPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'));
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = (taken.address() as { port: number }).port;
});
afterAll(() => {
  taken.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('what it is asked', () => {
  it.each([[['--help']], [['help']]])('%j: the commands, on standard output', async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^gatehouse – /);
    for (const word of ['serve', 'help', 'version', '--local --target']) expect(stdout).toContain(word);
    expect(stderr).toBe('');
  });

  it.each([[['serve', '--help']], [['help', 'serve']]])('%j: every flag of serve', async (args) => {
    const { code, stdout, stderr } = await run(args, { cwd: folder });
    expect(code).toBe(0);
    for (const flag of ['target', 'local', 'config', 'issuer', 'port', 'sign-in-port', 'path', 'name', 'data', 'log']) {
      expect(stdout).toContain(`--${flag}`);
    }
    expect(stderr).toBe('');
  });

  it.each([[['version']], [['--version']]])('%j: the version and nothing else', async (args) => {
    expect(await run(args)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe.concurrent('what is no command: exit code 2, on standard error', () => {
  it.each([
    [[], 'Say what to do.'],
    [['surf'], 'There is no command "surf".'],
    [['serve'], '--target'],
    [['serve', '--target', 'http://localhost:1/mcp'], '--local'],
    [['serve', '--local'], '--target'],
    [['serve', '--tarket', 'x'], '--tarket'],
    [['serve', 'http://localhost:1/mcp'], 'http://localhost:1/mcp'],
    [['serve', '--local', '--target', 'http://localhost:1/', '--port', '0'], '--port'],
    [['serve', '--local', '--target', 'http://localhost:1/', '--port', '65535'], '--port'],
    [['serve', '--local', '--target', 'http://localhost:1/', '--sign-in-port', 'x'], '--sign-in-port'],
    [['serve', '--local', '--target', 'http://localhost:1/', '--log', 'xml'], '--log'],
    [['serve', '--config', 'x.yaml', '--port', '80'], '--port'],
  ] as ReadonlyArray<[string[], string]>)('%j', async (args, words) => {
    const { code, stdout, stderr } = await run(args, { cwd: folder });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
    expect(stderr).toContain('gatehouse serve');
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
    expect(existsSync(join(folder, '.gatehouse'))).toBe(false);
  });
});

describe('what cannot start: exit code 1, in words and without a stack', () => {
  it('a configuration with faults: every one of them', async () => {
    const config = file(
      'bad.yaml',
      'issuer: 1\nsurprise: 2\nresources: [{ path: x, target: y, open: [{}] }]\nsecrets: []\n',
    );
    const { code, stdout, stderr } = await run(['serve', '--config', config]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    for (const place of [
      'issuer',
      'surprise',
      'resources[0].path',
      'resources[0].target',
      'resources[0].open[0].path',
    ]) {
      expect(stderr).toContain(`  - ${place}: `);
    }
    for (const place of ['secrets', 'records', 'identityProvider']) expect(stderr).toContain(`  - ${place}: `);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
  });

  it('a configuration that is not there, and a secret that is not set', async () => {
    const missing = await run(['serve', '--config', join(folder, 'nowhere.yaml')]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('nowhere.yaml cannot be used')]);
    const config = file(
      'unset.json',
      JSON.stringify({
        issuer: 'http://localhost:1',
        resources: [{ path: '/mcp', target: 'http://localhost:1/' }],
        identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'x' },
        records: { type: 'memory' },
        secrets: [{ id: 'k', secret: { env: 'GATEHOUSE_TEST_UNSET' } }],
      }),
    );
    const unset = await run(['serve', '--config', config]);
    expect(unset.code).toBe(1);
    expect(unset.stderr).toContain('secrets[0].secret: the environment variable GATEHOUSE_TEST_UNSET is not set');
  });

  it('flags that make no configuration', async () => {
    const { code, stderr } = await run(
      [
        'serve',
        '--local',
        '--target',
        'http://u:p@localhost',
        '--path',
        'mcp',
        '--issuer',
        'x',
        '--data',
        join(folder, 'd'),
      ],
      { cwd: folder },
    );
    expect(code).toBe(1);
    for (const place of ['issuer', 'resources[0].path', 'resources[0].target'])
      expect(stderr).toContain(`- ${place}: `);
  });

  it('a target that is no URL, named by its flag', async () => {
    const { code, stderr } = await run(['serve', '--local', '--target', 'localhost:8000'], { cwd: folder });
    expect([code, stderr.split('\n')[0]]).toEqual([2, '--target takes a URL such as http://localhost:8000/mcp.']);
  });

  it.each(['--port', '--sign-in-port'])('a port in use: one line that names %s', async (flag) => {
    const other = flag === '--port' ? '--sign-in-port' : '--port';
    const data = join(folder, `data${flag}`);
    const { code, stdout, stderr } = await run([
      ...['serve', '--local', '--log', 'none', '--target', 'http://localhost:1/', '--data', data],
      ...[flag, String(takenPort), other, String(await freePort())],
    ]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      `Port ${takenPort}, meant for ${flag === '--port' ? 'the gateway' : 'the sign-in page'}, is in use: choose another with ${flag}.\n`,
    );
  });

  it('a data directory that is a file', async () => {
    const { code, stderr } = await run([
      'serve',
      '--local',
      '--target',
      'http://localhost:1/',
      '--data',
      file('plain', ''),
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^EEXIST[^\n]*plain[^\n]*\n$/);
  });
});

// At once: who waits for these words may stop it in the next moment.
it.each([1, 2, 3])('SIGINT right after it says that it runs: an end in order, with 0 (%d)', async () => {
  const port = await freePort();
  const command = gatehouse([
    ...['serve', '--local', '--target', 'http://localhost:1/mcp', '--data', join(folder, 'sigint')],
    ...['--port', String(port), '--sign-in-port', String(await freePort())],
  ]);
  await command.said('press Ctrl+C');
  expect(command.stdout()).toContain(`Gatehouse is running at http://localhost:${port}`);
  expect(command.stdout()).toContain(`http://localhost:${port}/mcp`);
  expect(command.stdout()).toMatch(/Demo user +demo\n +Password +\S+/);
  command.child.kill('SIGINT');
  expect((await command.ended).code).toBe(0);
});
