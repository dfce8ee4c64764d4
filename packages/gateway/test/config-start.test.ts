/** Faults that only show where settings meet each other, the gateway's own paths, or the secrets: all before anything is opened. */
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

// What `gatehouse()` would refuse is said here, beside the other faults (architecture §6).
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

it.each(['constructor', 'toString', '__proto__'])('the default scope %s is not one of its scopes', async (scope) => {
  const error = await refusalOf({ resources: [{ path: '/mcp', target, defaultScope: [scope] }] });
  expect(error).toBeInstanceOf(ConfigError);
});

// A resource at /token would take the token endpoint's place, one at /healthz would never be reached.
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

it('an open path is the same with a slash at its end', async () => {
  const open = [
    { path: '/exports', target: 'http://127.0.0.1:1/a' },
    { path: '/exports/', target: 'http://127.0.0.1:1/b' },
  ];
  expect(await refusalOf({ resources: [{ path: '/mcp', target, open }] })).toBeInstanceOf(ConfigError);
});

// They would be lost without a word, and a password in a URL is a secret in the configuration.
it.each([
  ['open target with a query', { open: [{ path: '/x', target: 'http://127.0.0.1:1/a?token=1' }] }],
  ['target with a user', { target: 'http://user:hunter2@127.0.0.1:1/mcp' }],
  ['target with a fragment', { target: 'http://127.0.0.1:1/mcp#x' }],
])('%s is refused', async (_, changes) => {
  const error = await refusalOf({ resources: [{ path: '/mcp', target, ...changes }] });
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).not.toContain('hunter2');
});

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

// `process.env.constructor` is a function.
it.each(['constructor', 'toString', '__proto__'])('the variable %s is not set', (name) => {
  expect(() => readSecret('secrets[0].secret', { env: name })).toThrow(ConfigError);
});

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

it('what is wrong with tools, roles, lifetimes and the rest is said at once', () => {
  const tools = { a: { scope: 'nope' } };
  const wrong = {
    surprise: 1,
    resources: [
      { path: '/mcp', target, tools },
      { path: '/b', target, tools },
      { path: '/c', target, scopeHierarchy: { write: ['mcp'] } },
    ],
    roles: { everyone: ['boss'], roles: {} },
    lifetimes: { identityStaleSeconds: 5 },
    budgets: { token: true },
    audit: { records: true },
  };
  let faults: readonly string[] = [];
  try {
    checkConfig('test', { ...valid, ...wrong });
  } catch (error) {
    faults = (error as ConfigError).faults;
  }
  expect(faults.map((fault) => fault.split(': ')[0]).sort()).toEqual([
    'audit.records',
    'budgets.token',
    'lifetimes.identityStaleSeconds',
    'resources[0].tools.a',
    'resources[1].tools.a',
    'resources[2].scopeHierarchy',
    'roles.everyone',
    'surprise',
  ]);
  expect(faults.join('\n')).not.toContain('Invalid input');
});

it('a provider that is set up wrongly leaves no database behind', async () => {
  const file = join(folder, 'never.sqlite');
  process.env.GATEHOUSE_TEST_PROVIDER = 'a secret of the provider';
  const clientSecret = { env: 'GATEHOUSE_TEST_PROVIDER' };
  const identityProvider = { type: 'entra', clientId: 'x', clientSecret, tenant: 'common' };
  expect(await refusalOf({ records: { type: 'sqlite', file }, identityProvider })).toBeInstanceOf(ConfigError);
  expect(readdirSync(folder)).toEqual([]);
});
