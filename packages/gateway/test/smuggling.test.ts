/**
 * What a target hears, byte for byte, of requests that two programs would read in two ways: nothing that the guard did not see
 * (SEC-11; RFC 9112 §11.2). Paths and framings that are refused altogether are in request-target.test.ts.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { type Answer, ask, hear, listen, message, open } from './raw-http.ts';

let target: Server;
let gateway: TestGateway;
let person: SignedIn;
/** What the target answers, undefined: nothing; and what it has heard on each of its connections. */
let words: string | undefined;
const connections: Array<{ bytes: string; socket: Socket }> = [];

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok';

beforeAll(async () => {
  target = createServer((socket) => {
    const connection = { bytes: '', socket };
    connections.push(connection);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      connection.bytes += chunk.toString('latin1');
      const end = connection.bytes.indexOf('\r\n\r\n');
      const chunked = /\r\ntransfer-encoding: chunked/i.test(connection.bytes);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(connection.bytes)?.[1] ?? 0);
      const whole = chunked ? connection.bytes.endsWith('0\r\n\r\n') : connection.bytes.length >= end + 4 + length;
      if (end >= 0 && whole && words !== undefined) socket.end(words);
    });
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const { port } = target.address() as { port: number };
  gateway = await startGateway([
    {
      path: '/mcp',
      target: `http://127.0.0.1:${port}/mcp`,
      open: [{ path: '/files', target: `http://127.0.0.1:${port}/f` }],
    },
  ]);
  person = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  for (const { socket } of connections) socket.destroy();
  target.close();
});
beforeEach(() => {
  words = ok;
  connections.length = 0;
});

const token = () => `Authorization: Bearer ${person.accessToken}\r\n`;
const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];
const heard = () => connections.map(({ bytes }) => bytes);

/** Names that the gateway sends of its own accord, with the request's own. */
const own =
  /^(host|connection|content-length|transfer-encoding|content-type|x-plain|x-forwarded-(proto|host|for)|x-request-id|x-gatehouse-(subject|client-id|scope|identity-issuer|identity-subject))$/;

/** One request, with these names only and our own identity; the body that was sent, taken out of its frame. */
function expectPlain(line: string, body = ''): void {
  expect(connections).toHaveLength(1);
  const [head = '', ...rest] = (heard()[0] ?? '').split('\r\n\r\n');
  const [first, ...lines] = head.split('\r\n');
  expect(first).toBe(line);
  const names = lines.map((one) => one.slice(0, one.indexOf(':')).toLowerCase());
  expect(names.filter((name) => !own.test(name))).toEqual([]);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  expect(lines.join('\n')).not.toMatch(/root|smuggled|evil|Bearer/);
  const framed = rest.join('\r\n\r\n');
  expect(/transfer-encoding/i.test(head) ? unchunked(framed) : framed).toBe(body);
}

