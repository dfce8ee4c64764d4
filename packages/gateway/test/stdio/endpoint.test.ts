/** The HTTP side of a stdio target: its refusals, its bounds, what it logs of a server, and who may ask at all. */
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { expect, test } from 'vitest';
import { begin, initializeOf, messagesOf, posted, scripted, startTarget, until, url } from './stdio-harness.ts';

test.each([
  ['without a session', {}, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', 400, -32000],
  [
    'of an unknown session',
    { 'mcp-session-id': 'nobody' },
    '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    404,
    -32001,
  ],
  ['that is no JSON', {}, '{', 400, -32700],
  ['that is a batch', {}, '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600],
  ['that is no JSON-RPC', {}, '{"id":1}', 400, -32600],
  ['with a key twice', {}, '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32600],
  [
    'nested too deep',
    {},
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(99)}${']'.repeat(99)}}}`,
    400,
    -32600,
  ],
  ['that is no text of JSON', { 'content-type': 'text/plain' }, '{}', 415, -32600],
  ['that takes no events', { accept: 'application/json' }, '{}', 406, -32600],
  ['that takes no JSON', { accept: 'text/event-stream, application/json;q=0' }, '{}', 406, -32600],
  ['that is too large', {}, 'x'.repeat(70_000), 413, -32600],
])('A message %s is refused, and starts nothing.', async (_, headers, body, status, code) => {
  const target = await startTarget(scripted, { maxMessageBytes: 65_536 });
  const answer = await target.as('ada')(url, { method: 'POST', headers: { ...posted, ...headers }, body });
  expect(answer.status).toBe(status);
  expect(await messagesOf(answer)).toMatchObject([{ jsonrpc: '2.0', error: { code, message: expect.any(String) } }]);
  expect(target.logged('stdio.started')).toEqual([]);
});

test('Other methods are 405, a GET that takes no events 406, and a revision that no session speaks 400.', async () => {
  const target = await startTarget(scripted);
  const send = target.as('ada');
  const put = await send(url, { method: 'PUT', headers: posted, body: '{}' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST, GET, DELETE']);
  const session = await begin(send);
  const ofSession = { 'mcp-session-id': session.id };
  expect((await send(url, { headers: { ...ofSession, accept: 'application/json' } })).status).toBe(406);
  expect(
    (await session.post({ id: 1, method: 'ping' }, { headers: { 'mcp-protocol-version': '2019-01-01' } })).status,
  ).toBe(400);
  expect(
    (await session.post({ id: 1, method: 'x' }, { headers: { 'mcp-protocol-version': '2025-11-25' } })).status,
  ).toBe(200);
  expect((await send(url, { headers: { accept: 'text/event-stream' } })).status).toBe(400);
});

test('Only the gateway may ask: the folder is its own, and identity without its secret is none.', async () => {
  const target = await startTarget(scripted);
  expect(statSync(dirname(target.socketPath)).mode & 0o777).toBe(0o700);
  const token = { subject: 'ada', clientId: 'c', scope: [] } as unknown as Parameters<typeof writeIdentityHeaders>[0];
  for (const secret of [undefined, 'guessed']) {
    const headers = { ...posted, ...Object.fromEntries(writeIdentityHeaders(token, secret)) };
    const status = await new Promise((resolve, reject) => {
      const req = request({ socketPath: target.socketPath, path: '/mcp', method: 'POST', headers }, (res) =>
        resolve(res.statusCode),
      );
      req.on('error', reject);
      req.end(JSON.stringify(initializeOf()));
    });
    expect(status).toBe(403);
  }
  expect(target.logged('stdio.started')).toEqual([]);
});

test('A process has what is configured and what any program needs, and none of the gateway’s own environment.', async () => {
  process.env.GATEHOUSE_TEST_SECRET = 'of the gateway';
  try {
    const target = await startTarget(scripted, { env: { API_KEY: 'of the server', HOME: '/elsewhere' }, cwd: '/' });
    const session = await begin(target.as('ada'));
    const { env, cwd } = await session.call<{ env: Record<string, string>; cwd: string }>('about');
    expect(env).toMatchObject({
      API_KEY: 'of the server',
      HOME: '/elsewhere',
      GATEHOUSE_SUBJECT: 'ada',
      PATH: process.env.PATH,
    });
    expect(cwd).toBe('/');
    const allowed =
      /^(API_KEY|GATEHOUSE_(SUBJECT|IDENTITY_(ISSUER|SUBJECT))|HOME|LANG|LC_ALL|LOGNAME|PATH|SHELL|TMPDIR|TZ|USER|__.*)$/;
    expect(Object.keys(env).filter((name) => !allowed.test(name))).toEqual([]);
  } finally {
    delete process.env.GATEHOUSE_TEST_SECRET;
  }
});

test('A process that shall not know whose it is does not.', async () => {
  const target = await startTarget(scripted, { identity: 'none' });
  const { env } = await (await begin(target.as('ada'))).call<{ env: object }>('about');
  expect(Object.keys(env).filter((name) => name.startsWith('GATEHOUSE'))).toEqual([]);
});

test('Nothing of the identity is in the messages, and what a client puts in `_meta` is left as it is.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  const params = { name: 'echo', arguments: { a: 1 }, _meta: { progressToken: 'p', 'example.com/x': [1] } };
  const [answer] = await messagesOf(await session.post({ id: 1, method: 'tools/call', params }));
  const { meta } = JSON.parse((answer as { result: { content: [{ text: string }] } }).result.content[0].text);
  expect(meta).toEqual({ progressToken: expect.any(Number), 'example.com/x': [1] });
});

test('What a server writes besides messages is in the log, and does not disturb.', async () => {
  const target = await startTarget([scripted, '--banner']);
  const session = await begin(target.as('ada'));
  expect(await session.call('noise')).toBe('after the noise');
  expect(target.logged('stdio.unreadable').map((one) => [one.reason, one.text])).toEqual([
    ['not_json', 'Server running on stdio'],
    ['not_json', 'this is no JSON'],
    ['not_rpc', '[1]'],
    ['not_rpc', '{"id":1}'],
  ]);
});

test('Standard error is logged without control characters, cut, and at a bounded rate that says what is missing.', async () => {
  let time = 0;
  const target = await startTarget(scripted, { now: () => time });
  const session = await begin(target.as('ada'));
  await session.call('stderr', { lines: 200, long: true });
  const said = () => target.logged('stdio.stderr');
  await until(() => said().length >= 50);
  await session.call('echo');
  expect(said()).toHaveLength(50);
  expect(said()[0]?.text).toBe('\\u{1b}[31mline 0\\u{1b}[0m\\u{202e} end');
  time += 60;
  await session.call('stderr', { lines: 0, long: true });
  await until(() => said().length > 50);
  expect(said()[50]?.leftOut).toBe(151);
  expect(said()[50]?.text.length).toBeLessThan(1100);
  // Standard error and the pipe for messages are not ordered; nothing else of them was lost.
  expect(said()).toHaveLength(51);
});

test('An answer that is too long is an error for the one who waits for it, and for nobody else.', async () => {
  const target = await startTarget(scripted, { maxMessageBytes: 65_536 });
  const session = await begin(target.as('ada'));
  const hanging = session.post({ id: 50, method: 'tools/call', params: { name: 'hang' } });
  let over = false;
  void hanging.then(() => {
    over = true;
  });
  await until(async () => (await session.call<string[]>('received')).some((one) => one.includes('hangs')));
  await expect(session.call('long', { bytes: 200_000 })).rejects.toThrow('more than 65536 bytes');
  await expect(session.call('long-strange', { bytes: 200_000 })).rejects.toThrow('more than 65536 bytes');
  expect(await session.call('long', { bytes: 50_000 })).toHaveLength(50_000);
  expect(over).toBe(false);
  expect(target.logged('stdio.unreadable')).toMatchObject([{ reason: 'too_long' }, { reason: 'too_long' }]);
  await target.close();
  await hanging;
});

test('Who reads slowly slows the process down, and gets everything.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  const answer = await session.post({
    id: 1,
    method: 'tools/call',
    params: { name: 'flood', arguments: { messages: 20_000 } },
  });
  const half = () => target.logged('stdio.stderr').length;
  // 20 MB: what no pipe holds waits in the process, which could not write the half of it.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(half()).toBe(0);
  const messages = await messagesOf(answer);
  expect(messages).toHaveLength(20_001);
  expect(messages.slice(0, -1).map((one) => Number.parseInt((one.params as { data: string }).data, 10))).toEqual(
    Array.from({ length: 20_000 }, (_, n) => n),
  );
  await until(() => half() === 1);
});

test('A silent answer says that it lives, in a stream of events.', async () => {
  const target = await startTarget(scripted, { keepAliveSeconds: 0.1 });
  const session = await begin(target.as('ada'));
  const quick = await session.post({ id: 1, method: 'tools/call', params: { name: 'echo' } });
  expect(quick.headers.get('content-type')).toBe('application/json');
  const slow = await session.post({ id: 1, method: 'tools/call', params: { name: 'sleep', arguments: { ms: 400 } } });
  expect(slow.headers.get('content-type')).toBe('text/event-stream');
  const text = await slow.text();
  expect(text.startsWith(': alive\n\n')).toBe(true);
  expect(text).toContain('slept');
});

test('An id that is in flight already is refused, and the first keeps its answer.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  const first = session.post({ id: 8, method: 'tools/call', params: { name: 'sample', arguments: { prompt: '' } } });
  await first;
  const second = await session.post({ id: 8, method: 'ping' });
  expect(second.status).toBe(400);
  expect(await messagesOf(second)).toMatchObject([{ id: 8, error: { code: -32600 } }]);
  await (await first).body?.cancel();
});

test('Messages on their way take so much memory of a person and no more, and give it back.', async () => {
  const maxMessageBytes = 65_536;
  const target = await startTarget(scripted, { maxMessageBytes });
  const unfinished = (user: string) => {
    const caller = { subject: user, clientId: 'client', scope: [] } as unknown as Parameters<
      typeof writeIdentityHeaders
    >[0];
    const sent = request({
      socketPath: target.socketPath,
      path: '/mcp',
      method: 'POST',
      headers: {
        ...posted,
        ...Object.fromEntries(writeIdentityHeaders(caller, target.secret)),
        'content-length': maxMessageBytes,
      },
    });
    sent.on('error', () => {});
    sent.write('x'.repeat(maxMessageBytes - 1));
    return sent;
  };
  const answer = (sent: ReturnType<typeof unfinished>) =>
    new Promise<number | undefined>((resolve) => {
      sent.once('response', (res) => {
        res.resume();
        resolve(res.statusCode);
      });
    });
  const open = Array.from({ length: 5 }, () => unfinished('bob'));
  // Four fit; which of the five is last is the sockets' matter.
  expect(await Promise.race(open.map(answer))).toBe(503);
  await begin(target.as('ada'));
  for (const sent of open) sent.destroy();
  await until(
    async () =>
      (await target.as('bob')(url, { method: 'POST', headers: posted, body: `"${'x'.repeat(maxMessageBytes - 2)}"` }))
        .status === 400,
  );
});
