/** HTTP+SSE (MCP 2024-11-05) behind the guard: the clients of both SDKs at a real server, and whose endpoint is whose. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { Client as ClientV2, SSEClientTransport as SSEClientTransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SSEClientTransportV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Caller,
  type LegacyGateway,
  type LegacyGatewayOptions,
  type LegacyServer,
  publicPath,
  secrets,
  startLegacyGateway,
  startLegacyServer,
  tokenOf,
} from './legacy-sse-gateway.ts';
import { type Answer, ask, begin, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let server: LegacyServer;
let gateway: LegacyGateway;
const opened: LegacyGateway[] = [];

beforeAll(async () => {
  server = await startLegacyServer();
  gateway = await another();
});
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await server.close();
});
beforeEach(() => {
  server.posted.length = 0;
});

/** One more instance, in front of the real server unless told. */
async function another(options: Partial<LegacyGatewayOptions> = {}): Promise<LegacyGateway> {
  const one = await startLegacyGateway({ target: server.url, ...options });
  opened.push(one);
  return one;
}

const person = { action: 'accept' as const, content: { name: 'Ada' } };
const options = (caller: Caller) => ({ requestInit: { headers: { authorization: `Bearer ${tokenOf(caller)}` } } });

async function connectV1(url: string, caller: Caller) {
  const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => person);
  await client.connect(new SSEClientTransportV1(new URL(url), options(caller)));
  return client;
}
async function connectV2(url: string, caller: Caller) {
  const client = new ClientV2({ name: 'v2', version: '2' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => person);
  await client.connect(new SSEClientTransportV2(new URL(url), options(caller)));
  return client;
}

/** A stream that is open: its session at the target, and the endpoint it named. */
async function openStream(port: number, caller: Caller, path = publicPath) {
  const headers = { authorization: `Bearer ${tokenOf(caller)}`, accept: 'text/event-stream' };
  const { req, answer } = begin(port, { path, headers });
  req.end();
  const stream = await answer;
  const endpoint = /^event: endpoint\ndata: (\S+)\n\n/.exec(await hear(stream, '\n\n'))?.[1] ?? '';
  return { endpoint, stream, close: () => req.destroy() };
}

async function hear(stream: IncomingMessage, words: string): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  while (!text.includes(words)) {
    const chunk: unknown = stream.read();
    if (chunk !== null) text += String(chunk);
    else if (stream.readableEnded || stream.destroyed) throw new Error(`closed before ${words}: ${text}`);
    else await Promise.race([once(stream, 'readable'), once(stream, 'end')]);
  }
  return text;
}

const ping = '{"jsonrpc":"2.0","id":"1","method":"ping"}';
function post(port: number, caller: Caller, endpoint: string, body = ping): Promise<Answer> {
  const headers: Array<[string, string]> = [
    ['Authorization', `Bearer ${tokenOf(caller)}`],
    ['Content-Type', 'application/json'],
    ['Content-Length', String(Buffer.byteLength(body))],
  ];
  return ask(port, message(`POST ${endpoint}`, headers, body));
}

