/** The configuration: defaults, and every fault named at once. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_CONFIG } from '../src/default-config.ts';
import { hashPassword } from '../src/password.ts';
import { type Config, ConfigError, loadConfig, parseConfig, startLocalCognito } from '../src/server.ts';
import { CONFIG, PASSWORD, startPool } from './support/pool.ts';

function faultsOf(value: unknown): readonly string[] {
  try {
    parseConfig(value);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const client = { clientId: 'a', callbackUrls: ['http://localhost/cb'] };
const user = { username: 'u', email: 'u@example.com', password: 'p' };

test('a client id and a callback are enough; the rest are Cognito’s defaults', () => {
  expect(parseConfig({ clients: [client] })).toMatchObject({
    poolId: 'eu-central-1_Local0001',
    selfSignUp: true,
    passwordPolicy: { minimumLength: 8, requireSymbols: true },
    clients: [
      {
        allowedOAuthFlows: ['code'],
        allowedScopes: ['openid', 'email', 'profile'],
        accessTokenValiditySeconds: 3600,
        idTokenValiditySeconds: 3600,
        refreshTokenValiditySeconds: 2_592_000,
      },
    ],
  });
  expect(faultsOf(DEFAULT_CONFIG)).toEqual([]);
});

test('all faults are reported together, each with its path', () => {
  const faults = faultsOf({
    poolId: 'nonsense',
    users: [{ ...user, colour: 'blue' }],
    clients: [{ clientId: 'a b', accessTokenValiditySeconds: 1 }],
  });
  expect(faults.map((fault) => fault.split(':')[0])).toEqual([
    'poolId',
    'users[0]',
    'clients[0].clientId',
    'clients[0].accessTokenValiditySeconds',
    'clients[0].callbackUrls',
  ]);
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, '(root)'],
  ['no clients', { clients: [] }, 'clients: a pool without an app client'],
  ['unknown key', { clients: [client], color: 1 }, '(root): Unrecognized key: "color"'],
  ['twice the same client', { clients: [client, client] }, 'clients[1].clientId: "a" is there twice'],
  [
    'twice the same user',
    { clients: [client], users: [user, { ...user, username: 'U', email: 'v@example.com' }] },
    'users[1].username: "u"',
  ],
  ['twice the same address', { clients: [client], users: [user, { ...user, username: 'v' }] }, 'users[1].email'],
  [
    'unknown group',
    { clients: [client], users: [{ ...user, groups: ['x'] }] },
    'users[0].groups[0]: no group named "x"',
  ],
  ['no username', { clients: [client], users: [{ ...user, username: undefined }] }, 'users[0].username'],
  ['no password', { clients: [client], users: [{ ...user, password: undefined }] }, 'users[0].password'],
  [
    'two passwords',
    { clients: [client], users: [{ ...user, passwordHash: `scrypt$16384$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}` }] },
    'users[0].password',
  ],
  [
    'costly hash',
    {
      clients: [client],
      users: [
        { ...user, password: undefined, passwordHash: `scrypt$999999999$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}` },
      ],
    },
    'users[0].passwordHash',
  ],
  [
    'claim as attribute',
    { clients: [client], users: [{ ...user, attributes: { sub: 'x' } }] },
    'users[0].attributes.sub',
  ],
  ['unknown scope', { clients: [{ ...client, allowedScopes: ['offline_access'] }] }, 'clients[0].allowedScopes[0]'],
  ['no callback', { clients: [{ clientId: 'a' }] }, 'clients[0].callbackUrls'],
  ['http elsewhere', { clients: [{ ...client, callbackUrls: ['http://example.com/'] }] }, 'http is for localhost only'],
  [
    'http like localhost',
    { clients: [{ ...client, callbackUrls: ['http://localhost.evil.com/'] }] },
    'http is for localhost only',
  ],
  ['fragment', { clients: [{ ...client, callbackUrls: ['https://x.example/#a'] }] }, 'must not have a fragment'],
  ['script', { clients: [{ ...client, callbackUrls: ['javascript:alert(1)'] }] }, 'a scheme no app can own'],
  ['relative', { clients: [{ ...client, logoutUrls: ['/bye'] }] }, 'clients[0].logoutUrls[0]: not an absolute URL'],
  [
    'machine without secret',
    { clients: [{ clientId: 'a', allowedOAuthFlows: ['client_credentials'] }] },
    'clients[0].clientSecret',
  ],
  [
    'machine and code',
    { clients: [{ ...client, allowedOAuthFlows: ['code', 'client_credentials'] }] },
    'clients[0].allowedOAuthFlows',
  ],
  [
    'grace of an hour',
    { clients: [{ ...client, refreshTokenRotation: { retryGracePeriodSeconds: 3600 } }] },
    'clients[0].refreshTokenRotation.retryGracePeriodSeconds',
  ],
])('refuses: %s', (_, value, fault) => {
  expect(faultsOf(value).join('\n')).toContain(fault);
});

test('a file that is missing or not JSON is said so, with its path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'local-cognito-'));
  const path = join(folder, 'pool.json');
  await expect(loadConfig(path)).rejects.toThrow(
    `${path}: one fault\n  no such file; \`local-cognito --init\` writes one`,
  );
  await writeFile(path, '{"clients": [');
  await expect(loadConfig(path)).rejects.toThrow('not JSON');
  await writeFile(path, JSON.stringify(CONFIG));
  const pool = await startLocalCognito({ config: path });
  expect(pool.issuer).toBe(`${pool.origin}/eu-central-1_Test0001`);
  await pool.close();
  await rm(folder, { recursive: true });
});

test('a hashed password signs in', async () => {
  const users = [{ username: 'ada', email: 'ada@example.com', passwordHash: await hashPassword(PASSWORD) }];
  const config: Config = { ...CONFIG, users };
  const pool = await startPool({ config });
  expect((await pool.signIn()).has('code')).toBe(true);
});

test.each(['localhost:3000', 'https://x.example/path', 'https://user@x.example', 'ftp://x.example'])(
  'publicOrigin %s is refused',
  async (publicOrigin) => {
    await expect(startLocalCognito({ config: CONFIG, publicOrigin })).rejects.toThrow('is not an origin');
  },
);
