/** The command line as a whole: it teaches, it loads no more than it needs, and it says what was meant. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli.ts';
import { run } from '../command.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([...commands.keys()])('%s', (name) => {
  it('--help teaches: what it is for, an example, --json, exit codes; the same by help', async () => {
    const asked = await run([name, '--help'], { cwd: folder });
    expect([asked.code, asked.stderr]).toEqual([0, '']);
    const [title = '', , example = ''] = asked.stdout.split('\n');
    expect(title).toMatch(new RegExp(`^gatehouse ${name} – `));
    expect(example).toMatch(new RegExp(`^ {2}gatehouse .*\\b${name}\\b|^ {2}gatehouse ${name}|\\| gatehouse ${name}`));
    for (const words of ['--json', '--help', 'Exit codes: 0 ', '2 wrong']) expect(asked.stdout).toContain(words);
    for (const line of asked.stdout.split('\n')) expect([line, line.length <= 84]).toEqual([line, true]);
    expect(await run(['help', name], { cwd: folder })).toEqual(asked);
  });

  it('an option that it does not know ends with 2, and the way to help', async () => {
    const { code, stdout, stderr } = await run([name, '--no-such-option'], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/no-such-option/);
    expect(stderr).toContain(`gatehouse ${name} --help shows how.`);
  });
});

/** Every module that the process loads, on standard error. */
const watch = join(folder, 'watch.mjs');
writeFileSync(
  watch,
  `import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`,
);
const loaded = async (...args: string[]) => {
  const { code, stderr } = await run(args, { cwd: folder, env: { NODE_OPTIONS: `--import=${watch}` } });
  expect(code).toBe(0);
  return stderr.trimEnd().split('\n');
};

describe('start-up', () => {
  it.each([[['--help']], [['version']]])('%j loads the command line and no command', async (args) => {
    const own = (await loaded(...args)).filter((url) => url.startsWith('file:'));
    expect(own.map((url) => url.replace(/^.*\/gateway\//, ''))).toEqual([
      'bin/gatehouse.js',
      'src/cli.ts',
      'src/commands/usage.ts',
    ]);
  });

  it.each(['doctor', 'tail', 'keys', 'users'])('%s --help loads no database driver', async (name) => {
    const drivers = (await loaded(name, '--help')).filter((url) =>
      /node_modules\/(pg|ioredis)\/|node:sqlite/.test(url),
    );
    expect(drivers).toEqual([]);
  });
});

it.each([
  ['chek', 'Is it check?'],
  ['grant', 'Is it grants?'],
  ['tial', 'Is it tail?'],
  ['record', 'Is it records?'],
])('"%s": %s', async (typed, words) => {
  const { code, stdout, stderr } = await run([typed]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`There is no command "${typed}". ${words}\n`);
});

it('nothing like a command is not taken for one', async () => {
  expect((await run(['xyzzy'])).stderr).toMatch(/^There is no command "xyzzy"\.\n/);
  expect((await run(['help', 'xyzzy'])).code).toBe(2);
});

it('whoever stops reading sees no stack', async () => {
  const bin = fileURLToPath(new URL('../../bin/gatehouse.js', import.meta.url));
  const child = spawn(process.execPath, [bin, 'check', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  // Long before it has something to say.
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  expect([code, stderr]).toEqual([0, '']);
});
