/** The access log says what was answered, and nothing where nothing was: a client that left in its body was told no 200. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './harness.ts';
import { message, open } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }]);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

it.each(['/token', '/register', '/consent'])('POST %s, half sent', async (path) => {
  const socket = await open(gateway.port);
  const headers = [['Content-Type', 'application/x-www-form-urlencoded'] as const, ['Content-Length', '1000'] as const];
  socket.write(message(`POST ${path}`, headers, 'grant_type='));
  await fetch(gateway.url('/healthz'));
  socket.destroy();
  const line = () => gateway.events.find((event) => event.event === 'http.request' && event.path === path);
  await expect.poll(line).toBeDefined();
  expect(line()).toMatchObject({ outcome: 'cut' });
  expect(line()).not.toHaveProperty('status');
});
