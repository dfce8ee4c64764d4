/** Who may call the API, what of others they reach (nothing), and bad input, which never gives a 5xx and stores nothing. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxApiBodyBytes } from '../src/api/api-endpoint.ts';
import { type Api, type ApiService, animals, type CallOptions, problem, startApi } from './api-caller.ts';

let service: ApiService;
let api: Api;
beforeAll(async () => {
  // A model that never answers, and does not listen when it is told to stop: the end of the process does not wait for it.
  service = await startApi({ speech: true, model: { name: 'test:none', complete: () => new Promise(() => {}) } });
  api = service.api;
});
afterAll(() => service.close());

describe('who may call', () => {
  test.each([
    ['no secret', { 'x-gatehouse-secret': '' }, 403, 'forbidden'],
    ['a wrong secret', { 'x-gatehouse-secret': 'wrong' }, 403, 'forbidden'],
    ['no user', { 'x-gatehouse-subject': '' }, 401, 'unauthorized'],
    ['a broken escape', { 'x-gatehouse-subject': '%zz' }, 401, 'unauthorized'],
    ['a user of 513 bytes', { 'x-gatehouse-subject': 'x'.repeat(513) }, 401, 'unauthorized'],
    ['no client', { 'x-gatehouse-client-id': '' }, 401, 'unauthorized'],
  ])('%s', async (_, headers, status, kind) => {
    const reply = await api('GET', '/decks', { headers });
    expect([reply.status, reply.json.type]).toEqual([status, problem(kind)]);
  });

  test('each route asks for its scope, and names it in the challenge the gateway passes on', async () => {
    const read = ['list_decks'];
    const write = ['generate_deck'];
    for (const [path, operations] of Object.entries(service.document.paths as Record<string, object>)) {
      for (const [method, operation] of Object.entries(operations)) {
        const scope: string = operation.security[0].oauth[0];
        const address = path.replaceAll(/\{\w+\}/g, '00000000-0000-7000-8000-000000000000').replace(/^\/$/, '');
        const reply = await api(method.toUpperCase(), address, { scope: scope === 'list_decks' ? write : read });
        expect([method, path, reply.status]).toEqual([method, path, 403]);
        expect(reply.headers.get('www-authenticate')).toBe(`Bearer error="insufficient_scope", scope="${scope}"`);
      }
    }
  });
});

test('another user reaches nothing by any id, and is told nothing', async () => {
  const { json: deck } = await api('POST', '/decks', { user: 'anna', json: { ...animals, audio: 'recorded' } });
  const { json: page } = await api('GET', `/decks/${deck.deck_id}/cards`, { user: 'anna' });
  const { json: started } = await api('POST', '/generate', { user: 'anna', json: { topic: 'secret plans' } });
  const card = page.cards[0].card_id;
  const own = (await api('POST', '/decks', { user: 'eve', json: { ...animals, name: 'Eve' } })).json;
  const nobody = '00000000-0000-7000-8000-000000000000';
  const asked = (deckId: string, jobId: string): ReadonlyArray<readonly [string, string, CallOptions?]> => [
    ['GET', `/decks/${deckId}`],
    ['GET', `/decks/${deckId}/cards`],
    ['GET', `/decks/${deckId}/export`],
    ['PATCH', `/decks/${deckId}`, { json: { name: 'x' } }],
    ['POST', `/decks/${deckId}/cards`, { json: { update: [{ card_id: card, front: 'x' }] } }],
    ['POST', `/decks/${deckId}/audio`],
    ['GET', `/audio?deck_id=${deckId}&card_id=${card}&side=front`],
    ['GET', `/jobs/${jobId}`],
    ['GET', `/jobs/${jobId}?wait_seconds=20`],
    ['GET', `/jobs/${jobId}`, { headers: { accept: 'text/event-stream' } }],
    ['DELETE', `/decks/${deckId}`],
  ];
  const theirs = asked(deck.deck_id, started.job.job_id);
  const none = asked(nobody, nobody);
  for (const [index, [method, path, options]] of theirs.entries()) {
    const reply = await api(method, path, { user: 'eve', ...options });
    const [, otherPath = ''] = none[index] ?? [];
    const missing = await api(method, otherPath, { user: 'eve', ...options });
    expect([method, path, reply.status]).toEqual([method, path, 404]);
    expect(reply.json).toEqual(missing.json);
  }
  // A card of hers by the way of a deck of one's own.
  const detour = `/audio?deck_id=${own.deck_id}&card_id=${card}&side=front`;
  expect((await api('GET', detour, { user: 'eve' })).status).toBe(404);
  const edit = { json: { delete: [card] } };
  expect((await api('POST', `/decks/${own.deck_id}/cards`, { user: 'eve', ...edit })).status).toBe(422);
  expect((await api('GET', '/decks', { user: 'eve' })).json.decks).toEqual([own]);
  expect((await api('GET', '/usage', { user: 'eve' })).json.characters.used).toBe(0);
  expect((await api('GET', `/decks/${deck.deck_id}/cards`, { user: 'anna' })).json).toEqual(page);
});

describe('bad input', () => {
  const deep = `{"name":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  test.each<[string, string, string, CallOptions, number, string]>([
    ['no body', 'POST', '/decks', { headers: { 'content-type': 'application/json' } }, 400, 'not-json'],
    ['half a body', 'POST', '/decks', json('{"name":'), 400, 'not-json'],
    ['bad UTF-8', 'POST', '/decks', json(new Uint8Array([0x22, 0xff, 0x22])), 400, 'not-json'],
    ['50,000 levels', 'POST', '/decks', json(deep), 400, 'invalid-request'],
    ['too much', 'POST', '/decks', json(' '.repeat(maxApiBodyBytes + 1)), 413, 'too-large'],
    ['much too much', 'POST', '/parse', json('x'.repeat(4 * 1024 * 1024)), 413, 'too-large'],
    ['a form', 'POST', '/decks', { body: 'name=x', headers: { 'content-type': 'text/plain' } }, 415, 'not-json-type'],
    ['null', 'POST', '/decks', json('null'), 400, 'invalid-request'],
    ['a list', 'POST', '/decks', json('[]'), 400, 'invalid-request'],
    ['__proto__', 'POST', '/parse', json('{"text":"a - b","__proto__":{"format":"table"}}'), 400, 'invalid-request'],
    ['no cards', 'POST', '/decks', { json: { ...animals, cards: [] } }, 400, 'invalid-request'],
    [
      '301 cards',
      'POST',
      '/decks',
      { json: { ...animals, cards: Array(301).fill(animals.cards[0]) } },
      400,
      'invalid-request',
    ],
    ['half a character', 'POST', '/decks', json(JSON.stringify({ ...animals, name: '\ud800' })), 422, 'deck-refused'],
    ['a version of 0', 'PATCH', '/decks/x', { json: { version: 0 } }, 400, 'invalid-request'],
    ['a version that is text', 'PATCH', '/decks/x', { json: { version: '1' } }, 400, 'invalid-request'],
    ['an unknown member', 'PATCH', '/decks/x', { json: { owner: 'eve' } }, 400, 'invalid-request'],
    ['an unknown parameter', 'GET', '/decks?limit=1', {}, 400, 'invalid-request'],
    ['a repeated one', 'GET', '/decks/x/cards?limit=1&limit=2', {}, 400, 'invalid-request'],
    ['a cursor of 500', 'GET', `/decks?cursor=${'x'.repeat(500)}`, {}, 400, 'invalid-request'],
    ['a cursor with NUL', 'GET', '/decks?cursor=%00', {}, 400, 'invalid-request'],
    ['a wait of 21 s', 'GET', '/jobs/x?wait_seconds=21', {}, 400, 'invalid-request'],
    ['a wait of 1e1', 'GET', '/jobs/x?wait_seconds=1e1', {}, 400, 'invalid-request'],
    ['no id', 'GET', '/decks/..%2f..%2fetc', {}, 404, 'not-found'],
    ['an id of 5,000', 'GET', `/decks/${'a'.repeat(5000)}`, {}, 404, 'not-found'],
    ['an id with NUL', 'DELETE', '/decks/%00', {}, 404, 'not-found'],
    ['no address', 'GET', '/nothing', {}, 404, 'not-found'],
    ['a slash more', 'GET', '/decks/', {}, 404, 'not-found'],
    ['a method more', 'PUT', '/decks', {}, 405, 'method-not-allowed'],
    ['no topic', 'POST', '/generate', { json: {} }, 422, 'deck-refused'],
    ['a count of 101', 'POST', '/generate', { json: { topic: 'x', count: 101 } }, 400, 'invalid-request'],
    [
      'a language nobody speaks',
      'POST',
      '/generate',
      { json: { topic: 'x', front_language: 'xx' } },
      422,
      'deck-refused',
    ],
  ])('%s', async (_, method, path, options, status, kind) => {
    const reply = await api(method, path, { user: 'bad', ...options });
    expect([reply.status, reply.json]).toEqual([status, expect.objectContaining({ type: problem(kind) })]);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
    expect((await api('GET', '/decks', { user: 'bad' })).json.decks).toEqual([]);
  });

  test('hostile text is stored as it is, and comes back as it was', async () => {
    const texts = [
      '-v',
      '<script>alert(1)</script>',
      'AT&T',
      'עברית',
      '🐝👨‍👩‍👧',
      "'; DROP TABLE deck; --",
      '{{FrontSide}}',
      '\\u0000',
    ];
    const cards = texts.map((text) => ({ front: text, back: text, extra: text }));
    const { json } = await api('POST', '/decks', { user: 'texts', json: { name: '<b>&', note_type: 'basic', cards } });
    const page = await api('GET', `/decks/${json.deck_id}/cards`, { user: 'texts' });
    expect(page.json.cards.map(({ front }: { front: string }) => front)).toEqual(texts);
    const nul = { name: 'x', note_type: 'basic', cards: [{ front: 'a\0b', back: 'b' }] };
    expect((await api('POST', '/decks', { user: 'texts', json: nul })).json.errors[0].pointer).toBe('/cards/0/front');
  });

  test('a sender that stops in the middle leaves the server well, and nothing is logged as a fault', async () => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    const headers = Object.entries({ ...service.headers('anna'), 'content-type': 'application/json' });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`POST /api/decks HTTP/1.1\r\nhost: x\r\n${lines}content-length: 100\r\n\r\n{`);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect((await api('GET', '/decks')).status).toBe(200);
    expect(service.events.filter(({ event }) => event === 'api.failed' || event === 'request.failed')).toEqual([]);
  });

  test('no token, card or name is in the log', () => {
    const text = JSON.stringify(service.events);
    for (const secret of ['a-secret-of-the-gateway', 'Hund', 'Sprachen']) expect(text).not.toContain(secret);
  });
});

function json(body: string | Uint8Array<ArrayBuffer>): CallOptions {
  return { body, headers: { 'content-type': 'application/json' } };
}
