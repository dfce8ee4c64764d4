/** Any input to any endpoint has an answer of the right form, never a 5xx, and the next person is served (REL-03). */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { gatewayConfig, startGateway, type TestGateway } from './harness.ts';
import { type Answer, hear, message, open, speak } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([
    { path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/exports', target: `${target.url}/files` }] },
  ]);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

type Form = 'json' | 'page';

/** Every path the gateway knows, the method it is for, and how it speaks. */
const endpoints: ReadonlyArray<readonly [path: string, method: string, form: Form]> = [
  ['/mcp', 'POST', 'json'],
  ['/', 'GET', 'json'],
  ['/exports/a', 'GET', 'json'],
  ['/register', 'POST', 'json'],
  ['/token', 'POST', 'json'],
  ['/authorize', 'GET', 'page'],
  ['/consent', 'POST', 'page'],
  ['/callback', 'GET', 'page'],
  ['/.well-known/jwks.json', 'GET', 'json'],
  ['/.well-known/oauth-authorization-server', 'GET', 'json'],
  ['/.well-known/openid-configuration', 'GET', 'json'],
  ['/.well-known/oauth-protected-resource/mcp', 'GET', 'json'],
  ['/nowhere', 'GET', 'json'],
];
const posts = endpoints.filter(([, method]) => method === 'POST');

/** A refusal in the form of its endpoint, and after it a server that is well. */
async function expectRefusal(answers: readonly Answer[], form: Form): Promise<Answer> {
  expect(answers).toHaveLength(1);
  const answer = answers[0] as Answer;
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  if (form === 'json') {
    expect(answer.header('content-type')).toBe('application/json');
    expect(answer.json()).toMatchObject({ error: expect.stringMatching(/^[a-z_]+$/) });
  } else {
    expect(answer.header('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.header('content-security-policy')).toContain("default-src 'none'");
    expect(answer.body.toString()).toContain('<code>');
  }
  expect(answer.body.toString()).not.toMatch(/\bat .*\.ts:\d+|node:internal|\/packages\//);
  await expectWell();
  return answer;
}

async function expectWell(): Promise<void> {
  const metadata = await fetch(gateway.url('/.well-known/oauth-authorization-server'));
  expect(metadata.status).toBe(200);
  expect(await metadata.json()).toMatchObject({ issuer: gateway.issuer });
}

const type = (text: string): [string, string] => ['Content-Type', text];
const length = (body: string | Buffer): [string, string] => ['Content-Length', String(Buffer.byteLength(body))];

describe('methods', () => {
  it.each(endpoints)('wrong ones at %s', async (path, right, form) => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY']) {
      const known = path !== '/nowhere' && method === right;
      // The endpoint of a resource asks for a token first, whatever the method.
      const answers = await speak(gateway.port, message(`${method} ${path}`, [['Content-Length', '0']]));
      if (known && right === 'GET' && form === 'json') expect(answers[0]?.status).toBe(200);
      else await expectRefusal(answers, form);
    }
  });

  it.each(['FOO', 'get', 'GE\x01T', '', 'CONNECT'])('no method at all: %j', async (method) => {
    const answers = await speak(gateway.port, message(`${method} /mcp`)).catch(() => []);
    for (const answer of answers) expect(answer.status).toBeLessThan(500);
    expect(answers.filter(({ status }) => status < 400)).toEqual([]);
    await expectWell();
  });
});

describe('bodies', () => {
  it.each(endpoints)('a megabyte for %s', async (path, method, form) => {
    const body = Buffer.alloc(1024 * 1024, 'a');
    for (const kind of ['application/json', 'application/x-www-form-urlencoded']) {
      const answers = await speak(gateway.port, message(`${method} ${path}`, [type(kind), length(body)], body));
      if (method === 'POST') {
        const answer = await expectRefusal(answers, form);
        expect(answer.status).toBe(path === '/mcp' ? 401 : 413);
      } else {
        expect(answers).toHaveLength(1);
        // A GET takes no body: what is sent is refused, or read and forgotten.
        if (path !== '/exports/a') expect(answers[0]?.status).toBeLessThan(500);
      }
    }
    await expectWell();
  });

  const bad: ReadonlyArray<readonly [string, string | Buffer]> = [
    ['nothing', ''],
    ['half of JSON', '{"redirect_uris":["http'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a number', '1e999'],
    ['text', '"text"'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', '\ufeff{}'],
    ['nulls', Buffer.alloc(100)],
    ['depth', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
    ['a prototype', '{"__proto__":{"redirect_uris":["https://a.example/cb"]},"constructor":{"prototype":1}}'],
    ['wrong types', '{"redirect_uris":{"0":"x","length":1},"client_name":["a"],"grant_types":7}'],
    [
      'a thousand URIs',
      JSON.stringify({ redirect_uris: Array.from({ length: 1000 }, (_, at) => `https://a.b/${at}`) }),
    ],
    ['10,000 characters', JSON.stringify({ redirect_uris: ['https://a.example/cb'], client_name: 'n'.repeat(10_000) })],
  ];
  it.each(bad)('JSON, or not: %s', async (_, body) => {
    for (const [path, , form] of posts) {
      await expectRefusal(
        await speak(gateway.port, message(`POST ${path}`, [type('application/json'), length(body)], body)),
        form,
      );
    }
  });

  const forms: ReadonlyArray<readonly [string, string | Buffer]> = [
    ['nothing', ''],
    ['repeated', 'grant_type=refresh_token&grant_type=refresh_token'],
    ['repeated in other words', 'grant_type=a&grant%5ftype=b&request=a&request=b'],
    ['bad percent', 'grant_type=%zz&request=%'],
    ['bad UTF-8 in percent', 'grant_type=%ff%fe&request=%c0%80'],
    ['bad UTF-8', Buffer.from('grant_type=\xff&request=\xfe', 'latin1')],
    ['a null', 'grant_type=authorization_code%00&code=a%00b&client_id=%00'],
    ['10,000 characters', `grant_type=${'a'.repeat(10_000)}&request=${'b'.repeat(10_000)}`],
    ['seven thousand parameters', Array.from({ length: 7_000 }, (_, at) => `p${at}=1`).join('&')],
    ['ampersands', '&'.repeat(60_000)],
    ['equals', '='.repeat(60_000)],
    ['a prototype', '__proto__=1&constructor=2&toString=3&hasOwnProperty=4'],
    ['a code of nobody', 'grant_type=authorization_code&code=ghc_t1.AAAAAAAAAAAAAAAAAAAAAA.0.x&client_id=nobody'],
  ];
  it.each(forms)('forms: %s', async (_, body) => {
    for (const [path, , form] of posts) {
      const kind = type('application/x-www-form-urlencoded');
      await expectRefusal(await speak(gateway.port, message(`POST ${path}`, [kind, length(body)], body)), form);
    }
  });

  it.each([
    '',
    'text/plain',
    'application/json; charset=latin1',
    'APPLICATION/JSON\t',
    'multipart/form-data; boundary=x',
  ])('the type %j', async (kind) => {
    for (const [path, , form] of posts) {
      const headers = [...(kind === '' ? [] : [type(kind)]), length('{}')];
      await expectRefusal(await speak(gateway.port, message(`POST ${path}`, headers, '{}')), form);
    }
  });

  it.each(['gzip', 'br', 'identity, gzip'])('a body in %s is not opened', async (encoding) => {
    const body = 'grant_type=refresh_token&refresh_token=x&client_id=y&request=z&decision=allow';
    for (const [path, , form] of posts) {
      const headers = [
        type('application/x-www-form-urlencoded'),
        length(body),
        ['Content-Encoding', encoding] as const,
      ];
      await expectRefusal(await speak(gateway.port, message(`POST ${path}`, headers, body)), form);
    }
  });

  it('a client that leaves in the middle of a body is no fault of ours', async () => {
    for (const path of ['/register', '/token', '/consent']) {
      const from = gateway.events.length;
      const socket = await open(gateway.port);
      const headers = [type('application/json'), ['Content-Length', '1000'] as const];
      socket.write(message(`POST ${path}`, headers, '{"half":'));
      // The server has the head when it has answered somebody who came later.
      await expectWell();
      socket.destroy();
      const lines = () => gateway.events.slice(from).filter((event) => event.path === path);
      while (!lines().some(({ event }) => event === 'http.request')) await expectWell();
      expect(lines().map(({ event }) => event)).not.toContain('fault');
    }
  });
});

describe('queries', () => {
  const queries = [
    '?',
    '?client_id=%ff',
    '?client_id=%',
    '?client_id=a&client_id=b',
    `?client_id=${'a'.repeat(10_000)}`,
    `?state=${'a'.repeat(10_000)}`,
    '?code=a&state=b&code=c',
    '?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E',
    '?state=%00&code=%00',
    '?__proto__=1&constructor=1',
    `?${Array.from({ length: 2000 }, (_, at) => `p${at}=1`).join('&')}`,
    '?client_id=<script>alert(1)</script>&redirect_uri=javascript:alert(1)',
    '?client_id=dcr_t1.e30.aaaa&redirect_uri=http://127.0.0.1/cb&response_type=code',
  ];
  it.each(queries.map((query) => [query.slice(0, 60), query]))('%s', async (_, query) => {
    for (const path of ['/authorize', '/callback']) {
      const answer = await expectRefusal(await speak(gateway.port, message(`GET ${path}${query}`)), 'page');
      expect(answer.body.toString()).not.toContain('<script');
      expect(answer.header('location')).toBeUndefined();
    }
    const unread = await speak(gateway.port, message(`GET /.well-known/jwks.json${query}`));
    expect(unread[0]?.status).toBe(200);
  });
});

describe('headers', () => {
  it.each([
    ['40 KB in one', [['X-Big', 'a'.repeat(40_000)]], 431],
    ['40 KB of cookie', [['Cookie', 'gatehouse=a; '.repeat(3000)]], 431],
    ['a 40 KB token', [['Authorization', `Bearer ${'a'.repeat(40_000)}`]], 431],
    ['500 of them', Array.from({ length: 500 }, (_, at) => [`X-${at}`, '1']), 431],
  ] as ReadonlyArray<[string, Array<[string, string]>, number]>)('%s', async (_, headers, status) => {
    for (const [path, method] of endpoints) {
      const answers = await speak(gateway.port, message(`${method} ${path}`, headers));
      expect(answers.map((answer) => answer.status)).toEqual([status]);
    }
    await expectWell();
  });

  it.each([
    'Bearer',
    'Bearer ',
    'Bearer  ',
    'Bearer a b',
    'Bearer\ta',
    'Bearer "a"',
    `Bearer ${'a'.repeat(20_000)}`,
    `Bearer ${'.'.repeat(20_000)}`,
    'Bearer a.b.c',
    'Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.',
    `Bearer ${Buffer.from('{"alg":"ES256","typ":"at+jwt","kid":"x"}').toString('base64url')}.e30.AAAA`,
    'bearer \xff\xfe',
    'Basic !!!',
    'Digest x',
    ',',
  ])('the credentials %j', async (value) => {
    for (const path of ['/mcp', '/token', '/register']) {
      const headers: Array<[string, string]> = [['Authorization', value], type('application/json'), length('{}')];
      const answer = await expectRefusal(await speak(gateway.port, message(`POST ${path}`, headers, '{}')), 'json');
      if (path === '/mcp') {
        expect(answer.status === 401 || answer.status === 400).toBe(true);
        expect(answer.header('www-authenticate')).toMatch(/^Bearer .*resource_metadata="/);
      }
    }
    expect(target.requests).toBeLessThanOrEqual(endpoints.length * 20);
  });

  it('lines that are no HTTP', async () => {
    for (const words of [
      '\r\n\r\n',
      'hello\r\n\r\n',
      'GET\r\n\r\n',
      'GET /mcp\r\n\r\n',
      'GET /mcp HTTP/9.9\r\nHost: localhost\r\n\r\n',
      'GET /mcp HTTP/1.1\nHost: localhost\n\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    ]) {
      const socket = await open(gateway.port);
      socket.write(Buffer.from(words, 'latin1'));
      if (words.trim() === '') socket.destroy();
      else expect(await hear(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 4\d\d /);
      socket.destroy();
    }
    await expectWell();
  });

  it('slow senders are given seconds, and idle connections more than a load balancer keeps', async () => {
    const config = gatewayConfig(8080, [{ path: '/mcp', target: target.url }]);
    const { http, close } = await assemble(config, { log: () => {} });
    const { server } = http;
    expect(server.headersTimeout).toBeLessThanOrEqual(10_000);
    expect(server.requestTimeout).toBeLessThanOrEqual(30_000);
    expect(server.headersTimeout).toBeGreaterThan(0);
    expect(server.keepAliveTimeout).toBeGreaterThan(60_000);
    expect(server.maxHeadersCount).toBeLessThanOrEqual(100);
    await close();
  });

  // The server's own limits, made short; what is waited for is the end of the connection, whenever the server sees to it.
  it.each([
    ['in the middle of the head', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', 408],
    ['in the middle of a form', 'POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na=', 408],
    ['after a refusal', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{', 401],
  ])('a sender who stops %s has one answer, and no connection', async (_, words, status) => {
    const { http, close } = await assemble(gatewayConfig(8080, [{ path: '/mcp', target: target.url }]), {
      log: () => {},
    });
    http.server.headersTimeout = 1;
    http.server.requestTimeout = 1;
    http.server.listen(0, '127.0.0.1');
    await once(http.server, 'listening');
    const { port } = http.server.address() as { port: number };
    const answers = await speak(port, words);
    expect(answers.map((answer) => answer.status)).toEqual([status]);
    await http.close(1);
    await close();
  });
});
