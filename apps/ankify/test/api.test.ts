/** The REST API, used as the page uses it; every answer is held against the OpenAPI document. */
import { Validator } from '@cfworker/json-schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, type ApiService, animals, problem, publicUrl, spokenAnswers, startApi } from './api-caller.ts';

let service: ApiService;
let api: Api;
beforeAll(async () => {
  service = await startApi({
    speech: true,
    model: {
      name: 'test:cards',
      async complete({ messages }) {
        const { topic } = JSON.parse(messages[0]?.text ?? '');
        const cards = [1, 2, 3].map((number) => ({ front: `${topic} ${number}?`, back: `answer ${number}` }));
        const usage = { inputTokens: 100, outputTokens: 50 };
        return { text: JSON.stringify({ cards }), value: { cards }, stop: 'end', usage };
      },
    },
  });
  api = service.api;
});
afterAll(() => service.close());

async function made(user: string, changes: object = {}): Promise<string> {
  const { status, json } = await api('POST', '/decks', { user, json: { ...animals, ...changes } });
  expect(status).toBe(201);
  return json.deck_id;
}

describe('decks', () => {
  test('a deck is made, read, listed, changed and deleted', async () => {
    const user = 'decks';
    const created = await api('POST', '/decks', { user, json: animals });
    expect(created.status).toBe(201);
    const { deck_id } = created.json;
    expect(created.json).toMatchObject({ name: 'Sprachen::Deutsch', card_count: 3, audio: 'device', version: 1 });
    expect(created.json).toMatchObject({ front_language: 'de-DE', back_language: 'en-US' });
    // Against the request's address: /ankify/api/decks.
    expect(new URL(created.headers.get('location') ?? '', `${publicUrl}/api/decks`).href).toBe(
      `${publicUrl}/api/decks/${deck_id}`,
    );
    expect((await api('GET', '/decks', { user })).json).toEqual({ decks: [created.json] });
    const changed = await api('PATCH', `/decks/${deck_id}`, {
      user,
      json: { version: 1, name: 'Deutsch', back_language: null },
    });
    expect(changed.json).toMatchObject({ name: 'Deutsch', version: 2 });
    expect(changed.json).not.toHaveProperty('back_language');
    expect((await api('GET', `/decks/${deck_id}`, { user })).json).toEqual(changed.json);
    const deleted = await api('DELETE', `/decks/${deck_id}`, { user });
    expect([deleted.status, deleted.bytes.length]).toEqual([204, 0]);
    expect((await api('GET', `/decks/${deck_id}`, { user })).status).toBe(404);
    expect((await api('DELETE', `/decks/${deck_id}`, { user })).status).toBe(404);
  });

  test('the list goes on where the page before ended', async () => {
    const user = 'pages';
    for (let number = 1; number <= 51; number++) {
      service.clock.seconds += 1;
      await made(user, { name: `Deck ${number}` });
    }
    const first = await api('GET', '/decks', { user });
    expect(first.json.decks).toHaveLength(50);
    const rest = await api('GET', `/decks?cursor=${encodeURIComponent(first.json.next_cursor)}`, { user });
    expect(rest.json.decks.map(({ name }: { name: string }) => name)).toEqual(['Deck 51']);
    expect(rest.json).not.toHaveProperty('next_cursor');
    const bad = await api('GET', '/decks?cursor=made-up', { user });
    expect([bad.status, bad.json.errors]).toEqual([400, [{ pointer: '?cursor', detail: expect.any(String) }]]);
  });

  test('every card at fault is named by a pointer', async () => {
    const cards = [
      { front: 'a', back: 'b' },
      { front: ' ', back: 'b' },
      { front: 'c' },
      { front: 'd', back: 'e\u001f' },
    ];
    const { status, json } = await api('POST', '/decks', { json: { ...animals, name: 'x::', cards } });
    expect([status, json.type]).toEqual([422, problem('deck-refused')]);
    expect(json.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/name',
      '/cards/1/front',
      '/cards/2/back',
      '/cards/3/back',
    ]);
    const unknown = await api('POST', '/decks', { json: { ...animals, cards: [{ front: 'a', back: 'b', sound: 1 }] } });
    expect([unknown.status, unknown.json.errors[0].pointer]).toEqual([400, '/cards/0/sound']);
    const silent = await api('POST', '/decks', {
      json: { name: 'x', note_type: 'basic', audio: 'recorded', cards: [{ front: 'a', back: 'b' }] },
    });
    expect([silent.status, silent.json.errors[0].pointer]).toEqual([422, '/audio']);
  });
});

