/** Faults found in src/http-server.ts and src/serve.ts; each test passes once its fault is mended. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { begin } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeEach(async () => {
  target = await startTarget();
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }]);
  person = await signIn(gateway);
});
afterEach(async () => {
  await gateway.close();
  await target.close();
});

// http-server.ts:132: an answer given while draining does not say `Connection: close` (security.md, rule 10). The
// client keeps the connection and `close()` waits for it until the grace is over: ten seconds for each deploy.
it('an answer given while the gateway ends also ends its connection', async () => {
  const agent = new Agent({ keepAlive: true });
  const arrived = target.arrival();
  const req = request({ agent, port: gateway.port, path: '/mcp', method: 'POST', headers: person.authorization });
  req.end('{}');
  const { res } = await arrived;
  const closing = gateway.running.close();
  res.end('{}');
  const [answer] = await once(req, 'response');
  answer.resume();
  await once(answer, 'end');
  expect(answer.headers.connection).toBe('close');
  agent.destroy();
  await closing;
});

// http-server.ts:131: streams count as requests in flight, so one open event stream makes every end last the whole
// grace, and then it is cut together with the calls that would still have answered. REL-04: streams are ended in order,
// at once: an answer of type text/event-stream has no end of its own to wait for.
it('an event stream is ended when the gateway ends, and not cut when the grace is over', async () => {
  const arrived = target.arrival();
  const { req, answer } = begin(gateway.port, { path: '/mcp', headers: person.authorization });
  req.end();
  const { res } = await arrived;
  res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  const events = await answer;
  const received = bodyOf(events);
  received.catch(() => {});
  await gateway.running.close();
  // Ended, not cut: what the client has is whole, and it knows.
  expect(String(await received)).toBe('data: 1\n\n');
  expect(events.complete).toBe(true);
});

// serve.ts:35: a second `close()` finds the list empty and resolves at once, while the first is still at it.
it('a second close() is over when the gateway is closed, not before', async () => {
  const arrived = target.arrival();
  const { req, answer } = begin(gateway.port, { path: '/mcp', method: 'POST', headers: person.authorization });
  req.end('{}');
  const { res } = await arrived;
  const order: string[] = [];
  const first = gateway.running.close().then(() => order.push('first'));
  const second = gateway.running.close().then(() => order.push('second'));
  await new Promise(setImmediate);
  order.push('answered');
  res.end('{}');
  (await answer).resume();
  await Promise.all([first, second]);
  expect(order[0]).toBe('answered');
});
