/** What judged messages may hold in memory: one person's unfinished ones refuse that person's next, and nobody else's. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { messageRoom } from '../src/tool-policy/message-room.ts';
import { strictJson } from '../src/tool-policy/strict-json.ts';
import { startTarget, type Target } from './target.ts';
import { bearer, type Person, rules, startToolGateway, type ToolGateway } from './tool-gateway.ts';

let target: Target;
let gateway: ToolGateway;
beforeAll(async () => {
  target = await startTarget();
  gateway = await startToolGateway(target, rules);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

const mib = 1024 * 1024;

async function unfinished(person: Person): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const [name, value] = bearer(person);
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${name}: ${value}\r\nContent-Type: application/json\r\nContent-Length: ${8 * mib}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(8 * mib - 1, 0x20));
  return socket;
}

const ping = (person: Person) =>
  fetch(`http://localhost:${gateway.port}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...Object.fromEntries([bearer(person)]) },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });

it('is refused with 503 beyond its share, and given back when the sender leaves', async () => {
  const sockets = [await unfinished('reader'), await unfinished('reader'), await unfinished('reader')];
  expect((await ping('reader')).status).toBe(200);
  // One byte is missing of each: no ping has its forty.
  sockets.push(await unfinished('reader'));
  let refused = await ping('reader');
  while (refused.status === 200) refused = await ping('reader');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(gateway.served.at(-1)).toMatchObject({ outcome: 'no_room', subject: 'reader' });
  expect((await ping('writer')).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  while ((await ping('reader')).status !== 200) await new Promise(setImmediate);
});

it('gives back what it took, and takes nothing that it refuses', () => {
  const room = messageRoom({ total: 10, perPerson: 6 });
  expect([room.take('a', 6), room.take('a', 1), room.take('b', 5), room.take('b', 4)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  room.give('a', 6);
  expect([room.take('c', 6), room.take('c', 1)]).toEqual([true, false]);
});

it('has no time for a message of keys alone', () => {
  const keys = (count: number) => `{${Array.from({ length: count }, (_, n) => `"${n}":1`).join(',')}}`;
  expect(strictJson(keys(100_000), 4).fault).toBeUndefined();
  expect(strictJson(keys(100_001), 4).fault).toBe('keys');
});
