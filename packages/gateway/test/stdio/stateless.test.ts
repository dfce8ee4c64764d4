/** MCP 2026-07-28 with a stdio server behind Streamable HTTP, and how its clients go back to the revisions before. */
import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import {
  atEnd,
  begin,
  bothEras,
  isAlive,
  messagesOf,
  posted,
  type Running,
  scripted,
  startTarget,
  until,
  url,
} from './stdio-harness.ts';

interface About {
  readonly pid: number;
  readonly subject: string;
  readonly stopped: readonly string[];
}

async function connected(
  target: Running,
  user: string,
  mode: VersionNegotiationMode = { pin: '2026-07-28' },
  as = 'client',
) {
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode }, capabilities: { elicitation: {} } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept' as const, content: { name: user } }));
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: target.as(user, as) }));
  atEnd(() => client.close());
  const call = async <T>(name: string, args: Record<string, unknown> = {}, options = {}): Promise<T> => {
    const result = await client.callTool({ name, arguments: args }, options);
    return JSON.parse((result.content as Array<{ text: string }>)[0]?.text ?? 'null') as T;
  };
  return { client, call };
}

const meta = (more: object = {}) => ({
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    ...more,
  },
});

/** A raw request of the revision, with its headers unless told otherwise. */
function ask(
  send: typeof fetch,
  method: string,
  params: object,
  headers: Record<string, string | undefined> = {},
  signal?: AbortSignal,
) {
  const { name } = params as { name?: string };
  const all = { ...posted, 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name, ...headers };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 'mine', method, params });
  const given = Object.entries(all).filter((one): one is [string, string] => one[1] !== undefined);
  return send(url, { method: 'POST', headers: Object.fromEntries(given), body, ...(signal && { signal }) });
}

test('A client of 2026-07-28 discovers, lists, calls, hears progress and answers what the server needs, on one process.', async () => {
  const target = await startTarget(bothEras);
  const { client, call } = await connected(target, 'ada');
  expect((await client.listTools()).tools.map((one) => one.name)).toContain('greet');
  const progress: number[] = [];
  expect(
    await call('count', { to: 3 }, { onprogress: (one: { progress: number }) => progress.push(one.progress) }),
  ).toBe(3);
  expect(progress).toEqual([1, 2, 3]);
  expect(await call('greet')).toBe('hello ada');
  expect(await call('about')).toMatchObject({ subject: 'ada' });
  expect(target.logged('stdio.started')).toHaveLength(1);
});

test('Clients of one user share a process and no ids; another user has another process.', async () => {
  const target = await startTarget(bothEras);
  const clients = [
    await connected(target, 'ada'),
    await connected(target, 'ada', undefined, 'other'),
    await connected(target, 'bob'),
  ];
  const abouts = await Promise.all(clients.map(({ call }) => call<About>('about')));
  expect(abouts.map((one) => one.subject)).toEqual(['ada', 'ada', 'bob']);
  expect(abouts[0]?.pid).toBe(abouts[1]?.pid);
  expect(abouts[0]?.pid).not.toBe(abouts[2]?.pid);
  // The same id from everybody, many at once.
  const answers = await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const answer = await ask(target.as(n % 2 ? 'ada' : 'bob'), 'tools/call', {
        name: 'count',
        arguments: { to: n },
        ...meta(),
      });
      return messagesOf(answer);
    }),
  );
  for (const [n, messages] of answers.entries()) {
    expect(messages).toMatchObject([{ id: 'mine', result: { content: [{ text: String(n) }] } }]);
  }
});

test('Leaving is cancelling: the process is told, and only about that request.', async () => {
  const target = await startTarget(bothEras);
  const { call } = await connected(target, 'ada');
  const leaving = new AbortController();
  // Its first event says that it is in flight.
  const wait = (name: string, signal?: AbortSignal) =>
    ask(
      target.as('ada'),
      'tools/call',
      { name: 'wait', arguments: { name }, ...meta({ progressToken: name }) },
      {},
      signal,
    );
  const staying = await wait('stays');
  const left = await wait('left', leaving.signal);
  leaving.abort();
  await expect(left.text()).rejects.toThrow();
  await until(async () => (await call<About>('about')).stopped.length > 0);
  expect((await call<About>('about')).stopped).toEqual(['left']);
  await staying.body?.cancel();
});

test('A subscription hears of changes under the id its client gave it, and nobody else’s does.', async () => {
  const target = await startTarget(bothEras);
  const { call } = await connected(target, 'ada');
  const other = await connected(target, 'bob');
  const leaving = new AbortController();
  const listen = { notifications: { toolsListChanged: true }, ...meta() };
  const open = async (user: string) => {
    const answer = await ask(target.as(user), 'subscriptions/listen', listen, {}, leaving.signal);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    const hear = async (words: string) => {
      while (!text.includes(words)) text += Buffer.from((await reader.read()).value ?? []).toString();
      return text;
    };
    await hear('acknowledged');
    return hear;
  };
  const [ofAda, ofBob] = [await open('ada'), await open('bob')];
  await call('grow', { name: 'new-of-ada' });
  expect(await ofAda('list_changed')).toContain('"io.modelcontextprotocol/subscriptionId":"mine"');
  await other.call('grow', { name: 'new-of-bob' });
  // Bob's first change is his own.
  expect((await ofBob('list_changed')).match(/list_changed/g)).toHaveLength(1);
  leaving.abort();
});