function unchunked(framed: string): string {
  let [text, rest] = ['', framed];
  for (;;) {
    const size = Number.parseInt(rest, 16);
    rest = rest.slice(rest.indexOf('\r\n') + 2);
    // No trailer between the last chunk and the end.
    if (size === 0) return rest === '' || rest === '\r\n' ? text : `trailer: ${rest}`;
    text += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
}

describe('what is refused reaches nobody', () => {
  const plain = (line: string, headers = '') =>
    `${line}\r\nHost: localhost\r\n${token()}${headers}Connection: close\r\n\r\n`;
  const inner = () => `GET /mcp HTTP/1.1\r\nHost: localhost\r\n${token()}X-Plain: smuggled\r\n\r\n`;
  it.each<[string, () => string]>([
    ['the form of an authority', () => plain('GET localhost:80 HTTP/1.1')],
    ['CONNECT to an authority', () => plain('CONNECT localhost:80 HTTP/1.1') + inner()],
    ['CONNECT to the path', () => plain('CONNECT /mcp HTTP/1.1') + inner()],
    ['an absolute form of our own', () => plain('GET http://localhost/mcp HTTP/1.1')],
    ['an absolute form of another', () => plain('POST http://169.254.169.254/mcp HTTP/1.1')],
    ['two slashes', () => plain('GET //mcp HTTP/1.1')],
    ['dots', () => plain('GET /files/../mcp HTTP/1.1')],
    ['encoded dots', () => plain('GET /files/%2e%2e/mcp HTTP/1.1')],
    ['an encoded slash', () => plain('GET /files%2f..%2fmcp HTTP/1.1')],
    ['two tokens', () => plain('GET /mcp HTTP/1.1', 'Authorization: Bearer x\r\n')],
    ['two tokens that are the same', () => plain('GET /mcp HTTP/1.1', token())],
    ['two lengths', () => plain('POST /mcp HTTP/1.1', 'Content-Length: 2\r\nContent-Length: 3\r\n') + inner()],
    [
      'two lengths that are the same',
      () => plain('POST /mcp HTTP/1.1', 'Content-Length: 0\r\nContent-Length: 0\r\n') + inner(),
    ],
    [
      'a length and chunks',
      () => plain('POST /mcp HTTP/1.1', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n') + inner(),
    ],
    ['chunks in HTTP/1.0', () => plain('POST /mcp HTTP/1.0', 'Transfer-Encoding: chunked, identity\r\n') + inner()],
    ['a folded header', () => plain('GET /mcp HTTP/1.1', 'X-Plain: a\r\n X-Gatehouse-Subject: root\r\n')],
    ['a folded token', () => plain('GET /mcp HTTP/1.1').replace('Bearer ', 'Bearer\r\n ')],
    ['a fold before the first header', () => plain('GET /mcp HTTP/1.1').replace('Host', ' X: y\r\nHost')],
    ['a bare LF', () => plain('GET /mcp HTTP/1.1', 'X-Plain: a\nX-Gatehouse-Subject: root\r\n')],
    ['a bare CR', () => plain('GET /mcp HTTP/1.1', 'X-Plain: a\rX-Gatehouse-Subject: root\r\n')],
    ['a null in a value', () => plain('GET /mcp HTTP/1.1', 'X-Plain: a\0b\r\n')],
    ['a null in a name', () => plain('GET /mcp HTTP/1.1', 'X-Pl\0ain: a\r\n')],
    ['a null in the path', () => plain('GET /mcp\0 HTTP/1.1')],
    ['a space before the colon', () => plain('GET /mcp HTTP/1.1', 'X-Plain : a\r\n')],
    ['33 KiB of header', () => plain('GET /mcp HTTP/1.1', `X-Plain: ${'a'.repeat(33 * 1024)}\r\n`)],
    [
      'no token, and a request in its body',
      () => `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${inner().length}\r\n\r\n${inner()}`,
    ],
    [
      'too long a body, and a request in it',
      () => plain('POST /mcp HTTP/1.1', 'Content-Length: 99999999\r\n') + inner(),
    ],
    ['an expectation nobody can meet', () => plain('POST /mcp HTTP/1.1', 'Expect: smuggled\r\nContent-Length: 0\r\n')],
  ])('%s', async (_, bytes) => {
    const socket = await open(gateway.port);
    const answer = listen(socket);
    socket.write(Buffer.from(bytes(), 'latin1'));
    // CONNECT is closed without a word; to others the answer is one that refuses.
    socket.end();
    const text = (await answer).toString('latin1');
    expect(text.match(/HTTP\/1\.1 \d+/g)?.filter((status) => !/ 4\d\d$/.test(status)) ?? []).toEqual([]);
    expect(heard()).toEqual([]);
    expect((await fetch(gateway.url('/healthz'))).status).toBe(200);
  });
});

describe('what passes is the request that was judged', () => {
  const chunks = '2\r\n{}\r\n0\r\n';
  it.each<[string, Array<[string, string]>, string]>([
    ['a length', [['Content-Length', '2']], '{}'],
    ['chunks', [['Transfer-Encoding', 'chunked']], `${chunks}\r\n`],
    ['chunks with extensions', [['Transfer-Encoding', 'chunked']], '2;x="smuggled"\r\n{}\r\n0;smuggled\r\n\r\n'],
    [
      'trailers with our names',
      [
        ['Transfer-Encoding', 'chunked'],
        ['Trailer', 'X-Gatehouse-Subject, Authorization'],
      ],
      `${chunks}X-Gatehouse-Subject: root\r\nX_Gatehouse_Roles: root\r\nAuthorization: evil\r\n\r\n`,
    ],
    [
      'Connection that names what we go by',
      [
        [
          'Connection',
          'close, authorization, x-gatehouse-subject, x-gatehouse-scope, x-forwarded-for, host, x-request-id',
        ],
        ['X-Gatehouse-Subject', 'root'],
        ['Content-Length', '2'],
      ],
      '{}',
    ],
    [
      'Connection that names the length',
      [
        ['Connection', 'close, content-length'],
        ['Content-Length', '2'],
      ],
      '{}',
    ],
    [
      'Connection that names the coding',
      [
        ['Connection', 'close, transfer-encoding'],
        ['Transfer-Encoding', 'chunked'],
      ],
      `${chunks}\r\n`,
    ],
    [
      'names with _',
      [
        ['X_Gatehouse_Subject', 'root'],
        ['Content_Length', '50'],
        ['Transfer_Encoding', 'evil'],
        ['Content-Length', '2'],
      ],
      '{}',
    ],
    [
      'Expect',
      [
        ['Expect', '100-continue'],
        ['Content-Length', '2'],
      ],
      '{}',
    ],
  ])('with %s', async (_, headers, body) => {
    const all = [bearer(), ...headers.filter(([name]) => name !== 'Connection')];
    const connection = headers.find(([name]) => name === 'Connection')?.[1] ?? 'close';
    const answer: Answer = await ask(gateway.port, message('POST /mcp', [...all, ['Connection', connection]], body));
    expect(answer.status).toBe(200);
    expectPlain('POST /mcp HTTP/1.1', '{}');
    expect(heard()[0]).toMatch(/\r\nx-gatehouse-subject: [\w-]{43}\r\n/i);
  });

  it.each([
    ['h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'],
    ['websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ])('an upgrade to %s is none, whatever the target says to it', async (_, headers) => {
    const first = `GET /mcp HTTP/1.1\r\nHost: localhost\r\n${token()}${headers}\r\n`;
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n';
    for (const [said, status] of [
      [ok, 200],
      [`${switching}${ok}`, 502],
    ] as const) {
      words = said;
      const socket = await open(gateway.port);
      // A tunnel would carry what follows, which has no token.
      socket.write(first + String(message('GET /mcp', [['X-Plain', 'smuggled']])));
      expect(await hear(socket, '\r\n\r\n')).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      socket.destroy();
    }
    expect((await fetch(gateway.url('/healthz'))).status).toBe(200);
    for (const bytes of heard()) expect(bytes).not.toMatch(/upgrade: |http2-settings|smuggled/i);
    expect(heard().length).toBeGreaterThanOrEqual(2);
  });

  it('a request behind one that has no answer yet waits for it, and goes with the connection', async () => {
    words = undefined;
    const socket = await open(gateway.port);
    const first = message('GET /mcp', [bearer(), ['Connection', 'keep-alive']]);
    socket.write(Buffer.concat([first, message('GET /files/second')]));
    await expect.poll(() => heard().length).toBe(1);
    // A later one has been all the way, and the second is still here.
    const later = open(gateway.port);
    (await later).write(message('GET /files/later'));
    await expect.poll(() => heard().join('')).toContain('/f/later');
    expect(heard().join('')).not.toContain('second');
    socket.destroy();
    (await later).destroy();
    await expect.poll(() => connections.every((one) => one.socket.destroyed)).toBe(true);
    expect(heard().join('')).not.toContain('second');
  });

  it('nor is one behind a refusal that ends the connection ever sent', async () => {
    // So that there is a connection to the target on which it could go at once.
    words = ok.replace('connection: close\r\n', '');
    expect((await fetch(gateway.url('/files/first'))).status).toBe(200);
    const codings = 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n';
    const socket = await open(gateway.port);
    const bytes = listen(socket);
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${token()}${codings}\r\n0\r\n\r\n${message('GET /files/smuggled')}`,
    );
    expect((await bytes).toString('latin1').match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
    expect(heard().join('')).not.toContain('smuggled');
  });

  it('the target’s own interim answers and trailers are none of the client’s', async () => {
    words =
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </evil>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\nset-cookie: evil=1\r\nwww-authenticate: evil\r\n\r\n';
    const socket = await open(gateway.port);
    const bytes = listen(socket);
    socket.write(message('GET /mcp', [bearer()]));
    const text = (await bytes).toString('latin1');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/evil|HTTP\/1\.1 1|trailer/i);
    expect(text.endsWith('\r\n\r\n2\r\nok\r\n0\r\n\r\n')).toBe(true);
  });

  it('more than one answer of the target is one answer, and the next request has its own', async () => {
    words = `${ok.replace('connection: close\r\n', '')}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled`;
    const socket = await open(gateway.port);
    const request = message('GET /mcp', [bearer(), ['Connection', 'keep-alive']]);
    socket.write(request);
    expect(await hear(socket, '\r\nok')).not.toContain('smuggled');
    words = ok.replace('ok', 'no');
    const rest = listen(socket);
    socket.write(message('GET /mcp', [bearer()]));
    expect((await rest).toString('latin1')).not.toContain('smuggled');
  });
});
