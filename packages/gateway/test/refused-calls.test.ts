/** A call whose person cannot be named to the target for now, and one with a token in its query: refused in words, with nothing kept. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { guard } from '@mcp-gatehouse/auth/guard';
import { dangerouslyStaticToken } from '@mcp-gatehouse/auth/static-token';
import { afterEach, expect, test } from 'vitest';
import type { IdentityToTarget } from '../src/identity-to-target.ts';
import { mcpEndpoint } from '../src/mcp-endpoint.ts';
import { openTarget } from '../src/proxy/target.ts';
import { rateLimits } from '../src/rate-limits/rate-limits.ts';
import { streamableRoute } from '../src/target-route.ts';
import { startTarget } from './target.ts';

const opened: Array<() => Promise<unknown> | unknown> = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function startedTarget() {
  const target = await startTarget();
  opened.push(() => target.close());
  return target;
}

test('While nobody can be named to the target it is 503, and the room of the message is given back; a token in the query is refused in any spelling.', async () => {
  const target = await startedTarget();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(() => server.close());
  const { port } = server.address() as { port: number };
  const resource = { uri: `http://localhost:${port}/mcp`, scopes: { use: 'use it' } };
  const token = 'a-token-that-is-long-enough';
  const verify = dangerouslyStaticToken({
    ...{ token, subject: 'ada', issuer: 'http://localhost', resource: resource.uri, scope: ['use'] },
    now: () => 1_800_000_000,
  });
  const to = openTarget({ url: target.url });
  opened.push(() => to.close());
  let away = true;
  const identity: IdentityToTarget = async () => {
    if (away) throw new Error('the keys are away');
    return [];
  };
  const maxMessageBytes = 4096;
  const limits = rateLimits([{ per: ['user'], burst: 100, perMinute: 1 }]);
  const endpoint = mcpEndpoint({
    ...{ resource: resource.uri, guard: guard({ resource, verify }), target: to, route: streamableRoute(to), identity },
    ...{ publicOrigin: `http://localhost:${port}`, rateLimits: limits, maxMessageBytes },
  });
  server.on('request', (req, res) => void endpoint(req, res, 'request'));
  const post = async (query = '') => {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { text: 'x'.repeat(3900) } });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${port}/mcp${query}`, { method: 'POST', headers, body: text });
    return [answer.status, (await answer.text()).includes('temporarily_unavailable')];
  };
  for (let n = 0; n < 6; n++) expect(await post()).toEqual([503, true]);
  away = false;
  expect(await post()).toEqual([200, false]);
  target.seen.length = 0;
  for (const query of [
    '?access_token=a',
    '?a=1&Access_Token=a',
    '?access%5Ftoken=a',
    '?%61ccess_token=a',
    '?a;access_token=a',
  ])
    expect((await post(query))[0]).toBe(400);
  expect(target.seen).toEqual([]);
});
