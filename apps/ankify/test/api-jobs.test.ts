/** Long work over the API: speech by the installed espeak-ng, cards by a model that the test holds, progress as events. */
import type { Model, ModelAnswer } from '@mcp-gatehouse/models';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Api,
  type ApiService,
  animals,
  type Json,
  problem,
  publicUrl,
  spokenAnswers,
  startApi,
} from './api-caller.ts';

/** Answers when the test says so. */
function heldModel() {
  const waiting: Array<(answer: ModelAnswer) => void> = [];
  let asked: () => void = () => {};
  let written = 0;
  const model: Model = {
    name: 'test:held',
    complete: ({ signal }) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
        waiting.push(resolve);
        asked();
      }),
  };
  return {
    model,
    async answer(count: number) {
      while (waiting.length === 0) await new Promise<void>((resolve) => (asked = resolve));
      const cards = Array.from({ length: count }, () => {
        written += 1; // no card twice
        return { front: `front ${written}`, back: `back ${written}` };
      });
      const usage = { inputTokens: 10, outputTokens: 10 };
      waiting.shift()?.({ text: JSON.stringify({ cards }), value: { cards }, stop: 'end', usage });
    },
  };
}

const held = heldModel();
let service: ApiService;
let api: Api;
beforeAll(async () => {
  service = await startApi({ speech: true, model: held.model, quotas: { characters: 60 } });
  api = service.api;
});
afterAll(() => service.close());

async function recordedDeck(user: string, cards: readonly object[] = animals.cards): Promise<Json> {
  return (await api('POST', '/decks', { user, json: { ...animals, audio: 'recorded', cards } })).json;
}

async function ended(user: string, jobId: string): Promise<Json> {
  for (let tries = 0; tries < 10; tries++) {
    const { json } = await api('GET', `/jobs/${jobId}?wait_seconds=20`, { user });
    if (json.state === 'done' || json.state === 'failed') return json;
  }
  throw new Error('the job does not end');
}

interface SeenEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Json;
}

/** Reads a stream of events, as a client that knows only the format. */
async function* eventsOf(user: string, jobId: string, headers: Record<string, string> = {}): AsyncGenerator<SeenEvent> {
  const response = await fetch(`${service.url}/api/jobs/${jobId}`, {
    headers: { ...service.headers(user), accept: 'text/event-stream', ...headers },
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields: Record<string, string> = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      text = text.slice(end + 2);
      const { id = '', event, data = '' } = fields;
      if (event !== undefined) yield { id, event, data: JSON.parse(data) };
    }
  }
}

