/** `kind: api`: an HTTP API behind the gateway, by every method and at every path below its own that has one reading (SEC-11; RFC 9728 §3). */
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfig, type ResourceInput, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const secretEnv = 'GATEHOUSE_TEST_API_TARGET_SECRET';
process.env[secretEnv] = 'what-the-api-knows-the-gateway-by';

let api: Target;
let mcp: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  [api, mcp] = await Promise.all([startTarget(), startTarget()]);
  gateway = await startGateway([
    {
      ...{ path: '/shelf', kind: 'api', name: 'The shelf', target: `${api.url}/v1/` },
      ...{ scopes: { shelf: 'read and change your shelf' }, targetSecret: { env: secretEnv } },
    },
    { path: '/keyed', kind: 'api', target: `${api.url}/k?key=of-the-operator` },
    { path: '/origin', kind: 'api', target: api.url },
    { path: '/shelf/mcp', target: `${mcp.url}/inside` },
    { path: '/mcp', target: `${mcp.url}/beside`, open: [{ path: '/exports', target: `${mcp.url}/exports` }] },
  ]);
  person = await signIn({ issuer: gateway.issuer, path: '/shelf' });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([api?.close(), mcp?.close()]);
});
beforeEach(() => {
  api.seen.length = 0;
  mcp.seen.length = 0;
});

type Lines = ReadonlyArray<readonly [string, string]>;
const bearer = ({ accessToken }: SignedIn): Lines => [['Authorization', `Bearer ${accessToken}`]];
const raw = (line: string, headers: Lines = bearer(person), body = '') =>
  ask(gateway.port, message(line, body === '' ? headers : [...headers, ['Content-Length', `${body.length}`]], body));

describe('what reaches it', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('%s, with its body, its type and its query', async (method) => {
    const body = method === 'GET' ? '' : '{"title":"Möbius"}';
    const answer = await fetch(gateway.url('/shelf/books/7?q=a%2Fb&q=c%20d&empty='), {
      method,
      headers: { ...person.authorization, 'content-type': 'application/merge-patch+json', 'if-match': '"3"' },
      ...(body !== '' && { body }),
    });
    expect([answer.status, await answer.json()]).toEqual([200, { from: 'target' }]);
    const [seen] = api.seen;
    expect([seen?.method, seen?.url]).toEqual([method, '/v1/books/7?q=a%2Fb&q=c%20d&empty=']);
    expect(String(seen?.body)).toBe(body);
    expect(seen?.headers).toMatchObject({ 'content-type': 'application/merge-patch+json', 'if-match': '"3"' });
    expect(mcp.requests).toBe(0);
  });

  it('HEAD, with the head alone in answer', async () => {
    const answer = await raw('HEAD /shelf/books');
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    expect(api.seen.map(({ method, url }) => [method, url])).toEqual([['HEAD', '/v1/books']]);
  });

  it('its own path, and below it every plain one', async () => {
    for (const rest of ['', '?all=1', '/a', '/a/b.json', '/~a/-_.x/0', '/..a/b..', '/.hidden']) {
      expect((await raw(`GET /shelf${rest}`)).status, rest).toBe(200);
    }
    expect(api.seen.map(({ url }) => url)).toEqual(
      ['', '?all=1', '/a', '/a/b.json', '/~a/-_.x/0', '/..a/b..', '/.hidden'].map((rest) => `/v1${rest}`),
    );
  });

  it.each([
    ...[
      '',
      '/',
      '/a/',
      '/a@b.example',
      '/a%40b.example',
      '/a%20b',
      '/a:b',
      '/a,b',
      "/Users('a')",
      '/$batch',
      '/%C3%A9',
    ],
    ...['?q=1', '/a/?q=1'],
  ])('of a target that is an origin, “%s” is itself', async (rest) => {
    const person = await signIn({ issuer: gateway.issuer, path: '/origin' });
    expect((await raw(`GET /origin${rest}`, bearer(person))).status).toBe(200);
    expect(api.seen[0]?.url).toBe(rest.startsWith('/') ? rest : `/${rest}`);
  });

  it('a query of the configured address stays, in front of the client’s', async () => {
    const keyed = await signIn({ issuer: gateway.issuer, path: '/keyed' });
    expect((await raw('GET /keyed/a?key=mine', bearer(keyed))).status).toBe(200);
    expect((await raw('GET /keyed', bearer(keyed))).status).toBe(200);
    expect(api.seen.map(({ url }) => url)).toEqual(['/k/a?key=of-the-operator', '/k?key=of-the-operator']);
  });

  it('who calls, and not with what', async () => {
    const forged: Lines = [
      ['X-Gatehouse-Subject', 'root'],
      ['X-Gatehouse-Roles', '["admin"]'],
      ['x_gatehouse_secret', 'guessed'],
      ['Cookie', 'session=1'],
      ['X-HTTP-Method-Override', 'DELETE'],
    ];
    expect((await raw('PUT /shelf/a', [...bearer(person), ...forged], '{}')).status).toBe(200);
    const [seen] = api.seen;
    expect(readIdentityHeaders(seen?.headers ?? {}, process.env[secretEnv])).toMatchObject({
      subject: expect.stringMatching(/^[\w-]{43}$/),
      clientId: person.clientId,
      scope: ['shelf'],
    });
    const said = (seen?.rawHeaders ?? []).join('\n');
    for (const words of ['root', 'admin', 'guessed', 'session=1', 'DELETE', person.accessToken])
      expect(said).not.toContain(words);
    expect(seen?.headers['x-forwarded-host']).toBe(new URL(gateway.issuer).host);
  });

  it('what is not JSON: a large upload in pieces', async () => {
    const piece = Buffer.alloc(100_000, 7);
    const body = new ReadableStream({
      start(stream) {
        for (let at = 0; at < 20; at++) stream.enqueue(piece);
        stream.close();
      },
    });
    const init = { method: 'PUT', headers: person.authorization, body, duplex: 'half' } as RequestInit;
    expect((await fetch(gateway.url('/shelf/cover.png'), init)).status).toBe(200);
    expect(api.seen[0]?.body).toEqual(Buffer.concat(Array(20).fill(piece)));
  });
});

