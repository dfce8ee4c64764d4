/** What Redis's troubles look like from outside, and that its indexes stay what its records are. */

import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type Records, RecordsError, RecordsUnavailableError } from '../src/records.ts';
import { redisRecords } from '../src/redis.ts';
import { kinds, type TestRecords } from './kinds.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

const started: RedisServer[] = [];
async function start(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  started.push(server);
  return server;
}
const server = await start({ fsync: 'always' });
afterAll(async () => {
  for (const one of started) await one.remove();
});

const opened: Records<TestRecords>[] = [];
afterEach(async () => {
  for (const records of opened.splice(0)) await records.close();
  server.command('FLUSHALL');
});

function open(options: Partial<Parameters<typeof redisRecords<TestRecords>>[0]> = {}): Records<TestRecords> {
  const records = redisRecords<TestRecords>({ kinds, url: server.url, ...options });
  opened.push(records);
  return records;
}

test('a server that is killed and comes back costs the calls in between and nothing else', async () => {
  const records = open();
  await records.create('note', 'kept', { text: 'one' });
  await server.kill();
  await expect(records.get('note', 'kept')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.take('note', 'kept')).rejects.toThrow(RecordsUnavailableError);
  await expect(records.list('note')).rejects.toThrow(RecordsUnavailableError);
  await server.start();
  expect((await records.get('note', 'kept'))?.value).toEqual({ text: 'one' });
  expect(await records.create('note', 'new', { text: '' })).toBe(true);
});

test('starts without its server, and heals when it is there', async () => {
  await server.kill();
  const records = open();
  await expect(records.get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  await server.start();
  expect(await records.create('note', 'n', { text: '' })).toBe(true);
});

test('a command whose answer is lost is not sent again: nobody learns that a record was absent', async () => {
  const asked: string[] = [];
  let answering = true;
  // In between: passes everything on, and from some moment on keeps the answers and then hangs up.
  const sockets = new Set<Socket>();
  const { connect } = await import('node:net');
  const between = createServer((client) => {
    const redis = connect(server.port, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (bytes) => {
      asked.push(bytes.toString('latin1'));
      redis.write(bytes);
    });
    redis.on('data', (bytes) => {
      if (answering) client.write(bytes);
      else client.destroy();
    });
    client.on('close', () => redis.destroy());
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => between.once('listening', listening));
  const { port } = between.address() as { port: number };
  const records = open({ url: `redis://127.0.0.1:${port}` });
  await records.create('note', 'n', { text: 'one' });
  await records.take('note', 'nothing'); // so that the server knows the script
  answering = false;
  const before = asked.length;
  await expect(records.take('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  answering = true;
  expect(await records.get('note', 'n'), 'it was taken all the same').toBeUndefined();
  expect(asked.slice(before).filter((text) => text.toLowerCase().includes('evalsha'))).toHaveLength(1);
  await records.close();
  for (const socket of sockets) socket.destroy();
  between.close();
});

test('a server that takes connections and says nothing is away, in time', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await new Promise((listening) => silent.once('listening', listening));
  const { port } = silent.address() as { port: number };
  for (const cluster of [false, true]) {
    const records = open({
      url: `redis://127.0.0.1:${port}`,
      cluster,
      connectTimeoutMs: 150,
      commandTimeoutMs: 150,
    });
    await expect(records.get('note', 'n')).rejects.toThrow(RecordsUnavailableError);
  }
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('what an operator must mend is said in words, and never as an outage', async () => {
  const locked = await start({ password: 'a password of the tests' });
  await expect(open({ url: locked.url }).get('note', 'n')).rejects.toThrow(/NOAUTH/);
  await expect(open({ url: locked.url }).get('note', 'n')).rejects.toThrow(RecordsError);
  const right = open({ url: locked.url, password: 'a password of the tests' });
  expect(await right.create('note', 'n', { text: '' })).toBe(true);

  server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await expect(open().get('note', 'n')).rejects.toThrow(/set maxmemory-policy to noeviction/);
  server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  expect(() => open({ prefix: 'a}b' })).toThrow(RecordsError);
  expect(() => open({ url: 'http://127.0.0.1' })).toThrow(RecordsError);
});

test('a server that is full or only a replica is away; what is there can be read', async () => {
  const records = open();
  await records.create('note', 'n', { text: 'one' });
  server.command('CONFIG', 'SET', 'maxmemory', '1');
  await expect(records.create('note', 'm', { text: '' })).rejects.toThrow(RecordsUnavailableError);
  expect((await records.get('note', 'n'))?.value.text).toBe('one');
  server.command('CONFIG', 'SET', 'maxmemory', '0');
  server.command('REPLICAOF', '127.0.0.1', '1');
  await expect(records.create('note', 'm', { text: '' })).rejects.toThrow(RecordsUnavailableError);
  server.command('REPLICAOF', 'NO', 'ONE');
  await expect.poll(() => records.create('note', 'm', { text: '' }).catch(() => false)).toBe(true);
});

test('a server that forgot the scripts is told them again', async () => {
  const records = open();
  await records.create('note', 'n', { text: '' });
  server.command('SCRIPT', 'FLUSH');
  expect(await records.take('note', 'n')).toEqual({ text: '' });
});

test('nothing is left of what was taken, changed or has expired', async () => {
  let seconds = 1000;
  const records = open({ prefix: 'left', now: () => seconds });
  for (let i = 0; i < 60; i++) await records.create('deck', `d${i}`, { owner: 'ann', title: '' }, 1500);
  for (let i = 0; i < 60; i++) {
    const was = await records.get('deck', `d${i}`);
    if (was) await records.replace('deck', was, { owner: i % 2 ? 'bob' : 'ann', title: 'two' }, i % 3 ? 1500 : 4000);
  }
  expect((await records.list('deck', { group: 'bob' })).items).toHaveLength(30);
  seconds = 2000;
  // Each bucket sweeps with its own writes.
  for (let i = 0; i < 400; i++) {
    await records.create('deck', `e${i}`, { owner: 'eve', title: '' });
    await records.take('deck', `e${i}`);
  }
  expect((await records.list('deck')).items).toHaveLength(20);
  for (let i = 0; i < 60; i++) await records.take('deck', `d${i}`);
  expect(server.command('KEYS', '*')).toBe('');
});
