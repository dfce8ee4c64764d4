/** `gatehouse init` without questions: what it writes for every provider and database, and what it refuses. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { checkConfig, parseConfig } from '../../src/config/load.ts';
import { isStdio } from '../../src/config/target.ts';
import { type Answers, databaseDefault, recordsForms, sampleAnswers, wordsOf } from '../../src/init/answers.ts';
import { checkedConfiguration, configurationText } from '../../src/init/configuration.ts';
import { providerForms, providerTypes } from '../../src/init/providers.ts';
import { loadConfig } from '../../src/serve.ts';
import { run } from '../command.ts';

const root = mkdtempSync(join(tmpdir(), 'gatehouse-init-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'one-'));
});

const init = (...args: string[]) => run(['init', ...args], { cwd: folder });
const most = ['--target', 'http://localhost:8000/mcp', '--issuer', 'https://mcp.example.com'];
const flagsOf = (provider: keyof typeof providerForms) =>
  providerForms[provider].fields.flatMap(({ flag, example }) => [`--${flag}`, example]);
const google = ['--provider', 'google', ...flagsOf('google')];

describe.each(providerTypes)('%s', (provider) => {
  const issuer = provider === 'local' ? 'http://localhost:8080' : 'https://mcp.example.com';
  const args = [
    '--target',
    'http://localhost:8000/mcp',
    '--issuer',
    issuer,
    '--provider',
    provider,
    ...flagsOf(provider),
  ];

  it('writes a configuration that loads, with its comments, and says what is next', async () => {
    const { code, stdout, stderr } = await init(...args, '--json');
    expect([code, stderr]).toEqual([0, '']);
    const report = JSON.parse(stdout) as { files: Array<{ file: string }> } & Record<string, unknown>;
    const hasSecret = providerForms[provider].secret !== 'none';
    expect(report).toMatchObject({
      config: 'gatehouse.yaml',
      redirectUri: `${issuer}/callback`,
      register: providerForms[provider].register,
      variables: hasSecret ? ['GATEHOUSE_CLIENT_SECRET'] : [],
    });
    expect(report.next).toEqual(
      expect.arrayContaining(['gatehouse check --config gatehouse.yaml', 'gatehouse serve --config gatehouse.yaml']),
    );
    const config = loadConfig(join(folder, 'gatehouse.yaml'));
    expect(config.issuer).toBe(issuer);
    expect(config.identityProvider).toMatchObject({ type: provider === 'local' ? 'cognito' : provider });
    for (const { setting, example } of providerForms[provider].fields) {
      expect(config.identityProvider).toHaveProperty(setting, example);
    }
    const text = readFileSync(join(folder, 'gatehouse.yaml'), 'utf8');
    expect(text.match(/^ *# .+/gm)?.length).toBeGreaterThan(30);
    expect(text).toContain(`${issuer}/callback`);
    // Files with a secret are their owner's alone; the operator's has enough of it.
    for (const name of readdirSync(folder)) {
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([
        name,
        name === 'gatehouse.yaml' ? 0o644 : 0o600,
      ]);
    }
    expect(readFileSync(join(folder, 'gatehouse.secret'), 'utf8').trim().length).toBeGreaterThanOrEqual(64);
    expect(readdirSync(folder).sort()).toEqual(
      provider === 'local'
        ? ['gatehouse.client.secret', 'gatehouse.secret', 'gatehouse.user-pool.json', 'gatehouse.yaml']
        : ['gatehouse.secret', 'gatehouse.yaml'],
    );
    expect(text).not.toContain(readFileSync(join(folder, 'gatehouse.secret'), 'utf8').trim());
  });

  it.each(Object.keys(recordsForms) as Answers['records'][])(
    'with %s: every setting that is switched off can be switched on',
    (records) => {
      const file = join(folder, 'x.yaml');
      const database = databaseDefault(records, file);
      for (const target of ['http://localhost:8000/mcp', 'npx -y some-server "two words"']) {
        const { text } = checkedConfiguration({ ...sampleAnswers(file, provider), target, records, database }, file);
        const lines = text.split('\n');
        const off = lines.flatMap((line, index) => (/^ *#[A-Za-z]/.test(line) ? [index] : []));
        expect(off.length).toBeGreaterThan(12);
        for (const index of off) {
          const on = lines.map((line, at) => (at === index ? line.replace('#', '') : line)).join('\n');
          const source = lines[index] ?? '';
          expect(checkConfig(source, parseConfig(source, on)), source).not.toEqual(
            checkConfig(source, parseConfig(source, text)),
          );
        }
      }
    },
  );
});

describe('what is there', () => {
  it('is never written over; with --force the configuration is, and no secret', async () => {
    writeFileSync(join(folder, 'gatehouse.yaml'), 'mine');
    const refused = await init(...most, ...google);
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('say --force') });
    expect(readFileSync(join(folder, 'gatehouse.yaml'), 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['gatehouse.yaml']);

    expect((await init(...most, ...google, '--force')).code).toBe(0);
    const secret = readFileSync(join(folder, 'gatehouse.secret'), 'utf8');
    const again = await init(...most, ...google, '--force', '--path', '/other');
    expect(again.stdout).toContain(`Kept     ${join(folder, 'gatehouse.secret')}`);
    expect(readFileSync(join(folder, 'gatehouse.secret'), 'utf8')).toBe(secret);
    expect(loadConfig(join(folder, 'gatehouse.yaml')).resources[0]?.path).toBe('/other');
    expect(readdirSync(folder).sort()).toEqual(['gatehouse.secret', 'gatehouse.yaml']);
  });
});

describe('what is refused leaves nothing behind', () => {
  it.each<[code: number, words: string, args: string[]]>([
    [2, '--target: URL of the MCP server', []],
    [2, '--provider: cognito, google', [...most]],
    [2, '--user-pool-id: User pool id, such as eu-central-1_AbCdEf123', [...most, '--provider', 'cognito']],
    [2, '--database: Connection string', [...most, ...google, '--records', 'postgres']],
    [2, '--provider takes cognito', [...most, '--provider', 'myspace']],
    [2, '--records takes sqlite', [...most, ...google, '--records', 'paper']],
    [2, '--tenant is no setting of --provider google', [...most, ...google, '--tenant', 'x']],
    [2, '--public-client is for cognito and oidc', [...most, ...google, '--public-client']],
    [2, 'what is "b.yaml"?', ['a.yaml', 'b.yaml', ...most, ...google]],
    [2, 'A local user pool is for this computer', [...most, '--provider', 'local']],
    [1, 'issuer: must be https', ['--target', 'http://localhost:1', '--issuer', 'http://mcp.example.com', ...google]],
    [1, 'resources[0].target', ['--target', 'ftp://files', '--issuer', 'https://mcp.example.com', ...google]],
    [1, 'resources[0].path: must be a path', [...most, ...google, '--path', 'mcp']],
    [
      1,
      'tenant: "common" lets in people of every directory',
      [...most, '--provider', 'entra', '--tenant', 'common', '--client-id', 'x'],
    ],
    [
      1,
      'records.connectionString: must hold no password',
      [...most, ...google, '--records', 'postgres', '--database', 'postgres://me:pw@db/x'],
    ],
  ])('%d: %s', async (code, words, args) => {
    const ended = await init(...args);
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(words) });
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('every flag that is missing is named at once', async () => {
    const { stderr } = await init('--provider', 'keycloak');
    for (const flag of ['target', 'issuer', 'base-url', 'realm', 'client-id']) expect(stderr).toContain(`--${flag}: `);
  });
});

describe('whatever is answered stays what was answered', () => {
  const answers = (changes: Partial<Answers>): Answers => ({ ...sampleAnswers('/tmp/x.yaml'), ...changes });
  const loaded = (changes: Partial<Answers>) =>
    checkConfig('x', parseConfig('x', configurationText(answers(changes), '/tmp/x.yaml')));

  it('names, of any characters', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme-composite' }), (name) => {
        fc.pre(name.length <= 80);
        expect(loaded({ name }).resources[0]?.name).toBe(name);
      }),
    );
    for (const name of [
      'yes',
      '1e3',
      '# no comment',
      '"',
      "it's: {x}",
      'a\nissuer: https://evil',
      '- x',
      '\u2028',
      ' ',
    ]) {
      expect(loaded({ name }).resources[0]?.name).toBe(name);
    }
  });

  it('commands, word by word', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 5 }), (words) => {
        const quoted = words.map((word) => `"${word.replace(/["\\]/g, '\\$&')}"`).join(' ');
        expect(wordsOf(quoted)).toEqual(words);
      }),
    );
    expect(wordsOf(`npx -y 'a b' c\\ d "e \\"f\\"" g'h'i`)).toEqual(['npx', '-y', 'a b', 'c d', 'e "f"', 'ghi']);
    const { target } = loaded({ target: 'node server.js "--name=a: b" \'#\'' }).resources[0] ?? {};
    expect(target && isStdio(target) && [target.command, ...target.args]).toEqual([
      'node',
      'server.js',
      '--name=a: b',
      '#',
    ]);
  });

  it('an issuer cannot leave its comment', () => {
    const text = configurationText(
      answers({ issuer: 'https://x\nsecrets: []', path: '/p\nrecords: {}' }),
      '/tmp/x.yaml',
    );
    expect(text).not.toMatch(/^secrets: \[\]|^records: \{\}/m);
  });
});
