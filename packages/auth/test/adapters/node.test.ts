/** The node:http adapter over real sockets: repeated headers, large and broken bodies, connections that stay sane (SEC-11, REL-03). */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { maxBodyBytes, nodeHandler } from '../../src/gatehouse.ts';
import { authorizePath, pkce, registerClient, startHarness } from '../harness.ts';

const harness = startHarness();
const handler = nodeHandler(harness.server);
let server: Server;
let port = 0;
/** What went wrong in handlers: nothing ever should, whatever clients do. */
const failures: unknown[] = [];

beforeAll(async () => {
  server = createServer((req, res) => {
    handler(req, res)
      .then((answered) => {
        if (answered) return;
        res.writeHead(404).end('not ours');
      })
      .catch((error: unknown) => failures.push(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

afterEach(() => {
  expect(failures.splice(0)).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Sends bytes as they are and reads until the server closes, or for as many answers as are expected. */
async function raw(text: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

const head = (lines: readonly string[], body = '') => `${['', ...lines].join('\r\n').slice(2)}\r\n\r\n${body}`;

/** A request with a body given in pieces. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  pieces: readonly (string | Buffer)[] = [],
) {
  const sent = httpRequest({ port, host: '127.0.0.1', method, path, headers });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  for (const piece of pieces) sent.write(piece);
  sent.end();
  const [response] = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const answer: Answer = {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
  return answer;
}

const json = { 'content-type': 'application/json' };
const good = JSON.stringify({ redirect_uris: ['http://localhost/cb'] });

describe('requests', () => {
  it('reach the endpoints, and answers come back whole', async () => {
    const answer = await send('POST', '/register', json, [good]);
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.body));
    expect(JSON.parse(answer.body)).toHaveProperty('client_id');
  });

  it('the query arrives as it was sent, and a page with its cookie comes back', async () => {
    const client = await registerClient(harness, { client_name: 'Bücher' });
    const answer = await send('GET', authorizePath(client.client_id, pkce().challenge), {});
    expect(answer.status).toBe(200);
    expect(answer.headers['set-cookie']).toHaveLength(1);
    expect(answer.body).toContain('Bücher');
    expect(answer.body.endsWith('</html>\n')).toBe(true);
  });

  it.each(['/', '/mcp', '/token/', '/%74oken', '/TOKEN', '//token', '/a/../token', '/token%3f'])(
    '%s is left to others, its body unread',
    async (path) => {
      const answer = await send('POST', path, json, ['{}']);
      expect([answer.status, answer.body]).toEqual([404, 'not ours']);
    },
  );

  it('HEAD has no body', async () => {
    const answer = await send('HEAD', '/.well-known/jwks.json', {});
    expect(answer.body).toBe('');
  });

  it('a preflight has neither body nor length', async () => {
    const answer = await send('OPTIONS', '/token', { origin: 'https://x.example' });
    expect(answer.status).toBe(204);
    expect(answer.headers).not.toHaveProperty('content-length');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  it('two cookies of one name in two headers are joined as one Cookie header is', async () => {
    const client = await registerClient(harness);
    const value = 'A'.repeat(43);
    const path = authorizePath(client.client_id, pkce().challenge);
    const lines = [
      `GET ${path} HTTP/1.1`,
      'Host: a',
      `Cookie: a=b`,
      `Cookie: __Host-gatehouse-0123abcd=${value}`,
      'Connection: close',
    ];
    expect(await raw(head(lines))).toContain(`__Host-gatehouse-0123abcd=${value};`);
  });
});

describe('headers that stand twice', () => {
  const form = 'Content-Type: application/x-www-form-urlencoded';
  it.each([
    ['authorization', ['Authorization: Basic YTpi', 'Authorization: Basic Yzpk']],
    ['authorization', ['Authorization: Basic YTpi', 'AUTHORIZATION: Basic YTpi']],
    ['content-type', [form, 'Content-Type: application/json']],
    ['content-encoding', [form, 'Content-Encoding: gzip', 'Content-Encoding: identity']],
    ['origin', [form, 'Origin: https://auth.example', 'Origin: https://evil.example']],
    ['sec-fetch-site', [form, 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site']],
    ['host', [form, 'Host: evil.example']],
  ])('%s: 400', async (name, lines) => {
    const answer = await raw(
      head(['POST /token HTTP/1.1', 'Host: auth.example', ...lines, 'Content-Length: 0', 'Connection: close']),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(
      new RegExp(`"error":"invalid_request","error_description":"The header ${name} is repeated\\."`),
    );
  });

  it.each([
    ['two lengths', ['Content-Length: 0', 'Content-Length: 5']],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['a space before the colon', ['Content-Length : 0']],
    ['a folded line', ['X-A: b', ' c', 'Content-Length: 0']],
  ])('%s: refused by the parser, and the connection is closed', async (_, lines) => {
    const smuggled = '0\r\n\r\nGET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(head(['POST /token HTTP/1.1', 'Host: a', ...lines], smuggled));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain('"keys"');
  });

  it('nothing of a forwarded host gets into an answer', async () => {
    const forged = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
      host: 'evil.example',
    };
    const answer = await send('GET', '/.well-known/oauth-authorization-server', forged);
    expect(answer.body).not.toContain('evil');
  });
});

describe('bodies that are too large', () => {
  it.each([
    ['one byte more than the limit', maxBodyBytes + 1],
    ['a megabyte', 1024 * 1024],
    ['three megabytes', 3 * 1024 * 1024],
  ])('%s: 413 as JSON', async (_, length) => {
    const answer = await send('POST', '/register', { ...json, 'content-length': String(length) }, [
      Buffer.alloc(length, ' '),
    ]);
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toEqual({ error: 'invalid_request', error_description: 'The body is too large.' });
  });

  it('in chunks, without a length: 413 too', async () => {
    const pieces = Array.from({ length: 100 }, () => Buffer.alloc(1024, ' '));
    const answer = await send('POST', '/token', { 'content-type': 'application/x-www-form-urlencoded' }, pieces);
    expect(answer.status).toBe(413);
  });

  it('where a person is waiting, 413 is a page', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await send('POST', '/consent', type, [' '.repeat(maxBodyBytes + 1)]);
    expect([answer.status, answer.headers['content-type']]).toEqual([413, 'text/html; charset=utf-8']);
  });

  it('exactly the limit is read', async () => {
    const answer = await send('POST', '/register', json, [good.padEnd(maxBodyBytes, ' ')]);
    expect(answer.status).toBe(201);
  });

  it('the next request on the same connection is answered as itself', async () => {
    const large = ' '.repeat(maxBodyBytes + 1);
    const answers = await raw(
      head(
        ['POST /register HTTP/1.1', 'Host: a', 'Content-Type: application/json', `Content-Length: ${large.length}`],
        large,
      ) + head(['GET /.well-known/jwks.json HTTP/1.1', 'Host: a', 'Connection: close']),
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });

  it('a stream without an end is cut off, and the server lives', async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      head(['POST /register HTTP/1.1', 'Host: a', 'Content-Type: application/json', 'Transfer-Encoding: chunked']),
    );
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    let sent = 0;
    const pump = () => {
      while (!socket.destroyed && socket.writable && sent < 64 * 1024 * 1024) {
        sent += 0x10000;
        if (!socket.write(chunk)) return socket.once('drain', pump);
      }
    };
    pump();
    await closed;
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    expect((await send('GET', '/.well-known/jwks.json', {})).status).toBe(200);
  });
});

describe('clients that go away or send a broken body', () => {
  it.each([
    ['goes away in the middle of a body', 'Content-Length: 50\r\n\r\ngrant_type='],
    ['sends what is no chunk', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['names an encoding there is not', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ])('one that %s is no fault, and the server lives', async (_, rest) => {
    // Whoever writes `void handler(req, res)` would lose the process to an unhandled rejection (REL-03).
    const outcome = Promise.withResolvers<unknown>();
    const own = createServer((req, res) => {
      handler(req, res).then(outcome.resolve, outcome.resolve);
    });
    onTestFinished(() => {
      own.closeAllConnections();
      own.close();
    });
    own.listen(0, '127.0.0.1');
    await once(own, 'listening');
    const socket = connect((own.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    const requested = once(own, 'request');
    socket.write(`POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n${rest}`);
    await requested;
    socket.resetAndDestroy();
    expect(await outcome.promise).toBe(true);
  });
});
