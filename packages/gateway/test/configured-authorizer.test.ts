/** The authorizer as a configuration makes it, against a running gateway and loopback issuers: whose tokens count, what is fetched. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogEvent } from '@mcp-gatehouse/auth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuthorizerConfigInput, checkAuthorizerConfig, loadAuthorizerConfig } from '../src/config/authorizer.ts';
import { authorizerFrom } from '../src/configured-authorizer.ts';
import type { HttpAuthorizerEvent, RestAuthorizerEvent } from '../src/lambda-authorizer.ts';
import { openRecords } from '../src/open-records.ts';
import { freePort, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';

const machineSecretEnv = 'GATEHOUSE_TEST_AUTHORIZER_SECRET';
process.env[machineSecretEnv] = 'a-machine-secret-of-thirty-two-bytes-or-more';
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-authorizer-'));
const records = { type: 'sqlite', file: join(folder, 'gatehouse.sqlite') } as const;
const resources = [
  { path: '/mcp', scopes: { read: 'read', write: 'write' } },
  { path: '/other', scopes: { look: 'look' } },
];

let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  gateway = await startGateway(
    resources.map((one) => ({ ...one, target: 'http://127.0.0.1:1/mcp' })),
    {
      records,
      clients: [
        {
          id: 'machine',
          secret: { env: machineSecretEnv },
          grantTypes: ['client_credentials'],
          claims: { connector_id: 'c-1', roles: ['night shift'], permissions: ['read:x'] },
        },
      ],
    },
  );
  person = await signIn({ ...gateway, scope: 'read' });
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

async function machineToken(resource = '/mcp'): Promise<string> {
  const answer = await fetch(gateway.url('/token'), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'machine',
      client_secret: process.env[machineSecretEnv] as string,
      resource: gateway.issuer + resource,
    }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

const arn = 'arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod';

/** As documented in "Input to an API Gateway Lambda authorizer", type REQUEST. */
const restEvent = (token?: string): RestAuthorizerEvent => {
  const headers = { Host: 'example.com', ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  const event = {
    type: 'REQUEST',
    methodArn: `${arn}/POST/mcp`,
    resource: '/mcp',
    path: '/mcp',
    httpMethod: 'POST',
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    requestContext: { stage: 'prod', apiId: 'abcdef1234', httpMethod: 'POST', accountId: '123456789012' },
  };
  return event;
};

/** As documented in "Working with AWS Lambda authorizers for HTTP APIs", payload format 2.0. */
const httpEvent = (token?: string): HttpAuthorizerEvent => {
  const event = {
    version: '2.0',
    type: 'REQUEST',
    routeArn: `${arn}/POST/mcp`,
    identitySource: token === undefined ? null : [`Bearer ${token}`],
    headers: { host: 'example.com', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    requestContext: { http: { method: 'POST', path: '/mcp' }, stage: '$default' },
  };
  return event;
};

type Settings = NonNullable<AuthorizerConfigInput['authorizer']>;

function start(authorizer: Settings, changes: Partial<AuthorizerConfigInput> = {}) {
  const events: LogEvent[] = [];
  const clock = { ahead: 0 };
  const input = { issuer: gateway.issuer, resources, authorizer: { resource: '/mcp', ...authorizer }, ...changes };
  const made = authorizerFrom(checkAuthorizerConfig('The test', input), {
    log: (event) => events.push(event),
    now: () => Math.floor(Date.now() / 1000) + clock.ahead,
    openRecords,
  });
  const reasons = () => events.map(({ reason }) => reason);
  return { ...made, events, reasons, clock };
}

/** How often the gateway was asked for its keys. */
const fetches = () => gateway.events.filter(({ path }) => path === '/.well-known/jwks.json').length;

/** An issuer of its own on loopback, whose keys are counted. */
async function startIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const seen: string[] = [];
  const jwks = JSON.stringify({
    keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }],
  });
  const server: Server = createServer((req, res) => {
    seen.push(req.url ?? '');
    const discovery = { issuer: origin, jwks_uri: `${origin}/keys` };
    res.end(req.url === '/.well-known/openid-configuration' ? JSON.stringify(discovery) : jwks);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const token = (claims: object, header: object = {}, key: KeyObject = privateKey) => {
    const now = Math.floor(Date.now() / 1000);
    const payload = { sub: 'somebody', iat: now, exp: now + 600, jti: 'j', ...claims };
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const data = `${encoded({ alg: 'RS256', kid: 'k', ...header })}.${encoded(payload)}`;
    return `${data}.${sign('sha256', Buffer.from(data), key).toString('base64url')}`;
  };
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { origin, seen, token, close };
}

const unauthorized = (promise: Promise<unknown>) =>
  expect(promise.catch((error: Error) => error.message)).resolves.toBe('Unauthorized');

describe('our own tokens, by the keys the issuer publishes', () => {
  it('a person’s and a machine’s count, with one fetch for all of them, and none before the first', async () => {
    const before = fetches();
    const { rest, http } = start({});
    await unauthorized(rest(restEvent()));
    await unauthorized(rest(restEvent('no.token.atall')));
    expect((await http(httpEvent())).isAuthorized).toBe(false);
    expect(fetches()).toBe(before);
    const allowed = await rest(restEvent(person.accessToken));
    expect(allowed.policyDocument.Statement[0]).toMatchObject({ Effect: 'Allow', Resource: `${arn}/*` });
    const machine = await http(httpEvent(await machineToken()));
    expect(machine).toMatchObject({ isAuthorized: true, context: { subject: 'machine', scope: 'read write' } });
    expect(JSON.parse(machine.context.claims ?? '')).toEqual({ connector_id: 'c-1' });
    expect(JSON.parse(machine.context.roles ?? '')).toEqual(['night shift']);
    await rest(restEvent(person.accessToken));
    expect(fetches()).toBe(before + 1);
  });

  it('for another resource, of another issuer, or expired they do not, and nothing is fetched to find out', async () => {
    const before = fetches();
    const authorizer = start({});
    await unauthorized(authorizer.rest(restEvent(await machineToken('/other'))));
    const stranger = start({}, { issuer: `http://localhost:${gateway.port + 1}` });
    await unauthorized(stranger.rest(restEvent(person.accessToken)));
    expect(fetches()).toBe(before);
    expect([...authorizer.reasons(), ...stranger.reasons()]).toEqual(['token.audience', 'token.issuer']);
    authorizer.clock.ahead = 3600;
    await unauthorized(authorizer.rest(restEvent(person.accessToken)));
    expect(authorizer.reasons().at(-1)).toBe('token.expired');
  });

  it('an issuer that is away is no refusal: 500, and nobody throws a token away', async () => {
    const port = await freePort();
    const issuer = `http://localhost:${port}`;
    const { rest, http, events } = start({}, { issuer });
    const claims = { iss: issuer, aud: `${issuer}/mcp` };
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })}.${encoded(claims)}.${'A'.repeat(86)}`;
    await expect(rest(restEvent(token))).rejects.toThrow(/right now/);
    await expect(http(httpEvent(token))).rejects.toThrow(/right now/);
    expect(events.map(({ event }) => event)).toContain('authorizer.keys_unavailable');
    expect(JSON.stringify(events)).not.toContain(token.split('.')[1]);
  });
});

describe('what the stage needs', () => {
  it.each<[string, Settings['needs'], boolean]>([
    ['a scope that is held', { scope: 'read' }, true],
    ['every one of them', { scope: ['read', 'write'] }, true],
    ['a role and a permission', { role: 'night shift', permission: ['read:x'] }, true],
    ['a role that nobody gave', { role: 'admin' }, false],
    ['a permission that is missing', { scope: 'read', permission: ['read:x', 'write:x'] }, false],
  ])('%s', async (_, needs, allowed) => {
    const { rest, http, events } = start({ needs });
    const token = await machineToken();
    const { policyDocument, context } = await rest(restEvent(token));
    expect(policyDocument.Statement[0].Effect).toBe(allowed ? 'Allow' : 'Deny');
    expect(context.subject).toBe('machine');
    expect((await http(httpEvent(token))).isAuthorized).toBe(allowed);
    expect(events.filter(({ event }) => event === 'authorizer.denied')).toHaveLength(allowed ? 0 : 2);
  });

  it('a scope the person did not give', async () => {
    const { http } = start({ needs: { scope: 'write' } });
    expect((await http(httpEvent(person.accessToken))).isAuthorized).toBe(false);
  });
});

describe('our own tokens, by the records', () => {
  it('count without the issuer being asked, and no longer once their grant has ended', async () => {
    const before = fetches();
    const other = await signIn({ ...gateway, scope: 'read' });
    const authorizer = start({ keys: 'records' }, { records });
    try {
      const context = { clientId: other.clientId, scope: 'read' };
      expect(await authorizer.http(httpEvent(other.accessToken))).toMatchObject({ isAuthorized: true, context });
      expect(await authorizer.http(httpEvent(await machineToken()))).toMatchObject({ isAuthorized: true });
      await fetch(gateway.url('/revoke'), {
        method: 'POST',
        body: new URLSearchParams({ client_id: other.clientId, token: other.refreshToken }),
      });
      authorizer.clock.ahead = 6; // what was known of the grant is 5 seconds old at most
      await unauthorized(authorizer.rest(restEvent(other.accessToken)));
      expect(authorizer.reasons()).toEqual(['token.grant_ended']);
      expect(fetches()).toBe(before);
    } finally {
      await authorizer.close();
    }
  });

  it('a database of somebody else is a fault and no refusal, and is not opened before it is needed', async () => {
    const elsewhere = { type: 'sqlite', file: join(folder, 'empty.sqlite') } as const;
    const authorizer = start({ keys: 'records' }, { records: elsewhere });
    try {
      await unauthorized(authorizer.rest(restEvent()));
      await expect(authorizer.rest(restEvent(person.accessToken))).rejects.toThrow(/right now/);
      expect(authorizer.events.at(-1)).toMatchObject({ status: 503, cause: expect.stringContaining('no signing key') });
    } finally {
      await authorizer.close();
    }
  });
});

describe('other issuers beside our own', () => {
  it('Cognito, Auth0 and any other: each fetched when the first of its tokens comes, and not before', async () => {
    const [pool, tenant, provider] = [await startIssuer(), await startIssuer(), await startIssuer()];
    try {
      const userPoolId = 'eu-central-1_Test00002';
      const { rest, http, reasons } = start({
        issuers: [
          { type: 'cognito', userPoolId, clientIds: ['app'], issuerOrigin: pool.origin },
          { type: 'auth0', domain: 'test.eu.auth0.com', audience: 'https://api', issuerOrigin: tenant.origin },
          { type: 'oidc', issuer: provider.origin, audience: 'api' },
        ],
      });
      const before = fetches();
      const cognito = { iss: `${pool.origin}/${userPoolId}`, client_id: 'app', token_use: 'access' };
      const ofPool = await http(httpEvent(pool.token({ ...cognito, 'cognito:groups': ['staff'] })));
      expect(ofPool).toMatchObject({ isAuthorized: true, context: { clientId: 'app', roles: '["staff"]' } });
      expect([pool.seen.length, tenant.seen.length, provider.seen.length, fetches() - before]).toEqual([1, 0, 0, 0]);
      const auth0 = { iss: `${tenant.origin}/`, aud: 'https://api', azp: 'spa', permissions: ['read:x'] };
      const ofTenant = await rest(restEvent(tenant.token(auth0, { typ: 'JWT' })));
      expect(ofTenant).toMatchObject({ context: { clientId: 'spa', permissions: '["read:x"]' } });
      const oidc = { iss: provider.origin, aud: 'api', client_id: 'c' };
      expect((await http(httpEvent(provider.token(oidc, { typ: 'at+jwt' })))).isAuthorized).toBe(true);
      expect(provider.seen).toEqual(['/.well-known/openid-configuration', '/keys']);
      expect((await http(httpEvent(await machineToken()))).isAuthorized).toBe(true);
      // Another's token that is refused is refused without asking us; ours, and anybody's, without asking them.
      const asked = () => [pool.seen.length, tenant.seen.length, provider.seen.length, fetches()];
      const known = asked();
      await unauthorized(rest(restEvent(provider.token({ ...oidc, aud: 'else' }, { typ: 'at+jwt' }))));
      await unauthorized(rest(restEvent(pool.token({ ...cognito, client_id: 'other' }))));
      await unauthorized(rest(restEvent(pool.token({ ...cognito, iss: tenant.origin }))));
      expect(asked()).toEqual(known);
      expect(reasons()).toEqual(['token.issuer token.audience', 'token.type token.client', 'token.type token.issuer']);
    } finally {
      await Promise.all([pool.close(), tenant.close(), provider.close()]);
    }
  });

  it('alone: ours do not count', async () => {
    const provider = await startIssuer();
    try {
      const { http } = start({ keys: 'none', issuers: [{ type: 'oidc', issuer: provider.origin, audience: 'api' }] });
      const before = fetches();
      expect((await http(httpEvent(person.accessToken))).isAuthorized).toBe(false);
      expect([fetches(), provider.seen.length]).toEqual([before, 0]);
    } finally {
      await provider.close();
    }
  });
});

describe('the configuration', () => {
  const faultsOf = (changes: object) => {
    try {
      authorizerFrom(checkAuthorizerConfig('c', { issuer: 'https://auth.example', resources, ...changes }));
      return [];
    } catch (error) {
      return (error as { faults: readonly string[] }).faults;
    }
  };
  const authorizer = { resource: '/mcp' };

  it.each<[string, object, readonly string[]]>([
    ['which resource', {}, ['authorizer.resource: say which of /mcp, /other is guarded']],
    ['one that there is', { authorizer: { resource: '/x' } }, ['authorizer.resource: /x is none of /mcp, /other']],
    [
      'a scope that somebody can hold',
      { authorizer: { ...authorizer, needs: { scope: ['read', 'admin'] } } },
      ['authorizer.needs.scope: admin is no scope of the resource'],
    ],
    [
      'somebody’s tokens',
      { authorizer: { ...authorizer, keys: 'none' } },
      ['authorizer.keys: with none, `issuers` needs at least one'],
    ],
    ['records to read', { authorizer: { ...authorizer, keys: 'records' } }, ['authorizer.keys: `records` are missing']],
    [
      'records that can be read',
      { authorizer: { ...authorizer, keys: 'records' }, records: { type: 'memory' } },
      ['authorizer.keys: the memory of another process cannot be read'],
    ],
    [
      'issuers that can be believed',
      { authorizer: { ...authorizer, issuers: [{ type: 'oidc', issuer: 'http://idp.example', audience: 'a' }] } },
      ['authorizer.issuers[0].issuer: "http://idp.example" must be https (plain http is for localhost)'],
    ],
    [
      'a user pool’s id',
      { authorizer: { ...authorizer, issuers: [{ type: 'cognito', userPoolId: 'x', clientIds: ['a'] }] } },
      ['authorizer.userPoolId: "x" is not of the form eu-central-1_AbCdEf123'],
    ],
  ])('needs %s', (_, changes, faults) => {
    expect(faultsOf(changes)).toEqual(faults);
  });

  it('is the gateway’s own file, or JSON in the variable itself', () => {
    const file = join(folder, 'gatehouse.json');
    const inline = { issuer: 'https://auth.example', resources, authorizer };
    writeFileSync(
      file,
      JSON.stringify({
        ...inline,
        resources: resources.map((one) => ({ ...one, target: 'http://127.0.0.1:9/mcp' })),
        identityProvider: { type: 'oidc', issuer: 'https://idp.example', clientId: 'g', clientSecret: { env: 'NONE' } },
        records,
        secrets: [{ id: 'a', secret: { env: 'NOT_SET_ANYWHERE' } }],
      }),
    );
    for (const value of [file, JSON.stringify(inline), `\n ${JSON.stringify(inline)}`]) {
      expect(loadAuthorizerConfig({ GATEHOUSE_CONFIG: value })).toMatchObject({
        issuer: 'https://auth.example',
        authorizer: { resource: '/mcp', keys: 'issuer', needs: {}, issuers: [] },
      });
    }
  });

  it.each<[string, string | undefined, RegExp]>([
    ['nothing', undefined, /GATEHOUSE_CONFIG.*\n.*is not set/],
    ['blanks', '  ', /is not set/],
    ['a file that is not there', '/nowhere/gatehouse.yaml', /cannot be read/],
    ['JSON cut short', '{"issuer": ', /neither JSON nor YAML/],
    [
      'a setting nobody knows',
      '{"issuer":"https://a.example","resources":[{"path":"/m"}],"x":1}',
      /- x: is not a known setting$/,
    ],
    [
      'a path that stands twice',
      '{"issuer":"https://a.example","resources":[{"path":"/m"},{"path":"/m"}],"authorizer":{"resource":"/m"}}',
      /resources\[1\]\.path: \/m stands twice$/,
    ],
    ['no issuer', '{"resources":[{"path":"/m"}]}', /issuer: /],
    ['resources of another kind', '{"issuer":"https://a.example","resources":[{"path":5}]}', /resources\[0\]\.path: /],
  ])('%s: said in words', (_, value, words) => {
    expect(() => loadAuthorizerConfig(value === undefined ? {} : { GATEHOUSE_CONFIG: value })).toThrow(words);
  });
});
