/** Sessions of MCP 2024-11-05 to 2025-11-25 with a stdio server behind Streamable HTTP, by the official clients of both generations. */
import { Client as NewClient, StreamableHTTPClientTransport as NewTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import {
  atEnd,
  begin,
  everything,
  isAlive,
  messagesOf,
  posted,
  type Running,
  scripted,
  startTarget,
  until,
  url,
} from './stdio-harness.ts';

const all = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

async function connected(target: Running, user: string, capabilities: object = all) {
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: target.as(user) });
  client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: `${user} sampled ${JSON.stringify(params.messages[0]?.content)}` },
  }));
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'accept', content: { name: user } }));
  client.setRequestHandler(ListRootsRequestSchema, async () => ({
    roots: [{ uri: `file:///home/${user}`, name: user }],
  }));
  await client.connect(transport as Transport);
  atEnd(() => client.close());
  return { client, transport };
}

const textOf = (result: object) =>
  (result as { content: Array<{ text: string }> }).content.map((one) => one.text).join();

test('A client of the first SDK lists and calls tools, hears progress, and is asked for a sample, an elicitation and its roots.', async () => {
  const target = await startTarget([everything, 'stdio']);
  const { client, transport } = await connected(target, 'ada');
  expect(transport.sessionId).toMatch(/^[\w-]{32}$/);
  await until(async () => (await client.listTools()).tools.some((one) => one.name === 'trigger-sampling-request'));
  const tools = (await client.listTools()).tools.map((one) => one.name);
  expect(tools).toEqual(expect.arrayContaining(['echo', 'trigger-elicitation-request', 'get-roots-list']));
  expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'grüße\n\u2028' } }))).toContain(
    'grüße\n\u2028',
  );

  const progress: number[] = [];
  await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 4 } }, undefined, {
    onprogress: (one) => progress.push(one.progress),
  });
  expect(progress).toEqual([1, 2, 3, 4]);

  const sampled = await client.callTool({
    name: 'trigger-sampling-request',
    arguments: { prompt: 'p?', maxTokens: 9 },
  });
  expect(textOf(sampled)).toContain('ada sampled');
  expect(textOf(await client.callTool({ name: 'trigger-elicitation-request', arguments: {} }))).toContain('ada');
  await until(async () =>
    textOf(await client.callTool({ name: 'get-roots-list', arguments: {} })).includes('/home/ada'),
  );
});

test('Log messages that belong to no request come over the GET stream.', async () => {
  const target = await startTarget([everything, 'stdio']);
  const { client } = await connected(target, 'ada');
  const heard = new Promise<unknown>((resolve) => {
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params));
  });
  await client.setLoggingLevel('debug');
  await client.callTool({ name: 'toggle-simulated-logging', arguments: {} });
  expect(await heard).toMatchObject({ level: expect.any(String) });
});

