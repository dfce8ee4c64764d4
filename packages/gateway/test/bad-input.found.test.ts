/** Faults found in src/http-server.ts; each test passes once its fault is mended. */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { gatewayConfig } from './harness.ts';
import { answersIn, listen, open } from './raw-http.ts';

// http-server.ts, clientError: a request that did not come in time is 408 (RFC 9110 §15.5.9), which clients may repeat, and
// not 400. The limits are made short; what is waited for is the end of the connection, whenever the server sees to it.
it.each([
  ['a head that does not end', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', [408]],
  ['a form that does not end', 'POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na=', [408]],
] as const)('%s: one answer, and the connection ends', async (_, words, statuses) => {
  const { http, close } = await assemble(gatewayConfig(8080, [{ path: '/mcp', target: 'http://127.0.0.1:1/' }]), {
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
