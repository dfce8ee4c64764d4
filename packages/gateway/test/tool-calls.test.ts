/** Rules for tools, seen from the client: who may call what, how a refusal is told, and what is read of a message at all. */
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, ask, begin, hear, message, open } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';
import { bearer, type Person, rules, startToolGateway, type ToolGateway } from './tool-gateway.ts';

let target: Target;
let gateway: ToolGateway;
let without: ToolGateway;

beforeAll(async () => {
  target = await startTarget();
  [gateway, without] = await Promise.all([startToolGateway(target, rules), startToolGateway(target, undefined)]);
});
afterAll(async () => {
  await Promise.all([gateway.close(), without.close()]);
  await target.close();
});
beforeEach(() => {
  target.seen.length = 0;
  gateway.served.length = 0;
});

type Headers = Record<string, string | undefined>;

function post(person: Person, body: string | Buffer, headers: Headers = {}, at = gateway): Promise<Answer> {
  const all = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const given = Object.entries(all).flatMap(
    ([name, value]): Array<[string, string]> => (value === undefined ? [] : [[name, value]]),
  );
  return ask(at.port, message('POST /mcp', [bearer(person), ...given], body));
}
const rpc = (method: string, params: unknown = {}, more: object = { id: 1 }) =>
  JSON.stringify({ jsonrpc: '2.0', ...more, method, params });
const call = (tool: string) => rpc('tools/call', { name: tool, arguments: {} });

/** The target heard nothing of it. */
function expectUnheard(answer: Answer, status: number, code: number) {
  expect(answer.status, answer.body.toString()).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.json()).toMatchObject({ jsonrpc: '2.0', error: { code, message: expect.any(String) } });
  expect(target.seen).toHaveLength(0);
}

describe('who may call what', () => {
  it.each<[Person, string]>([
    ['reader', 'find'],
    ['reader', 'search'],
    ['reader', 'größe messen'],
    ['writer', 'search'], // write includes read
    ['writer', 'store'],
    ['writer', 'delete_draft'],
    ['admin', 'delete_all'],
    ['admin', 'never_heard_of'],
    ['auditor', 'audit'],
    ['publisher', 'publish'],
  ])('%s may call %s', async (person, tool) => {
    const answer = await post(person, call(tool));
    expect(answer.status).toBe(200);
    expect(JSON.parse(String(target.seen[0]?.body))).toEqual(JSON.parse(call(tool)));
    expect(gateway.served[0]).toMatchObject({ outcome: 'answered', subject: person });
  });

  it.each<[Person, string, string]>([
    ['reader', 'store', 'read write'],
    ['reader', 'delete_draft', 'read write'],
    ['reader', 'delete_all', 'read write admin'],
    ['writer', 'delete_all', 'write admin'],
    ['writer', 'never_heard_of', 'write admin'],
    ['reader', 'Search', 'read write admin'],
    ['publisher', 'constructor', 'write admin'],
  ])('%s must ask for more to call %s: %s', async (person, tool, scope) => {
    const answer = await post(person, call(tool));
    expectUnheard(answer, 403, -32003);
    const challenge = answer.header('www-authenticate') ?? '';
    expect(challenge).toMatch(/^Bearer error="insufficient_scope", /);
    expect(challenge).toContain(`scope="${scope}"`);
    expect(challenge).toContain(`resource_metadata="${gateway.resourceMetadata}"`);
    expect(answer.json()).toMatchObject({ id: 1, error: { data: { error: 'insufficient_scope', scope } } });
    expect(gateway.served).toEqual([{ outcome: 'tool_denied', subject: person, tool, reason: 'token.scope' }]);
  });

  it.each<[Person, string, string]>([
    ['reader', 'audit', 'token.role'],
    ['admin', 'audit', 'token.role'],
    ['admin', 'publish', 'token.permission'],
    ['reader', 'publish', 'token.permission'],
    ['admin', 'search\0', 'tool.name'],
    ['admin', 'audit ', 'tool.name'],
  ])('%s is told no for %j, and not sent to ask for a scope', async (person, tool, reason) => {
    const answer = await post(person, call(tool));
    expectUnheard(answer, 403, -32003);
    expect(answer.header('www-authenticate')).toBeUndefined();
    expect(answer.header('cache-control')).toBe('no-store');
    expect(answer.json()).toMatchObject({ id: 1, error: { data: { error: 'access_denied' } } });
    expect(gateway.served[0]).toMatchObject({ outcome: 'tool_denied', reason });
  });

  it('a tool’s name in the log and in words is short and printable', async () => {
    await post('reader', call(`\n\u001b[31m${'é'.repeat(200)}`));
    expect(gateway.served[0]?.tool).toBe(`??[31m${'?'.repeat(94)}`);
  });

  it('a notification that calls a tool is judged as the call', async () => {
    const answer = await post('reader', rpc('tools/call', { name: 'store' }, {}));
    expectUnheard(answer, 403, -32003);
    expect(answer.json()).not.toHaveProperty('id');
  });

  it.each([
    'initialize',
    'ping',
    'server/discover',
    'subscriptions/listen',
    'resources/read',
    'prompts/get',
    'completion/complete',
    'notifications/initialized',
  ])('%s passes: it runs no tool', async (method) => {
    expect((await post('reader', rpc(method, { name: 'store' }))).status).toBe(200);
    expect(target.seen).toHaveLength(1);
  });

  it.each([
    'tasks/get',
    'tasks/result',
    'tasks/update',
    'tasks/cancel',
    'tasks/list',
    'tools/run',
    'Tools/Call',
    'tools/call ',
    'constructor',
    '',
  ])('%j needs every scope: it may be any tool’s', async (method) => {
    const answer = await post('reader', rpc(method, { name: 'search', taskId: '1' }));
    expectUnheard(answer, 403, -32003);
    expect(answer.json()).toMatchObject({ error: { data: { scope: 'read write admin' } } });
    expect((await post('admin', rpc(method, { name: 'search' }))).status).toBe(200);
  });

  it('the answer to a server’s question passes', async () => {
    const body = '{"jsonrpc":"2.0","id":"q","result":{"action":"accept"}}';
    expect((await post('reader', body)).status).toBe(200);
    expect(String(target.seen[0]?.body)).toBe(body);
  });
});