describe('speech', () => {
  test('an export waits for its recordings, and then is a package with them', async () => {
    const user = 'recorded';
    const { deck_id } = await recordedDeck(user);
    const first = await api('GET', `/decks/${deck_id}/export`, { user });
    expect([first.status, first.json.status, first.json.job.deck_id]).toEqual([202, 'working', deck_id]);
    const base = `${publicUrl}/api/decks/${deck_id}/export`;
    expect(new URL(first.headers.get('location') ?? '', base).href).toBe(
      `${publicUrl}/api/jobs/${first.json.job.job_id}`,
    );
    expect(await ended(user, first.json.job.job_id)).toMatchObject({ state: 'done', done: 6, total: 6 });
    const ready = await api('GET', `/decks/${deck_id}/export`, { user });
    expect([ready.status, ready.json.status]).toEqual([200, 'ready']);
    const download = await fetch(ready.json.download_url.replace(publicUrl, service.url));
    expect([download.status, (await download.bytes()).length]).toEqual([
      200,
      expect.toSatisfy((size) => size > 20_000),
    ]);
    // The same again has nothing to do, and costs nothing.
    const used = (await api('GET', '/usage', { user })).json.characters.used;
    expect(used).toBe('HundKatzeMausdogcatmouse'.length);
    const again = await api('POST', `/decks/${deck_id}/audio`, { user });
    expect([again.status, (await ended(user, again.json.job.job_id)).state]).toEqual([202, 'done']);
    expect((await api('GET', '/usage', { user })).json.characters.used).toBe(used);
  });

  test('what no voice can say is told, and the package goes without it', async () => {
    const user = 'unsaid';
    const { deck_id } = await recordedDeck(user, [{ front: '\ua78f', back: 'a dot' }]);
    const { json } = await api('GET', `/decks/${deck_id}/export`, { user });
    const job = await ended(user, json.job.job_id);
    expect([job.state, job.note]).toEqual(['done', expect.stringContaining('card 1, front')]);
    const ready = await api('GET', `/decks/${deck_id}/export`, { user });
    expect([ready.status, ready.json.status]).toEqual([200, 'ready']);
    expect((await fetch(ready.json.download_url.replace(publicUrl, service.url))).status).toBe(200);
  });

  test('a deck that is deleted takes its job with it', async () => {
    const user = 'deleted';
    const { deck_id } = await recordedDeck(user, [{ front: 'eins', back: 'one' }]);
    const { json } = await api('POST', `/decks/${deck_id}/audio`, { user });
    expect((await api('DELETE', `/decks/${deck_id}`, { user })).status).toBe(204);
    expect(['done', 'failed']).toContain((await ended(user, json.job.job_id)).state);
  });

  test('one side is heard before the download, whole or in part', async () => {
    const user = 'hear';
    const { deck_id } = await recordedDeck(user, [{ front: 'Guten Morgen', back: 'good morning' }]);
    const { json } = await api('GET', `/decks/${deck_id}/cards`, { user });
    const address = `/audio?deck_id=${deck_id}&card_id=${json.cards[0].card_id}&side=front`;
    const whole = await api('GET', address, { user });
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'audio/mpeg']);
    expect(whole.bytes.length).toBeGreaterThan(2000);
    expect((await api('GET', '/usage', { user })).json.characters.used).toBe('Guten Morgen'.length);
    const part = async (range: string) => {
      const { status, headers, bytes } = await api('GET', address, { user, headers: { range } });
      return { status, range: headers.get('content-range'), bytes };
    };
    const size = whole.bytes.length;
    expect(await part('bytes=0-9')).toEqual({
      status: 206,
      range: `bytes 0-9/${size}`,
      bytes: whole.bytes.slice(0, 10),
    });
    expect(await part('bytes=-5')).toMatchObject({ status: 206, bytes: whole.bytes.slice(-5) });
    expect(await part(`bytes=10-`)).toMatchObject({ status: 206, bytes: whole.bytes.slice(10) });
    expect(await part(`bytes=${size}-`)).toMatchObject({ status: 416, range: `bytes */${size}` });
    for (const ignored of ['bytes=9-1', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=-']) {
      expect([ignored, (await part(ignored)).status]).toEqual([ignored, 200]);
    }
  });

  test('what cannot be spoken, or no more this month, is said', async () => {
    const user = 'silent';
    const { deck_id } = await recordedDeck(user, [
      { front: '…', back: 'dots' },
      { front: 'x'.repeat(70), back: 'long' },
    ]);
    const { json } = await api('GET', `/decks/${deck_id}/cards`, { user });
    const hear = (index: number, side = 'front') =>
      api('GET', `/audio?deck_id=${deck_id}&card_id=${json.cards[index].card_id}&side=${side}`, { user });
    expect((await hear(0)).json).toMatchObject({ status: 422, type: problem('cannot-be-spoken') });
    const spent = await hear(1);
    expect(spent.json).toMatchObject({ status: 429, type: problem('quota-reached') });
    expect(spent.json.detail).toContain('70 characters of recorded speech');
    expect((await hear(0, 'top')).json.errors[0].pointer).toBe('?side');
    const { json: started } = await api('POST', `/decks/${deck_id}/audio`, { user });
    const job = await ended(user, started.job.job_id);
    expect([job.state, job.error]).toEqual(['failed', expect.stringContaining('characters of recorded speech')]);
    const off = await api('POST', '/decks', { user, json: animals });
    const refused = await api('POST', `/decks/${off.json.deck_id}/audio`, { user });
    expect([refused.status, refused.json.type]).toEqual([422, problem('deck-refused')]);
  });
});

