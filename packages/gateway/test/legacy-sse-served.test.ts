/** A target of HTTP+SSE (MCP 2024-11-05) behind a whole gateway: from the configuration to the log. */
import { once } from 'node:events';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { type LegacyServer, startLegacyServer } from './legacy-sse-gateway.ts';
import { begin, message, ask as speak } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const path = '/files/sse';

let server: LegacyServer;
let broken: Target;
let gateway: TestGateway;
let ada: SignedIn;
/** The same person with a client of another id. */
let elsewhere: SignedIn;

beforeAll(async () => {
  [server, broken] = await Promise.all([startLegacyServer(), startTarget()]);
  const scopes = { mcp: 'use its tools' };
  gateway = await startGateway([
    { path, target: { url: server.url, transport: 'sse' }, scopes },
    { path: '/ruled/sse', target: { url: server.url, transport: 'sse' }, scopes, tools: { search: { scope: 'mcp' } } },
    { path: '/broken/sse', target: { url: `${broken.url}/sse`, transport: 'sse' }, scopes, tools: { search: {} } },
  ]);
  ada = await signIn({ issuer: gateway.issuer, path });
  elsewhere = await signIn({ issuer: gateway.issuer, path });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([server?.close(), broken?.close()]);
});
beforeEach(() => {
  gateway.events.length = 0;
  server.posted.length = 0;
});

const headersOf = ({ accessToken }: SignedIn): Array<[string, string]> => [['Authorization', `Bearer ${accessToken}`]];
const ask = (line: string, headers: ReadonlyArray<[string, string]> = headersOf(ada), body = '') =>
  speak(gateway.port, message(line, body === '' ? headers : [...headers, ['Content-Length', `${body.length}`]], body));

async function openStream(at = path, person = ada) {
  const { req, answer } = begin(gateway.port, { path: at, headers: person.authorization });
  req.end();
  const stream = await answer;
  const [first] = (await once(stream, 'data')) as [Buffer];
  return { stream, endpoint: /^data: (\S+)$/m.exec(String(first))?.[1] ?? '', close: () => req.destroy() };
}

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const json: [string, string] = ['Content-Type', 'application/json'];

it('serves the client of its day', async () => {
  const client = new Client({ name: 'v1', version: '1' });
  await client.connect(
    new SSEClientTransport(new URL(gateway.url(path)), { requestInit: { headers: ada.authorization } }),
  );
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('store');
  const found = await client.callTool({ name: 'search', arguments: { q: 'it' } });
  expect(found.content).toEqual([{ type: 'text', text: 'found it' }]);
  await client.close();
  await server.untilDeserted();
});

it('serves a newer client that goes back to the older transport', async () => {
  const url = new URL(gateway.url(path));
  const options = { requestInit: { headers: ada.authorization } };
  const client = new Client({ name: 'both', version: '1' });
  // MCP 2025-03-26, Backwards Compatibility: a 4xx to the first POST says that the stream is opened by GET.
  const newer = new StreamableHTTPClientTransport(url, options);
  await expect(client.connect(newer as Transport)).rejects.toMatchObject({ code: 405 });
  await client.connect(new SSEClientTransport(url, options));
  expect((await client.listTools()).tools).not.toEqual([]);
  await client.close();
});

it('has its tools judged like any other', async () => {
  const person = await signIn({ issuer: gateway.issuer, path: '/ruled/sse' });
  const { stream, endpoint, close } = await openStream('/ruled/sse', person);
  expect(endpoint).toMatch(/^\/ruled\/sse\/messages\?endpoint=/);
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call"}';
  const refused = await ask(`POST ${endpoint}`, [...headersOf(person), json], body);
  expect(refused.status).toBe(400);
  expect(refused.body.toString()).toContain('names a tool');
  expect(server.posted).toEqual([]);
  const heard = once(stream, 'data');
  expect((await ask(`POST ${endpoint}`, [...headersOf(person), json], ping)).status).toBe(202);
  expect(String(await heard)).toContain('"result":{}');
  close();
});