describe.each([
  ['SDK v1', connectV1],
  ['SDK v2', connectV2],
])('the client of %s', (_, connect) => {
  it('lists and calls, hears progress, is asked and answers, and leaves', async () => {
    const client = await connect(gateway.url, 'ada');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('search');
    const found = await client.callTool({ name: 'search', arguments: { q: 'Größe' } });
    expect(found.content).toEqual([{ type: 'text', text: 'found Größe' }]);

    const heard: number[] = [];
    // The two SDKs have the options in different places; what is heard is the same.
    const onprogress = ({ progress }: { progress: number }) => void heard.push(progress);
    const counted = await (client instanceof ClientV1
      ? client.callTool({ name: 'count' }, undefined, { onprogress })
      : client.callTool({ name: 'count' }, { onprogress }));
    expect(counted.content).toEqual([{ type: 'text', text: 'counted' }]);
    expect(heard).toEqual([1, 2, 3]);

    const asked = await client.callTool({ name: 'ask' });
    expect(asked.content).toEqual([{ type: 'text', text: 'accept: Ada' }]);

    const [{ url, subject } = { url: '', subject: '' }] = server.posted;
    expect(url).toMatch(/^\/message\?kind=mcp&sessionId=[0-9a-f-]{36}$/);
    expect(subject).toBe('ada');
    await client.close();
    await server.untilDeserted();
  });

  it('gets an answer that is longer than what is held of an event', async () => {
    const client = await connect(gateway.url, 'ada');
    const times = 3_000_000;
    const { content } = await client.callTool({ name: 'repeat', arguments: { times } });
    expect(content).toEqual([{ type: 'text', text: 'ä'.repeat(times) }]);
    await client.close();
  });

  it('sees the tools its token may use, and is told why it may not use another', async () => {
    const ruled = await another({ tools: { search: { scope: 'read' }, store: { scope: 'write' }, ask: {} } });
    const reader = await connect(ruled.url, 'bob');
    expect((await reader.listTools()).tools.map(({ name }) => name)).toEqual(['search', 'ask']);
    expect((await reader.callTool({ name: 'search', arguments: { q: 'x' } })).content).toHaveLength(1);
    expect((await reader.callTool({ name: 'ask' })).content).toEqual([{ type: 'text', text: 'accept: Ada' }]);
    server.posted.length = 0;
    await expect(reader.callTool({ name: 'store' })).rejects.toThrow('the tool store needs a token with the scope');
    expect(server.posted).toEqual([]);
    const writer = await connect(ruled.url, 'ada');
    expect((await writer.listTools()).tools.map(({ name }) => name)).toEqual([
      'search',
      'store',
      'repeat',
      'count',
      'ask',
    ]);
    expect((await writer.callTool({ name: 'store' })).content).toEqual([{ type: 'text', text: 'stored' }]);
    await Promise.all([reader.close(), writer.close()]);
  });
});

describe('an endpoint', () => {
  it('is a path of ours, and hides what the target named', async () => {
    const { endpoint, close } = await openStream(gateway.port, 'ada');
    expect(endpoint).toMatch(/^\/files\/sse\/messages\?endpoint=k1\.[\w-]+$/);
    expect(endpoint).not.toContain('sessionId');
    expect((await post(gateway.port, 'ada', endpoint)).status).toBe(202);
    close();
  });

  it('is good at every instance that has the secrets, and with those of before', async () => {
    const elsewhere = await another();
    const rotated = await another({
      secrets: [{ id: 'k2', secret: 'the-second-secret-of-the-operator-0123456789' }, ...secrets],
    });
    const strange = await another({ secrets: [{ id: 'k1', secret: 'the-secret-of-another-operator-0123456789' }] });
    const { endpoint, stream, close } = await openStream(gateway.port, 'ada');
    for (const { port } of [elsewhere, rotated]) {
      expect((await post(port, 'ada', endpoint)).status).toBe(202);
      expect(await hear(stream, '\n\n')).toBe('event: message\ndata: {"result":{},"jsonrpc":"2.0","id":"1"}\n\n');
    }
    expect((await post(strange.port, 'ada', endpoint)).status).toBe(404);
    close();
  });

  it.each<[string, Caller, (own: string) => string]>([
    ['of another person', 'bob', (own) => own],
    ['of another client of the same person', 'adaElsewhere', (own) => own],
    ['with a letter changed', 'ada', (own) => own.replace(/.(?=.{10}$)/, (one) => (one === 'A' ? 'B' : 'A'))],
    ['cut short', 'ada', (own) => own.slice(0, -4)],
    ['that is plain text', 'ada', () => `${publicPath}/messages?endpoint=/message?sessionId=1`],
    ['that is empty', 'ada', () => `${publicPath}/messages?endpoint=`],
    ['that is endless', 'ada', (own) => own + 'A'.repeat(8000)],
    ['named twice', 'ada', (own) => own.replace(/\?(.*)$/, '?$1&$1')],
    ['that is missing', 'ada', () => `${publicPath}/messages`],
    ['in the words of the target', 'ada', () => `${publicPath}/messages?sessionId=1`],
  ])('%s leads nowhere', async (_, caller, changed) => {
    const { endpoint, close } = await openStream(gateway.port, 'ada');
    const answer = await post(gateway.port, caller, changed(endpoint));
    expect(answer.status).toBe(404);
    expect(answer.json()).toMatchObject({
      error: 'unknown_endpoint',
      error_description: expect.stringContaining('belongs to no stream that you opened here'),
    });
    expect(server.posted).toEqual([]);
    close();
  });

  it('of another resource leads nowhere, nor does one of the same resource at another target', async () => {
    const second = await another({ path: '/notes/sse' });
    const moved = await another({ target: `${server.url}?of=another` });
    const { endpoint, close } = await openStream(gateway.port, 'ada');
    const there = endpoint.replace(publicPath, '/notes/sse');
    expect((await post(second.port, 'ada', there)).status).toBe(404);
    expect((await post(moved.port, 'ada', endpoint)).status).toBe(404);
    expect(server.posted).toEqual([]);
    close();
  });

  it('is worth nothing without a token', async () => {
    const { endpoint, close } = await openStream(gateway.port, 'ada');
    const length: [string, string] = ['Content-Length', String(ping.length)];
    const answer = await ask(gateway.port, message(`POST ${endpoint}`, [length], ping));
    expect(answer.status).toBe(401);
    expect(answer.header('www-authenticate')).toContain('resource_metadata="http://localhost:1/.well-known/');
    expect(server.posted).toEqual([]);
    close();
  });

  it('is all that a message says of where it goes', async () => {
    const { endpoint, close } = await openStream(gateway.port, 'ada');
    expect((await post(gateway.port, 'ada', `${endpoint}&sessionId=of-another&kind=other`)).status).toBe(202);
    expect(server.posted.map(({ url }) => url)).toEqual([
      expect.stringMatching(/^\/message\?kind=mcp&sessionId=[0-9a-f-]{36}$/),
    ]);
    close();
  });
});

