/** One stdio process for everybody: what is kept apart, and what is refused because it could not be. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import {
  atEnd,
  begin,
  bothEras,
  everything,
  initializeOf,
  messagesOf,
  posted,
  type Running,
  type Session,
  scripted,
  startTarget,
  until,
  url,
} from './stdio-harness.ts';

interface About {
  readonly pid: number;
  readonly env: Record<string, string>;
}

const share = (script: string | readonly string[], changes = {}) =>
  startTarget(script, { processes: 'shared', ...changes });

/** The session's GET stream, read as far as a test asks. */
async function listen(target: Running, user: string, session: Session) {
  const stream = await target.as(user)(url, { headers: { accept: 'text/event-stream', 'mcp-session-id': session.id } });
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  return async (words: string) => {
    while (!text.includes(words)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`ended with ${text}`);
      text += Buffer.from(value).toString();
    }
    return text;
  };
}

test('Everybody’s sessions are on one process that does not know who they are; equal ids and progress tokens do not meet.', async () => {
  const target = await share([everything, 'stdio']);
  const sessions = await Promise.all(['ada', 'bob', 'cyd'].map((user) => begin(target.as(user))));
  const progressOf = (session: Session, steps: number) =>
    session.post({
      id: 1,
      method: 'tools/call',
      params: {
        name: 'trigger-long-running-operation',
        arguments: { duration: 0.1, steps },
        _meta: { progressToken: 't' },
      },
    });
  const answers = await Promise.all(sessions.map(async (one, n) => messagesOf(await progressOf(one, n + 2))));
  for (const [n, messages] of answers.entries()) {
    const progress = messages.filter((one) => one.method === 'notifications/progress').map((one) => one.params);
    expect(progress).toHaveLength(n + 2);
    expect(progress[0]).toMatchObject({ progressToken: 't', total: n + 2 });
    expect(messages.at(-1)).toMatchObject({ id: 1, result: expect.anything() });
  }
  expect(target.logged('stdio.started')).toHaveLength(1);
});

test('No identity reaches a shared process, and its users’ sessions are still their own.', async () => {
  const target = await share(scripted, { env: { GATEHOUSE_SUBJECT: 'made up', MINE: 'yes' } });
  const ada = await begin(target.as('ada'));
  const { env } = await ada.call<About>('about');
  expect(env.MINE).toBe('yes');
  expect(Object.keys(env).filter((name) => name.startsWith('GATEHOUSE'))).toEqual([]);
  const stolen = await target.as('bob')(url, {
    method: 'POST',
    headers: { ...posted, 'mcp-session-id': ada.id },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });
  expect(stolen.status).toBe(404);
});

test('Each client is answered in the revision it asked for, and is offered no logs and no tasks.', async () => {
  const target = await share(scripted);
  for (const version of ['2024-11-05', '2025-06-18', '2025-11-25', '1999-01-01']) {
    const body = JSON.stringify(initializeOf(version));
    const [answer] = await messagesOf(await target.as('ada')(url, { method: 'POST', headers: posted, body }));
    const protocolVersion = version === '1999-01-01' ? '2025-11-25' : version;
    expect(answer).toMatchObject({ id: 'init', result: { protocolVersion, serverInfo: { name: 'scripted' } } });
    const { capabilities } = (answer as { result: { capabilities: object } }).result;
    expect(Object.keys(capabilities)).toEqual(['tools', 'resources']);
  }
  const session = await begin(target.as('ada'));
  for (const method of ['logging/setLevel', 'tasks/list', 'tasks/get']) {
    const [refused] = await messagesOf(await session.post({ id: 1, method, params: {} }));
    expect(refused).toMatchObject({ id: 1, error: { code: -32601 } });
  }
});

test('A question of the process goes to nobody, whoever is at work: it cannot be told whose answer it waits for.', async () => {
  const target = await share(scripted);
  const ada = await begin(target.as('ada'), { sampling: {}, elicitation: {} });
  expect(await ada.call('sample', { prompt: 'ada’s' })).toMatchObject({ error: { code: -32601 } });
  expect(await ada.call('roots')).toMatchObject({ error: { code: -32601 } });
});

test('A client cancels its own request and no other’s of the same id.', async () => {
  const target = await share(scripted);
  const [ada, bob] = [await begin(target.as('ada')), await begin(target.as('bob'))];
  const hangs = async () =>
    (await ada.call<string[]>('received')).map((one) => JSON.parse(one)).filter((one) => 'hangs' in one);
  const ofAda = ada.post({ id: 5, method: 'tools/call', params: { name: 'hang' } });
  ofAda.catch(() => {});
  await until(async () => (await hangs()).length === 1);
  const ofBob = bob.post({ id: 5, method: 'tools/call', params: { name: 'hang' } });
  await until(async () => (await hangs()).length === 2);
  await bob.post({ method: 'notifications/cancelled', params: { requestId: 5 } });
  expect(await messagesOf(await ofBob)).toEqual([]);
  const received = (await ada.call<string[]>('received')).map((one) => JSON.parse(one));
  const cancelled = received
    .filter((one) => one.method === 'notifications/cancelled')
    .map((one) => one.params.requestId);
  expect(cancelled).toEqual([(await hangs())[1].hangs]);
});

