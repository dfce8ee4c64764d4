/** Options: everything wrong is said at once, at start, each with its path (architecture §6). */
import { describe, expect, it } from 'vitest';
import { type GatehouseOptions, gatehouse } from '../../src/gatehouse.ts';
import { database, fakeIdentityProvider, issuer, resource, secret, startHarness } from '../harness.ts';

const scopes = { read: 'read' };
const start = (changes: Partial<GatehouseOptions>) =>
  gatehouse({
    issuer,
    resources: [{ uri: resource, scopes }],
    identityProvider: fakeIdentityProvider(),
    records: database(() => 0),
    secrets: [secret],
    ...changes,
  });

describe('refused', () => {
  it.each<[string, Partial<GatehouseOptions>, string]>([
    ['an issuer that is no URL', { issuer: 'auth.example' }, 'issuer: "auth.example" is not an absolute URL'],
    ['plain http', { issuer: 'http://auth.example' }, 'must be https'],
    ['a host that only begins like localhost', { issuer: 'http://localhost.evil.example' }, 'must be https'],
    ['another scheme', { issuer: 'ftp://auth.example' }, 'must be https'],
    ['a trailing slash', { issuer: 'https://auth.example/' }, 'must not end with a slash'],
    ['a trailing slash on a path', { issuer: 'https://auth.example/a/' }, 'must not end with a slash'],
    ['a query', { issuer: 'https://auth.example/a?b' }, 'must have no query, fragment or user'],
    ['a fragment', { issuer: 'https://auth.example/a#b' }, 'must have no query, fragment or user'],
    ['a user', { issuer: 'https://me@auth.example' }, 'must have no query, fragment or user'],
    ['a password', { issuer: 'https://:me@auth.example' }, 'issuer: '],
    ['capitals', { issuer: 'https://AUTH.example' }, 'must be written as https://auth.example'],
    ['a default port', { issuer: 'https://auth.example:443' }, 'must be written as https://auth.example'],
    ['dot segments', { issuer: 'https://auth.example/a/../b' }, 'must be written as https://auth.example'],
    ['a space', { issuer: 'https://auth.example ' }, 'must be written as https://auth.example'],
    ['no resources', { resources: [] }, 'resources: at least one is needed'],
    ['a resource with a slash', { resources: [{ uri: `${resource}/`, scopes }] }, 'resources[0].uri'],
    ['a resource with a query', { resources: [{ uri: `${resource}?a=b`, scopes }] }, 'resources[0].uri'],
    [
      'one resource twice',
      {
        resources: [
          { uri: resource, scopes },
          { uri: resource, scopes },
        ],
      },
      'resources[1].uri: another resource has the host and path of "https://auth.example/mcp"',
    ],
    [
      'a scope with a space',
      { resources: [{ uri: resource, scopes: { 'a b': 'x' } }] },
      'resources[0].scopes: "a b" is no scope',
    ],
    [
      'an unknown default scope',
      { resources: [{ uri: resource, scopes, defaultScope: ['write'] }] },
      'resources[0].defaultScope: "write" is not in scopes',
    ],
    ['no secrets', { secrets: [] }, 'secrets: at least one is needed'],
    ['a short secret', { secrets: [{ id: 'k1', secret: 'short' }] }, 'secrets: "k1" must have at least 32 bytes'],
  ])('%s', (_, changes, message) => {
    expect(() => start(changes)).toThrow(message);
    expect(() => start(changes)).toThrow(TypeError);
  });

  it('all at once', () => {
    const changes = {
      issuer: 'http://auth.example/',
      resources: [{ uri: 'x', scopes: { 'a b': '' }, defaultScope: ['c'] }],
    };
    expect(() => start(changes)).toThrow(
      /^Gatehouse cannot start:\n- issuer: .*https.*\n- issuer: .*slash.*\n- resources\[0\]\.uri: .*\n- resources\[0\]\.scopes: .*\n- resources\[0\]\.defaultScope: /,
    );
  });
});

// TLS may end before us: then nothing tells the two apart.
it.each([
  ['http://localhost/mcp', 'https://localhost/mcp'],
  ['http://localhost', 'https://localhost'],
])('%s and %s share the place of their metadata: refused', (first, second) => {
  const resources = [first, second].map((uri) => ({ uri, scopes }));
  expect(() => start({ resources })).toThrow(`resources[1].uri: another resource has the host and path of "${second}"`);
});

it('one path on several hosts is several resources', () => {
  const uris = ['https://a.example/mcp', 'https://b.example/mcp', 'https://b.example:8443/mcp'];
  const server = start({ resources: uris.map((uri) => ({ uri, scopes })) });
  for (const uri of uris) expect(server.guard(uri)).toBeTypeOf('function');
});

describe('accepted', () => {
  it.each([
    'https://auth.example',
    'https://auth.example/a/b',
    'https://auth.example:8443',
    'http://localhost:9000',
    'http://127.0.0.1',
    'http://[::1]:9000',
  ])('%s', (uri) => {
    expect(start({ issuer: uri }).callbackUrl).toBe(`${uri}/callback`);
  });
});

it('asking for the guard of a resource that is none says which there are', () => {
  expect(() => startHarness().server.guard('https://other.example')).toThrow(
    `No resource https://other.example: it is one of ${resource}`,
  );
});
