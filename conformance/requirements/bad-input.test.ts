/**
 * Every endpoint of the running product × everything a request can have wrong: refused with a 4xx in the form its caller
 * reads, kept by no cache, within seconds, and the product goes on.
 */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorize, redeem, redirectUri, register, type Tokens } from '../harness/client.ts';
import { type Stack, startStack } from '../harness/stack.ts';

/** What the answer must be: a JSON object with `error` for programs, a page for people. */
type Face = 'api' | 'page';

interface Endpoint {
  readonly name: string;
  readonly server: 'gateway' | 'sign-in';
  readonly path: string;
  readonly face: Face;
  readonly methods: readonly string[];
  /** What it reads from: faults are put there. */
  readonly reads: ReadonlyArray<'query' | 'form' | 'json'>;
  /** Parameters of a request that is otherwise good, so that the fault is what is refused. */
  readonly good?: () => Readonly<Record<string, string>>;
  readonly authorization?: () => string;
  /** What it says to any body, before it looks at one. */
  readonly always?: number;
}

const pool = 'eu-central-1_Gatehouse1';
const form = 'application/x-www-form-urlencoded';
const limitMs = 10_000;

let stack: Stack;
let signIn: string;
let clientId: string;
let accessToken: string;

beforeAll(async () => {
  stack = await startStack();
  signIn = `http://localhost:${Number(new URL(stack.issuer).port) + 1}`;
  ({ client_id: clientId } = await register(stack.issuer));
  accessToken = await newAccessToken();
});

afterAll(() => stack?.stop());

async function newAccessToken(): Promise<string> {
  const response = await redeem(stack.issuer, await authorize(stack.issuer, stack.mcp, signIn));
  expect(response.status).toBe(200);
  return ((await response.json()) as Tokens).access_token;
}

const authorizeParameters = () => ({
  response_type: 'code',
  client_id: clientId,
  redirect_uri: redirectUri,
  state: 'state',
  resource: stack.mcp,
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
});

const endpoints: readonly Endpoint[] = [
  ...[
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/ankify/mcp',
    '/.well-known/jwks.json',
  ].map((path) => gateway(path, path, 'api', ['GET'], [])),
  gateway('health', '/healthz', 'api', ['GET'], []),
  // Only the method can be wrong here, and no person's browser sends one that is.
  gateway('front page', '/', 'api', ['GET'], []),
  gateway('registration', '/register', 'api', ['POST'], ['json']),
  gateway('authorization', '/authorize', 'page', ['GET'], ['query'], authorizeParameters),
  gateway('consent', '/consent', 'page', ['POST'], ['form']),
  gateway('callback', '/callback', 'page', ['GET'], ['query'], () => ({ code: 'code', state: 'state' })),
  gateway('token', '/token', 'api', ['POST'], ['form'], () => ({
    grant_type: 'authorization_code',
    client_id: clientId,
    code: 'code',
  })),
  gateway('revocation', '/revoke', 'api', ['POST'], ['form'], () => ({ client_id: clientId, token: '' })),
  gateway('introspection', '/introspect', 'api', ['POST'], ['form'], () => ({ client_id: clientId, token: 'token' })),
  gateway('changing connections', '/connections/change', 'page', ['POST'], ['form']),
  gateway('downloads', '/ankify/exports/none.apkg', 'api', ['GET'], []),
  { ...gateway('MCP', '/ankify/mcp', 'api', ['POST'], ['json']), authorization: () => `Bearer ${accessToken}` },
  { ...gateway('MCP without a token', '/ankify/mcp', 'api', ['GET', 'POST', 'DELETE'], ['json']), always: 401 },
  ...[`/${pool}/.well-known/openid-configuration`, `/${pool}/.well-known/jwks.json`].map((path) =>
    atSignIn(path, path, 'api', ['GET'], []),
  ),
  atSignIn('authorization', '/oauth2/authorize', 'page', ['GET'], ['query']),
  atSignIn('token', '/oauth2/token', 'api', ['POST'], ['form']),
  atSignIn('userInfo', '/oauth2/userInfo', 'api', ['GET', 'POST'], ['form']),
  atSignIn('revocation', '/oauth2/revoke', 'api', ['POST'], ['form']),
  atSignIn('login', '/login', 'page', ['GET', 'POST'], ['query', 'form']),
  atSignIn('sign-up', '/signup', 'page', ['GET', 'POST'], ['query', 'form']),
  atSignIn('confirmation', '/confirmUser', 'page', ['GET', 'POST'], ['query', 'form']),
  atSignIn('code again', '/resendcode', 'page', ['POST'], ['form']),
  atSignIn('forgotten password', '/forgotPassword', 'page', ['GET', 'POST'], ['query', 'form']),
  atSignIn('new password', '/confirmForgotPassword', 'page', ['GET', 'POST'], ['query', 'form']),
  atSignIn('error', '/error', 'page', ['GET'], ['query']),
  atSignIn('sign-out', '/logout', 'page', ['GET'], ['query']),
];