test('News for all reach all; updates reach who subscribed; log messages reach nobody.', async () => {
  const target = await share(scripted);
  const [ada, bob] = [await begin(target.as('ada')), await begin(target.as('bob'))];
  const [toAda, toBob] = [await listen(target, 'ada', ada), await listen(target, 'bob', bob)];
  const subscription = { id: 3, method: 'resources/subscribe', params: { uri: 'file:///a' } };
  await ada.post(subscription);
  await ada.call('announce', { method: 'notifications/message', params: { level: 'info', data: 'secret of ada' } });
  await ada.call('announce', { method: 'notifications/resources/updated', params: { uri: 'file:///a' } });
  await bob.call('announce', { method: 'notifications/elicitation/complete', params: { elicitationId: 'x' } });
  await bob.call('announce', { method: 'notifications/tools/list_changed' });
  const [heardByAda, heardByBob] = [await toAda('list_changed'), await toBob('list_changed')];
  expect(heardByAda).toContain('file:///a');
  expect(heardByBob.match(/data:/g)).toHaveLength(1);
  expect(heardByAda + heardByBob).not.toContain('secret');
  expect(heardByAda + heardByBob).not.toContain('elicitation');

  // The process is told when the last one lets go, and not before.
  await bob.post(subscription);
  const unsubscribed = async () =>
    (await ada.call<string[]>('received')).filter((one) => one.includes('unsubscribe')).length;
  const [answer] = await messagesOf(await bob.post({ ...subscription, method: 'resources/unsubscribe' }));
  expect(answer).toMatchObject({ id: 3, result: {} });
  expect(await unsubscribed()).toBe(0);
  await target.as('ada')(url, { method: 'DELETE', headers: { 'mcp-session-id': ada.id } });
  expect((await bob.call<string[]>('received')).filter((one) => one.includes('unsubscribe'))).toHaveLength(1);
});

test('After a crash in flight the next request starts the process again, and sessions and subscriptions go on.', async () => {
  const target = await share(scripted);
  const [ada, bob] = [await begin(target.as('ada')), await begin(target.as('bob'))];
  await ada.post({ id: 3, method: 'resources/subscribe', params: { uri: 'file:///a' } });
  const hanging = bob.post({ id: 4, method: 'tools/call', params: { name: 'hang' } });
  await until(async () => (await ada.call<string[]>('received')).some((one) => one.includes('hangs')));
  await expect(ada.call('crash')).rejects.toThrow('exit code 3');
  expect(await messagesOf(await hanging)).toMatchObject([{ id: 4, error: { code: -32603 } }]);
  const again = await Promise.all([ada.call<string[]>('received'), bob.call<string[]>('received')]);
  expect(again[0].some((one) => one.includes('resources/subscribe'))).toBe(true);
  expect(target.logged('stdio.started')).toHaveLength(2);
  await expect(ada.call('crash')).rejects.toThrow('exit code 3');
  const wait = await bob.post({ id: 5, method: 'ping' });
  expect([wait.status, wait.headers.get('retry-after')]).toEqual([503, '1']);
});

test('There is never a second process, even while the first one is slow to end.', async () => {
  let time = 0;
  const target = await share([scripted, '--ignore-term'], { idleSeconds: 1, now: () => time });
  const session = await begin(target.as('ada'));
  await session.call('echo');
  time += 1;
  await until(() => target.logged('stdio.stderr').some((one) => one.text === 'no more input'));
  expect(target.logged('stdio.ended')).toEqual([]);
  // Its session was as idle; a new one needs the process again.
  const { pid } = await (await begin(target.as('ada'))).call<About>('about');
  const lives = target.events.filter((one) => one.event === 'stdio.started' || one.event === 'stdio.ended');
  expect(lives.map((one) => one.event)).toEqual(['stdio.started', 'stdio.ended', 'stdio.started']);
  expect(lives.at(-1)).toMatchObject({ pid });
});

test('A user has so many sessions: one more ends their own oldest, and nobody else’s.', async () => {
  const target = await share(scripted);
  const bob = await begin(target.as('bob'));
  const sessions: Session[] = [];
  for (let n = 0; n < 21; n++) sessions.push(await begin(target.as('ada')));
  const statuses = await Promise.all(
    [bob, ...sessions].map(async (one) => (await one.post({ id: 1, method: 'x' })).status),
  );
  expect(statuses).toEqual([200, 404, ...Array(20).fill(200)]);
});

