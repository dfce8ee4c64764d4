/** The configuration: what it takes, and that everything wrong with it is said at once, with its place and without a secret. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSecret } from '../src/config/secrets.ts';
import { ConfigError, type ConfigInput, checkConfig, loadConfig } from '../src/serve.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string, name = 'gatehouse.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function faultsOf(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const valid = {
  issuer: 'https://mcp.example',
  resources: [{ path: '/mcp', target: 'http://127.0.0.1:8000/mcp' }],
  identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'gatehouse' },
  records: { type: 'memory' },
  secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
} satisfies ConfigInput;

type Changes = Record<string, unknown>;
const check = (changes: Changes) => faultsOf(() => checkConfig('test', { ...valid, ...changes }));
const resource = (changes: Changes) => check({ resources: [{ ...valid.resources[0], ...changes }] });
const provider = (changes: Changes) => check({ identityProvider: { ...valid.identityProvider, ...changes } });

const cognito = `
issuer: https://mcp.example
listen: { port: 8080, host: 0.0.0.0 }
resources:
  - path: /ankify/mcp
    name: Ankify
    target: http://127.0.0.1:8000/mcp
    scopes: { list_decks: see your decks, generate_deck: make decks }
    defaultScope: [list_decks]
    targetSecret: { env: ANKIFY_SECRET }
    open: [{ path: /ankify/exports, target: 'http://127.0.0.1:8000/exports' }]
identityProvider:
  type: cognito
  userPoolId: eu-central-1_AbCdEf123
  domain: https://login.example
  clientId: 1example23456789
  clientSecret: { file: /run/secrets/cognito }
  issuerForm: updated
records: { type: sqlite, file: gatehouse.sqlite }
secrets: [{ id: k2, secret: { env: NEW } }, { id: k1, secret: { env: OLD } }]
lifetimes: { accessTokenSeconds: 300, graceReplays: 2 }
allowedOrigins: [https://app.example]
allowedHosts: ['10.0.0.7:8080']
`;

describe('what it takes', () => {
  it('an example for Cognito, in YAML', () => {
    expect(loadConfig(file(cognito))).toMatchObject({
      listen: { port: 8080, host: '0.0.0.0' },
      identityProvider: { type: 'cognito', clientSecret: { file: '/run/secrets/cognito' } },
      resources: [{ defaultScope: ['list_decks'], open: [{ path: '/ankify/exports' }] }],
      secrets: [{ id: 'k2' }, { id: 'k1' }],
      lifetimes: { accessTokenSeconds: 300, graceReplays: 2 },
    });
  });

  it('an example for any OpenID provider, in JSON, with the defaults filled in', () => {
    expect(loadConfig(file(JSON.stringify(valid, undefined, 2), 'gatehouse.json'))).toEqual({
      ...valid,
      listen: { host: '127.0.0.1' },
      resources: [
        {
          ...valid.resources[0],
          target: { url: 'http://127.0.0.1:8000/mcp' },
          identity: 'headers',
          scopes: { mcp: 'use its tools on your behalf' },
          open: [],
        },
      ],
      clients: [],
      assertionIssuers: [],
      audit: { records: { days: 90, openPerMinute: 120 } },
      budgets: {},
      lifetimes: {},
      allowedOrigins: [],
      allowedHosts: [],
    });
  });

  it('the example of the page that is made from the schema', () => {
    const docs = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    const example = /```yaml\n([\s\S]*?)```/.exec(docs)?.[1] ?? '';
    expect(loadConfig(file(example)).identityProvider.type).toBe('cognito');
  });

  it('the names of others’ prototypes are names like any other', () => {
    expect(resource({ scopes: { constructor: 'c', toString: 't', hasOwnProperty: 'h' } })).toEqual([]);
  });
});

describe('everything wrong with it is said at once', () => {
  it('each fault with its path', () => {
    const faults = check({
      issuer: 'mcp.example',
      listen: { port: 70_000, address: 'x' },
      resources: [
        { path: 'mcp', target: 'ftp://x', scopes: { 'two words': 'x', ok: '' } },
        { path: '/b', name: '', open: [{ path: '/../x' }], targetSecret: 'hunter2' },
      ],
      identityProvider: { type: 'cognito', userPoolId: 'pool', domain: 'login', clientId: '' },
      records: { type: 'oracle', url: 'x' },
      secrets: [{ id: 'k 1', secret: 'hunter2' }],
      lifetimes: { accessTokenSeconds: 0, codeSeconds: 601, forever: true },
      allowedOrigins: ['*', 'https://app.example/'],
      allowedHosts: [''],
      surprise: 1,
    });
    const places = faults.map((fault) => fault.slice(0, fault.indexOf(': ')));
    expect(places).toEqual(
      expect.arrayContaining([
        'issuer',
        'listen.port',
        'listen.address',
        'resources[0].path',
        'resources[0].target',
        'resources[0].scopes.two words',
        'resources[0].scopes.ok',
        'resources[1].target',
        'resources[1].name',
        'resources[1].open[0].path',
        'resources[1].open[0].target',
        'resources[1].targetSecret',
        'identityProvider.userPoolId',
        'identityProvider.domain',
        'identityProvider.clientId',
        'records.type',
        'secrets[0].id',
        'secrets[0].secret',
        'lifetimes.accessTokenSeconds',
        'lifetimes.codeSeconds',
        'lifetimes.forever',
        'allowedOrigins[0]',
        'allowedOrigins[1]',
        'allowedHosts[0]',
        'surprise',
      ]),
    );
    for (const fault of faults) expect(fault).toMatch(/^[\w[\]. ]+: \S[^\n]*$/);
  });

  it('the message names the file and has a line for each', () => {
    const path = file('issuer: 1\nsurprise: 2\n', 'bad.yaml');
    expect(() => loadConfig(path)).toThrow(ConfigError);
    try {
      loadConfig(path);
    } catch (error) {
      const { message, faults } = error as ConfigError;
      expect(message.split('\n')).toHaveLength(1 + faults.length);
      expect(message.startsWith(`${path} cannot be used:\n  - `)).toBe(true);
      expect(faults.length).toBeGreaterThanOrEqual(6);
    }
  });

  it.each([
    ['', check({ unknown: 1 })],
    ['listen.', check({ listen: { unknown: 1 } })],
    ['resources[0].', resource({ unknown: 1 })],
    ['resources[0].open[0].', resource({ open: [{ path: '/x', target: 'http://a/', unknown: 1 }] })],
    ['identityProvider.', provider({ unknown: 1 })],
    ['records.', check({ records: { type: 'memory', unknown: 1 } })],
    ['secrets[0].', check({ secrets: [{ id: 'k', secret: { env: 'A' }, unknown: 1 }] })],
    ['lifetimes.', check({ lifetimes: { unknown: 1 } })],
  ])('an unknown key below %j is refused by name', (at, faults) => {
    expect(faults).toEqual([`${at}unknown: is not a known setting`]);
  });

  it('two things that exclude each other, or stand twice, are said with both places', () => {
    const target = 'http://127.0.0.1:1/';
    expect(
      check({
        issuer: 'https://mcp.example/tenant/',
        resources: [
          { path: '/a', target, defaultScope: ['mcp', 'other'] },
          { path: '/a', target, open: [{ path: '/x', target }] },
          { path: '/b', target, open: [{ path: '/x', target }] },
        ],
        secrets: [
          { id: 'k', secret: { env: 'A' } },
          { id: 'k', secret: { env: 'B' } },
        ],
      }),
    ).toEqual([
      'issuer: must not end with a slash',
      'resources[0].defaultScope: other is not one of its scopes',
      'resources[1].path: /a is already resources[0].path',
      'resources[2].open[0].path: /x is already resources[1].open[0].path',
      'secrets[1].id: k stands twice',
    ]);
  });

  it.each([
    '',
    '/',
    'mcp',
    '/mcp/',
    '//mcp',
    '/a//b',
    '/../mcp',
    '/a/./b',
    '/a/..',
    '/.',
    '/%6dcp',
    '/a b',
    '/a?b',
    '/a#b',
    '/a;b',
    '/a\\b',
    '/é',
    '/a\n',
    'https://mcp.example/mcp',
    7,
    null,
  ])('the path %j is refused', (path) => {
    const faults = resource({ path });
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault).toMatch(/^resources\[0\]\.path: /);
  });

  it.each(['/mcp', '/a/b/c', '/v1.2/~x_y-z', '/.well-known-x', '/...'])('the path %j is taken', (path) => {
    expect(resource({ path })).toEqual([]);
  });

  it.each(['', 'localhost:8000', '//a', 'ftp://a/', 'file:///etc/passwd', 'unix:/x', 'javascript:1', 'http://', 7])(
    'the target %j is refused',
    (target) => {
      expect(resource({ target }).every((fault) => fault.startsWith('resources[0].target: '))).toBe(true);
      expect(resource({ target }).length).toBeGreaterThan(0);
    },
  );

  it.each(['*', 'app.example', 'https://app.example/', 'https://App.example', 'https://app.example:443', 'null'])(
    'the allowed origin %j equals none that a browser sends, and is refused',
    (origin) => {
      expect(check({ allowedOrigins: [origin] })).toEqual([expect.stringMatching(/^allowedOrigins\[0\]: /)]);
    },
  );

  it.each([undefined, null, 1, 'text', [], true])('a configuration that is %j', (value) => {
    const faults = faultsOf(() => checkConfig('test', value));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^configuration: /);
  });
});

describe('secrets', () => {
  const literal = 'hunter2-hunter2-hunter2-hunter2-hunter2';

  it.each([
    literal,
    { value: literal },
    { env: 'A', value: literal },
    { env: 'A', file: literal },
    { [literal]: 1 },
    [literal],
    { env: [literal] },
  ])('one that stands in the configuration is refused and not repeated (%#)', (secret) => {
    for (const faults of [
      check({ secrets: [{ id: 'k', secret }] }),
      resource({ targetSecret: secret }),
      provider({ clientSecret: secret }),
    ]) {
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join('\n')).not.toContain('hunter2');
      expect(faults[0]).toMatch(/ecret(: must be \{ "env": "NAME" \} or \{ "file": "path" \}|\.value: is not a known)/);
    }
  });

  it('one in the wrong place is not repeated either', () => {
    for (const text of [
      `identityProvider: { type: oidc, clientSecret: ${literal} `,
      `secrets: *${literal}`,
      `secrets: [a, ${literal}: &x`,
      `"${literal}`,
      `{"clientSecret": "${literal}"`,
      `\t${literal}: ${literal}`,
      `a: 1\na: ${literal}`,
    ]) {
      const faults = faultsOf(() => loadConfig(file(text)));
      expect(faults.length, text).toBeGreaterThan(0);
      expect(faults.join('\n'), text).not.toContain('hunter2');
    }
  });

  it('are read from the environment or a file, whose last newline goes', () => {
    const env = { A: 'from env', EMPTY: '' };
    expect(readSecret('s', { env: 'A' }, env)).toBe('from env');
    expect(readSecret('s', { file: file('from file\n', 'secret') })).toBe('from file');
    expect(readSecret('s', { file: file('two\n\r\n', 'secret') })).toBe('two\n');
    expect(readSecret('s', { file: file(' spaces ', 'secret') })).toBe(' spaces ');
  });

  it('that are missing are named by their setting', () => {
    const env = { EMPTY: '' };
    const messages = [
      faultsOf(() => readSecret('secrets[0].secret', { env: 'NOWHERE' }, env)),
      faultsOf(() => readSecret('secrets[0].secret', { env: 'EMPTY' }, env)),
      faultsOf(() => readSecret('secrets[0].secret', { file: join(folder, 'nowhere') })),
      faultsOf(() => readSecret('secrets[0].secret', { file: folder })),
    ];
    for (const faults of messages) expect(faults[0]).toMatch(/^secrets\[0\]\.secret: /);
    expect(messages[0]?.[0]).toContain('NOWHERE');
  });
});

describe('the file', () => {
  it.each([
    ['that is not there', () => join(folder, 'nowhere.yaml'), /cannot be read: ENOENT/],
    ['that is a folder', () => folder, /cannot be read: EISDIR/],
    ['that is neither', () => file('a: b: c: {'), /is neither JSON nor YAML/],
    ['with two documents', () => file('a: 1\n---\nb: 2\n'), /is neither JSON nor YAML/],
    ['with a key twice', () => file('issuer: https://a\nissuer: https://b\n'), /is neither JSON nor YAML/],
    [
      'with a key twice, in JSON',
      () => file('{"issuer":"https://a","issuer":"https://b"}'),
      /is neither JSON nor YAML/,
    ],
    ['that is empty', () => file(''), /configuration: /],
    ['of nulls', () => file('\0\0\0'), /neither|configuration/],
  ])('%s', (_, path, words) => {
    const faults = faultsOf(() => loadConfig(path()));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(words);
    expect(faults[0]).not.toContain('\n');
  });

  it('with aliases that multiply is refused before they do', () => {
    const levels = Array.from({ length: 20 }, (_, at) => `l${at + 1}: &l${at + 1} [${`*l${at},`.repeat(10)}]`);
    const faults = faultsOf(() => loadConfig(file(`l0: &l0 [x]\n${levels.join('\n')}\n`)));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/alias/i);
  });

  it('with a prototype in it changes no object', () => {
    const text = `${cognito}\n__proto__: { polluted: true }\nconstructor: { prototype: { polluted: true } }\n`;
    const faults = faultsOf(() => loadConfig(file(text)));
    expect(faults.join()).toContain('constructor: is not a known setting');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('with a tag makes no object of it', () => {
    for (const tag of ['!!binary aGk=', '!!timestamp 2001-01-01', '!!set { a }']) {
      expect(faultsOf(() => loadConfig(file(`issuer: ${tag}\n`))).length).toBeGreaterThan(0);
    }
  });
});
