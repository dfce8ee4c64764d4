/** What a client gets for each thing a target can answer, refuse or break (RS-10, REL-03). */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, begin, message } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;
let bytesPerson: SignedIn;
let echo: Target['answer'];
let bytes: { server: Server; answer: Buffer };

beforeAll(async () => {
  target = await startTarget();
  echo = target.answer;
  bytes = await byteTarget();
  const { port } = bytes.server.address() as { port: number };
  gateway = await startGateway([
    {
      path: '/mcp',
      target: `${target.url}/mcp`,
      scopes: { read: 'read', write: 'write', admin: 'rule' },
      defaultScope: ['read'],
      open: [{ path: '/exports', target: `${target.url}/files` }],
    },
    { path: '/bytes/mcp', target: `http://127.0.0.1:${port}/` },
    {
      path: '/down/mcp',
      target: `http://127.0.0.1:${await freePort()}/`,
      open: [{ path: '/down/open', target: `http://127.0.0.1:${await freePort()}/` }],
    },
  ]);
  person = await signIn(gateway);
  bytesPerson = await signIn({ ...gateway, path: '/bytes/mcp' });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
  bytes.server.close();
});
beforeEach(() => {
  target.answer = echo;
  target.seen.length = 0;
});

/** A target that answers the same bytes to whoever comes, and closes. */
async function byteTarget() {
  const made = {
    answer: Buffer.alloc(0),
    server: createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(made.answer));
    }).listen(0, '127.0.0.1'),
  };
  await once(made.server, 'listening');
  return made;
}

const bearer = ({ accessToken }: SignedIn = person): [string, string] => ['Authorization', `Bearer ${accessToken}`];
const metadataUrl = (path: string) => `${gateway.issuer}/.well-known/oauth-protected-resource${path}`;

describe('requests', () => {
  it.each([
    ['POST', '{"jsonrpc":"2.0"}'],
    ['DELETE', ''],
    ['GET', ''],
  ])('%s reaches the target as it is', async (method, body) => {
    const response = await fetch(gateway.url('/mcp?a=1&b=%20'), {
      method,
      headers: { ...person.authorization, 'content-type': 'application/json' },
      ...(body !== '' && { body }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ from: 'target' });
    expect(target.seen).toHaveLength(1);
    expect(target.seen[0]).toMatchObject({ method, url: '/mcp?a=1&b=%20' });
    expect(target.seen[0]?.body.toString()).toBe(body);
  });

  it('HEAD has the headers of an answer and no body', async () => {
    target.answer = (_, res) => res.writeHead(200, { 'content-length': '4242' }).end();
    const answer = await ask(gateway.port, message('HEAD /mcp', [bearer()])).catch(() => undefined);
    const response = await fetch(gateway.url('/mcp'), { method: 'HEAD', headers: person.authorization });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('4242');
    expect(await response.text()).toBe('');
    expect(answer?.body.length ?? 0).toBe(0);
  });

  it('any bytes of a body arrive as they are, with a length and in chunks', async () => {
    const body = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7919) % 256));
    const whole = await fetch(gateway.url('/mcp'), { method: 'POST', headers: person.authorization, body });
    expect(whole.status).toBe(200);
    const { req, answer } = begin(gateway.port, { method: 'POST', path: '/mcp', headers: person.authorization });
    req.setHeader('transfer-encoding', 'chunked');
    for (let at = 0; at < body.length; at += 9999) req.write(body.subarray(at, at + 9999));
    req.end();
    expect((await answer).statusCode).toBe(200);
    expect(target.seen.map((seen) => seen.body.equals(body))).toEqual([true, true]);
    expect(target.seen[0]?.headers['content-length']).toBe('70000');
  });

  it('without a token nothing reaches the target', async () => {
    const { requests } = target;
    for (const method of ['GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PUT', 'TRACE']) {
      const answer = await ask(gateway.port, message(`${method} /mcp`, [['Content-Length', '0']])).catch(
        () => undefined,
      );
      expect([204, 401, 405, undefined]).toContain(answer?.status);
    }
    expect(target.requests).toBe(requests);
  });

  it.each(['TRACE', 'PUT', 'PATCH', 'PROPFIND'])('%s goes no further: 405 and Allow', async (method) => {
    // A target that implements TRACE (RFC 9110 §9.3.8) would send our own headers back, the secret included.
    const answer = await ask(gateway.port, message(`${method} /mcp`, [bearer()]));
    expect(answer.status).toBe(405);
    expect(answer.header('allow')).toContain('POST');
    expect(target.seen).toHaveLength(0);
  });

  it.each(['/exports/a', '/', '/healthz', '/token', '/.well-known/jwks.json'])('405 at %s has Allow', async (path) => {
    const answer = await ask(gateway.port, message(`PUT ${path}`, [['Content-Length', '0']]));
    expect(answer.status).toBe(405);
    expect(answer.header('allow')).toMatch(/GET|POST/);
  });

  it.each([
    ['Content-Length', '2', '{}'],
    ['Transfer-Encoding', 'chunked', '2\r\n{}\r\n0\r\n\r\n'],
  ])('a body on an open path (%s) is the client’s fault, and not the target’s', async (name, value, body) => {
    const answer = await ask(gateway.port, message('GET /exports/a', [[name, value]], body));
    expect([400, 413]).toContain(answer.status);
  });
});

