/** Faults found in src/config and src/assemble.ts; each test passes once its fault is mended. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { readSecret } from '../src/config/secrets.ts';
import { type Config, ConfigError, type ConfigInput, checkConfig, loadConfig } from '../src/serve.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const target = 'http://127.0.0.1:8000/mcp';
process.env.GATEHOUSE_TEST_LONG = 'a secret of thirty-two bytes, or a little more than that';
process.env.GATEHOUSE_TEST_SHORT = 'short';

const valid = {
  issuer: 'https://mcp.example',
  resources: [{ path: '/mcp', target }],
  identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'gatehouse' },
  records: { type: 'memory' },
  secrets: [{ id: 'k1', secret: { env: 'GATEHOUSE_TEST_LONG' } }],
} satisfies ConfigInput;

async function refusalOf(changes: Record<string, unknown>): Promise<unknown> {
  try {
    const gateway = await assemble(checkConfig('test', { ...valid, ...changes }) as Config, { log: () => {} });
    await gateway.close();
  } catch (error) {
    return error;
  }
  return undefined;
}

// load.ts:61: only the slash is looked at. What `gatehouse()` finds then is a TypeError, which the command line shows as
// a fault of ours with a stack (cli.ts:44), alone and without the others (architecture §6).
it.each([
  'http://mcp.example',
  'https://mcp.example?tenant=1',
  'https://mcp.example#x',
  'https://user:pass@mcp.example',
  'https://MCP.example',
  'https://mcp.example:443',
  'https://mcp.example/a/../b',
  'https://mcp.example/a b',
])('the issuer %j is a fault of the configuration', async (issuer) => {
  const error = await refusalOf({ issuer });
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).faults.join('\n')).toMatch(/^issuer: /m);
});

// load.ts:76: `in` finds the names of Object.prototype, so the fault comes later, as a TypeError with a stack.
it.each(['constructor', 'toString', '__proto__'])('the default scope %s is not one of its scopes', async (scope) => {
  const error = await refusalOf({ resources: [{ path: '/mcp', target, defaultScope: [scope] }] });
  expect(error).toBeInstanceOf(ConfigError);
});

// load.ts:64: paths that are somebody else's. A resource at /token takes the token endpoint's place, one at /healthz or
// below a well-known path is never reached, and nothing says so until somebody tries.
it.each([
  '/token',
  '/authorize',
  '/consent',
  '/callback',
  '/register',
  '/healthz',
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-protected-resource/mcp',
])('the path %s is taken by the gateway itself', async (path) => {
  const error = await refusalOf({
    resources: [
      { path: '/mcp', target },
      { path, target },
    ],
  });
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).faults.join()).toContain('resources[1].path');
});

it('a path below the issuer’s own is taken too', async () => {
  const resources = [{ path: '/tenant/token', target }];
  expect(await refusalOf({ issuer: 'https://mcp.example/tenant', resources })).toBeInstanceOf(ConfigError);
});

// load.ts:65: `/exports` and `/exports/` are one prefix (open-path.ts:14); the second is never reached.
it('an open path is the same with a slash at its end', async () => {
  const open = [
    { path: '/exports', target: 'http://127.0.0.1:1/a' },
    { path: '/exports/', target: 'http://127.0.0.1:1/b' },
  ];
  expect(await refusalOf({ resources: [{ path: '/mcp', target, open }] })).toBeInstanceOf(ConfigError);
});

// open-path.ts:15: the query and fragment of an open target, and the user in any target, are lost without a word; a
// password in a URL is a secret in the configuration besides.
it.each([
  ['open target with a query', { open: [{ path: '/x', target: 'http://127.0.0.1:1/a?token=1' }] }],
  ['target with a user', { target: 'http://user:hunter2@127.0.0.1:1/mcp' }],
  ['target with a fragment', { target: 'http://127.0.0.1:1/mcp#x' }],
])('%s is refused', async (_, changes) => {
  const error = await refusalOf({ resources: [{ path: '/mcp', target, ...changes }] });
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).not.toContain('hunter2');
});

// assemble.ts:42–51: secrets are read one after the other, after the database has been opened: the operator learns of
// one at a time, and a start that fails leaves a database file behind (and, on a fault, an open one).
it('secrets that are missing or too short are said together, before anything is opened', async () => {
  const file = join(folder, 'gatehouse.sqlite');
  const error = await refusalOf({
    records: { type: 'sqlite', file },
    resources: [{ path: '/mcp', target, targetSecret: { env: 'GATEHOUSE_TEST_NOWHERE_1' } }],
    identityProvider: { ...valid.identityProvider, clientSecret: { env: 'GATEHOUSE_TEST_NOWHERE_2' } },
    secrets: [
      { id: 'k1', secret: { file: join(folder, 'nowhere') } },
      { id: 'k2', secret: { env: 'GATEHOUSE_TEST_SHORT' } },
    ],
  });
  expect(error).toBeInstanceOf(ConfigError);
  const places = (error as ConfigError).faults.map((fault) => fault.split(': ')[0]);
  expect(places.sort()).toEqual([
    'identityProvider.clientSecret',
    'resources[0].targetSecret',
    'secrets[0].secret',
    'secrets[1].secret',
  ]);
  expect(readdirSync(folder)).toEqual([]);
});

// keyring.ts through assemble.ts:48: too short a secret is a TypeError with a stack, and not by its setting.
it('a secret that is too short is a fault of the configuration', async () => {
  const error = await refusalOf({ secrets: [{ id: 'k1', secret: { env: 'GATEHOUSE_TEST_SHORT' } }] });
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).not.toContain('short"');
});

// A targetSecret that no header can hold (RFC 9110 §5.5) or that is nothing: the target would believe everybody, or each
// request would fail.
it.each(['', '\n', ' '])('a target’s secret %j is a fault of the configuration', async (text) => {
  const path = join(folder, 'target-secret');
  writeFileSync(path, text);
  const error = await refusalOf({ resources: [{ path: '/mcp', target, targetSecret: { file: path } }] });
  rmSync(path);
  expect(error).toBeInstanceOf(ConfigError);
});

// secrets.ts:9: `process.env.constructor` is a function, and "set".
it.each(['constructor', 'toString', '__proto__'])('the variable %s is not set', (name) => {
  expect(() => readSecret('secrets[0].secret', { env: name })).toThrow(ConfigError);
});

// load.ts:35–43: faults across settings are looked for only when there are no others: mend, start, and be told more.
it('faults across settings stand beside the others', () => {
  let faults: readonly string[] = [];
  try {
    checkConfig('test', { ...valid, surprise: 1, resources: [{ path: '/mcp', target, defaultScope: ['other'] }] });
  } catch (error) {
    faults = (error as ConfigError).faults;
  }
  expect(faults).toEqual(
    expect.arrayContaining([
      'surprise: is not a known setting',
      'resources[0].defaultScope: other is not one of its scopes',
    ]),
  );
});

// load.ts:28: a tag nobody knows is a warning of the process, several lines with the text around it, and no fault.
it('an unknown YAML tag is a fault, and nothing is written beside it', () => {
  const path = join(folder, 'tag.yaml');
  writeFileSync(path, 'issuer: !hunter2 https://mcp.example\n');
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    expect(() => loadConfig(path)).toThrow(/issuer|neither|tag/);
    expect(warned).not.toHaveBeenCalled();
  } finally {
    warned.mockRestore();
    rmSync(path);
  }
});