it('lets a target that has rules answer a message as it likes: the list comes on the stream', async () => {
  const person = await signIn({ issuer: gateway.issuer, path: '/broken/sse' });
  broken.answer = (req, res) => {
    req.resume();
    if (req.method === 'POST') res.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    else res.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: endpoint\ndata: /m\n\n');
  };
  const { endpoint, close } = await openStream('/broken/sse', person);
  const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const answer = await ask(`POST ${endpoint}`, [...headersOf(person), json], list);
  expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
  close();
});

it('challenges whoever has no token, at both of its addresses, with the metadata of the one resource', async () => {
  const { endpoint, close } = await openStream();
  const metadata = `resource_metadata="${gateway.issuer}/.well-known/oauth-protected-resource${path}"`;
  for (const line of [`GET ${path}`, `POST ${path}`, `POST ${endpoint}`, `POST ${path}/messages`]) {
    const answer = await ask(line, []);
    expect([line, answer.status]).toEqual([line, 401]);
    expect(answer.header('www-authenticate')).toContain(metadata);
  }
  const document = await fetch(gateway.url(`/.well-known/oauth-protected-resource${path}`));
  expect(await document.json()).toMatchObject({ resource: gateway.issuer + path });
  close();
});

it.each([
  ['POST', path, 'GET'],
  ['DELETE', path, 'GET'],
  ['HEAD', path, 'GET'],
  ['GET', `${path}/messages`, 'POST'],
  ['DELETE', `${path}/messages`, 'POST'],
])('%s %s is answered with what there is', async (method, at, allow) => {
  const answer = await ask(`${method} ${at}`, [...headersOf(ada), json], method === 'POST' ? ping : '');
  expect(answer.status).toBe(405);
  expect(answer.header('allow')).toBe(allow);
});

it('has no address below the second one', async () => {
  for (const at of [`${path}/messages/`, `${path}/messages/x`, `${path}/`, `${path}/other`, '//files/sse/messages']) {
    expect([at, (await ask(`POST ${at}`, [...headersOf(ada), json], ping)).status]).toEqual([at, 404]);
  }
});

it('keeps the endpoint to the client that was told it, and out of the log', async () => {
  const { endpoint, close } = await openStream();
  const stolen = await ask(`POST ${endpoint}`, [...headersOf(elsewhere), json], ping);
  expect(stolen.status).toBe(404);
  expect(stolen.json()).toMatchObject({ error_description: expect.stringContaining('open the stream again') });
  expect((await ask(`POST ${endpoint}`, [...headersOf(ada), json], ping)).status).toBe(202);
  expect(server.posted.map(({ method }) => method)).toEqual(['ping']);
  close();
  await server.untilDeserted();
  const session = new URL(server.posted[0]?.url ?? '', server.url).searchParams.get('sessionId') ?? 'none';
  const log = JSON.stringify(gateway.events);
  expect(log).toContain(`${path}/messages`);
  expect(log).not.toContain(session);
  expect(log).not.toContain(new URL(endpoint, gateway.issuer).searchParams.get('endpoint'));
});

it('answers pages as everywhere: a preflight, and nobody else’s page', async () => {
  const origin: [string, string] = ['Origin', gateway.issuer];
  const asked = await ask(`OPTIONS ${path}/messages`, [origin, ['Access-Control-Request-Method', 'POST']]);
  expect(asked.status).toBe(204);
  expect(asked.header('access-control-allow-origin')).toBe(gateway.issuer);
  const foreign: [string, string] = ['Origin', 'https://evil.example'];
  expect((await ask(`POST ${path}/messages`, [...headersOf(ada), foreign])).status).toBe(403);
});

it('says in the log why a stream was cut', async () => {
  const person = await signIn({ issuer: gateway.issuer, path: '/broken/sse' });
  broken.answer = (_, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: endpoint\ndata: http://[::1]:9/m\n\n');
  };
  const { req, answer } = begin(gateway.port, { path: '/broken/sse', headers: person.authorization });
  req.end();
  const heard = answer.then((stream) => once(stream, 'data'));
  await expect(heard).rejects.toThrow();
  const told = () =>
    gateway.events.find(({ event, outcome }) => event === 'http.request' && outcome === 'unfit_answer');
  while (!told()) await new Promise((resolve) => setImmediate(resolve));
  expect(told()).toMatchObject({
    path: '/broken/sse',
    cause: expect.stringContaining('announced an endpoint for messages at http://[::1]:9 and not at its own origin'),
  });
});