it('its answer comes as it is: status, type and entity tag', async () => {
  const arrived = api.arrival();
  const answered = raw('POST /shelf/books', bearer(person), '{}');
  const { res } = await arrived;
  res.writeHead(422, { 'content-type': 'application/problem+json', etag: '"4"', 'set-cookie': 'a=b' }).end('{"no":1}');
  const answer = await answered;
  expect([answer.status, answer.body.toString(), answer.header('etag')]).toEqual([422, '{"no":1}', '"4"']);
  expect(answer.header('content-type')).toBe('application/problem+json');
  // On this origin people give their consent: no cookie of a target is set there.
  expect(answer.header('set-cookie')).toBeUndefined();
});

it.each([
  [201, (origin: string) => `${origin}/v1/books/8?x=1#y`, '/shelf/books/8?x=1#y'],
  [303, () => '/v1/books/8', '/shelf/books/8'],
  [201, () => '9', '/shelf/9'],
  [201, (origin: string) => `${origin}/private/8`, undefined],
  [201, () => '/v1/../private', undefined],
  [303, () => '/private', undefined],
  [303, () => 'https://elsewhere.example/', undefined],
] as const)('%s: an address of its own is told as clients reach it, or not at all', async (status, at, told) => {
  const arrived = api.arrival();
  const answered = raw('POST /shelf/books', bearer(person), '{}');
  (await arrived).res.writeHead(status, { location: at(api.url) }).end('{}');
  const answer = await answered;
  expect([answer.status, answer.header('location')]).toEqual([
    told === undefined && status === 303 ? 502 : status,
    told,
  ]);
  expect(JSON.stringify(answer.headers) + answer.body).not.toContain(api.url);
});

