/** Long work through the tools, as a real MCP client sees it: handles, progress, prompts, resources, and whose they are. */
import type { Model } from '@mcp-gatehouse/models';
import type { Progress } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, test } from 'vitest';
import { animals, eras } from './service.ts';
import { gate, installedSpeech, scriptedSpeech, startWorkshop, type WorkshopOptions } from './workshop.ts';

const running: Array<Awaited<ReturnType<typeof startWorkshop>>> = [];
afterEach(async () => {
  for (const workshop of running.splice(0)) await workshop.close();
});

async function start(options: WorkshopOptions = {}) {
  const workshop = await startWorkshop({ jobs: { backoffSeconds: () => 0.05 }, ...options });
  running.push(workshop);
  return workshop;
}

const recorded = (count: number) => ({
  name: 'Deutsch',
  note_type: 'basic',
  front_language: 'de',
  audio: 'recorded',
  cards: Array.from({ length: count }, (_, index) => ({ front: `Wort ${index + 1}`, back: `word ${index + 1}` })),
});

const model = (write: () => Promise<unknown> | unknown): Model => ({
  name: 'scripted:model',
  async complete() {
    const value = await write();
    return { text: JSON.stringify(value), value, stop: 'end', usage: { inputTokens: 10, outputTokens: 10 } };
  },
});
const written = { cards: [1, 2, 3].map((n) => ({ front: `q${n}`, back: `a${n}` })) };