test('A client of the second SDK does the same with the revision before last.', async () => {
  const target = await startTarget([everything, 'stdio']);
  const client = new NewClient({ name: 'test', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler('sampling/createMessage', () => ({
    model: 'm',
    role: 'assistant' as const,
    content: { type: 'text' as const, text: 'second' },
  }));
  await client.connect(new NewTransport(new URL(url), { fetch: target.as('ada') }));
  atEnd(() => client.close());
  await until(async () => (await client.listTools()).tools.some((one) => one.name === 'trigger-sampling-request'));
  const sampled = await client.callTool({
    name: 'trigger-sampling-request',
    arguments: { prompt: 'p?', maxTokens: 9 },
  });
  expect(textOf(sampled)).toContain('second');
});

test('A cancelled call is cancelled in the process under its own id, and its exchange ends.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  await session.call('echo');
  const hanging = session.post({ id: 'a', method: 'tools/call', params: { name: 'hang' } });
  const received = async () => (await session.call<string[]>('received')).map((one) => JSON.parse(one));
  await until(async () => (await received()).some((one) => 'hangs' in one));
  await session.post({ method: 'notifications/cancelled', params: { requestId: 'a', reason: 'enough' } });
  expect(await messagesOf(await hanging)).toEqual([]);
  const { hangs } = (await received()).find((one) => 'hangs' in one);
  expect(hangs).not.toBe('a');
  const cancelled = (await received()).find((one) => one.method === 'notifications/cancelled');
  expect(cancelled.params).toEqual({ requestId: hangs, reason: 'enough' });
});

test('Two users have processes of their own, and neither a session nor an id of another is worth anything.', async () => {
  const target = await startTarget(scripted);
  const ada = await begin(target.as('ada'));
  const bob = await begin(target.as('bob'));
  const [ofAda, ofBob] = await Promise.all([ada, bob].map((one) => one.call<{ pid: number; env: object }>('about')));
  expect(ofAda?.pid).not.toBe(ofBob?.pid);
  expect(ofAda?.env).toMatchObject({ GATEHOUSE_SUBJECT: 'ada', GATEHOUSE_IDENTITY_SUBJECT: 'idp ada' });
  expect(ofBob?.env).toMatchObject({ GATEHOUSE_SUBJECT: 'bob', GATEHOUSE_IDENTITY_ISSUER: 'https://idp.example' });

  for (const thief of [target.as('bob'), target.as('ada', 'another client')]) {
    for (const method of ['POST', 'GET', 'DELETE']) {
      const body = method === 'POST' ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : undefined;
      const stolen = await thief(url, {
        method,
        headers: { ...posted, 'mcp-session-id': ada.id },
        ...(body && { body }),
      });
      expect(stolen.status).toBe(404);
      await stolen.text();
    }
  }
  expect(await ada.call('echo', { still: 'here' })).toMatchObject({ args: { still: 'here' } });
});

test('Each session of one user has a process of its own, told what its client can do.', async () => {
  const target = await startTarget(scripted);
  const [one, two] = [await begin(target.as('ada'), { roots: {} }), await begin(target.as('ada', 'other'), {})];
  const abouts = [await one.call<About>('about'), await two.call<About>('about')];
  expect(abouts.map((about) => about.initialized.capabilities)).toEqual([{ roots: {} }, {}]);
  expect(new Set(abouts.map((about) => about.pid)).size).toBe(2);
  await one.call('echo');
});

interface About {
  readonly pid: number;
  readonly initialized: { readonly capabilities: object };
}

test('DELETE ends the session with its process; the session is unknown from then on.', async () => {
  const target = await startTarget(scripted);
  const send = target.as('ada');
  const session = await begin(send);
  const { pid } = await session.call<About>('about');
  const stream = await send(url, { headers: { accept: 'text/event-stream', 'mcp-session-id': session.id } });
  expect(stream.headers.get('content-type')).toBe('text/event-stream');
  const ended = await send(url, { method: 'DELETE', headers: { 'mcp-session-id': session.id } });
  expect(ended.status).toBe(204);
  expect(isAlive(pid)).toBe(false);
  expect(await stream.text()).toBe('');
  expect((await session.post({ id: 1, method: 'tools/list' })).status).toBe(404);
});

test('A question of the server waits for a stream and its answer finds the way back, progress included.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'), { sampling: {} });
  const answer = await session.post({
    id: 9,
    method: 'tools/call',
    params: { name: 'sample', arguments: { prompt: 'x' } },
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream() as never).getReader();
  let text = '';
  while (!text.includes('\n\n')) text += String((await reader.read()).value);
  const question = JSON.parse(/data: (.+)/.exec(text)?.[1] ?? '') as { id: string; params: { _meta: object } };
  expect(question.id).not.toBe('q1');
  expect(question.params._meta).toEqual({ progressToken: question.id });
  await session.post({ method: 'notifications/progress', params: { progressToken: question.id, progress: 1 } });
  await session.post({ method: 'notifications/progress', params: { progressToken: 'another', progress: 2 } });
  await session.post({ id: question.id, result: { told: true } });
  // Twice is once.
  expect((await session.post({ id: question.id, result: { told: 'again' } })).status).toBe(202);
  while (!text.includes('"id":9')) text += String((await reader.read()).value);
  expect(text).toContain('\\"told\\":true');
  expect((await session.call<string[]>('received')).filter((one) => one.includes('again'))).toEqual([]);
  const progress = (await session.call<string[]>('received')).filter((one) => one.includes('progress'));
  expect(progress.map((one) => JSON.parse(one).params)).toEqual([{ progressToken: 'mine', progress: 1 }]);
});

test('Numbers keep their digits and ids their form, in both directions.', async () => {
  const target = await startTarget(scripted);
  const send = target.as('ada');
  const session = await begin(send);
  const raw = (body: string) =>
    send(url, { method: 'POST', headers: { ...posted, 'mcp-session-id': session.id }, body }).then((answer) =>
      answer.text(),
    );
  const exact = await raw('{"jsonrpc":"2.0","id":"1e3","method":"tools/call","params":{"name":"exact"}}');
  expect(exact).toContain('12345678901234567890');
  expect(exact).toContain('"id":"1e3"');
  expect(await session.call('ping')).toMatchObject({ result: {} });
});