test('A reader that takes nothing is cut, and holds up nobody else.', async () => {
  const target = await share(scripted, { maxMessageBytes: 64 * 1024 });
  const [ada, bob] = [await begin(target.as('ada')), await begin(target.as('bob'))];
  const stream = await target.as('ada')(url, { headers: { accept: 'text/event-stream', 'mcp-session-id': ada.id } });
  const data = 'd'.repeat(60_000);
  for (let n = 0; n < 60; n++)
    await bob.call('announce', { method: 'notifications/tools/list_changed', params: { data } });
  await expect(stream.text()).rejects.toThrow();
  expect(await bob.call('echo', { fine: true })).toMatchObject({ args: { fine: true } });
});

test('A server of 2026-07-28 alone is shared by its clients, and says so to older ones.', async () => {
  const target = await share([bothEras, '--modern-only']);
  const clients = await Promise.all(
    ['ada', 'bob'].map(async (user) => {
      const client = new Client(
        { name: 'test', version: '1' },
        { versionNegotiation: { mode: { pin: '2026-07-28' } } },
      );
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: target.as(user) }));
      atEnd(() => client.close());
      return client;
    }),
  );
  const texts = await Promise.all(
    clients.map(
      async (client) => (await client.callTool({ name: 'about', arguments: {} })).content as Array<{ text: string }>,
    ),
  );
  expect(texts[0]).toEqual(texts[1]);
  expect(JSON.parse(texts[0]?.[0]?.text ?? '').subject).toBeUndefined();
  const refused = await target.as('cyd')(url, {
    method: 'POST',
    headers: posted,
    body: JSON.stringify(initializeOf()),
  });
  expect(refused.status).toBe(400);
  expect(await messagesOf(refused)).toMatchObject([{ error: { code: -32022, data: { supported: ['2026-07-28'] } } }]);
  expect(target.logged('stdio.started')).toHaveLength(1);
});

test('A client that can do both goes back to a session with a shared server of both kinds.', async () => {
  const target = await share(bothEras);
  await begin(target.as('ada'));
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: target.as('bob') }));
  atEnd(() => client.close());
  expect((await client.listTools()).tools.length).toBeGreaterThan(0);
  expect(target.logged('stdio.started')).toHaveLength(1);
});

test('An update is told to who subscribed nearest: the root of everything shows nobody what others watch.', async () => {
  const target = await share(scripted);
  const [ada, bob, cyd] = [await begin(target.as('ada')), await begin(target.as('bob')), await begin(target.as('cyd'))];
  const heard = [await listen(target, 'ada', ada), await listen(target, 'bob', bob), await listen(target, 'cyd', cyd)];
  const subscribe = async (session: Session, uri: string) =>
    (await messagesOf(await session.post({ id: 3, method: 'resources/subscribe', params: { uri } })))[0];
  await subscribe(ada, 'file:///ada/plan');
  await subscribe(bob, 'file:///');
  await subscribe(cyd, 'file:///ada/pl');
  for (const uri of ['', `file:///${'u'.repeat(2048)}`])
    expect(await subscribe(bob, uri)).toMatchObject({ error: { code: -32602 } });
  const updated = (uri: string) => ada.call('announce', { method: 'notifications/resources/updated', params: { uri } });
  await updated('file:///ada/plan');
  await updated('file:///ada/plan#section');
  await updated('file:///of-nobody-else');
  await ada.call('announce', { method: 'notifications/tools/list_changed' });
  const [toAda = '', toBob = '', toCyd = ''] = await Promise.all(heard.map((hears) => hears('list_changed')));
  const urisIn = (text: string) => [...text.matchAll(/"uri":"([^"]+)"/g)].map(([, uri]) => uri);
  expect(urisIn(toAda)).toEqual(['file:///ada/plan', 'file:///ada/plan#section']);
  expect(urisIn(toBob)).toEqual(['file:///of-nobody-else']);
  expect(urisIn(toCyd)).toEqual([]);
});

test('A user who begins calls and leaves them does not fill the process for others.', async () => {
  const target = await share(scripted);
  const [ada, bob] = [await begin(target.as('ada')), await begin(target.as('bob'))];
  const hangs = async () => (await ada.call<string[]>('received')).filter((one) => one.includes('hangs')).length;
  const statuses = new Set<number>();
  for (let round = 1; round <= 6; round++) {
    const leave = new AbortController();
    const calls = Array.from({ length: 50 }, (_, n) =>
      bob
        .post({ id: `${round} ${n}`, method: 'tools/call', params: { name: 'hang' } }, { signal: leave.signal })
        .then(({ status }) => statuses.add(status))
        .catch(() => {}),
    );
    // Those that got through hang; the others are told at once.
    await (round <= 4 ? until(async () => (await hangs()) === round * 50) : Promise.all(calls));
    leave.abort();
    await Promise.all(calls);
  }
  expect([...statuses]).toEqual([503]);
  expect(await hangs()).toBe(200);
  expect(await ada.call('echo', { fine: true })).toMatchObject({ args: { fine: true } });
});
