/** Faults found on the way in: src/http-server.ts and the adapter it uses; each test passes once its fault is mended. */
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { gatewayConfig, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { answersIn, ask, listen, message, open } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([
    { path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/exports', target: `${target.url}/files` }] },
  ]);
  person = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  target.seen.length = 0;
});

const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];

// http-server.ts:46: a client that leaves while its body is read is logged as `fault`, status 500, with a stack: anybody
// can set off the alarm that watches for faults (REL-03), and the real ones drown.
it('a client that leaves in the middle of a body is no fault of ours', async () => {
  const from = gateway.events.length;
  const socket = await open(gateway.port);
  socket.write(
    message(
      'POST /register',
      [
        ['Content-Type', 'application/json'],
        ['Content-Length', '1000'],
      ],
      '{"half":',
    ),
  );
  // The server has the head when it has answered somebody who came later.
  await fetch(gateway.url('/healthz'));
  socket.destroy();
  const logged = () => gateway.events.slice(from).find(({ path }) => path === '/register');
  while (!logged()) await fetch(gateway.url('/healthz'));
  while (!gateway.events.slice(from).some(({ event, path }) => event === 'http.request' && path === '/register')) {
    await new Promise(setImmediate);
  }
  const events = gateway.events.slice(from).filter(({ path }) => path === '/register');
  expect(events.map(({ event }) => event)).not.toContain('fault');
});

// auth/src/adapters/node.ts:67: the adapter answers 413 in JSON before it is known that a person looks at this path.
it('too large a form on a page is refused on a page', async () => {
  const body = `request=${'a'.repeat(100_000)}`;
  const headers: Array<[string, string]> = [
    ['Content-Type', 'application/x-www-form-urlencoded'],
    ['Content-Length', String(body.length)],
  ];
  const answer = await ask(gateway.port, message('POST /consent', headers, body));
  expect(answer.status).toBe(413);
  expect(answer.header('content-type')).toBe('text/html; charset=utf-8');
});

// http-server.ts: RFC 9112 §6.1, a transfer coding that is not understood is 501 (or 400). Here it is taken off, and the
// target gets the coded bytes as if they were the message.
it.each(['gzip, chunked', 'deflate, chunked', 'identity, chunked'])(
  'Transfer-Encoding: %s is refused',
  async (coding) => {
    const headers = [bearer(), ['Transfer-Encoding', coding]] as const;
    const answer = await ask(gateway.port, message('POST /mcp', headers, '2\r\n{}\r\n0\r\n\r\n'));
    expect([400, 501]).toContain(answer.status);
    expect(target.seen).toEqual([]);
  },
);

// The server's own limits, made short; what is waited for is the end of the connection, whenever the server sees to it.
it.each([
  ['a head that does not end', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', [408]],
  ['a body that does not come', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{', [401]],
  ['a form that does not end', 'POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na=', [408]],
] as const)('%s: one answer, and the connection ends', async (_, words, statuses) => {
  const { http, close } = await assemble(gatewayConfig(8080, [{ path: '/mcp', target: target.url }]), {
    log: () => {},
  });
  http.server.headersTimeout = 1;
  http.server.requestTimeout = 1;
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  const { port } = http.server.address() as { port: number };
  const socket = await open(port);
  socket.write(words);
  const answers = answersIn(await listen(socket));
  expect(answers.map(({ status }) => status)).toEqual(statuses);
  await http.close(1);
  await close();
});

// A refused transfer coding is answered by the handler, and then by `clientError` when the parser finds the body broken.
it.each(['xchunked', '"chunked"'])('Transfer-Encoding: %s is refused once', async (coding) => {
  const socket = await open(gateway.port);
  const headers = [bearer(), ['Transfer-Encoding', coding]] as const;
  socket.write(message('POST /mcp', headers, '2\r\n{}\r\n0\r\n\r\n'));
  const answers = answersIn(await listen(socket));
  expect(answers.map(({ status }) => status)).toEqual([400]);
  expect(target.seen).toEqual([]);
});