describe('a target', () => {
  let target: Target;
  let front: LegacyGateway;
  let encoded: boolean;
  beforeAll(async () => {
    target = await startTarget();
    front = await another({ target: `${target.url}/api/sse?key=1` });
  });
  afterAll(() => target.close());
  beforeEach(() => {
    front.outcomes.length = 0;
    encoded = false;
  });

  /** It opens a stream with this, and notes what is posted. */
  function streams(text: string, then?: string): void {
    const { answer } = noting;
    target.seen.length = 0;
    target.answer = (req, res) => {
      if (req.method !== 'GET') return answer(req, res);
      encoded = req.headers['accept-encoding'] !== 'identity' || req.headers.range !== undefined;
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      return then === undefined ? res.write(text) : res.end(text + then);
    };
  }
  const noting = { answer: (...args: Parameters<Target['answer']>) => recorded(...args) };
  let recorded: Target['answer'];
  beforeAll(() => {
    recorded = target.answer;
  });
  /** Opens a stream that is refused, of which nothing may come. The cause for the log. */
  async function refusal(): Promise<string> {
    const headers = { authorization: `Bearer ${tokenOf('ada')}` };
    const { req, answer } = begin(front.port, { path: publicPath, headers });
    req.end();
    const heard = answer.then((stream) => hear(stream, 'event')).finally(() => req.destroy());
    await expect(heard).rejects.toThrow(/^closed before event: $|^aborted$|^socket hang up$/);
    return unfitCause();
  }
  async function unfitCause(): Promise<string> {
    for (;;) {
      const unfit = front.outcomes.find(({ outcome }) => outcome === 'unfit_answer');
      if (unfit && 'cause' in unfit) return String(unfit.cause);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const endpointEvent = (endpoint: string) => `event: endpoint\ndata: ${endpoint}\n\n`;

  it.each([
    ['/messages/?session_id=5', '/messages/?session_id=5'],
    ['messages?a=b%20c&a=d', '/api/messages?a=b%20c&a=d'],
    ['../m;v=1', '/m;v=1'],
    ['?sessionId=1', '/api/sse?sessionId=1'],
    ['/m#part', '/m'],
    ['  /m', '/m'],
  ])('may announce %s', async (announced, expected) => {
    streams(endpointEvent(announced));
    const { endpoint, close } = await openStream(front.port, 'ada');
    expect((await post(front.port, 'ada', endpoint)).status).toBe(200);
    expect(target.seen.map(({ url }) => url)).toEqual([expected]);
    expect(target.seen[0]?.body.toString()).toBe(ping);
    close();
  });

  it('may announce an address of its own origin', async () => {
    streams(endpointEvent(`${target.url}/own?s=1`));
    const { endpoint, close } = await openStream(front.port, 'ada');
    await post(front.port, 'ada', endpoint);
    expect(target.seen.map(({ url }) => url)).toEqual(['/own?s=1']);
    close();
  });

  it('may announce another one later, and the first stays good', async () => {
    streams(endpointEvent('/first'), endpointEvent('/second'));
    const headers: Array<[string, string]> = [['Authorization', `Bearer ${tokenOf('ada')}`]];
    const answer = await ask(front.port, message(`GET ${publicPath}`, headers));
    const told = [...answer.body.toString().matchAll(/^data: (.*)$/gm)].map(([, endpoint]) => endpoint ?? '');
    for (const endpoint of told) await post(front.port, 'ada', endpoint);
    expect(target.seen.map(({ url }) => url)).toEqual(['/first', '/second']);
  });

  it.each([
    ['on another origin', 'http://169.254.169.254/latest', 'at http://169.254.169.254 and not at its own origin'],
    ['on another port', 'http://127.0.0.1:1/m', 'at http://127.0.0.1:1 and not at its own origin'],
    ['without a scheme', '//evil.example/m', 'at http://evil.example and not at its own origin'],
    ['with backslashes', '/\\evil.example/m', 'that is no address'],
    ['that is no HTTP', 'javascript:alert(1)', 'at null and not at its own origin'],
    ['as JSON', '{"uri":"/m"}', 'that is no address'],
    ['with a blank in it', '/m\tor/n', 'that is no address'],
    ['in two lines', '/m\ndata: /n', 'that is no address'],
    ['with letters that are no URI’s', '/größe', 'that is no address'],
    ['that is empty', '', 'that is no address'],
    ['that is too long', `/${'m'.repeat(2048)}`, 'of more than 2048 characters'],
  ])('may not announce an endpoint %s', async (_, announced, words) => {
    streams(endpointEvent(announced));
    expect(await refusal()).toContain(words);
  });

  it('may not announce one with a password', async () => {
    streams(endpointEvent(target.url.replace('//', '//user:secret@')));
    expect(await refusal()).toMatch(/with a user name or a password$/);
  });

  it('is asked for a stream that can be read, whatever the client asks for', async () => {
    streams(endpointEvent('/m'));
    const { req, answer } = begin(front.port, {
      path: publicPath,
      headers: { authorization: `Bearer ${tokenOf('ada')}`, 'accept-encoding': 'gzip', range: 'bytes=14-' },
    });
    req.end();
    await hear(await answer, '\n\n');
    expect(encoded).toBe(false);
    req.destroy();
  });

  const headers: Array<[string, string]> = [['Authorization', `Bearer ${tokenOf('ada')}`]];
  it('may not encode it all the same', async () => {
    target.answer = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      res.end(gzipSync(endpointEvent('/m')));
    };
    expect((await ask(front.port, message(`GET ${publicPath}`, headers))).status).toBe(502);
    expect(await unfitCause()).toContain('an encoded stream');
  });

  it('may refuse a stream in its own words', async () => {
    target.answer = (_, res) => void res.writeHead(503, { 'content-type': 'application/json' }).end('{"full":true}');
    const answer = await ask(front.port, message(`GET ${publicPath}`, headers));
    expect(answer.status).toBe(503);
    expect(answer.json()).toEqual({ full: true });
  });

  it('may answer a message in words of its own, and with no list that its rules hide', async () => {
    const ruled = await another({ target: `${target.url}/sse`, tools: { search: { scope: 'read' }, store: {} } });
    const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const tools = [{ name: 'search' }, { name: 'store' }, { name: 'unheard-of' }];
    let answered: [type: string, body: string] = ['text/plain', 'ok'];
    target.answer = (req, res) => {
      if (req.method === 'GET') {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write(endpointEvent('/m'));
        return;
      }
      req.resume();
      res.writeHead(200, { 'content-type': answered[0] }).end(answered[1]);
    };
    const { endpoint, close } = await openStream(ruled.port, 'bob');
    expect((await post(ruled.port, 'bob', endpoint, list)).body.toString()).toBe('ok');
    answered = ['application/json', JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } })];
    const told = (await post(ruled.port, 'bob', endpoint, list)).json();
    expect(told).toMatchObject({ result: { tools: [{ name: 'search' }, { name: 'store' }] } });
    expect(JSON.stringify(told)).not.toContain('unheard-of');
    close();
  });

  it('that writes what is no UTF-8 is cut off', async () => {
    target.answer = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(Buffer.concat([Buffer.from('event: message\ndata: '), Buffer.from([0xff, 0x0a, 0x0a])]));
    };
    expect(await refusal()).toContain('not UTF-8');
  });
});
