/** The life of stdio processes: started in time, bounded in number, ended whole, and never the end of a request without an answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  atEnd,
  begin,
  everything,
  initializeOf,
  isAlive,
  messagesOf,
  posted,
  scripted,
  startTarget,
  until,
  url,
} from './stdio-harness.ts';

interface About {
  readonly pid: number;
  readonly env: Record<string, string>;
}

const initialize = (send: typeof fetch) =>
  send(url, { method: 'POST', headers: posted, body: JSON.stringify(initializeOf()) });

test('A process that is killed in flight answers every request with an error, and its client begins anew.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  const { pid } = await session.call<About>('about');
  const hanging = [2, 3].map((id) => session.post({ id, method: 'tools/call', params: { name: 'hang' } }));
  await until(
    async () => (await session.call<string[]>('received')).filter((one) => one.includes('hangs')).length === 2,
  );
  process.kill(pid, 'SIGKILL');
  for (const [index, answer] of (await Promise.all(hanging)).entries()) {
    const [message] = await messagesOf(answer);
    expect(message).toMatchObject({
      id: index + 2,
      error: { code: -32603, message: expect.stringContaining('SIGKILL') },
    });
  }
  expect(target.logged('stdio.ended')).toMatchObject([{ pid, reason: 'crashed', signal: 'SIGKILL' }]);
  expect((await session.post({ id: 4, method: 'tools/list' })).status).toBe(404);
  const again = await begin(target.as('ada'));
  expect((await again.call<About>('about')).pid).not.toBe(pid);
});

test('A server that crashes over and over is left alone for longer and longer, for that user alone.', async () => {
  let time = 1000;
  const target = await startTarget(scripted, { now: () => time });
  const crash = async (user: string) => {
    const session = await begin(target.as(user));
    await expect(session.call('crash')).rejects.toThrow('exit code 3');
  };
  await crash('ada');
  await crash('ada'); // the first is forgiven
  const refused = await initialize(target.as('ada'));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await messagesOf(refused)).toMatchObject([{ id: 'init', error: { code: -32603 } }]);
  await begin(target.as('bob'));
  time += 1;
  await crash('ada');
  time += 0.9;
  expect((await initialize(target.as('ada'))).status).toBe(503);
  time += 1.1;
  await begin(target.as('ada'));
  expect(target.logged('stdio.refused')).toMatchObject([
    { person: 'ada', reason: 'back_off' },
    { person: 'ada', reason: 'back_off' },
  ]);
});

test.each([
  ['does not exist', { command: '/no/such/command' }, 'unstartable'],
  ['ends at once', { args: [scripted, '--fail'] }, 'crashed'],
  ['never answers', { args: [scripted, '--silent-initialize'], startSeconds: 0.5 }, 'too_slow'],
  ['has no such folder', { cwd: '/no/such/folder' }, 'unstartable'],
])('A command that %s is 503 with a time to come back, and unhealthy in words.', async (_, changes, reason) => {
  const target = await startTarget(scripted, changes);
  const refused = await initialize(target.as('ada'));
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const [message] = await messagesOf(refused);
  expect(message).toMatchObject({ id: 'init', error: { message: expect.stringContaining('did not start') } });
  expect(target.logged('stdio.ended')).toMatchObject([{ reason }]);
  await expect(target.health()).rejects.toThrow(/^The command of the stdio target does not answer/);
});

test('Health starts a command once, believes it for a while, and leaves nothing running.', async () => {
  let time = 0;
  const target = await startTarget(scripted, { now: () => time });
  await Promise.all([target.health(), target.health()]);
  await target.health();
  expect(target.logged('stdio.ended')).toMatchObject([{ reason: 'closed' }]);
  time += 61;
  await target.health();
  expect(target.logged('stdio.started')).toHaveLength(2);
});

test('What nobody uses ends; what is at work or listened to does not.', async () => {
  let time = 0;
  const target = await startTarget(scripted, { idleSeconds: 1, now: () => time });
  const [idle, working, listening] = [
    await begin(target.as('a')),
    await begin(target.as('b')),
    await begin(target.as('c')),
  ];
  const pids = await Promise.all([idle, working, listening].map(async (one) => (await one.call<About>('about')).pid));
  const hanging = working.post({ id: 99, method: 'tools/call', params: { name: 'hang' } });
  hanging.catch(() => {});
  const stream = await target.as('c')(url, {
    headers: { accept: 'text/event-stream', 'mcp-session-id': listening.id },
  });
  await until(async () => (await working.call<string[]>('received')).some((one) => one.includes('hangs')));
  time += 5;
  await until(() => target.logged('stdio.ended').length > 0);
  expect(target.logged('stdio.ended')).toMatchObject([{ pid: pids[0], reason: 'idle', code: 0 }]);
  expect(pids.map(isAlive)).toEqual([false, true, true]);
  expect((await idle.post({ id: 1, method: 'tools/list' })).status).toBe(404);
  await stream.body?.cancel();
});

test('No more processes than configured: the next user waits, or gets the place of one that is idle for long.', async () => {
  let time = 0;
  const target = await startTarget(scripted, { maxProcesses: 2, now: () => time });
  const ada = await begin(target.as('ada'));
  await begin(target.as('bob'));
  const refused = await initialize(target.as('cyd'));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  time += 59;
  await ada.call('echo');
  expect((await initialize(target.as('cyd'))).status).toBe(503);
  time += 2;
  await begin(target.as('cyd'));
  expect(target.logged('stdio.ended')).toMatchObject([{ reason: 'room' }]);
  await ada.call('echo');
  expect(target.logged('stdio.refused').map((one) => one.reason)).toEqual(['processes', 'processes']);
});

test('One user holds a share of the places; a new session of theirs ends their own oldest that is not at work.', async () => {
  const target = await startTarget(scripted, { maxProcesses: 4 }); // three each
  const sessions = [];
  for (let n = 0; n < 4; n++) sessions.push(await begin(target.as('ada')));
  expect(target.logged('stdio.ended')).toMatchObject([{ reason: 'room' }]);
  const statuses = await Promise.all(sessions.map(async (one) => (await one.post({ id: 1, method: 'x' })).status));
  expect(statuses).toEqual([404, 200, 200, 200]);
  for (const one of sessions.slice(1))
    one.post({ id: 2, method: 'tools/call', params: { name: 'hang' } }).catch(() => {});
  for (const one of sessions.slice(1)) {
    await until(async () => (await one.call<string[]>('received')).some((line) => line.includes('hangs')));
  }
  const refused = await initialize(target.as('ada'));
  expect(refused.status).toBe(503);
  expect(target.logged('stdio.refused')).toMatchObject([{ person: 'ada', reason: 'processes_of_user' }]);
  await begin(target.as('bob'));
});

test('Many who come at once get no more processes than there are places.', async () => {
  const target = await startTarget(scripted, { maxProcesses: 3 });
  const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => initialize(target.as(`user${n}`))));
  expect(answers.filter((one) => one.status === 200)).toHaveLength(3);
  expect(answers.filter((one) => one.status === 503)).toHaveLength(9);
  expect(target.logged('stdio.started')).toHaveLength(3);
});

test('Closing ends everything: children of the process, what ignores the polite signal, the socket and its folder.', async () => {
  const target = await startTarget([scripted, '--ignore-term']);
  const session = await begin(target.as('ada'));
  const { pid } = await session.call<About>('about');
  const { pid: grandchild } = await session.call<About>('grandchild');
  const hanging = session.post({ id: 7, method: 'tools/call', params: { name: 'hang' } });
  await until(async () => (await session.call<string[]>('received')).some((one) => one.includes('hangs')));
  expect([pid, grandchild].map(isAlive)).toEqual([true, true]);
  const [answer] = await Promise.all([hanging, target.close(), target.close()]);
  expect(await messagesOf(answer)).toMatchObject([{ id: 7, error: { message: expect.stringContaining('gateway') } }]);
  expect([pid, grandchild].map(isAlive)).toEqual([false, false]);
  expect(() => readdirSync(dirname(target.socketPath))).toThrow('ENOENT');
});

test('A child that a crashed process leaves behind ends with it, and holds no answer back.', async () => {
  const target = await startTarget(scripted);
  const session = await begin(target.as('ada'));
  const { pid: grandchild } = await session.call<About>('grandchild');
  await expect(session.call('crash')).rejects.toThrow('exit code 3');
  await until(() => !isAlive(grandchild));
});

test('A well-behaved server ends when its input is closed, without a signal.', async () => {
  const target = await startTarget([everything, 'stdio']);
  const session = await begin(target.as('ada'));
  await session.post({ id: 1, method: 'ping' });
  await target.close();
  expect(target.logged('stdio.ended')).toMatchObject([{ reason: 'closed', code: expect.anything() }]);
});

test('Nothing is left when the gateway’s own process ends by a fault.', async () => {
  const holder: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('holder.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  atEnd(async () => holder.kill('SIGKILL'));
  const [line] = (await once(holder.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(pid).toBeGreaterThan(1);
  await once(holder, 'exit');
  await until(() => !isAlive(pid));
});

test('Who begins and ends sessions without a pause is told to wait, and nobody else is.', async () => {
  let time = 0;
  const target = await startTarget(scripted, { now: () => time });
  const refused = async () => {
    for (let n = 0; n < 25; n++) {
      const begun = await target.as('bob')(url, {
        method: 'POST',
        headers: posted,
        body: JSON.stringify(initializeOf()),
      });
      await begun.text();
      if (begun.status !== 200) return { n, status: begun.status, wait: begun.headers.get('retry-after') };
      const id = begun.headers.get('mcp-session-id') as string;
      await target.as('bob')(url, { method: 'DELETE', headers: { 'mcp-session-id': id } });
    }
    return undefined;
  };
  expect(await refused()).toEqual({ n: 20, status: 503, wait: '2' });
  expect(target.logged('stdio.refused')).toMatchObject([{ reason: 'starts' }]);
  await begin(target.as('ada'));
  time += 3;
  expect(await refused()).toMatchObject({ n: 3, status: 503 });
});