test('A client that can do both goes back to `initialize` with a server of the older revisions, whatever that does when asked.', async () => {
  for (const flag of ['--polite', '--exit-on-discover', '--silent-on-discover']) {
    const target = await startTarget([scripted, flag], { startSeconds: flag === '--silent-on-discover' ? 1 : 20 });
    const { client, call } = await connected(target, 'ada', 'auto');
    expect(client.getServerVersion()?.name).toBe('scripted');
    const { pid } = await call<About>('about');
    // What was only asked does not stay, and is not asked again.
    await connected(target, 'bob', 'auto');
    expect(target.logged('stdio.started')).toHaveLength(3);
    const asked = target.logged('stdio.started')[0]?.pid as number;
    expect(asked).not.toBe(pid);
    expect(isAlive(asked)).toBe(false);
  }
});

test('One user’s clients of both kinds are served side by side by a server that speaks both.', async () => {
  const target = await startTarget(bothEras);
  const modern = await connected(target, 'ada');
  const session = await begin(target.as('ada'));
  const about = await session.call<About>('about');
  expect(about.subject).toBe('ada');
  expect(about.pid).not.toBe((await modern.call<About>('about')).pid);
});

test('What a request must say of itself is asked for, before a process is started for it.', async () => {
  const target = await startTarget(bothEras);
  const send = target.as('ada');
  const status = async (answer: Promise<Response>) => {
    const { status: code, ...rest } = await answer;
    const [message] = await messagesOf(Object.assign(await answer, rest));
    return [code, (message as { error?: { code: number } } | undefined)?.error?.code];
  };
  const list = meta();
  expect(await status(ask(send, 'tools/list', {}))).toEqual([400, -32602]);
  expect(
    await status(ask(send, 'tools/list', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } })),
  ).toEqual([400, -32602]);
  expect(await status(ask(send, 'tools/list', list, { 'mcp-protocol-version': undefined }))).toEqual([400, -32020]);
  expect(await status(ask(send, 'tools/list', list, { 'mcp-protocol-version': '2025-11-25' }))).toEqual([400, -32020]);
  expect(await status(ask(send, 'tools/list', list, { 'mcp-method': undefined }))).toEqual([400, -32020]);
  expect(await status(ask(send, 'tools/list', list, { 'mcp-method': 'tools/call' }))).toEqual([400, -32020]);
  expect(await status(ask(send, 'tools/call', { name: 'about', ...list }, { 'mcp-name': undefined }))).toEqual([
    400, -32020,
  ]);
  expect(target.logged('stdio.started')).toEqual([]);
  expect(await status(ask(send, 'no/such', list))).toEqual([404, -32601]);
  const future = meta({ 'io.modelcontextprotocol/protocolVersion': '2031-01-01' });
  expect(await status(ask(send, 'tools/list', future, { 'mcp-protocol-version': '2031-01-01' }))).toEqual([
    400, -32022,
  ]);
  for (const method of ['GET', 'DELETE']) {
    const answer = await send(url, {
      method,
      headers: { accept: 'text/event-stream', 'mcp-protocol-version': '2026-07-28' },
    });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET, DELETE']);
  }
});

test('Arguments that headers repeat are the same in both, or the call does not reach the process.', async () => {
  const target = await startTarget(bothEras);
  const call = async (args: object, headers: Record<string, string>) => {
    const answer = await ask(target.as('ada'), 'tools/call', { name: 'route', arguments: args, ...meta() }, headers);
    const [message] = await messagesOf(answer);
    return [answer.status, (message as { error?: { code: number } }).error?.code];
  };
  // From the first call on: no client has listed the tools.
  expect(await call({ region: 'eu' }, { 'mcp-param-region': 'us' })).toEqual([400, -32020]);
  expect(await call({ region: 'eu' }, {})).toEqual([400, -32020]);
  expect(await call({ region: 'eu', shard: 7 }, { 'mcp-param-region': 'eu', 'mcp-param-shard': '8' })).toEqual([
    400, -32020,
  ]);
  expect(await call({ region: 'ö' }, { 'mcp-param-region': '=?base64?w7Y=?x' })).toEqual([400, -32020]);
  expect(await call({ region: 'ö' }, { 'mcp-param-region': '=?base64?w7Y?=' })).toEqual([400, -32020]);
  expect(await call({ region: 'ö' }, { 'mcp-param-region': '=?base64?w7Y=?=' })).toEqual([200, undefined]);
  expect(await call({ region: 'eu', shard: 7 }, { 'mcp-param-region': 'eu', 'mcp-param-shard': '7.0' })).toEqual([
    200,
    undefined,
  ]);
  expect(await call({ region: 'eu' }, { 'mcp-param-region': 'eu', 'mcp-param-shard': '1' })).toEqual([200, undefined]);
  // A client of the SDK repeats them by itself.
  const { client, call: called } = await connected(target, 'ada');
  await client.listTools();
  expect(await called('route', { region: 'eu', shard: 3 })).toEqual(['eu', 3]);
});
