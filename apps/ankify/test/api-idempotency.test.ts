/** `Idempotency-Key`: one deck for one key, whoever sends it twice, at once, later, or from another process. */
import type { Records } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptSeconds, runningSeconds } from '../src/api/idempotency.ts';
import { type ServerRecords, serverKinds } from '../src/rooms.ts';
import { type Api, type ApiService, animals, problem, startApi } from './api-caller.ts';

let service: ApiService;
let api: Api;
beforeEach(async () => {
  service = await startApi();
  api = service.api;
});
afterEach(() => service.close());

/** Each content is a deck of its own: without the key, the shelf would take two for two. */
const deck = (name: string) => ({ ...animals, name });
const make = (key: string, json: object, user = 'anna', call = api) =>
  call('POST', '/decks', { user, json, headers: { 'idempotency-key': key } });
const count = async (user = 'anna') => (await api('GET', '/decks', { user })).json.decks.length;

test('twenty at once with one key make one deck and get one answer', async () => {
  const replies = await Promise.all(Array.from({ length: 20 }, () => make('k', deck('One'))));
  expect(new Set(replies.map(({ status, json }) => `${status} ${json.deck_id}`)).size).toBe(1);
  expect(replies.filter(({ headers }) => headers.get('mcp-idempotent-replayed') === null)).toHaveLength(1);
  expect(await count()).toBe(1);
});

test('it holds for a day, when the shelf has long forgotten the content', async () => {
  const first = await make('k', deck('One'));
  service.clock.seconds += keptSeconds - 1;
  const again = await make('k', deck('One'));
  expect([again.status, again.json, again.headers.get('mcp-idempotent-replayed')]).toEqual([201, first.json, 'true']);
  expect(again.headers.get('location')).toBe(first.headers.get('location'));
  expect(await count()).toBe(1);
  service.clock.seconds += 2;
  expect((await make('k', deck('One'))).json.deck_id).not.toBe(first.json.deck_id);
  expect(await count()).toBe(2);
});

test('with another body, or at another address, the key is refused', async () => {
  const { json } = await make('k', deck('One'));
  const other = await make('k', deck('Two'));
  expect([other.status, other.json.type]).toEqual([422, problem('idempotency-key-reused')]);
  const elsewhere = await api('POST', `/decks/${json.deck_id}/cards`, {
    json: { add: [{ front: 'a', back: 'b' }] },
    headers: { 'idempotency-key': 'k' },
  });
  expect(elsewhere.status).toBe(422);
  const both = await Promise.all([make('p', deck('Three')), make('p', deck('Four'))]);
  expect(both.map(({ status }) => status).sort()).toEqual([201, 422]);
});

test('a key belongs to its user', async () => {
  const mine = await make('k', deck('One'), 'anna');
  const theirs = await make('k', deck('One'), 'ben');
  expect([theirs.status, theirs.headers.get('mcp-idempotent-replayed')]).toEqual([201, null]);
  expect(theirs.json.deck_id).not.toBe(mine.json.deck_id);
  const others = await make('k', deck('Two'), 'cleo');
  expect(others.status).toBe(201);
});

test('a refusal is not kept: the corrected request may use the key', async () => {
  expect((await make('k', { ...deck('One'), cards: [{ front: '', back: '' }] })).status).toBe(422);
  expect((await make('k', deck('One'))).status).toBe(201);
});

test('an edit sent again with its key is answered with the deck as it is by then', async () => {
  const { json } = await make('deck', deck('One'));
  const path = `/decks/${json.deck_id}/cards`;
  const edit = (key: string, front: string) =>
    api('POST', path, { json: { add: [{ front, back: 'b' }] }, headers: { 'idempotency-key': key } });
  expect((await edit('e1', 'first')).json.deck.version).toBe(2);
  expect((await edit('e2', 'second')).json.deck.version).toBe(3);
  const again = await edit('e1', 'first');
  expect([again.status, again.json.deck.version, again.json.cards.length]).toEqual([200, 3, 5]);
});

/** Records whose process stands still when it makes a deck, as one that is slow, or killed. */
function heldRecords(records: Records<ServerRecords>) {
  let arrived: () => void = () => {};
  const there = new Promise<void>((resolve) => (arrived = resolve));
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  const slow = new Proxy(records, {
    get(target, name, receiver) {
      if (name !== 'create') return Reflect.get(target, name, receiver);
      return async (kind: 'deck', ...rest: [string, ServerRecords['deck'], number?]) => {
        if (kind === 'deck') {
          arrived();
          await held;
        }
        return target.create(kind, ...rest);
      };
    },
  });
  return { slow, there, go: () => go() };
}

test('while the first one runs, its repetitions wait for it, and another request with its key does not', async () => {
  const records = memoryRecords<ServerRecords>({ kinds: serverKinds, now: () => service.clock.seconds });
  const { slow, there, go } = heldRecords(records);
  const one = await startApi({ records: slow });
  const first = make('k', deck('One'), 'anna', one.api);
  await there;
  const other = await make('k', deck('Two'), 'anna', one.api);
  expect([other.status, other.json.type]).toEqual([422, problem('idempotency-key-reused')]);
  const answered = () => one.events.filter(({ event }) => event === 'api.answered').length;
  const before = answered();
  const again = Array.from({ length: 5 }, () => make('k', deck('One'), 'anna', one.api));
  // Time enough for whoever would not wait: each of these was sent after all of them.
  for (let calls = 0; calls < 20; calls++) await one.api('GET', '/usage');
  expect(answered()).toBe(before + 20);
  go();
  const { status, json } = await first;
  expect(status).toBe(201);
  for (const reply of await Promise.all(again)) expect([reply.status, reply.json]).toEqual([201, json]);
  await one.close();
  await records.close();
});

test('two processes: while one runs it the other says so, and after its death the key is free', async () => {
  const now = () => service.clock.seconds;
  const records = memoryRecords<ServerRecords>({ kinds: serverKinds, now });
  const { slow, there, go } = heldRecords(records);
  const one = await startApi({ records: slow });
  const two = await startApi({ records });
  const first = make('k', deck('One'), 'anna', one.api);
  await there;
  const second = await make('k', deck('One'), 'anna', two.api);
  expect([second.status, second.json.type]).toEqual([409, problem('idempotency-key-in-use')]);
  expect(second.headers.get('retry-after')).toBe('1');
  go();
  const done = await first;
  expect(done.status).toBe(201);
  const replay = await make('k', deck('One'), 'anna', two.api);
  expect([replay.status, replay.json]).toEqual([201, done.json]);
  // A claim whose process died.
  const key = { owner: 'anna', request: 'x', createdAt: 0 };
  const id = (await records.list('idempotency')).items[0]?.id ?? '';
  await records.take('idempotency', id);
  await records.create('idempotency', id, key, now() + runningSeconds);
  two.clock.seconds += runningSeconds + 1;
  service.clock.seconds += runningSeconds + 1;
  expect((await make('k', deck('One'), 'anna', two.api)).status).toBe(201);
  await one.close();
  await two.close();
  await records.close();
});

test.each(['', ' ', 'a b', 'ü', 'x'.repeat(201)])('%j is no key', async (key) => {
  const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') };
  const { status } = await api('POST', '/decks', { json: deck('One'), headers });
  expect(status).toBe(400);
  expect(await count()).toBe(0);
});
