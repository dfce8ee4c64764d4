/** Rate limits through a running gateway: the 429 as clients see it, what goes on and what does not, and the event. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfig, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
const people = new Map<string, SignedIn>();

beforeAll(async () => {
  target = await startTarget();
  const at = (
    path: string,
    rateLimits: NonNullable<Parameters<typeof startGateway>[0][number]['rateLimits']>,
    more = {},
  ) => ({
    path,
    target: target.url + path,
    rateLimits,
    ...more,
  });
  gateway = await startGateway([
    at('/tools', [{ per: ['user', 'tool'], tools: ['search*'], burst: 2, perMinute: 1 }]),
    at('/requests', [{ per: ['user'], burst: 2, perMinute: 1 }]),
    at('/ruled', [{ per: ['resource'], burst: 1, perMinute: 1 }], { tools: { free: {}, closed: { role: 'nobody' } } }),
    at('/sdk', [{ per: ['user'], tools: ['slow'], burst: 1, perMinute: 1 }]),
  ]);
  for (const path of ['/tools', '/requests', '/ruled', '/sdk']) people.set(path, await signIn({ ...gateway, path }));
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  target.seen.length = 0;
  gateway.events.length = 0;
});

function post(path: string, body: unknown, headers: ReadonlyArray<readonly [string, string]> = []) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return ask(
    gateway.port,
    message(
      `POST ${path}`,
      [
        ['Authorization', `Bearer ${people.get(path)?.accessToken}`],
        ['Content-Type', 'application/json'],
        ['Content-Length', String(Buffer.byteLength(text))],
        ...headers,
      ],
      text,
    ),
  );
}
const call = (name: string, id: unknown = 'q-1') => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });

it('over the limit: 429 with Retry-After, the id and words; the target hears nothing, other tools go on', async () => {
  for (const status of [200, 200, 429]) {
    const answer = await post('/tools', call('search'), [['Origin', gateway.issuer]]);
    expect(answer.status, answer.body.toString()).toBe(status);
    if (status !== 429) continue;
    const seconds = Number(answer.header('retry-after'));
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(answer.json()).toMatchObject({
      jsonrpc: '2.0',
      id: 'q-1',
      error: {
        code: -32005,
        message: `Too many requests: the tool search is limited to 1 a minute and 2 at once. Try again in ${seconds} s.`,
        data: { retry_after_seconds: seconds },
      },
    });
    // Readable by a page, too.
    expect(answer.header('access-control-expose-headers')).toContain('Retry-After');
  }
  expect(target.seen).toHaveLength(2);
  expect((await post('/tools', call('search2'))).status).toBe(200);
  expect((await post('/tools', call('find'))).status).toBe(200);
  // What was judged is what is forwarded: written anew, and nothing else.
  expect(String(target.seen.at(-1)?.body)).toBe(JSON.stringify(call('find')));
});

it('is an event that names the rule and no person, and the outcome of the request', async () => {
  expect((await post('/tools', call('search'))).status).toBe(429);
  const limited = gateway.events.filter(({ event }) => event === 'call.limited');
  expect(limited).toEqual([
    expect.objectContaining({
      resource: `${gateway.issuer}/tools`,
      person: expect.stringMatching(/^[\w-]{8}$/),
      client: expect.stringMatching(/^[\w-]{8}$/),
      grant: expect.any(String),
      reason: 'limit.user.tool',
      rule: 1,
      tool: 'search',
    }),
  ]);
  expect(gateway.events.find(({ event }) => event === 'http.request')).toMatchObject({
    outcome: 'limited',
    status: 429,
    tool: 'search',
    reason: 'limit.user.tool',
  });
});

it('the headers that repeat the message cannot say it was another', async () => {
  const answer = await post('/tools', call('search'), [
    ['Mcp-Method', 'tools/call'],
    ['Mcp-Name', 'find'],
  ]);
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({ error: { code: -32020 } });
});

it('notifications, responses, streams and DELETE are not counted; requests are', async () => {
  const free = [
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 5, result: {} },
  ];
  for (let i = 0; i < 5; i++) for (const one of free) expect((await post('/requests', one)).status).toBe(200);
  for (const method of ['GET', 'DELETE']) {
    const answer = await ask(
      gateway.port,
      message(`${method} /requests`, [['Authorization', `Bearer ${people.get('/requests')?.accessToken}`]]),
    );
    expect(answer.status).toBe(200);
  }
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  expect((await post('/requests', list)).status).toBe(200);
  expect((await post('/requests', call('any'))).status).toBe(200);
  const over = await post('/requests', list);
  expect(over.status).toBe(429);
  expect(over.json()).toMatchObject({ id: 1, error: { message: expect.stringContaining('tools/list is limited') } });
});

it('many requests at once do not count as one', async () => {
  const batch = await post('/requests', [call('a'), call('b')]);
  expect(batch.status).toBe(400);
  expect(batch.json()).toMatchObject({ error: { message: expect.stringContaining('no batch') } });
});

it('what a tool rule denies takes nothing', async () => {
  for (let i = 0; i < 3; i++) expect((await post('/ruled', call('closed'))).status).toBe(403);
  expect((await post('/ruled', call('free'))).status).toBe(200);
  expect((await post('/ruled', call('free'))).status).toBe(429);
});

it('without rules for tools the answers pass as they are', async () => {
  const tools = { jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'search', big: 'x  y' }] } };
  const was = target.answer;
  const text = JSON.stringify(tools, undefined, 1);
  target.answer = (_, res) => res.writeHead(200, { 'content-type': 'application/json', etag: '"1"' }).end(text);
  const answer = await post('/tools', { jsonrpc: '2.0', id: 1, method: 'tools/list' });
  target.answer = was;
  expect([answer.body.toString(), answer.header('etag')]).toEqual([text, '"1"']);
});

describe('a client of the SDK', () => {
  it('shows its person the words', async () => {
    const was = target.answer;
    target.answer = (req, res) => {
      let body = '';
      req.on('data', (chunk) => {
        body += String(chunk);
      });
      req.on('end', () => {
        const { id, method } = JSON.parse(body || '{}') as { id?: number; method?: string };
        if (id === undefined) return void res.writeHead(202).end();
        const result =
          method === 'initialize'
            ? { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } }
            : { content: [{ type: 'text', text: 'done' }] };
        return void res
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
      });
    };
    const transport = new StreamableHTTPClientTransport(new URL(gateway.url('/sdk')), {
      requestInit: { headers: { authorization: `Bearer ${people.get('/sdk')?.accessToken}` } },
    });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    await client.callTool({ name: 'slow', arguments: {} });
    await expect(client.callTool({ name: 'slow', arguments: {} })).rejects.toThrow(
      /the tool slow is limited to 1 a minute\. Try again in \d+ s\./,
    );
    await client.close();
    target.answer = was;
  });
});

it('a configuration is told what is wrong with its rules', () => {
  const wrong = (rule: object) => () =>
    gatewayConfig(8080, [{ path: '/mcp', target: 'http://localhost:1/mcp', rateLimits: [rule as never] }]);
  expect(wrong({ per: [], burst: 1, perMinute: 1 })).toThrow(/rateLimits/);
  expect(wrong({ per: ['person'], burst: 1, perMinute: 1 })).toThrow(/rateLimits/);
  expect(wrong({ per: ['resource', 'user'], burst: 1, perMinute: 1 })).toThrow(/stands alone/);
  expect(wrong({ per: ['user'], burst: 0, perMinute: 1 })).toThrow(/burst/);
});