describe('answers', () => {
  it('a target that is down is 502 in JSON, for every kind of body', async () => {
    const other = await signIn({ ...gateway, path: '/down/mcp' });
    const requests = [
      message('GET /down/mcp', [bearer(other)]),
      message('POST /down/mcp', [bearer(other), ['Content-Length', '2']], '{}'),
      message('POST /down/mcp', [bearer(other), ['Transfer-Encoding', 'chunked']], '2\r\n{}\r\n0\r\n\r\n'),
      message('GET /down/open/a'),
    ];
    for (const request of requests) {
      const answer = await ask(gateway.port, request);
      expect(answer.status).toBe(502);
      expect(answer.header('content-type')).toBe('application/json');
      expect(answer.json().error).toBe('target_unreachable');
      expect(answer.body.toString()).not.toMatch(/127\.0\.0\.1|ECONN|:\d{4}/);
    }
    expect(gateway.events.filter(({ outcome }) => outcome === 'unreachable').at(-1)).toMatchObject({ status: 502 });
  });

  it.each(['/mcp/', 'http://127.0.0.1:1/mcp', 'https://elsewhere.example/mcp'])(
    'a redirect to %s, where the client cannot go with this token, is our 502 and says in the log what to configure',
    async (location) => {
      target.answer = (_, res) => res.writeHead(307, { location }).end();
      const answer = await ask(gateway.port, message('POST /mcp', [bearer(), ['Content-Length', '2']], '{}'));
      expect(answer.status).toBe(502);
      expect(answer.header('location')).toBeUndefined();
      expect(answer.json().error).toBe('target_redirects');
      expect(gateway.events.at(-1)?.cause).toContain(location);
    },
  );

  it('a download may lead to signed storage elsewhere, and not to the target', async () => {
    target.answer = (_, res) => res.writeHead(302, { location: 'https://storage.example/deck?signature=x' }).end();
    const away = await ask(gateway.port, message('GET /exports/a'));
    expect([away.status, away.header('location')]).toEqual([302, 'https://storage.example/deck?signature=x']);
    target.answer = (_, res) => res.writeHead(302, { location: `${target.url}/internal` }).end();
    expect((await ask(gateway.port, message('GET /exports/a'))).status).toBe(502);
  });

  it('a target’s 401 is our 502: the client’s token was good', async () => {
    target.answer = (req, res) => {
      req.resume();
      res.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="http://target/.well-known"' }).end('who?');
    };
    const body = message('POST /mcp', [bearer(), ['Content-Length', '2']], '{}');
    const answer = await ask(gateway.port, body);
    expect(answer.status).toBe(502);
    expect(answer.json().error).toBe('target_refused');
    expect(answer.header('www-authenticate')).toBeUndefined();
    expect(answer.body.toString()).not.toContain('who?');
  });

  it('a target’s insufficient_scope is our challenge: what is held and what is asked, and our own metadata', async () => {
    target.answer = (req, res) => {
      req.resume();
      res
        .writeHead(403, {
          'www-authenticate':
            'Bearer error="insufficient_scope", scope="write admin", resource_metadata="http://127.0.0.1:9/inner"',
          'x-inner': 'http://127.0.0.1:9/inner',
        })
        .end('{"resource_metadata":"http://127.0.0.1:9/inner"}');
    };
    const answer = await ask(gateway.port, message('POST /mcp', [bearer(), ['Content-Length', '2']], '{}'));
    expect(answer.status).toBe(403);
    const challenge = answer.header('www-authenticate') ?? '';
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="read write admin"');
    expect(challenge).toContain(`resource_metadata="${metadataUrl('/mcp')}"`);
    expect(JSON.stringify(answer.headers) + answer.body.toString()).not.toContain('127.0.0.1:9');
    expect(answer.json()).toMatchObject({ error: 'insufficient_scope', scope: 'read write admin' });
  });

  it.each([
    ['Bearer error=insufficient_scope, scope="write"', 'read write'],
    ['bearer scope="write read write", error="insufficient_scope"', 'read write'],
    [['Basic realm="x"', 'Bearer error="insufficient_scope", scope="write"'], 'read write'],
  ])('the challenge %j is understood', async (line, scope) => {
    target.answer = (_, res) => res.writeHead(403, { 'www-authenticate': line }).end();
    const answer = await ask(gateway.port, message('GET /mcp', [bearer()]));
    expect(answer.status).toBe(403);
    expect(answer.json().scope).toBe(scope);
  });

  it.each([
    undefined,
    'Basic realm="x"',
    'Bearer error="invalid_token", scope="write"',
    'Bearer error="insufficient_scope"',
    'Bearer error="insufficient_scope", scope=""',
    `Bearer error="insufficient_scope", scope="${'a'.repeat(2000)}"`,
  ])('a plain 403 stays the target’s own answer (%#)', async (line) => {
    target.answer = (_, res) => res.writeHead(403, line === undefined ? {} : { 'www-authenticate': line }).end('no');
    const answer = await ask(gateway.port, message('GET /mcp', [bearer()]));
    expect(answer.status).toBe(403);
    expect(answer.body.toString()).toBe('no');
    expect(answer.header('www-authenticate')).toBeUndefined();
  });

  it.each([
    ['chunked', {}],
    ['with a length', { 'content-length': '100000' }],
  ])('a target that dies in the middle of its answer (%s) leaves a broken one', async (_, headers) => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/mcp', headers: person.authorization });
    req.end();
    const { res } = await arrived;
    res.writeHead(200, headers);
    res.write('the first half');
    const half = await answer;
    await once(half, 'readable');
    expect(String(half.read())).toBe('the first half');
    res.destroy();
    await expect(bodyOf(half)).rejects.toThrow();
    expect(half.complete).toBe(false);
  });

  it('a target that dies before its answer is 502', async () => {
    target.answer = (req) => req.socket.destroy();
    const answer = await ask(gateway.port, message('POST /mcp', [bearer(), ['Content-Length', '2']], '{}'));
    expect(answer.status).toBe(502);
    expect(answer.json().error).toBe('target_unreachable');
  });

  it.each([
    ['099', 'HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n'],
    ['999', 'HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n'],
    ['000', 'HTTP/1.1 000 Odd\r\ncontent-length: 0\r\n\r\n'],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
    ['103', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk'],
    ['both', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['null', 'HTTP/1.1 200 OK\r\nx-null: a\0b\r\ncontent-length: 0\r\n\r\n'],
    ['nameless', 'HTTP/1.1 200 OK\r\n: nameless\r\ncontent-length: 0\r\n\r\n'],
    ['204 body', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello'],
    ['1.0', 'HTTP/1.0 200 OK\r\n\r\nuntil close'],
    ['no http', '<html>no http</html>'],
    ['nothing', ''],
    ['many headers', `HTTP/1.1 200 OK\r\n${'x-many: 1\r\n'.repeat(3000)}\r\n`],
    ['long header', `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(100_000)}\r\n\r\n`],
  ])('the target’s words (%s) give one whole answer', async (_, words) => {
    bytes.answer = Buffer.from(words, 'latin1');
    const headers = [bearer(bytesPerson), ['Content-Length', '2']] as const;
    const answer = await ask(gateway.port, message('POST /bytes/mcp', headers, '{}'));
    expect([200, 204, 502, 999]).toContain(answer.status);
    const health = await fetch(gateway.url('/healthz'));
    expect(health.status).toBe(200);
  });
});
