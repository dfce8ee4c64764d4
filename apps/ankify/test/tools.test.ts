/** Every tool, called by a real MCP client of each protocol era; what belongs to one user does not exist for another. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readApkg } from './decks.ts';
import { animals, eras, publicUrl, type Service, startService } from './service.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe.each(eras)('a client of the %s era', (era) => {
  const user = `anna-${era}`;

  test('sees the tools in one order, described, with schemas, hints and titles', async () => {
    const { mcp } = await service.client(user, { era });
    const { tools } = await mcp.listTools();
    expect(tools.map((tool) => tool.name)).toEqual([
      'generate_deck',
      'create_deck',
      'convert_TSV_to_Anki_deck',
      'edit_deck',
      'list_decks',
      'get_deck',
      'export_deck',
      'get_job',
      'delete_deck',
    ]);
    for (const tool of tools) {
      expect(tool.title).toBeTruthy();
      expect(tool.description?.length).toBeGreaterThan(40);
      expect(tool.outputSchema?.type).toBe('object');
      expect(Object.values(tool.annotations ?? {}).filter((hint) => typeof hint === 'boolean')).toHaveLength(4);
    }
    expect(tools.filter((tool) => tool.annotations?.destructiveHint).map((tool) => tool.name)).toEqual([
      'edit_deck',
      'delete_deck',
    ]);
    expect(tools.filter((tool) => tool.annotations?.readOnlyHint)).toHaveLength(4);
  });

  test('makes, lists, reads, exports, downloads and deletes a deck', async () => {
    const { call } = await service.client(user, { era });
    const created = await call('create_deck', animals);
    expect(created.isError, created.text).toBe(false);
    const { deck_id, download_url } = created.data;
    expect(created.data).toEqual({
      deck_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      cards: 3,
      version: 1,
      status: 'ready',
      download_url: expect.stringMatching(/^https:\/\/gate\.example\/ankify\/exports\/[\w-]+\.apkg$/),
      expires_at: '2026-11-18T12:06:40.000Z',
    });
    expect(created.text).toContain(download_url);
    expect(created.content).toContainEqual(
      expect.objectContaining({ type: 'resource_link', uri: download_url, name: 'Sprachen - Deutsch.apkg' }),
    );

    const listed = await call('list_decks', {});
    expect(listed.data.decks).toEqual([
      {
        deck_id,
        name: 'Sprachen::Deutsch',
        note_type: 'reversed',
        card_count: 3,
        front_language: 'de-DE',
        back_language: 'en-US',
        audio: 'device',
        version: 1,
        created_at: '2026-11-18T11:06:40.000Z',
        updated_at: '2026-11-18T11:06:40.000Z',
      },
    ]);
    expect(JSON.parse(listed.text)).toEqual(listed.data);

    const read = await call('get_deck', { deck_id });
    expect(read.data.cards.map((card: { front: string }) => card.front)).toEqual(['Hund', 'Katze', 'Maus']);
    expect(read.data.cards[0]).toMatchObject({ position: 1, tags: ['pet', 'top_10'] });
    expect(read.data.cards[1].extra).toBe('die Katze');
    expect(read.data.next_cursor).toBeUndefined();

    const exported = await call('export_deck', { deck_id });
    expect(exported.data).toMatchObject({ deck_id, cards: 3 });
    const first = await service.download(download_url);
    const second = await service.download(exported.data.download_url);
    expect(first.headers.get('content-type')).toBe('application/x-apkg');
    expect(first.headers.get('content-disposition')).toContain("filename*=UTF-8''Sprachen%20-%20Deutsch.apkg");
    const bytes = new Uint8Array(await first.arrayBuffer());
    expect(Buffer.from(bytes).equals(await second.bytes())).toBe(true);
    const { notes, cards, integrity } = readApkg(bytes);
    expect([integrity, notes.length, cards.length]).toEqual(['ok', 3, 6]);
    expect(notes[0]).toMatchObject({ guid: read.data.cards[0].card_id, tags: ' pet top_10 ' });

    const deleted = await call('delete_deck', { deck_id });
    expect(deleted.data).toEqual({ deck_id, deleted: true });
    expect((await call('list_decks', {})).data.decks).toEqual([]);
    for (const tool of ['get_deck', 'export_deck', 'delete_deck']) {
      expect((await call(tool, { deck_id })).text).toMatch(/^There is no deck .* Call list_decks/);
    }
    expect((await service.download(download_url)).status).toBe(404);
  });

  test('converts a table, and gets the malformed rows by number', async () => {
    const { call } = await service.client(user, { era });
    const table =
      'Hello World!\tHallo Welt!\tEng\tGe\r\nbroken\r\nКак дела?\t¿Cómo estás?\tRus\tSpanish\r\na\tb\tKlingon\tde';
    const input = { tsv_vocabulary: table, note_type: 'forward_and_backward', deck_name: 'Table' };
    const converted = await call('convert_TSV_to_Anki_deck', input);
    expect(converted.data).toMatchObject({ cards: 2, status: 'ready' });
    expect(converted.data.malformed_rows).toEqual([
      { row: 2, reason: 'it has one column; separate front and back by a tab', text: 'broken' },
      { row: 4, reason: expect.stringContaining('no voice is known for "Klingon"'), text: 'a\tb\tKlingon\tde' },
    ]);
    expect(converted.text).toContain('2 rows are NOT in the deck');
    expect(converted.text).toContain('row 2: it has one column');
    const bytes = await (await service.download(converted.data.download_url)).bytes();
    const { cards, models } = readApkg(bytes);
    expect(cards).toHaveLength(4);
    expect(Object.values(models).map((model) => model.name)).toEqual([
      'Ankify basic and reversed (en-US / de-DE)',
      'Ankify basic and reversed (ru-RU / es-ES)',
    ]);
    await call('delete_deck', { deck_id: converted.data.deck_id });
  });

  test('gets the default name, one direction, and silence where a table has no languages', async () => {
    const { call } = await service.client(user, { era });
    const converted = await call('convert_TSV_to_Anki_deck', { tsv_vocabulary: 'a\tb', note_type: 'forward_only' });
    const { deck_id } = converted.data;
    const read = await call('get_deck', { deck_id });
    expect(read.data).toMatchObject({ name: 'Ankify', note_type: 'basic', audio: 'off', card_count: 1 });
    await call('delete_deck', { deck_id });
  });
});

describe('refusals say what to do', () => {
  const card = { front: 'a', back: 'b' };
  test.each<[string, string, Record<string, unknown>, RegExp]>([
    ['an empty card', 'create_deck', { cards: [card, { front: ' ', back: 'x' }] }, /card 2, front: it is empty/],
    ['no cards', 'create_deck', { cards: [] }, /give at least one card/],
    [
      '301 cards',
      'create_deck',
      { cards: Array(301).fill(card) },
      /at most 300 cards a call; send the rest as another/,
    ],
    ['a long side', 'create_deck', { cards: [{ ...card, front: 'x'.repeat(16_385) }] }, /at most 16384 characters/],
    [
      'a deck too large',
      'create_deck',
      { cards: Array(30).fill({ ...card, front: 'x'.repeat(16_000) }) },
      /at most 350000 fit/,
    ],
    ['21 tags', 'create_deck', { cards: [{ ...card, tags: Array(21).fill('t') }] }, /at most 20 tags/],
    ['a bad name', 'create_deck', { name: 'a::' }, /each part needs a text/],
    ['no cloze', 'create_deck', { note_type: 'cloze' }, /card 1, front: it has no cloze; mark what to hide as/],
    [
      'an open cloze',
      'create_deck',
      { note_type: 'cloze', cards: [{ front: 'x {{c1::' }] },
      /\{\{c1:: is never closed/,
    ],
    [
      'an unknown language',
      'create_deck',
      { front_language: 'Klingon' },
      /front_language: no voice is known for "Klingon"; use a code/,
    ],
    ['speech without language', 'create_deck', { audio: 'device' }, /audio "device" needs front_language/],
    [
      'U+001F',
      'create_deck',
      { cards: [{ ...card, back: 'a\x1fb' }] },
      /card 1, back: it contains the control character U\+001F/,
    ],
    ['NUL', 'create_deck', { name: 'a\0' }, /control character U\+0000/],
    ['a wrong type', 'create_deck', { note_type: 'typed' }, /note_type/],
    ['an empty table', 'convert_TSV_to_Anki_deck', { tsv_vocabulary: ' \n\n' }, /The table has no rows/],
    [
      'only faulty rows',
      'convert_TSV_to_Anki_deck',
      { tsv_vocabulary: 'x\ny' },
      /No deck was made[\s\S]*row 2: it has one column/,
    ],
    [
      '301 rows',
      'convert_TSV_to_Anki_deck',
      { tsv_vocabulary: 'a\tb\n'.repeat(301) },
      /Send it in parts with the same deck_name/,
    ],
    ['1001 rows', 'convert_TSV_to_Anki_deck', { tsv_vocabulary: 'a\n'.repeat(1001) }, /more than 1000 rows/],
    ['a bad cursor', 'list_decks', { cursor: 'nonsense' }, /not a next_cursor of list_decks/],
    ['a foreign id', 'get_deck', { deck_id: '../../etc' }, /There is no deck "\.\.\/\.\.\/etc"/],
    ['a long id', 'export_deck', { deck_id: 'x'.repeat(65) }, /take a deck_id from list_decks/],
    ['no id', 'delete_deck', {}, /deck_id/],
  ])('%s', async (_, tool, input, message) => {
    const { call } = await service.client('refused');
    const defaults: Record<string, object> = {
      create_deck: { name: 'n', note_type: 'basic', cards: [card] },
      convert_TSV_to_Anki_deck: { note_type: 'forward_only' },
    };
    const answer = await call(tool, { ...defaults[tool], ...input });
    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(message);
    expect((await call('list_decks', {})).data.decks).toEqual([]);
  });

  test('a bad cursor of get_deck', async () => {
    const { call } = await service.client('cursor');
    const { deck_id } = (await call('create_deck', animals)).data;
    expect((await call('get_deck', { deck_id, cursor: '-1' })).text).toMatch(/not a next_cursor of get_deck/);
  });
});

test('hostile text is kept to the letter', async () => {
  const { call } = await service.client('hostile');
  const texts = [
    '<script>alert(1)</script>',
    'AT&T',
    '-v',
    'שלום עולם',
    '🦊👩‍👩‍👧',
    '{{c1::',
    '{{Front}}',
    '[sound:x.mp3]',
    'é\r\nü',
    'x'.repeat(10_240),
    '__proto__',
    "'; DROP TABLE notes;--",
  ];
  const { data } = await call('create_deck', {
    name: '<b>&"\'',
    note_type: 'basic',
    cards: texts.map((text) => ({ front: text, back: text, extra: text, tags: [text.slice(0, 20)] })),
  });
  const read = await call('get_deck', { deck_id: data.deck_id });
  expect(read.data.cards.map((card: { back: string }) => card.back)).toEqual(texts);
  const download = await service.download(data.download_url);
  const { notes, integrity } = readApkg(await download.bytes());
  expect(integrity).toBe('ok');
  for (const note of notes) {
    const fields = String(note.flds).split('\x1f');
    expect(fields).toHaveLength(5);
    expect(fields.join('').replaceAll('<br>', '')).not.toMatch(/[<>[]|\{\{/);
  }
});

test('two users: neither sees, reads, exports or deletes what the other has', async () => {
  const anna = await service.client('anna');
  const ben = await service.client('ben');
  const { deck_id } = (await anna.call('create_deck', animals)).data;
  const missing = '00000000-0000-7000-8000-000000000000';
  for (const tool of ['get_deck', 'export_deck', 'delete_deck']) {
    const foreign = await ben.call(tool, { deck_id });
    const none = await ben.call(tool, { deck_id: missing });
    expect(foreign.isError).toBe(true);
    expect(foreign.text.replace(deck_id, missing)).toBe(none.text);
  }
  expect((await ben.call('list_decks', {})).data.decks).toEqual([]);
  const same = await ben.call('create_deck', animals);
  expect(same.data.deck_id).not.toBe(deck_id);
  expect((await anna.call('get_deck', { deck_id })).data.card_count).toBe(3);
});

describe('a repeated call', () => {
  test('within ten minutes gives the same deck, also when both come at once', async () => {
    const { call } = await service.client('retry');
    const answers = await Promise.all(Array.from({ length: 8 }, () => call('create_deck', animals)));
    expect(new Set(answers.map((answer) => answer.data.deck_id)).size).toBe(1);
    service.clock.seconds += 599;
    const late = await call('create_deck', animals);
    expect(late.data.deck_id).toBe(answers[0]?.data.deck_id);
    expect((await call('list_decks', {})).data.decks).toHaveLength(1);
    const { deck_id } = late.data;
    expect((await service.records.list('cards', { group: deck_id })).items).toHaveLength(1);
  });

  test('later, or with another content, makes another deck', async () => {
    const { call } = await service.client('again');
    const first = await call('create_deck', animals);
    const other = await call('create_deck', { ...animals, name: 'Other' });
    service.clock.seconds += 601;
    const later = await call('create_deck', animals);
    expect(new Set([first, other, later].map((answer) => answer.data.deck_id)).size).toBe(3);
  });

  test('after the deck was deleted makes it anew, with the same cards for Anki', async () => {
    const { call } = await service.client('undo');
    const cardIds = async (deck_id: string) =>
      (await call('get_deck', { deck_id })).data.cards.map((card: { card_id: string }) => card.card_id);
    const first = (await call('create_deck', animals)).data.deck_id;
    const ids = await cardIds(first);
    await call('delete_deck', { deck_id: first });
    const again = (await call('create_deck', animals)).data.deck_id;
    expect(await cardIds(again)).toEqual(ids);
  });
});

test('pages: decks in the order of their creation, each exactly once; cards a hundred at a time', async () => {
  const { call } = await service.client('pages');
  const names = Array.from({ length: 55 }, (_, index) => `deck ${index}`);
  for (const name of names) {
    service.clock.seconds += 1;
    await call('create_deck', { name, note_type: 'basic', cards: [{ front: 'a', back: 'b' }] });
  }
  const first = (await call('list_decks', {})).data;
  const second = (await call('list_decks', { cursor: first.next_cursor })).data;
  expect(second.next_cursor).toBeUndefined();
  expect([...first.decks, ...second.decks].map((deck: { name: string }) => deck.name)).toEqual(names);

  const cards = Array.from({ length: 300 }, (_, index) => ({ front: `f${index}`, back: 'b' }));
  const { deck_id } = (await call('create_deck', { name: 'big', note_type: 'basic', cards })).data;
  const fronts: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = (await call('get_deck', { deck_id, ...(cursor && { cursor }) })).data;
    fronts.push(...page.cards.map((card: { front: string }) => card.front));
    cursor = page.next_cursor;
    if (cursor === undefined) break;
    expect(page.cards).toHaveLength(100);
  }
  expect(fronts).toEqual(cards.map((card) => card.front));
});

test('the thousandth deck is the last until one is deleted', async () => {
  const owner = 'collector';
  for (let index = 0; index < 1000; index++) {
    const id = `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
    const times = { createdAt: 1, updatedAt: 1, version: 1, cardCount: 1, contents: `${id}.1` };
    await service.records.create('deck', id, { id, owner, name: 'x', noteType: 'basic', speech: 'off', ...times });
  }
  const { call } = await service.client(owner);
  const full = await call('create_deck', animals);
  expect(full.text).toMatch(/You have 1000 decks, which is the most\. Delete one with delete_deck first/);
  await call('delete_deck', { deck_id: '00000000-0000-7000-8000-000000000000' });
  expect((await call('create_deck', animals)).isError).toBe(false);
});

describe.each(eras)('scopes in the %s era', (era) => {
  test.each([
    ['list_decks', 'create_deck', animals, 'generate_deck'],
    ['list_decks', 'export_deck', { deck_id: 'x' }, 'generate_deck'],
    ['list_decks', 'delete_deck', { deck_id: 'x' }, 'generate_deck'],
    ['list_decks', 'convert_TSV_to_Anki_deck', { tsv_vocabulary: 'a\tb', note_type: 'forward_only' }, 'generate_deck'],
    ['generate_deck', 'list_decks', {}, 'list_decks'],
    ['generate_deck', 'get_deck', { deck_id: 'x' }, 'list_decks'],
  ])('with only %s, %s is challenged', async (scope, tool, input, missing) => {
    const { call } = await service.client('scoped', { era, scope: [scope] });
    await expect(call(tool, input)).rejects.toThrow(/403|scope/i);
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: input } };
    const response = await fetch(`${service.ankify.url}/mcp`, {
      method: 'POST',
      headers: {
        ...service.headers('scoped', [scope]),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toMatch(new RegExp(`insufficient_scope.*scope="${missing}"`));
  });
});

test('the log tells what happened, and holds no link, secret or card', async () => {
  const log = JSON.stringify(service.events);
  expect(service.events.map((event) => event.event)).toEqual(
    expect.arrayContaining(['deck.stored', 'deck.deleted', 'deck.downloaded']),
  );
  for (const secretText of [publicUrl, '/exports/', 'a-secret-of-the-gateway', 'Hund'])
    expect(log).not.toContain(secretText);
});
