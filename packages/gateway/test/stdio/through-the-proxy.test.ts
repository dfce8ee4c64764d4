/** A stdio target behind the gateway's own proxy: the identity, the header filters and the way of cancelling are those of every target. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AccessToken } from '@mcp-gatehouse/auth';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { Client as NewClient, StreamableHTTPClientTransport as NewTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { forward } from '../../src/proxy/forward.ts';
import { openTarget } from '../../src/proxy/target.ts';
import { atEnd, bothEras, initializeOf, posted, scripted, startTarget, until } from './stdio-harness.ts';

/** The proxy before a stdio target; the name of a user is their token. */
async function startEndpoint(script: string) {
  const stdio = await startTarget(script, { maxMessageBytes: 8 * 1024 * 1024 });
  const target = openTarget({ url: stdio.url, socketPath: stdio.socketPath });
  atEnd(() => target.close());
  const server = createServer(async (req, res) => {
    const subject = (req.headers.authorization ?? '').replace('Bearer ', '');
    const token = { subject, clientId: 'client', scope: [] } as unknown as AccessToken;
    await forward({
      req,
      res,
      target,
      path: target.url.pathname,
      identity: writeIdentityHeaders(token, stdio.secret),
      publicOrigin: 'http://localhost',
      requestId: 'request',
      maxBodyBytes: 8 * 1024 * 1024,
      extraHeaders: {},
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { stdio, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`) };
}

const bearer = (user: string) => ({ requestInit: { headers: { authorization: `Bearer ${user}` } } });
const answerOf = (result: object) =>
  JSON.parse((result as { content: Array<{ text: string }> }).content[0]?.text ?? '');

test('Sessions: a user has a process, is asked by it, and cannot pass for another by headers.', async () => {
  const { url, stdio } = await startEndpoint(scripted);
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }));
  const headers = { authorization: 'Bearer ada', 'x-gatehouse-subject': 'bob', 'x-gatehouse-secret': 'guessed' };
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }) as Transport);
  atEnd(() => client.close());
  expect(answerOf(await client.callTool({ name: 'about', arguments: {} })).env.GATEHOUSE_SUBJECT).toBe('ada');
  const sampled = answerOf(await client.callTool({ name: 'sample', arguments: { prompt: 'p' } }));
  expect(sampled.result.content.text).toBe('sampled');
  const large = 'l'.repeat(3_000_000);
  const echoed = answerOf(await client.callTool({ name: 'echo', arguments: { large } }));
  expect(echoed.args.large).toBe(large);
  const hanging = client.callTool({ name: 'hang', arguments: {} });
  hanging.catch(() => {});
  await until(async () =>
    String(answerOf(await client.callTool({ name: 'received', arguments: {} }))).includes('hangs'),
  );
  process.kill(stdio.logged('stdio.started')[0]?.pid as number, 'SIGKILL');
  await expect(hanging).rejects.toThrow('SIGKILL');
});

test('2026-07-28: a client that leaves is noticed by the process behind two connections.', async () => {
  const { url } = await startEndpoint(bothEras);
  const client = new NewClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities: { elicitation: {} } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept' as const, content: { name: 'Ada' } }));
  await client.connect(new NewTransport(url, bearer('ada')));
  atEnd(() => client.close());
  expect(answerOf(await client.callTool({ name: 'greet', arguments: {} }))).toBe('hello Ada');
  const leaving = new AbortController();
  const waiting = client.callTool(
    { name: 'wait', arguments: { name: 'left' } },
    { signal: leaving.signal, onprogress: () => leaving.abort() },
  );
  await expect(waiting).rejects.toThrow();
  await until(async () => answerOf(await client.callTool({ name: 'about', arguments: {} })).stopped.includes('left'));
});

test('Refusals come through as they are: no place for a process is 503 with a time to come back.', async () => {
  const { url, stdio } = await startEndpoint(scripted);
  const ask = (user: string, body: object) =>
    fetch(url, { method: 'POST', headers: { ...posted, authorization: `Bearer ${user}` }, body: JSON.stringify(body) });
  const users = Array.from({ length: 11 }, (_, n) => `user${n}`);
  const answers = await Promise.all(users.map((user) => ask(user, initializeOf())));
  expect(answers.map((one) => one.status).sort()).toEqual([...Array(10).fill(200), 503]);
  expect(answers.find((one) => one.status === 503)?.headers.get('retry-after')).toBe('5');
  expect((await ask('user0', { jsonrpc: '2.0', id: 1, method: 'tools/list' })).status).toBe(400);
  expect(stdio.logged('stdio.started')).toHaveLength(10);
});