describe('what the target gets', () => {
  it('is the message that was judged, written anew, with every number as it was', async () => {
    const sent =
      '{ "jsonrpc":"2.0", "id": 9007199254740993, "method":"tools\\/call",\n "params": {"n\\u0061me":"search","arguments":{"big":123456789012345678901,"huge":1e400,"zero":-0,"A":1,"a":2}}}';
    const { req, answer: answered } = begin(gateway.port, {
      method: 'POST',
      path: '/mcp',
      headers: {
        ...Object.fromEntries([bearer('reader')]),
        'content-type': 'application/json; charset=UTF-8',
        'content-encoding': 'identity',
      },
    });
    req.write(sent.slice(0, 50));
    req.end(sent.slice(50));
    expect((await answered).statusCode).toBe(200);
    const [seen] = target.seen;
    expect(String(seen?.body)).toBe(
      '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"search","arguments":{"big":123456789012345678901,"huge":1e400,"zero":-0,"A":1,"a":2}}}',
    );
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(seen?.body.length),
    });
    expect(seen?.headers).not.toHaveProperty('transfer-encoding');
    expect(seen?.headers).not.toHaveProperty('content-encoding');
    expect(seen?.rawHeaders.filter((name) => name.toLowerCase() === 'content-length')).toHaveLength(1);
  });

  it('without rules, bytes as they are, and the first of them before the last was sent', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(without.port, {
      method: 'POST',
      path: '/mcp',
      headers: { ...Object.fromEntries([bearer('reader')]), 'content-type': 'text/plain', 'content-encoding': 'odd' },
    });
    req.write('{"a":1,');
    const { req: atTarget, res } = await arrived;
    const [first] = await once(atTarget, 'data');
    expect(String(first)).toBe('{"a":1,');
    req.end('"a":2} \xff');
    expect(String(await bodyOf(atTarget))).toBe('"a":2} \xff');
    expect(atTarget.headers).toMatchObject({ 'content-type': 'text/plain', 'content-encoding': 'odd' });
    res.writeHead(200, { etag: '"1"' });
    res.write('half');
    const half = await answer;
    expect(String((await once(half, 'data'))[0])).toBe('half');
    res.end();
    expect(half.headers.etag).toBe('"1"');
  });
});

