/** Spellings of paths and framings of messages: what reaches a target without a token (SEC-11, CVE-2026-22031 and kin). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message, speak } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([
    {
      path: '/ankify/mcp',
      target: `${target.url}/mcp`,
      open: [
        { path: '/ankify/exports', target: `${target.url}/exports` },
        { path: '/root-open/', target: `${target.url}` },
      ],
    },
  ]);
  person = await signIn({ ...gateway, path: '/ankify/mcp' });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  target.seen.length = 0;
});

const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];

const spellings = [
  'http://evil.example/ankify/mcp',
  'http://localhost/ankify/mcp',
  'https://evil.example/ankify/exports/../mcp',
  '//ankify/mcp',
  '//evil.example/ankify/mcp',
  '/ankify//mcp',
  '/./ankify/mcp',
  '/ankify/./mcp',
  '/ankify/../ankify/mcp',
  '/x/../ankify/mcp',
  '/ankify/%2e/mcp',
  '/ankify/%2e%2e/ankify/mcp',
  '/%61nkify/mcp',
  '/ankify/%6dcp',
  '/ankify%2fmcp',
  '/ankify%2Fmcp',
  '/ankify%5cmcp',
  '/ankify\\mcp',
  '/ankify/mcp;',
  '/ankify/mcp;a=b',
  '/ankify;x/mcp',
  '/ankify/mcp/',
  '/ankify/mcp/.',
  '/ankify/mcp/..',
  '/ankify/mcp%00',
  '/ankify/mcp%20',
  '/ankify/mcp%23',
  '/ankify/mcp%3f',
  '/ankify/mcp#',
  '/ankify/mcp.json',
  '/ANKIFY/mcp',
  '/Ankify/MCP',
  '/ankify/mcp&x=1',
  '/ankify/mcp\xe9',
  '/%EF%BC%8Fankify/mcp',
  '/ankify/mc%70',
  '*',
  'ankify/mcp',
  '?/ankify/mcp',
];

describe('paths', () => {
  it.each(spellings)('%j reaches nobody, with or without a token', async (path) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      for (const headers of [[], [bearer()]]) {
        const answer = await ask(gateway.port, message(`${method} ${path}`, [...headers, ['Content-Length', '0']]));
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
    }
    expect(target.seen).toEqual([]);
  });

  it.each(['/ankify/mcp', '/ankify/mcp?', '/ankify/mcp?x=/../exports/a', '/ankify/mcp?#'])(
    '%s is the endpoint, and asks for a token',
    async (path) => {
      expect((await ask(gateway.port, message(`GET ${path}`))).status).toBe(401);
      expect(target.seen).toEqual([]);
      expect((await ask(gateway.port, message(`GET ${path}`, [bearer()]))).status).toBe(200);
      expect(target.seen[0]?.url.split('?')[0]).toBe('/mcp');
    },
  );

  it('a token in the query is none (RS-12)', async () => {
    const answer = await ask(gateway.port, message(`GET /ankify/mcp?access_token=${person.accessToken}`));
    expect(answer.status).toBe(401);
    const body = `access_token=${person.accessToken}`;
    const form: Array<[string, string]> = [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['Content-Length', String(body.length)],
    ];
    expect((await ask(gateway.port, message('POST /ankify/mcp', form, body))).status).toBe(401);
    expect(target.seen).toEqual([]);
  });
});

describe('open paths', () => {
  it.each([
    ['/ankify/exports/a.apkg', '/exports/a.apkg'],
    ['/ankify/exports/a/b/c_d-e~f.g?sig=1&x=%2e%2e%2f', '/exports/a/b/c_d-e~f.g?sig=1&x=%2e%2e%2f'],
    ['/ankify/exports/...', '/exports/...'],
    ['/ankify/exports/.hidden', '/exports/.hidden'],
    ['/root-open/mcp', '/mcp'],
  ])('%s is %s at the target', async (path, url) => {
    for (const method of ['GET', 'HEAD']) {
      const answers = await speak(gateway.port, message(`${method} ${path}`)).catch(() => []);
      if (method === 'GET') expect(answers[0]?.status).toBe(200);
    }
    expect(target.seen.map((seen) => [seen.method, seen.url])).toEqual([
      ['GET', url],
      ['HEAD', url],
    ]);
  });

  it.each([
    '/ankify/exports',
    '/ankify/exports/',
    '/ankify/exports-evil',
    '/ankify/exports-evil/a',
    '/ankify/exportsa',
    '/ankify/exports.a',
    '/ankify/Exports/a',
    '/ankify/exports//a',
    '/ankify/exports/a//b',
    '/ankify/exports/a/',
    '/ankify/exports/../mcp',
    '/ankify/exports/a/../../mcp',
    '/ankify/exports/..',
    '/ankify/exports/a/..',
    '/ankify/exports/./a',
    '/ankify/exports/.',
    '/ankify/exports/%2e%2e/mcp',
    '/ankify/exports/%2E%2E%2Fmcp',
    '/ankify/exports/..%2fmcp',
    '/ankify/exports/..%5cmcp',
    '/ankify/exports/..\\mcp',
    '/ankify/exports/%252e%252e/mcp',
    '/ankify/exports/%c0%ae%c0%ae/mcp',
    '/ankify/exports/..;/mcp',
    '/ankify/exports/a;b',
    '/ankify/exports/a%00',
    '/ankify/exports/a#b',
    '/ankify/exports/a@b',
    '/ankify/exports/a:b',
    '/ankify/exports/\xe9',
    'http://evil.example/ankify/exports/a',
    '//ankify/exports/a',
  ])('%j is not one of them', async (path) => {
    const answer = await ask(gateway.port, message(`GET ${path}`));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(target.seen).toEqual([]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'get', 'GETX'])(
    '%s goes through nowhere',
    async (method) => {
      const answer = await ask(
        gateway.port,
        message(`${method} /ankify/exports/a`, [bearer(), ['Content-Length', '0']]),
      );
      expect([400, 405]).toContain(answer.status);
      expect(target.seen).toEqual([]);
    },
  );
});

describe('framing', () => {
  const inner = 'GET /ankify/exports/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const token = () => `Authorization: Bearer ${person.accessToken}\r\n`;

  it.each([
    ['TE and CL', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['CL and TE', 'Transfer-Encoding: chunked\r\nContent-Length: 200\r\n', '0\r\n\r\n'],
    ['two TE', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['TE list', 'Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'],
    ['TE xchunked', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
    ['TE quoted', 'Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'],
    // Taken off by nobody, it would reach the target as if it were the message (RFC 9112 §6.1).
    ['TE gzip', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
    ['TE identity', 'Transfer-Encoding: identity, chunked\r\n', '0\r\n\r\n'],
    ['TE with tab', 'Transfer-Encoding:\tchunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'],
    ['space before colon', 'Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
    ['folded TE', 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'],
    ['two CL', 'Content-Length: 0\r\nContent-Length: 50\r\n', ''],
    ['CL list', 'Content-Length: 0, 50\r\n', ''],
    ['CL plus', 'Content-Length: +0\r\n', ''],
    ['CL minus', 'Content-Length: -1\r\n', ''],
    ['CL hex', 'Content-Length: 0x0\r\n', ''],
    ['CL point', 'Content-Length: 0.0\r\n', ''],
    ['CL huge', `Content-Length: ${'9'.repeat(40)}\r\n`, ''],
    ['chunk size', 'Transfer-Encoding: chunked\r\n', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['negative chunk', 'Transfer-Encoding: chunked\r\n', '-1\r\n\r\n0\r\n\r\n'],
    ['huge chunk', 'Transfer-Encoding: chunked\r\n', `${'f'.repeat(20)}\r\n`],
    ['chunk with LF', 'Transfer-Encoding: chunked\r\n', '2\n{}\n0\n\n'],
    ['header without colon', 'Nonsense\r\n', ''],
    ['header with null', 'X-Null: a\0b\r\n', ''],
    ['bare CR', 'X-A: b\rX-Gatehouse-Subject: root\r\n', ''],
    ['empty name', ': x\r\n', ''],
  ])('%s: one refusal, and the connection ends', async (_, headers, body) => {
    const answers = await speak(
      gateway.port,
      `POST /ankify/mcp HTTP/1.1\r\nHost: localhost\r\n${token()}${headers}\r\n${body}${inner}`,
    );
    expect(answers[0]?.status).toBeGreaterThanOrEqual(400);
    expect(answers[0]?.status).toBeLessThan(500);
    expect(answers).toHaveLength(1);
    expect(target.seen.filter(({ url }) => url.includes('smuggled'))).toEqual([]);
    expect(target.seen.filter(({ headers: seen }) => seen['x-gatehouse-subject'] === 'root')).toEqual([]);
    expect((await fetch(gateway.url('/healthz'))).status).toBe(200);
  });

  it('a request inside a body is a body', async () => {
    const headers: Array<[string, string]> = [bearer(), ['Content-Length', String(inner.length)]];
    const answer = await ask(gateway.port, message('POST /ankify/mcp', headers, inner));
    expect(answer.status).toBe(200);
    expect(target.seen.map(({ url, body }) => [url, String(body)])).toEqual([['/mcp', inner]]);
  });

  it('a request inside the body of a refused one is never answered', async () => {
    const headers: Array<[string, string]> = [
      ['Content-Length', String(inner.length)],
      ['Connection', 'keep-alive'],
    ];
    for (const path of ['/ankify/mcp', '/nowhere', '/', '/healthz', '/ankify/exports/a']) {
      const answers = await speak(gateway.port, message(`POST ${path}`, headers, inner), message('GET /healthz'));
      const allowed = answers.filter(({ status }) => status === 200).map((answer) => answer.body.toString());
      for (const body of allowed) expect(body).toBe('{"status":"ok"}');
    }
    expect(target.seen).toEqual([]);
  });

  it('a method in a header or a query changes nothing', async () => {
    const headers: Array<[string, string]> = [
      ['X-HTTP-Method-Override', 'OPTIONS'],
      ['X-Original-URL', '/ankify/exports/a'],
      ['X-Rewrite-URL', '/ankify/exports/a'],
      ['X-Forwarded-Uri', '/ankify/exports/a'],
      ['X-Forwarded-Prefix', '/ankify/exports'],
      ['User-Agent', 'ELB-HealthChecker/2.0'],
      ['Content-Length', '0'],
    ];
    for (const path of ['/ankify/mcp', '/ankify/mcp?_method=OPTIONS', '/ankify/mcp?/healthz']) {
      expect((await ask(gateway.port, message(`POST ${path}`, headers))).status).toBe(401);
    }
    expect(target.seen).toEqual([]);
  });

  // What the guard judged is what the target gets, also where Node stops counting headers (maxHeadersCount).
  it.each(Array.from({ length: 40 }, (_, at) => 90 + at))('%d headers and then the body’s length', async (count) => {
    const filler = Array.from({ length: count - 4 }, (_, at): [string, string] => [`X-${at}`, '1']);
    const headers = [bearer(), ...filler, ['Content-Length', '2'] as const];
    const answer = await ask(gateway.port, message('POST /ankify/mcp', headers, '{}'));
    expect([200, 431, 400]).toContain(answer.status);
    expect(target.seen.map(({ body }) => String(body))).toEqual(answer.status === 200 ? ['{}'] : []);
    const hidden = [...filler, bearer(), ['X-Gatehouse-Subject', 'root'], ['Host', 'evil.example']] as const;
    const other = await ask(gateway.port, message('GET /ankify/mcp', [['Host', 'localhost'], ...hidden]));
    expect([400, 431]).toContain(other.status);
  });
});