type Row = [
  name: string,
  path: string,
  face: Face,
  methods: readonly string[],
  reads: Endpoint['reads'],
  good?: Endpoint['good'],
];

function gateway(...row: Row): Endpoint {
  return endpoint('gateway', row);
}

function atSignIn(...row: Row): Endpoint {
  return endpoint('sign-in', row);
}

function endpoint(server: Endpoint['server'], [name, path, face, methods, reads, good]: Row): Endpoint {
  return { name: `${server}: ${name}`, server, path, face, methods, reads, ...(good && { good }) };
}

interface Sent {
  readonly method: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Node's own client, because `fetch` sends neither a GET with a body nor a POST without a content type. */
function send({ server, path, authorization }: Endpoint, { method, query, headers, body }: Sent): Promise<Answer> {
  const url = (server === 'gateway' ? stack.issuer : signIn) + path + (query === undefined ? '' : `?${query}`);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      {
        method,
        signal: AbortSignal.timeout(limitMs),
        headers: {
          accept: 'application/json, text/event-stream',
          ...(authorization && { authorization: authorization() }),
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const { statusCode = 0, headers: answered } = incoming;
          resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks).toString('utf8') });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Undefined: as it must be. Otherwise what is wrong with it. */
function flaw(answer: Answer, face: Face, statuses: readonly number[]): string | undefined {
  const { status, headers, body } = answer;
  const told = `${status} ${headers['content-type']} ${body.slice(0, 120).replaceAll('\n', ' ')}`;
  // As Cognito does it: its page for errors has an address of its own, which is among the endpoints here.
  if (status === 302 && headers.location?.startsWith(`${signIn}/error?`)) return undefined;
  if (status < 400 || status > 499) return `no refusal: ${told}`;
  if (!statuses.includes(status)) return `not one of ${statuses.join(', ')}: ${told}`;
  if (!/\bno-store\b/.test(headers['cache-control'] ?? '')) return `may be cached: ${told}`;
  if (status === 405 && headers.allow === undefined) return `405 without Allow (RFC 9110 §15.5.6): ${told}`;
  if (face === 'page') {
    return /^text\/html/.test(headers['content-type'] ?? '') && /<h1/.test(body) ? undefined : `no page: ${told}`;
  }
  if (!/^application\/json/.test(headers['content-type'] ?? '')) return `no JSON: ${told}`;
  const value: unknown = JSON.parse(body);
  return typeof value === 'object' && value !== null && 'error' in value ? undefined : `no error object: ${told}`;
}

interface Fault {
  readonly name: string;
  readonly sent: Sent;
  readonly statuses: readonly number[];
}

const long = 'x'.repeat(10_000);
const megabyte = Buffer.alloc(1_000_000, 'a');

function methodFaults({ methods }: Endpoint): Fault[] {
  return ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
    .filter((method) => !methods.includes(method))
    .map((method) => ({ name: `method ${method}`, sent: { method }, statuses: [405] }));
}

function queryFaults({ good }: Endpoint): Fault[] {
  const fields = good?.() ?? {};
  const query = new URLSearchParams(fields).toString();
  const [first = 'client_id'] = Object.keys(fields);
  const get = (name: string, text: string): Fault => ({ name, sent: { method: 'GET', query: text }, statuses: [400] });
  return [
    get('a query that is not UTF-8', `${query}&state=%ff%fe`),
    get('a broken percent escape', `${query}&nonce=%zz`),
    get('a repeated parameter', `${query}&${first}=a&${first}=b`),
    get('a long value', `${query}&scope=${long}`),
  ];
}

function formFaults({ good }: Endpoint): Fault[] {
  const fields = good?.() ?? { username: 'demo', client_id: clientId };
  const text = new URLSearchParams(fields).toString();
  const [first = 'client_id'] = Object.keys(fields);
  const post = (name: string, body: string | Buffer, type: string | undefined, statuses: number[]): Fault => ({
    name,
    sent: { method: 'POST', body, headers: type === undefined ? {} : { 'content-type': type } },
    statuses,
  });
  return [
    post(
      'a form that is not UTF-8',
      Buffer.concat([Buffer.from(`${text}&scope=`), Buffer.from([0xff, 0xfe])]),
      form,
      [400],
    ),
    post('a form with an escape that is not UTF-8', `${text}&scope=%ff`, form, [400]),
    post('a repeated parameter', `${text}&${first}=another`, form, [400]),
    // A consent form is that long; what it misses is the form itself.
    post('a long value', `${text}&scope=${long}`, form, [400, 403]),
    post('a megabyte of form', Buffer.concat([Buffer.from(`${text}&scope=`), megabyte]), form, [413]),
    post('no content type', text, undefined, [400, 415]),
    post('JSON for a form', JSON.stringify(fields), 'application/json', [400, 415]),
    post('nothing at all', '', undefined, [400, 401, 403]),
  ];
}

function jsonFaults({ always }: Endpoint): Fault[] {
  const json = 'application/json';
  const good = JSON.stringify({ redirect_uris: [redirectUri], jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const post = (name: string, body: string | Buffer, type: string | undefined, statuses: number[]): Fault => ({
    name,
    sent: { method: 'POST', body, headers: type === undefined ? {} : { 'content-type': type } },
    statuses: always === undefined ? statuses : [always],
  });
  return [
    post('broken JSON', '{"redirect_uris":["http', json, [400]),
    post('JSON that is no object', '"redirect_uris"', json, [400]),
    post('nothing at all', '', json, [400]),
    post('JSON nested 20,000 deep', '['.repeat(20_000), json, [400]),
    post(
      'JSON that is not UTF-8',
      Buffer.concat([Buffer.from('{"client_name":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      json,
      [400],
    ),
    post(
      'a long value',
      JSON.stringify({ redirect_uris: [`http://127.0.0.1/${long}`], client_name: long }),
      json,
      [400],
    ),
    post(
      'a megabyte of JSON',
      Buffer.concat([Buffer.from('{"client_name":"'), megabyte, Buffer.from('"}')]),
      json,
      [413],
    ),
    post('no content type', good, undefined, [400, 415]),
    post('a form for JSON', 'redirect_uris=x', form, [400, 415]),
  ];
}

describe.each(endpoints)('$name', (endpoint) => {
  it('refuses whatever is wrong, in its own form', { timeout: 60_000 }, async () => {
    const { face, reads } = endpoint;
    const faults = [
      ...methodFaults(endpoint),
      ...(reads.includes('query') ? queryFaults(endpoint) : []),
      ...(reads.includes('form') ? formFaults(endpoint) : []),
      ...(reads.includes('json') ? jsonFaults(endpoint) : []),
    ];
    const flaws: string[] = [];
    for (const { name, sent, statuses } of faults) {
      const found = await send(endpoint, sent).then(
        (answer) => flaw(answer, face, statuses),
        (error: Error) => `no answer: ${error.message}`,
      );
      if (found !== undefined) flaws.push(`${name}: ${found}`);
    }
    expect(faults.length).toBeGreaterThan(2);
    expect(flaws).toEqual([]);
  });
});

describe('a refusal', () => {
  it('reaches a client that is still sending: it learns that its token is too old, and not that the line is dead', async () => {
    const mcp = endpoint('gateway', ['MCP', '/ankify/mcp', 'api', [], []]);
    const body = Buffer.alloc(4_000_000, ' ');
    for (let round = 1; round <= 10; round++) {
      const headers = { 'content-type': 'application/json' };
      const answer = await send(mcp, { method: 'POST', headers, body });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('resource_metadata=');
    }
  });
});

describe('an address where nothing is', () => {
  it.each(['gateway', 'sign-in'] as const)('is refused by the %s, with a body as without', async (server) => {
    const nowhere = endpoint(server, ['nowhere', '/nowhere/%00/..%2f', server === 'gateway' ? 'api' : 'page', [], []]);
    for (const sent of [{ method: 'GET' }, { method: 'POST', body: megabyte }, { method: 'DELETE' }]) {
      expect(flaw(await send(nowhere, sent), nowhere.face, [404, 413])).toBeUndefined();
    }
  });
});

describe('afterwards', () => {
  it('a person still signs in, and a client still calls a tool', async () => {
    const response = await fetch(stack.mcp, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await newAccessToken()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      signal: AbortSignal.timeout(limitMs),
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('create_deck');
  });

  it('nothing of it was a fault, and nothing was answered with a 5xx', () => {
    expect(stack.output()).toContain('"event":"http.request"');
    expect(stack.output()).not.toMatch(/"event":"(sign_in\.)?fault"|"status":5\d\d|request\.failed/);
  });
});