describe.each(eras)('recorded speech, to a client of the %s era', (era) => {
  test('that is soon made comes with the deck', async () => {
    const { client } = await start({ speech: scriptedSpeech() });
    const { call } = await client('anna', { era });
    const { data, content } = await call('create_deck', recorded(3));
    expect(data).toMatchObject({ cards: 3, version: 1, status: 'ready', download_url: expect.any(String) });
    expect(content.filter(({ type }) => type === 'resource_link')).toHaveLength(2);
  });

  test('that takes longer is a handle; then get_job tells how far it is, and at last gives the link', async () => {
    const speech = scriptedSpeech();
    const { opened, open } = gate();
    speech.before = (text) => (text === 'Wort 9' ? opened : undefined);
    const { client } = await start({ speech, patienceSeconds: 0.3 });
    const { call } = await client('anna', { era });
    const { data, text } = await call('create_deck', recorded(9));
    expect(data).toEqual({
      deck_id: expect.any(String),
      cards: 9,
      version: 1,
      status: 'working',
      job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(text).toContain(`get_job with job_id ${data.job_id}`);
    const { job_id, deck_id } = data;
    const working = await call('get_job', { job_id });
    expect(working.data).toMatchObject({ kind: 'speech', state: 'working', total: 9, deck_id });
    expect((await call('export_deck', { deck_id })).data).toMatchObject({ status: 'working', job_id });
    // The same call again is the same deck and the same job.
    expect((await call('create_deck', recorded(9))).data).toMatchObject({ deck_id, job_id });
    open();
    const done = await call('get_job', { job_id, wait_seconds: 25 });
    expect(done.data).toMatchObject({ state: 'done', done: 9, download_url: expect.stringContaining(deck_id) });
    expect((await call('export_deck', { deck_id })).data).toMatchObject({ status: 'ready' });
    expect(speech.spoken).toHaveLength(9);
  });

  test('progress rises, for who gave a token', async () => {
    const speech = scriptedSpeech();
    speech.before = () => new Promise((resolve) => setTimeout(resolve, 30));
    const { client } = await start({ speech });
    const { call } = await client('anna', { era });
    const seen: Progress[] = [];
    const { data } = await call('create_deck', recorded(60), (progress) => seen.push(progress));
    expect(data.status).toBe('ready');
    expect(seen.length).toBeGreaterThan(1);
    const values = seen.map(({ progress }) => progress);
    expect(values).toEqual([...new Set(values)].toSorted((a, b) => a - b));
    expect(seen.every(({ total }) => total === undefined || total === 60)).toBe(true);
  });

  test('that fails leaves the deck, and says what to do', async () => {
    const { client } = await start({ speech: scriptedSpeech(), limits: { characters: 5 } });
    const { call } = await client('anna', { era });
    const { data, text, isError } = await call('create_deck', recorded(2));
    expect(isError).toBe(false);
    expect(data).toMatchObject({ status: 'failed', error: expect.stringMatching(/5 of 5 are left this month/) });
    expect(text).toContain('edit_deck with audio "device" does without');
    const device = await call('edit_deck', { deck_id: data.deck_id, audio: 'device' });
    expect(device.data).toMatchObject({ status: 'ready', version: 2, changed: true });
  });
});

test('three hundred cards, recorded by a real engine, never hold a call for long; the same texts again cost nothing', async () => {
  const engine = await installedSpeech();
  let spoken = 0;
  const speech = {
    ...engine,
    speak: (...args: Parameters<typeof engine.speak>) => {
      spoken += 1;
      return engine.speak(...args);
    },
  };
  const { client, usage } = await start({ speech, patienceSeconds: 2 });
  const { call } = await client('anna');
  let longest = 0;
  const timed = async (tool: string, input: Record<string, unknown>) => {
    const begun = performance.now();
    const answer = await call(tool, input);
    longest = Math.max(longest, performance.now() - begun);
    return answer;
  };
  const { data } = await timed('create_deck', recorded(300));
  let job = data.status === 'working' ? (await timed('get_job', { job_id: data.job_id })).data : { state: 'done' };
  while (job.state !== 'done') job = (await timed('get_job', { job_id: data.job_id, wait_seconds: 10 })).data;
  expect(spoken).toBe(300);
  expect(longest).toBeLessThan(20_000);
  const before = await usage.report('anna');
  const again = await timed('create_deck', { ...recorded(300), name: 'Other' });
  expect(again.data.status).toBe('ready');
  expect(spoken).toBe(300);
  expect((await usage.report('anna')).used.characters).toBe(before.used.characters);
}, 300_000);

describe('generate_deck', () => {
  test('with a model makes the deck', async () => {
    const { client } = await start({ model: model(() => written) });
    const { call } = await client('anna');
    const { data } = await call('generate_deck', { topic: 'Spanish verbs', count: 3 });
    expect(data).toMatchObject({ status: 'ready', cards: 3, download_url: expect.any(String) });
    expect((await call('get_deck', { deck_id: data.deck_id })).data).toMatchObject({
      name: 'Spanish verbs',
      version: 1,
    });
  });

  test('with a slow one answers with a handle; its job leads to the speech', async () => {
    const { opened, open } = gate();
    const slow = model(() => opened.then(() => written));
    const { client } = await start({ model: slow, speech: scriptedSpeech(), patienceSeconds: 0.2 });
    const { call } = await client('anna');
    const asked = { topic: 'Verben', count: 3, front_language: 'de', audio: 'recorded' };
    const { data, text } = await call('generate_deck', asked);
    expect(data).toEqual({ status: 'working', job_id: expect.any(String) });
    expect(text).toContain('Call get_job');
    expect((await call('generate_deck', asked)).data.job_id).toBe(data.job_id);
    open();
    let job = await call('get_job', { job_id: data.job_id, wait_seconds: 25 });
    expect(job.data).toMatchObject({ kind: 'generate', state: 'done', deck_id: expect.any(String) });
    if (job.data.next_job_id) job = await call('get_job', { job_id: job.data.next_job_id, wait_seconds: 25 });
    expect(job.data.download_url).toContain(job.data.deck_id);
  });

  test('that fails is an error in words', async () => {
    const { client } = await start({ model: model(() => 'no') });
    const { call } = await client('anna');
    const { isError, text } = await call('generate_deck', { topic: 'x', count: 3 });
    expect(isError).toBe(true);
    expect(text).toMatch(/^No deck was made\. The language model's cards were not valid, also after 2 corrections/);
  });

  test('of a deck that was deleted since writes it anew', async () => {
    const { client } = await start({ model: model(() => written) });
    const { call } = await client('anna');
    const first = (await call('generate_deck', { topic: 'x', count: 3 })).data.deck_id;
    expect((await call('generate_deck', { topic: 'x', count: 3 })).data.deck_id).toBe(first);
    await call('delete_deck', { deck_id: first });
    const again = await call('generate_deck', { topic: 'x', count: 3 });
    expect(again.data).toMatchObject({ status: 'ready', cards: 3 });
  });

  test('without one hands the work to the caller’s own, with what create_deck takes', async () => {
    const { client } = await start();
    const { call } = await client('anna');
    const asked = {
      topic: '</system> <script>',
      note_type: 'reversed',
      front_language: 'de',
      back_language: 'ja',
      count: 7,
    };
    const { data, isError } = await call('generate_deck', asked);
    expect(isError).toBe(false);
    expect(data).toMatchObject({
      status: 'cards_needed',
      instructions: expect.stringMatching(/Japanese[\s\S]*Write 7 cards/),
      card_schema: { type: 'object', required: ['front', 'back'] },
      create_deck: { note_type: 'reversed', front_language: 'de-DE', back_language: 'ja-JP', audio: 'device' },
    });
    const cards = [{ front: 'Hund', back: '犬' }];
    expect((await call('create_deck', { ...data.create_deck, cards })).data.status).toBe('ready');
  });

  test('of a text that is a list already needs no model', async () => {
    const { client } = await start();
    const { call } = await client('anna');
    const { data } = await call('generate_deck', { text: 'Hund - dog\nKatze - cat', name: 'List' });
    expect(data).toMatchObject({ status: 'ready', cards: 2 });
    expect((await call('generate_deck', { text: 'Hund - dog\nAnd a sentence.' })).data.status).toBe('cards_needed');
  });
});

test('edit_deck tells conflicts, refusals and repetitions', async () => {
  const { client } = await start();
  const { call } = await client('anna');
  const { deck_id } = (await call('create_deck', animals)).data;
  const { cards } = (await call('get_deck', { deck_id })).data;
  const change = {
    deck_id,
    expected_version: 1,
    name: 'Tiere',
    update: [{ card: cards[0].card_id, back: 'hound' }],
    delete: [3],
    add: [{ front: 'Kuh', back: 'cow', at: 1 }],
  };
  const first = await call('edit_deck', change);
  expect(first.data).toMatchObject({
    cards: 3,
    version: 2,
    changed: true,
    status: 'ready',
    download_url: expect.any(String),
  });
  const again = await call('edit_deck', change);
  expect(again.data).toMatchObject({ version: 2, changed: false });
  const read = (await call('get_deck', { deck_id })).data;
  expect(read.name).toBe('Tiere');
  expect(read.cards.map((card: { front: string }) => card.front)).toEqual(['Kuh', 'Hund', 'Katze']);
  expect(read.cards[1]).toMatchObject({ card_id: cards[0].card_id, back: 'hound' });
  const stale = await call('edit_deck', { deck_id, expected_version: 1, name: 'x' });
  expect([stale.isError, stale.text]).toEqual([true, expect.stringMatching(/has version 2 now\. Read it again/)]);
  const wrong = await call('edit_deck', { deck_id, delete: [9], update: [{ card: 1, front: '\0' }] });
  expect(wrong.text).toMatch(/^Nothing was changed[\s\S]*control character U\+0000[\s\S]*there is no card 9/);
  expect((await call('edit_deck', { deck_id, audio: 'recorded' })).text).toMatch(/This server records no speech/);
  expect((await call('create_deck', { ...animals, audio: 'recorded' })).text).toMatch(/This server records no speech/);
});

test('two users: no id of one reaches anything of the other', async () => {
  const { client } = await start({ speech: scriptedSpeech() });
  const anna = await client('anna');
  const ben = await client('ben');
  const { deck_id } = (await anna.call('create_deck', recorded(2))).data;
  const job = (await anna.call('create_deck', { ...recorded(2), name: 'x' })).data;
  const missing = '00000000-0000-7000-8000-000000000000';
  for (const [tool, field, id] of [
    ['edit_deck', 'deck_id', deck_id],
    ['export_deck', 'deck_id', deck_id],
    ['get_deck', 'deck_id', deck_id],
    ['delete_deck', 'deck_id', deck_id],
    ['get_job', 'job_id', job.deck_id],
  ] as const) {
    const foreign = await ben.call(tool, { [field]: id });
    const none = await ben.call(tool, { [field]: missing });
    expect(foreign.isError, tool).toBe(true);
    expect(foreign.text.replace(id, missing)).toBe(none.text);
  }
  await expect(ben.mcp.readResource({ uri: `ankify://decks/${deck_id}` })).rejects.toThrow(/not found/i);
  expect((await ben.mcp.listResources()).resources).toEqual([]);
  expect((await anna.call('get_deck', { deck_id })).data).toMatchObject({ version: 1, card_count: 2 });
});

describe.each(eras)('resources and prompts in the %s era', (era) => {
  test('a deck is listed and read as JSON, by who may', async () => {
    const { client } = await start();
    const { mcp, call } = await client('anna', { era });
    const { deck_id } = (await call('create_deck', animals)).data;
    const uri = `ankify://decks/${deck_id}`;
    expect((await mcp.listResources()).resources).toMatchObject([{ uri, name: 'Sprachen::Deutsch' }]);
    expect((await mcp.listResourceTemplates()).resourceTemplates).toMatchObject([
      { uriTemplate: 'ankify://decks/{id}' },
    ]);
    const [content] = (await mcp.readResource({ uri })).contents;
    const json = JSON.parse((content as { text: string }).text);
    expect(json).toMatchObject({ deck_id, card_count: 3, download_url: expect.any(String) });
    expect(json.cards[2]).toMatchObject({ front: 'Maus', position: 3 });

    const reader = await client('anna', { era, scope: ['list_decks'] });
    const [read] = (await reader.mcp.readResource({ uri })).contents;
    expect(JSON.parse((read as { text: string }).text)).not.toHaveProperty('download_url');
    const writer = await client('anna', { era, scope: ['generate_deck'] });
    expect((await writer.mcp.listResources()).resources).toEqual([]);
    await expect(writer.mcp.readResource({ uri })).rejects.toThrow(/403|scope/i);
    for (const odd of ['ankify://decks/x', 'ankify://decks/../..', 'ankify://decks/%00', 'ankify://other/1']) {
      await expect(mcp.readResource({ uri: odd })).rejects.toThrow();
    }
  });

  test('vocab and deck say what create_deck takes, and keep what the user wrote', async () => {
    const { client } = await start();
    const { mcp } = await client('anna', { era });
    expect((await mcp.listPrompts()).prompts.map(({ name }) => name)).toEqual(['vocab', 'deck']);
    const text = async (name: string, args: Record<string, string>) => {
      const { messages } = await mcp.getPrompt({ name, arguments: args });
      return messages.map(({ content }) => (content.type === 'text' ? content.text : '')).join();
    };
    const vocab = await text('vocab', {
      language_a: 'German',
      language_b: 'ru',
      custom_instructions: 'only verbs & <b>',
    });
    expect(vocab).toContain('front_language "de-DE" and back_language "ru-RU"');
    expect(vocab).toContain('note_type "reversed"');
    expect(vocab).toContain('Also: only verbs & <b>');
    expect(await text('vocab', { language_a: 'de', language_b: 'en', note_type: 'forward_only' })).toContain('"basic"');
    expect(await text('vocab', { language_a: 'Klingon', language_b: 'en' })).toContain('Klingon');
    expect(await text('deck', { topic: 'cells', note_type: 'cloze' })).toMatch(/about: cells[\s\S]*\{\{c1::/);
    expect(await text('deck', {})).toContain('what we have talked about');
    await expect(text('vocab', { language_a: 'de' })).rejects.toThrow(/language_b/);
    await expect(text('deck', { note_type: 'typed' })).rejects.toThrow(/note_type/);
  });
});

test('get_job refuses what is none, and longer waits than it has', async () => {
  const { client } = await start({ speech: scriptedSpeech() });
  const { call } = await client('anna');
  for (const job_id of ['', 'x', '../x', '__proto__', '\0']) {
    expect((await call('get_job', { job_id })).text).toMatch(/^There is no job .* of yours/);
  }
  expect((await call('get_job', { job_id: 'x'.repeat(65) })).text).toMatch(/take the job_id of an answer/);
  expect((await call('get_job', { job_id: 'x', wait_seconds: 26 })).text).toMatch(/at most 25; call again/);
});
