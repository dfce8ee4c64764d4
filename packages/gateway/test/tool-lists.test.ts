/** `tools/list` through the gateway: everybody sees the tools that their token may use, in whatever form the target answers. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, ask, begin, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';
import { bearer, type Person, rules, startToolGateway, type ToolGateway } from './tool-gateway.ts';

let target: Target;
let gateway: ToolGateway;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startToolGateway(target, rules);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  gateway.served.length = 0;
});

const tools = ['find', 'search', 'store', 'delete_all', 'audit', 'publish', 'unheard_of', 'größe messen', 'sea rch'];
const tool = (name: string) => ({ name, inputSchema: { type: 'object', 'x-secret': `schema of ${name}` } });
const listed = (names: readonly string[], more: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: names.map(tool), nextCursor: 'c', ...more } });
const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });

function answerWith(type: string | undefined, body: string | Buffer, status = 200, headers: object = {}): void {
  target.answer = (req, res) => {
    req.resume();
    res.writeHead(status, { ...(type !== undefined && { 'content-type': type }), ...headers }).end(body);
  };
}
function list(person: Person, headers: ReadonlyArray<[string, string]> = []): Promise<Answer> {
  const all: Array<[string, string]> = [bearer(person), ['Content-Type', 'application/json'], ...headers];
  return ask(gateway.port, message('POST /mcp', [...all, ['Content-Length', String(request.length)]], request));
}
const get = (person: Person, headers: ReadonlyArray<[string, string]> = []) =>
  ask(gateway.port, message('GET /mcp', [bearer(person), ...headers]));
const namesIn = (text: string) => [...text.matchAll(/"name":"([^"]*)"/g)].map(([, name]) => name);

describe('as JSON', () => {
  it.each<[Person, string[]]>([
    ['reader', ['find', 'search', 'größe messen']],
    ['writer', ['find', 'search', 'store', 'größe messen']],
    ['admin', ['find', 'search', 'store', 'delete_all', 'unheard_of', 'größe messen']],
    ['auditor', ['find', 'search', 'audit', 'größe messen']],
    ['publisher', ['find', 'search', 'store', 'publish', 'größe messen']],
  ])('%s sees %j', async (person, expected) => {
    answerWith('application/json; charset=utf-8', listed(tools, { ttlMs: 5, cacheScope: 'public' }), 200, {
      etag: '"all"',
      'cache-control': 'public, max-age=60',
    });
    const answer = await list(person);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: { tools: expected.map(tool), nextCursor: 'c', ttlMs: 5, cacheScope: 'private' },
    });
    expect(answer.header('cache-control')).toBe('no-store');
    expect(answer.header('etag')).toBeUndefined();
    expect(gateway.served[0]).toMatchObject({ outcome: 'answered', subject: person });
  });

  it('numbers of a schema stay what they were', async () => {
    answerWith('application/json', `{"id":1,"result":{"tools":[{"name":"find","max":12345678901234567890.0e9}]}}`);
    expect((await list('reader')).body.toString()).toBe(
      '{"id":1,"result":{"tools":[{"name":"find","max":12345678901234567890.0e9}],"cacheScope":"private"}}',
    );
  });

  it('what is no tool is not passed as one', async () => {
    answerWith(
      'application/json',
      '{"id":1,"result":{"tools":[1,"store",{"name":["find"]},{},[],null,{"name":"find"}]}}',
    );
    expect((await list('admin')).json()).toMatchObject({ result: { tools: [{ name: 'find' }] } });
  });

  it('asks for plain bytes and the whole list', async () => {
    const arrived = target.arrival();
    const answer = list('reader', [
      ['Accept-Encoding', 'gzip, br'],
      ['Range', 'bytes=0-9'],
      ['If-None-Match', '"all"'],
    ]);
    const { req, res } = await arrived;
    expect(req.headers).toMatchObject({ 'accept-encoding': 'identity' });
    expect(req.headers).not.toHaveProperty('range');
    expect(req.headers).not.toHaveProperty('if-none-match');
    res.writeHead(200, { 'content-type': 'application/json' }).end(listed(tools));
    expect(namesIn((await answer).body.toString())).toEqual(['find', 'search', 'größe messen']);
  });

  it('an error of the target’s passes, and so does a refusal', async () => {
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported"}}';
    answerWith('application/json', error, 400);
    expect(await list('reader')).toMatchObject({ status: 400, body: Buffer.from(error) });
    answerWith('text/plain', 'gone', 404);
    expect(await list('reader')).toMatchObject({ status: 404, body: Buffer.from('gone') });
    answerWith(undefined, '', 202);
    expect((await list('reader')).status).toBe(202);
  });

  it.each<[string, string]>([
    ['no list', '{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"store"}]}}'],
    ['an object for a list', '{"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"store"}}}'],
    ['a list for an object', '{"jsonrpc":"2.0","id":1,"result":[{"name":"store"}]}'],
    ['text', '{"jsonrpc":"2.0","id":1,"result":"store"}'],
  ])('%s is answered for the target', async (_, body) => {
    answerWith('application/json', body);
    const answer = await list('reader');
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ id: 1, error: { code: -32603 } });
    expect(answer.body.toString()).not.toContain('store');
  });

  it.each<[string, string | undefined, string | Buffer, object]>([
    ['two lists', 'application/json', '{"id":1,"result":{"tools":[],"tools":[{"name":"store"}]}}', {}],
    ['no JSON', 'application/json', '{"tools":store', {}],
    ['no UTF-8', 'application/json', Buffer.from('"store\xff"', 'latin1'), {}],
    ['compressed', 'application/json', gzipSync(listed(tools)), { 'content-encoding': 'gzip' }],
    ['a page', 'text/html', '<p>store', {}],
    ['of no type', undefined, listed(tools), {}],
    ['too large', 'application/json', `{"id":1,"store":"${'a'.repeat(8 * 1024 * 1024)}"}`, {}],
  ])('what cannot be read is no answer: %s', async (_, type, body, headers) => {
    answerWith(type, body, 200, headers);
    const answer = await list('reader');
    expect(answer.status).toBe(502);
    expect(answer.json().error).toBe('target_unreadable');
    expect(answer.body.toString()).not.toContain('store');
    expect(gateway.served[0]).toMatchObject({ outcome: 'unfit_answer', cause: expect.any(Error) });
  });

  it('a target that dies in the middle of its list is 502', async () => {
    const arrived = target.arrival();
    const answer = list('reader');
    const { res } = await arrived;
    res.writeHead(200, { 'content-type': 'application/json' });
    res.write('{"jsonrpc":');
    res.flushHeaders();
    res.destroy();
    expect((await answer).status).toBe(502);
  });
});

describe('as a stream', () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}';

  it.each(['\n', '\r\n', '\r'])('each event as it comes, lines ended by %j, in any pieces', async (end) => {
    const events = [
      ': waking up\n\n',
      'id: 0\ndata:\n\n',
      `id: 1\nevent: message\ndata: ${progress}\n\n`,
      `id: 2\ndata: ${listed(tools).replace(',', ',\ndata:')}\nretry: 5\n\n`,
    ]
      .join('')
      .replaceAll('\n', end);
    for (const size of [1, 7, 100_000]) {
      const bytes = Buffer.from(events);
      target.answer = (req, res) => {
        req.resume();
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let at = 0; at < bytes.length; at += size) res.write(bytes.subarray(at, at + size));
        res.end();
      };
      const text = (await list('reader')).body.toString();
      expect(
        text.startsWith(
          `: waking up\n\nid: 0\ndata: \n\nid: 1\nevent: message\ndata: ${progress}\n\nid: 2\nretry: 5\n`,
        ),
      ).toBe(true);
      expect(namesIn(text)).toEqual(['find', 'search', 'größe messen']);
      expect(text).toContain('"cacheScope":"private"');
      expect(text).not.toContain('schema of store');
    }
  });

  it('an event is with the client before the list is', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, {
      method: 'POST',
      path: '/mcp',
      headers: { ...Object.fromEntries([bearer('reader')]), 'content-type': 'application/json' },
    });
    req.end(request);
    const { req: atTarget, res } = await arrived;
    atTarget.resume();
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(`data: ${progress}\n\ndata: {"half`);
    const events: IncomingMessage = await answer;
    expect(events.headers['cache-control']).toBe('no-store');
    expect(String((await once(events, 'data'))[0])).toBe(`data: ${progress}\n\n`);
    req.destroy();
    await once(res, 'close');
  });

  it('what is left of an event at the end is none', async () => {
    answerWith('text/event-stream', `data: ${progress}\n\ndata: ${listed(tools)}\n`);
    expect((await list('reader')).body.toString()).toBe(`data: ${progress}\n\n`);
  });

  it('a result that is no list is an error in its place', async () => {
    answerWith('text/event-stream', 'id: 7\ndata: {"jsonrpc":"2.0","id":1,"result":{"all":["store"]}}\n\n');
    const text = (await list('reader')).body.toString();
    expect(text).toMatch(/^id: 7\ndata: \{"jsonrpc":"2.0","id":1,"error":\{"code":-32603,/);
    expect(text).not.toContain('store');
  });

  it.each<[string, string | Buffer]>([
    ['no JSON', 'data: store\n\n'],
    ['a key twice', 'data: {"id":1,"result":{"tools":[],"tools":["store"]}}\n\n'],
    ['no UTF-8', Buffer.from('data: "store\xff"\n\n', 'latin1')],
    ['an event above the limit', `data: "${'store'.repeat(2 * 1024 * 1024)}"\n\n`],
  ])('is cut at what cannot be read: %s', async (_, event) => {
    answerWith('text/event-stream', Buffer.concat([Buffer.from(`data: ${progress}\n\n`), Buffer.from(event)]));
    const text = await fetch(`http://127.0.0.1:${gateway.port}/mcp`, {
      method: 'POST',
      headers: { ...Object.fromEntries([bearer('reader')]), 'content-type': 'application/json' },
      body: request,
    })
      .then((response) => response.text())
      .catch(() => 'cut');
    expect(text).toBe('cut');
    expect(gateway.served[0]).toMatchObject({ outcome: 'unfit_answer' });
  });
});

describe('on a stream opened by GET', () => {
  it('a list that is sent again is filtered, the rest passes', async () => {
    const asked = '{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"tools":[{"name":"store"}]}}';
    const result = '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"store"}]}}';
    answerWith(
      'text/event-stream',
      `event: endpoint\ndata: /messages\n\ndata: ${asked}\n\ndata: ${result}\n\ndata: ${listed(tools)}\n\n`,
    );
    const text = (await get('reader', [['Last-Event-ID', '1']])).body.toString();
    expect(text).toContain(`event: endpoint\ndata: /messages\n\ndata: ${asked}\n\ndata: ${result}\n\n`);
    expect(namesIn(text)).toEqual(['store', 'find', 'search', 'größe messen']);
  });

  it('a list as JSON, alone or in a batch, is filtered too', async () => {
    answerWith('application/json', `[${listed(tools)},{"jsonrpc":"2.0","id":2,"result":{}}]`);
    const text = (await get('reader')).body.toString();
    expect(namesIn(text)).toEqual(['find', 'search', 'größe messen']);
    expect(JSON.parse(text)).toHaveLength(2);
  });

  it('other answers pass as they are', async () => {
    answerWith('text/plain', 'hello', 200, { etag: '"1"' });
    const answer = await get('reader');
    expect([answer.body.toString(), answer.header('etag')]).toEqual(['hello', '"1"']);
    answerWith('application/json', '"Method not allowed"', 405, { allow: 'POST' });
    expect(await get('reader')).toMatchObject({ status: 405, body: Buffer.from('"Method not allowed"') });
  });
});

describe('every other answer', () => {
  it('streams through untouched, compressed and all', async () => {
    const body = gzipSync('{"result":{"tools":[{"name":"store"}]}}');
    answerWith('application/json', body, 200, { 'content-encoding': 'gzip', etag: '"1"' });
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    const head: Array<[string, string]> = [
      bearer('reader'),
      ['Content-Type', 'application/json'],
      ['Accept-Encoding', 'gzip'],
    ];
    const answer = await ask(
      gateway.port,
      message('POST /mcp', [...head, ['Content-Length', String(ping.length)]], ping),
    );
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.header('etag')).toBe('"1"');
  });

  it('HEAD has the head of the target’s answer', async () => {
    answerWith('application/json', '', 200, { 'x-ratelimit-limit': '5' });
    const answer = await ask(gateway.port, message('HEAD /mcp', [bearer('reader')]));
    expect([answer.status, answer.header('x-ratelimit-limit')]).toEqual([200, '5']);
  });
});
