/** Targets and public places in the configuration: every form of them, and what is said of one that is wrong. */
import { expect, it } from 'vitest';
import { publicPlace, resourceUri } from '../src/config/resource.ts';
import { readSecrets } from '../src/config/secrets.ts';
import { ConfigError, checkConfig } from '../src/serve.ts';

const valid = {
  issuer: 'https://auth.example.com',
  identityProvider: { type: 'oidc', issuer: 'https://login.example.com', clientId: 'gatehouse' },
  records: { type: 'memory' },
  secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
};
const resource = { path: '/mcp', target: 'http://127.0.0.1:8000/mcp' };
const check = (...resources: readonly unknown[]) => checkConfig('The test', { ...valid, resources });
const faults = (...resources: readonly unknown[]): readonly string[] => {
  try {
    check(...resources);
    return [];
  } catch (error) {
    return (error as ConfigError).faults;
  }
};

it('an address alone is an endpoint without settings', () => {
  expect(check(resource).resources[0]?.target).toEqual({ url: 'http://127.0.0.1:8000/mcp' });
});

it('an endpoint with every setting', () => {
  const target = {
    url: 'https://inside.example.com/sse?key=1',
    transport: 'sse',
    tls: { ca: 'ca.pem', cert: 'us.pem', key: 'us.key', serverName: 'inside' },
    headers: { 'X-Api-Key': { env: 'KEY' }, 'X-Team': 'a' },
    connectSeconds: 2,
    answerSeconds: 30,
    idleSeconds: 0,
    connections: 10,
    healthCheck: { path: '/health', everySeconds: 5 },
  };
  expect(check({ ...resource, target }).resources[0]?.target).toEqual(target);
});

it('a command, one process a person unless told', () => {
  const target = { command: 'npx', args: ['-y', 'a-server'], env: { KEY: { env: 'KEY' } } };
  expect(check({ ...resource, target }).resources[0]?.target).toEqual({ ...target, processes: 'perUser' });
});

it.each([
  [{ url: 'ftp://x/' }, ['resources[0].target.url: must be an absolute http or https URL']],
  [{ url: 'https://x/', transport: 'pigeon' }, ['resources[0].target.transport: Invalid option']],
  [{ url: 'https://x/', tls: { caFile: 'x' } }, ['resources[0].target.tls.caFile: is not a known setting']],
  [{ command: '' }, ['resources[0].target.command: Too small']],
  [{ command: 'x', argv: [] }, ['resources[0].target.argv: is not a known setting']],
  [{ command: 'x', env: { 'A=B': 'x' } }, ['resources[0].target.env.A=B: Invalid key']],
  [
    { command: 'x', env: { A: 1 } },
    ['resources[0].target.env.A: must be text, { "env": "NAME" } or { "file": "path" }'],
  ],
  [7, ['resources[0].target: must be an absolute http or https URL']],
  [{ url: 'http://x/', tls: {} }, ['resources[0].target.tls: the target is not https']],
  [
    { url: 'https://x/', headers: { 'X-Gatehouse-Subject': 'root' } },
    ['resources[0].target.headers.X-Gatehouse-Subject: is set by the gateway itself, or belongs to the message'],
  ],
])('of the target %j is said what is wrong', (target, said) => {
  const found = faults({ ...resource, target });
  expect(found).toHaveLength(said.length);
  said.forEach((words, index) => {
    expect(found[index]).toContain(words);
  });
});

it('a resource is at a path of the issuer or at a url of its own, and nothing twice on one host', () => {
  const { target } = resource;
  const url = 'https://files.example.com/mcp';
  const found = check(resource, { url, target }).resources;
  expect(found.map((one) => resourceUri(one, valid.issuer))).toEqual(['https://auth.example.com/mcp', url]);
  expect(found.map((one) => publicPlace(one, valid.issuer).host)).toEqual(['auth.example.com', 'files.example.com']);
  expect(faults({ target })).toEqual(['resources[0].path: give either path or url']);
  expect(faults({ ...resource, url })).toEqual(['resources[0].path: give either path or url']);
  expect(faults({ url, target }, { url, target })).toEqual(['resources[1].url: /mcp is already resources[0].url']);
  expect(faults({ url: 'https://files.example.com', target })).toEqual([
    'resources[0].url: needs a path, such as /mcp',
  ]);
  expect(faults({ url: 'https://auth.example.com/token', target })).toEqual([
    'resources[0].url: /token is already a path of the gateway itself',
  ]);
  expect(faults({ url: 'https://files.example.com/readyz', target })).toEqual([
    'resources[0].url: /readyz is already a path of the gateway itself',
  ]);
});

it('an assertion is for nobody who takes access tokens', () => {
  const identity = { assertion: { audience: 'https://auth.example.com/mcp' } };
  expect(faults({ ...resource, identity })).toEqual([
    'resources[0].identity.assertion.audience: is a resource: nothing may take it for an access token',
  ]);
  expect(faults({ ...resource, identity: { assertion: { audience: 'notes' } } })).toEqual([]);
});

it('what targets are given is read where it is said, and refused where it would break a header', () => {
  process.env.GATEHOUSE_TARGETS_TEST = 'two\nlines';
  const config = check(
    { ...resource, target: { command: 'x', env: { A: { env: 'GATEHOUSE_TARGETS_TEST' }, B: 'b' } } },
    { ...resource, path: '/two', target: { url: 'https://x/', headers: { A: { env: 'GATEHOUSE_TARGETS_TEST' } } } },
  );
  const read = (resources: typeof config.resources) => readSecrets({ secrets: [], clients: [], resources });
  expect(read(config.resources.slice(0, 1)).targetValues).toEqual([{ A: 'two\nlines', B: 'b' }]);
  expect(() => read(config.resources)).toThrow(
    new ConfigError('The configuration', ['resources[1].target.headers.A: holds characters that it must not']),
  );
});