describe('progress as events', () => {
  test('the job as it is, each change, and its end; the stream ends with it', async () => {
    const user = 'events';
    const { json } = await api('POST', '/generate', { user, json: { topic: 'Bees', count: 30 } });
    const seen: SeenEvent[] = [];
    const reading = (async () => {
      for await (const event of eventsOf(user, json.job.job_id, { 'last-event-id': '17' })) {
        seen.push(event);
        // The next part is written only when the progress of the one before was seen.
        if (event.data.done === 25) await held.answer(5);
      }
    })();
    await held.answer(25);
    await reading;
    expect(seen[0]?.event).toBe('progress');
    expect(seen.map(({ id }) => Number(id))).toEqual(seen.map((_, index) => index + 1));
    const last = seen.at(-1);
    expect([last?.event, last?.data.state]).toEqual(['done', 'done']);
    expect(seen.map(({ data }) => data.done)).toContain(25);
    expect((await api('GET', `/decks/${last?.data.deck_id}`, { user })).json.card_count).toBe(30);
    // Of one that has ended: the end alone.
    const over: SeenEvent[] = [];
    for await (const event of eventsOf(user, json.job.job_id)) over.push(event);
    expect(over.map(({ event }) => event)).toEqual(['done']);
  });

  test('a reader that leaves, or comes back, changes nothing', async () => {
    const user = 'leaves';
    const { json } = await api('POST', '/generate', { user, json: { topic: 'Ants', count: 3 } });
    for await (const event of eventsOf(user, json.job.job_id)) {
      expect(event.event).toBe('progress');
      break;
    }
    const reading = (async () => {
      for await (const event of eventsOf(user, json.job.job_id)) if (event.event === 'done') return event.data;
    })();
    await held.answer(3);
    expect(await reading).toMatchObject({ state: 'done', done: 3 });
  });

  test('the same request is the same job, and HEAD opens no stream', async () => {
    const user = 'same';
    const ask = () => api('POST', '/generate', { user, json: { topic: 'Wasps', count: 1 } });
    const both = await Promise.all([ask(), ask()]);
    expect(new Set(both.map(({ json }) => json.job.job_id)).size).toBe(1);
    const path = `/jobs/${both[0]?.json.job.job_id}`;
    const head = await api('HEAD', path, { user, headers: { accept: 'text/event-stream' } });
    expect([head.status, head.bytes.length]).toEqual([200, 0]);
    await held.answer(1);
    expect((await ended(user, both[0]?.json.job.job_id)).state).toBe('done');
  });
});

test('open streams and a running job do not hold up the end of the server', async () => {
  const other = await startApi({ model: heldModel().model });
  const { json } = await other.api('POST', '/generate', { json: { topic: 'Moths' } });
  const response = await fetch(`${other.url}/api/jobs/${json.job.job_id}`, {
    headers: { ...other.headers('anna'), accept: 'text/event-stream' },
  });
  const reading = response.text();
  const asked = performance.now();
  await other.close();
  expect(performance.now() - asked).toBeLessThan(2900);
  expect(await reading).toContain('event: progress');
});

test('every answer of these routes was seen', () => {
  expect(spokenAnswers.filter((answer) => !service.seen.has(answer))).toEqual([]);
});

describe('without speech and model', () => {
  test('both are said to be missing, and the rest works', async () => {
    const bare = await startApi();
    const { api: call } = bare;
    expect((await call('GET', '')).json).toMatchObject({ speech: null, model: null });
    expect((await call('GET', '/voices')).json).toEqual({ provider: null, voices: [] });
    const none = await call('POST', '/generate', { json: { topic: 'x' } });
    expect([none.status, none.json.type]).toEqual([409, problem('no-model')]);
    const { json } = await call('POST', '/decks', { json: animals });
    const refused = [
      await call('POST', '/decks', { json: { ...animals, audio: 'recorded' } }),
      await call('PATCH', `/decks/${json.deck_id}`, { json: { audio: 'recorded' } }),
    ];
    expect(refused.map((reply) => [reply.status, reply.json.type])).toEqual(Array(2).fill([409, problem('no-speech')]));
    const record = await call('POST', `/decks/${json.deck_id}/audio`);
    expect([record.status, record.json.type]).toEqual([409, problem('no-speech')]);
    expect((await call('GET', `/decks/${json.deck_id}/export`)).status).toBe(200);
    await bare.close();
  });
});