describe('cards', () => {
  test('one edit adds, updates, deletes and orders, and counts as one version', async () => {
    const user = 'edits';
    const id = await made(user);
    const { json: page } = await api('GET', `/decks/${id}/cards`, { user });
    const [hund, katze, maus] = page.cards;
    expect(katze).toMatchObject({ front: 'Katze', extra: 'die Katze', position: 2 });
    const { status, json } = await api('POST', `/decks/${id}/cards`, {
      user,
      json: {
        version: 1,
        add: [{ front: 'Kuh', back: 'cow', tags: ['farm'], at: 1 }],
        update: [{ card_id: katze.card_id, back: 'the cat', extra: null, front_language: 'de-AT' }],
        delete: [hund.card_id],
        order: [maus.card_id],
      },
    });
    expect([status, json.deck.version, json.deck.card_count]).toEqual([200, 2, 3]);
    expect(json.cards.map(({ front }: { front: string }) => front)).toEqual(['Kuh', 'Maus', 'Katze']);
    expect(json.cards[2]).toMatchObject({ card_id: katze.card_id, back: 'the cat', front_language: 'de-AT' });
    expect(json.cards[2]).not.toHaveProperty('extra');
    const again = await api('GET', `/decks/${id}/cards?limit=2`, { user });
    expect(again.json).toMatchObject({ version: 2, next_cursor: '2', cards: json.cards.slice(0, 2) });
    const last = await api('GET', `/decks/${id}/cards?limit=2&cursor=2`, { user });
    expect(last.json.cards).toEqual(json.cards.slice(2));
  });

  test('an edit of what somebody else changed is refused, with the version there is', async () => {
    const user = 'conflict';
    const id = await made(user);
    const edit = (front: string, version: number) =>
      api('POST', `/decks/${id}/cards`, { user, json: { version, add: [{ front, back: 'b' }] } });
    expect((await edit('one', 1)).status).toBe(200);
    const lost = await edit('two', 1);
    expect([lost.status, lost.json.type, lost.json.version]).toEqual([409, problem('deck-changed'), 2]);
    const renamed = await api('PATCH', `/decks/${id}`, { user, json: { version: 1, name: 'x' } });
    expect(renamed.status).toBe(409);
    // Of two at once with the same version, one wins.
    const both = await Promise.all([edit('three', 2), edit('four', 2)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test('what is wrong with an edit is pointed to, and nothing of it is done', async () => {
    const user = 'faults';
    const id = await made(user);
    const { json: page } = await api('GET', `/decks/${id}/cards`, { user });
    const { status, json } = await api('POST', `/decks/${id}/cards`, {
      user,
      json: {
        add: [
          { front: 'good', back: 'good' },
          { front: '', back: 'b' },
        ],
        update: [
          { card_id: page.cards[0].card_id, back: '\0' },
          { card_id: 'nobody', back: 'x' },
        ],
        delete: ['nothing'],
      },
    });
    expect([status, json.type]).toEqual([422, problem('deck-refused')]);
    const pointers = json.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(['/add/1/front', '/update/0/back', '/update/1/card_id', '/delete/0']);
    expect((await api('GET', `/decks/${id}/cards`, { user })).json).toEqual(page);
    const all = await api('POST', `/decks/${id}/cards`, {
      user,
      json: { delete: page.cards.map((card: { card_id: string }) => card.card_id) },
    });
    expect([all.status, all.json.detail]).toEqual([422, expect.stringContaining('A deck needs a card')]);
  });
});

describe('conditions (RFC 9110 §13)', () => {
  test('If-None-Match and If-Match', async () => {
    const user = 'etags';
    const id = await made(user);
    const etag = (await api('GET', `/decks/${id}`, { user })).headers.get('etag') ?? '';
    const condition = (method: string, headers: Record<string, string>, json?: unknown) =>
      api(method, `/decks/${id}`, { user, headers, ...(json !== undefined && { json }) });
    expect((await condition('GET', { 'if-none-match': etag })).status).toBe(304);
    expect((await condition('GET', { 'if-none-match': `"9", W/${etag}` })).status).toBe(304);
    expect((await condition('GET', { 'if-none-match': '"9"' })).status).toBe(200);
    for (const wrong of ['"9"', `W/${etag}`, 'broken', '']) {
      const refused = await condition('PATCH', { 'if-match': wrong }, { name: 'no' });
      expect([wrong, refused.status, refused.json.version]).toEqual([wrong, 412, 1]);
    }
    expect((await condition('PATCH', { 'if-match': `"7", ${etag}` }, { name: 'yes' })).json.version).toBe(2);
    expect((await condition('PATCH', { 'if-match': '*' }, { name: 'any' })).json.version).toBe(3);
    expect((await condition('DELETE', { 'if-match': etag })).status).toBe(412);
    expect((await condition('DELETE', { 'if-match': '"3"' })).status).toBe(204);
  });
});

describe('the rest', () => {
  test('pasted text is shown as cards and errors by their rows, and nothing is stored', async () => {
    const user = 'parse';
    const text = 'Hund - dog\n\nno definition here\nKatze - cat';
    const { status, json } = await api('POST', '/parse', { user, scope: ['list_decks'], json: { text } });
    expect([status, json.format, json.note_type]).toEqual([200, 'lines', 'basic']);
    expect(json.cards).toMatchObject([
      { row: 1, front: 'Hund', back: 'dog' },
      { row: 4, front: 'Katze' },
    ]);
    expect(json.errors).toMatchObject([{ row: 3, text: 'no definition here' }]);
    expect((await api('GET', '/decks', { user })).json.decks).toEqual([]);
    expect((await api('POST', '/parse', { user, json: { text: 'a\n'.repeat(5000) } })).status).toBe(422);
  });

  test('what the server can do, its voices, and what is used of it', async () => {
    const user = 'about';
    const { json: server } = await api('GET', '', { user });
    expect(server).toMatchObject({ name: 'Ankify', speech: { provider: 'espeak-ng' }, model: 'test:cards' });
    const { json: voices } = await api('GET', '/voices', { user });
    expect(voices.voices).toContainEqual(expect.objectContaining({ language: 'de', quality: 'robotic' }));
    expect((await api('GET', '/usage', { user })).json.decks).toMatchObject({ used: 0 });
    await made(user);
    const { json: usage } = await api('GET', '/usage', { user });
    expect([usage.decks.used, usage.cards.used, usage.month]).toEqual([1, 3, '2026-11']);
    expect(usage.decks.left).toBe(usage.decks.limit - 1);
  });

  test('an export is a link that needs no token', async () => {
    const user = 'export';
    const id = await made(user);
    const { status, json } = await api('GET', `/decks/${id}/export`, { user });
    expect((await api('GET', '/openapi.json', { user })).json).toEqual(service.document);
    expect([status, json.status, json.file_name]).toEqual([200, 'ready', 'Sprachen - Deutsch.apkg']);
    const download = await fetch(json.download_url.replace(publicUrl, service.url));
    expect([download.status, (await download.bytes()).subarray(0, 2)]).toEqual([200, new Uint8Array([0x50, 0x4b])]);
  });
});

describe('the document', () => {
  test('it is OpenAPI 3.1: every reference leads somewhere and every schema is one', () => {
    const { document } = service;
    expect(document.openapi).toBe('3.1.1');
    expect(document.servers).toEqual([{ url: `${publicUrl}/api` }]);
    const text = JSON.stringify(document);
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas, name).toHaveProperty(name);
    }
    expect(text).not.toContain('$defs');
    for (const schema of Object.values(document.components.schemas)) {
      expect(() => new Validator(schema as object, '2020-12').validate({})).not.toThrow();
    }
    const ids = Object.values(document.paths as Record<string, Record<string, { operationId: string }>>)
      .flatMap((path) => Object.values(path))
      .map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(17);
  });

  test('every answer it promises for a success was seen, here or in the tests of jobs and speech', () => {
    const promised = Object.entries(service.document.paths as Record<string, Record<string, { responses: object }>>)
      .flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, { responses }]) =>
          Object.keys(responses).map((status) => `${method.toUpperCase()} ${path} ${status}`),
        ),
      )
      .filter((answer) => / [23]\d\d$/.test(answer));
    expect(promised.filter((answer) => !service.seen.has(answer)).toSorted()).toEqual(spokenAnswers.toSorted());
  });

  test('the schemas of answers can fail: one member more, or less, is seen', async () => {
    const { document } = service;
    const { schema } = document.paths['/decks/{deck_id}'].get.responses[200].content['application/json'];
    const validator = new Validator({ ...schema, components: document.components }, '2020-12');
    const deck = (await api('GET', '/decks', { user: 'pages' })).json.decks[0];
    expect(validator.validate(deck).valid).toBe(true);
    expect(validator.validate({ ...deck, owner: 'anna' }).valid).toBe(false);
    const { version: _, ...less } = deck;
    expect(validator.validate(less).valid).toBe(false);
  });
});