describe('what does not reach it', () => {
  it.each([
    '/shelf/..',
    '/shelf/../mcp',
    '/shelf/../shelf/a',
    '/shelf/a/../../mcp',
    '/shelf/a/..',
    '/shelf/.',
    '/shelf/./a',
    '/shelf//a',
    '/shelf//',
    '//shelf/a',
    '/shelf/a//b',
    '/shelf/%2e%2e/mcp',
    '/shelf/%2E%2E',
    '/shelf/.%2e/mcp',
    '/shelf/%2e/a',
    '/shelf/a%2fb',
    '/shelf/..%2Fmcp',
    '/shelf/..%5cmcp',
    '/shelf/..\\mcp',
    '/shelf\\a',
    '/shelf/%252e%252e/mcp',
    '/shelf/a%00',
    '/shelf/..;/mcp',
    '/shelf/a#b',
    '/shelf/a;b',
    '/shelf/%0a',
    '/shelf/%c0%ae%c0%ae/mcp',
    '/shelf/%ff',
    '/shelf/%41',
    '/shelf/a%4',
    '/shelf/a|b',
    '/shelf%2fa',
    '/%73helf/a',
    '/SHELF/a',
    '/shelfs',
    '/shelf./a',
    'http://localhost/shelf/a',
    'http://evil.example/shelf/a',
  ])('%s has two readings, or is not below it: nothing is there', async (path) => {
    const before = [api.requests, mcp.requests];
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await raw(`${method} ${path}`);
      expect([answer.status, answer.json().error], method).toEqual([404, 'not_found']);
    }
    expect([api.requests, mcp.requests]).toEqual(before);
  });

  it.each(['TRACE', 'PROPFIND', 'SEARCH', 'QUERY'])('%s: the answer names the methods there are', async (method) => {
    const answer = await raw(`${method} /shelf/a`);
    expect([answer.status, answer.header('allow')]).toEqual([405, 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
    expect(api.seen).toEqual([]);
  });

  it('whoever has no token, or one for somewhere else, whatever they ask for', async () => {
    const beside = await signIn({ issuer: gateway.issuer, path: '/mcp' });
    for (const line of ['GET /shelf', 'PUT /shelf/a', 'DELETE /shelf/a/b', 'HEAD /shelf/x']) {
      for (const headers of [[], bearer(beside), [['Authorization', 'Bearer no.such.token']] as Lines]) {
        const answer = await raw(line, headers);
        expect(answer.status, line).toBe(401);
        expect(answer.header('www-authenticate')).toContain(
          `resource_metadata="${gateway.issuer}/.well-known/oauth-protected-resource/shelf"`,
        );
      }
    }
    expect(api.seen).toEqual([]);
  });

  it('a token in the query, which would stand in the log of the target', async () => {
    expect((await raw(`GET /shelf/a?access_token=${person.accessToken}`)).status).toBe(400);
    expect(api.seen).toEqual([]);
  });
});

it('is described at one place, and nothing below it is', async () => {
  const metadata = '/.well-known/oauth-protected-resource/shelf';
  expect(await (await fetch(gateway.url(metadata))).json()).toMatchObject({
    resource: `${gateway.issuer}/shelf`,
    resource_name: 'The shelf',
    scopes_supported: ['shelf'],
  });
  expect((await fetch(gateway.url(`${metadata}/books`))).status).toBe(404);
});

it('a preflight is answered by us, by every method there is, to pages that may call', async () => {
  const asked = (origin: string) =>
    raw('OPTIONS /shelf/books/7', [
      ['Origin', origin],
      ['Access-Control-Request-Method', 'PATCH'],
      ['Access-Control-Request-Headers', 'authorization,if-match'],
    ]);
  const answer = await asked(gateway.issuer);
  expect(answer.status).toBe(204);
  expect(answer.header('access-control-allow-methods')).toBe('GET, POST, PUT, PATCH, DELETE, OPTIONS');
  expect(answer.header('access-control-allow-headers')).toBe('authorization,if-match');
  expect(answer.header('access-control-allow-origin')).toBe(gateway.issuer);
  expect((await asked('https://evil.example')).status).toBe(403);
  expect(api.seen).toEqual([]);
  const called = await raw('PATCH /shelf/books/7', [...bearer(person), ['Origin', gateway.issuer]], '{}');
  expect([called.status, called.header('access-control-allow-origin')]).toEqual([200, gateway.issuer]);
});

describe('an MCP server inside it, and one beside it', () => {
  it('are themselves: their own tokens, their own target, and no path below them', async () => {
    for (const [path, url] of [
      ['/shelf/mcp', '/inside'],
      ['/mcp', '/beside'],
    ] as const) {
      expect((await raw(`POST ${path}`, bearer(person), '{}')).status, 'a token for the API').toBe(401);
      const own = await signIn({ issuer: gateway.issuer, path });
      expect((await raw(`POST ${path}`, bearer(own), '{}')).status).toBe(200);
      expect(mcp.seen.at(-1)?.url).toBe(url);
      expect((await raw('GET /shelf/a', bearer(own))).status, 'its token at the API').toBe(401);
      expect((await raw(`PUT ${path}`, bearer(own), '{}')).status).toBe(405);
    }
    expect(api.seen).toEqual([]);
    expect((await raw('GET /mcp/below')).status).toBe(404);
  });

  it('stand among what clients can be given; an API does not', () => {
    expect(gateway.running.servers.map(({ path }) => path)).toEqual(['/shelf/mcp', '/mcp']);
  });
});

it('the log has the path, and of the query nothing', async () => {
  await raw('GET /shelf/books?q=what-they-look-for');
  const logged = gateway.events.filter(({ event }) => event === 'http.request').at(-1);
  expect(logged).toMatchObject({ path: '/shelf/books', status: 200, outcome: 'answered' });
  expect(JSON.stringify(gateway.events)).not.toContain('what-they-look-for');
});

describe('a configuration is told', () => {
  const target = 'http://localhost:1/v1';
  const shelf: ResourceInput = { path: '/shelf', kind: 'api', target };
  it.each<[string, ResourceInput[], RegExp]>([
    ['that it has no tools', [{ ...shelf, tools: { a: {} } }], /resources\[0\]\.kind: an api has no tools/],
    ['that a command is none', [{ ...shelf, target: { command: 'x' } }], /\.kind: a command speaks MCP/],
    [
      'that HTTP+SSE is none',
      [{ ...shelf, target: { url: target, transport: 'sse' } }],
      /\.kind: an api does not speak HTTP\+SSE/,
    ],
    [
      'that its path is taken',
      [{ path: '/shelf', target }, shelf],
      /resources\[1\]\.path: \/shelf is already resources\[0\]/,
    ],
    [
      'that there are no messages to be counted',
      [{ ...shelf, rateLimits: [{ per: ['user'], burst: 1, perMinute: 1 }] }],
      /resources\[0\]\.rateLimits: count MCP messages/,
    ],
    [
      'so whichever stands first',
      [shelf, { path: '/mcp', target, open: [{ path: '/shelf/exports', target }] }],
      /resources\[0\]\.path: below \/shelf is /,
    ],
    ['of a kind that there is not', [{ ...shelf, kind: 'rest' as 'api' }], /resources\[0\]\.kind: Invalid option/],
    [
      'that it would hide an open path of another',
      [{ path: '/mcp', target, open: [{ path: '/shelf/exports', target }] }, shelf],
      /resources\[1\]\.path: below \/shelf is /,
    ],
  ])('%s', (_, resources, words) => {
    expect(() => gatewayConfig(8080, resources)).toThrow(words);
  });

  it('nothing of an MCP server inside it, whichever stands first', () => {
    const inside: ResourceInput = { path: '/shelf/mcp', target };
    for (const resources of [
      [shelf, inside],
      [inside, shelf],
    ])
      expect(gatewayConfig(8080, resources).resources).toHaveLength(2);
  });
});