describe('what is no message, or two', () => {
  const fine = call('search');
  const withParams = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
  it.each<[string, string | Buffer, number, string]>([
    ['nothing', '', -32700, 'syntax'],
    ['no JSON', '{"jsonrpc":"2.0",}', -32700, 'syntax'],
    ['a byte order mark', `\ufeff${fine}`, -32700, 'syntax'],
    ['no UTF-8', Buffer.from(fine.replace('search', 'se\xffarch'), 'latin1'), -32700, 'utf8'],
    ['UTF-16', Buffer.from(fine, 'utf16le'), -32700, 'syntax'],
    ['too deep', withParams(`{"name":"search","arguments":${'['.repeat(70)}${']'.repeat(70)}}`), -32600, 'depth'],
    ['a batch', `[${fine}]`, -32600, 'no_object'],
    ['a string', '"tools/call"', -32600, 'no_object'],
    ['a name twice', withParams('{"name":"search","name":"store"}'), -32600, 'duplicate_key'],
    ['a name twice, spelled', withParams('{"name":"search","n\\u0061me":"store"}'), -32600, 'duplicate_key'],
    ['an argument twice', withParams('{"name":"search","arguments":{"a":[{"b":1,"b":2}]}}'), -32600, 'duplicate_key'],
    ['a cut name', withParams('{"name":"search","name\\u0000":"store"}'), -32600, 'ambiguous_key'],
    ['Name beside name', withParams('{"name":"search","Name":"store"}'), -32600, 'key_case'],
    ['NAME alone', withParams('{"NAME":"store"}'), -32600, 'key_case'],
    ['Method beside method', fine.replace('{', '{"Method":"tools/call",'), -32600, 'key_case'],
    ['paramſ, which Go reads as params', fine.replace('{', '{"param\u017f":{},'), -32600, 'key_case'],
    ['toKen and Kelvin', withParams('{"name":"search","toKen":1,"to\u212aen":2}'), -32600, 'key_case'],
    ['no version', '{"id":1,"method":"ping"}', -32600, 'no_message'],
    ['another version', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 'no_message'],
    ['an id of null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, 'no_message'],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, 'no_message'],
    ['a method that is none', '{"jsonrpc":"2.0","id":1,"method":["tools/call"]}', -32600, 'no_message'],
    ['neither request nor response', '{"jsonrpc":"2.0","id":1}', -32600, 'no_message'],
    ['request and response', fine.replace('{', '{"result":{},'), -32600, 'no_message'],
    ['result and error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', -32600, 'no_message'],
    ['params that are a list', withParams('["search"]'), -32602, 'params'],
    ['no name', withParams('{}'), -32602, 'tool_missing'],
    ['a name that is no string', withParams('{"name":["search"]}'), -32602, 'tool_missing'],
  ])('%s', async (_, body, code, reason) => {
    expectUnheard(await post('admin', body), 400, code);
    expect(gateway.served).toEqual([{ outcome: 'message_refused', subject: 'admin', reason: `message.${reason}` }]);
  });

  it.each<[Headers]>([
    [{ 'Content-Type': undefined }],
    [{ 'Content-Type': 'text/plain' }],
    [{ 'Content-Type': 'application/json; charset=utf-16' }],
    [{ 'Content-Type': 'application/json-seq' }],
    [{ 'Content-Type': 'application/jsonx' }],
    [{ 'Content-Encoding': 'gzip' }],
    [{ 'Content-Encoding': 'identity, gzip' }],
  ])('415 for %o', async (headers) => expectUnheard(await post('admin', fine, headers), 415, -32600));

  it.each(['GET', 'DELETE', 'HEAD'])('%s with a body, which a target might read', async (method) => {
    const answer = await ask(gateway.port, message(`${method} /mcp`, [bearer('admin'), ['Content-Length', '2']], '{}'));
    expect(answer.status).toBe(400);
    expect(target.seen).toHaveLength(0);
  });

  it('a body above the limit is 413, announced or not', async () => {
    const announced = await open(gateway.port);
    announced.write(message('POST /mcp', [bearer('admin'), ['Content-Length', String(8 * 1024 * 1024 + 1)]]));
    expect(await hear(announced, '\r\n\r\n')).toMatch(/^HTTP\/1.1 413 /);
    announced.destroy();
    const { req, answer } = begin(gateway.port, {
      method: 'POST',
      path: '/mcp',
      headers: Object.fromEntries([bearer('admin')]),
    });
    req.on('error', () => {});
    const megabyte = Buffer.alloc(1024 * 1024, ' ');
    for (let sent = 0; sent < 9; sent++) req.write(megabyte);
    const refused = await answer;
    expect(refused.statusCode).toBe(413);
    req.destroy();
    expect(target.seen).toHaveLength(0);
  });

  it('a client that goes away in the middle of its message is noted, and nothing is forwarded', async () => {
    const before = target.requests;
    const arrived = gateway.arrival();
    const { req, answer } = begin(gateway.port, {
      method: 'POST',
      path: '/mcp',
      headers: Object.fromEntries([bearer('admin')]),
    });
    answer.catch(() => {});
    req.on('error', () => {});
    req.write('{"jsonrpc"');
    await arrived;
    req.destroy();
    while (!gateway.served.some(({ outcome }) => outcome === 'cut')) await new Promise(setImmediate);
    expect(target.requests).toBe(before);
  });
});

describe('headers that repeat the body (SEP-2243)', () => {
  const sentinel = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;
  it.each<[Headers]>([
    [{ 'Mcp-Method': 'tools/call', 'Mcp-Name': 'search' }],
    [{ 'Mcp-Method': 'tools/call' }],
    [{ 'Mcp-Name': sentinel('search') }],
  ])('agree: %o', async (headers) => {
    expect((await post('reader', call('search'), headers)).status).toBe(200);
    expect(target.seen[0]?.headers).toMatchObject(
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    );
  });

  it.each<[Headers]>([
    [{ 'Mcp-Method': 'tools/list' }],
    [{ 'Mcp-Method': 'Tools/call' }],
    [{ 'Mcp-Method': 'tools/call', 'Mcp-Name': 'store' }],
    [{ 'Mcp-Name': 'search, store' }],
    [{ 'Mcp-Name': '' }],
    [{ 'Mcp-Name': sentinel('store') }],
    [{ 'Mcp-Name': '=?base64?c2VhcmNo!?=' }],
    [{ 'Mcp-Name': '=?base64?c2VhcmNo\t?=' }],
    [{ 'Mcp-Name': '=?base64?/w==?=' }],
  ])('disagree: %o', async (headers) => {
    const answer = await post('admin', call('search'), headers);
    expectUnheard(answer, 400, -32020);
    expect(answer.json().id).toBe(1);
    expect(gateway.served[0]?.reason).toBe('message.header');
  });

  it.each<[string, object, string, number]>([
    ['resources/read', { uri: 'file:///ü' }, sentinel('file:///ü'), 200],
    ['resources/read', { uri: 'a', name: 'b' }, 'b', 400],
    ['prompts/get', { name: 'p' }, 'p', 200],
    ['tasks/get', { taskId: 't' }, 't', 200],
    ['tasks/get', { taskId: 't', name: 'n' }, 'n', 400],
    ['ping', {}, 'search', 400],
  ])('%s %j with Mcp-Name %s: %i', async (method, params, name, status) => {
    expect((await post('admin', rpc(method, params), { 'Mcp-Name': name })).status).toBe(status);
  });

  it('a response has no method to repeat', async () => {
    const response = '{"jsonrpc":"2.0","id":1,"result":{}}';
    expectUnheard(await post('admin', response, { 'Mcp-Method': 'tools/call' }), 400, -32020);
  });
});
