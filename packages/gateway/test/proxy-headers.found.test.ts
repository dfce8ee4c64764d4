/** Faults found in src/proxy/headers.ts; each test passes once its fault is mended. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
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

// headers.ts, isItsOwn: every `x-` of the target passes. X-Accel-Redirect, X-Sendfile and their kin are orders to an nginx
// or Apache at the front door, which then serves files of its own (X-Accel-Buffering: no may pass: streams want it); an `x-gatehouse-` comes from a target that echoes.
it.each([
  ['X-Accel-Redirect', '/protected/key.pem'],
  ['X-Sendfile', '/etc/passwd'],
  ['X-Lighttpd-Send-File', '/etc/passwd'],
  ['X-Reproxy-URL', 'http://169.254.169.254/'],
  ['X-Frame-Options', 'ALLOWALL'],
  ['X-XSS-Protection', '1'],
  ['X-DNS-Prefetch-Control', 'on'],
  ['X-Gatehouse-Secret', 'echoed'],
])('%s of the target does not reach the client', async (name, value) => {
  target.answer = (_, res) => res.writeHead(200, { [name]: value }).end();
  const answer = await ask(gateway.port, message('GET /exports/a'));
  expect(answer.status).toBe(200);
  expect(answer.header(name.toLowerCase())).not.toBe(value);
});
