/** Faults found in src/proxy/forward.ts; each test passes once its fault is mended. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { begin, open as connect, hear, listen, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }]);
  person = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

// forward.ts:14: streams and calls share 128 connections. One client that holds 128 event streams open, which costs it
// nothing, stops the target for everybody: each further request waits in the pool without a limit and without an answer
// (SEC-10, "a flood on one does not starve the others"; performance.md: "a separate pool for streams").
it('128 open streams do not stop a call', { timeout: 10_000 }, async () => {
  const streams = Array.from({ length: 128 }, async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/mcp', headers: person.authorization });
    req.end();
    const { res } = await arrived;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    (await answer).resume();
    (await answer).on('error', () => {});
    return req;
  });
  const open = await Promise.all(streams);
  try {
    const call = await fetch(gateway.url('/mcp'), {
      method: 'POST',
      headers: person.authorization,
      body: '{}',
      signal: AbortSignal.timeout(8_000),
    });
    expect([200, 503]).toContain(call.status);
  } finally {
    for (const req of open) req.destroy();
  }
});

// http-server.ts, clientError: a chunk that is broken while the answer is already under way writes a second status line
// into the middle of the first answer. Node's own handler looks at `_httpMessage.headersSent` before it writes.
it('a broken chunk behind an answer that has begun adds nothing to it', async () => {
  const socket = await connect(gateway.port);
  const arrived = target.arrival();
  const headers = [
    ['Authorization', `Bearer ${person.accessToken}`] as const,
    ['Transfer-Encoding', 'chunked'] as const,
  ];
  socket.write(message('POST /mcp', headers, '2\r\n{}\r\n'));
  const { req, res } = await arrived;
  req.on('error', () => {});
  res.writeHead(200).write('begun');
  await hear(socket, 'begun');
  const rest = listen(socket);
  socket.write('zz\r\n');
  expect(String(await rest)).not.toContain('HTTP/1.1');
});
