/** The shelf under parallel calls and failing writes: a deck is there whole, or not at all. */
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { describe, expect, test } from 'vitest';
import { type AnkifyRecords, ankifyKinds, DeckConflict, type DeckRecords } from '../src/decks/deck.ts';
import type { Draft } from '../src/decks/draft.ts';
import { createShelf } from '../src/decks/shelf.ts';

const now = () => 1_795_000_000;
const draft: Draft = {
  name: 'Animals',
  noteType: 'basic',
  speech: 'off',
  cards: [{ front: 'Hund', back: 'dog', tags: [] }],
};

function memory(): DeckRecords {
  return memoryRecords<AnkifyRecords>({ kinds: ankifyKinds, now });
}

test('of parallel equal calls one deck comes, and nothing else stays', async () => {
  const records = memory();
  const shelf = createShelf(records, now);
  const decks = await Promise.all(Array.from({ length: 8 }, () => shelf.add('anna', draft)));
  expect(new Set(decks.map((deck) => JSON.stringify(deck))).size).toBe(1);
  expect((await records.list('deck', { group: 'anna' })).items).toHaveLength(1);
  expect((await records.list('cards')).items).toHaveLength(1);
});

test('of parallel deletions one removes the deck, with its cards', async () => {
  const records = memory();
  const shelf = createShelf(records, now);
  const { id } = await shelf.add('anna', draft);
  const removed = await Promise.all(Array.from({ length: 8 }, () => shelf.remove('anna', id)));
  expect(removed.filter(Boolean)).toHaveLength(1);
  expect((await records.list('cards')).items).toEqual([]);
});

test('a deck made and deleted at once is whole wherever it is seen', async () => {
  const records = memory();
  const shelf = createShelf(records, now);
  const { id } = await shelf.add('anna', draft);
  for (let round = 0; round < 20; round++) {
    await Promise.all([shelf.remove('anna', id), shelf.add('anna', draft), shelf.add('anna', draft)].map(settled));
    for (const deck of (await shelf.list('anna')).decks) {
      expect((await shelf.read('anna', deck.id))?.cards).toHaveLength(1);
    }
    await shelf.add('anna', draft);
  }
});

test.each([1, 2, 3])(
  'if write %i of a new deck fails, there is none; the same call again makes it',
  async (failing) => {
    const records = memory();
    let writes = 0;
    const broken: DeckRecords = {
      ...records,
      create: async (...args) => {
        if (++writes === failing) throw new Error('the database is gone');
        return records.create(...args);
      },
    };
    await expect(createShelf(broken, now).add('anna', draft)).rejects.toThrow('the database is gone');
    const shelf = createShelf(records, now);
    expect((await shelf.list('anna')).decks).toEqual([]);
    const deck = await shelf.add('anna', draft);
    expect((await shelf.read('anna', deck.id))?.cards).toHaveLength(1);
  },
);

describe('an edit', () => {
  const add = (front: string) => ({ add: [{ front, back: 'b' }] });

  test('makes the next version, and removes the cards it replaces', async () => {
    const records = memory();
    const shelf = createShelf(records, now);
    const { id } = await shelf.add('anna', draft);
    const edited = await shelf.edit('anna', id, add('Katze'));
    expect(edited).toMatchObject({ deck: { version: 2, cardCount: 2 } });
    expect(await shelf.read('anna', id)).toEqual(edited);
    expect((await records.list('cards')).items).toHaveLength(1);
  });

  test('of somebody else’s deck, or of none, is none', async () => {
    const shelf = createShelf(memory(), now);
    const { id } = await shelf.add('anna', draft);
    expect(await shelf.edit('ben', id, { name: 'mine' })).toBeUndefined();
    expect(await shelf.edit('anna', '00000000-0000-7000-8000-000000000000', {})).toBeUndefined();
    expect((await shelf.find('anna', id))?.name).toBe('Animals');
  });

  test('of parallel ones none is lost, and no number is given twice', async () => {
    const records = memory();
    const shelf = createShelf(records, now);
    const { id } = await shelf.add('anna', draft);
    const names = Array.from({ length: 6 }, (_, index) => `card ${index}`);
    await Promise.all(names.map((name) => shelf.edit('anna', id, add(name))));
    const whole = await shelf.read('anna', id);
    expect(whole?.deck).toMatchObject({ version: 7, cardsMade: 7 });
    expect(new Set(whole?.cards.map(({ front }) => front))).toEqual(new Set(['Hund', ...names]));
    expect(new Set(whole?.cards.map((card) => card.ankiNoteId)).size).toBe(7);
    expect((await records.list('cards')).items).toHaveLength(1);
  });

  test('with an expected version that is no longer is told, and changes nothing', async () => {
    const shelf = createShelf(memory(), now);
    const { id } = await shelf.add('anna', draft);
    await shelf.edit('anna', id, { ...add('Katze'), expectedVersion: 1 });
    const late = shelf.edit('anna', id, { name: 'Other', expectedVersion: 1 });
    await expect(late).rejects.toThrow(DeckConflict);
    await expect(late).rejects.toMatchObject({ version: 2, message: expect.stringContaining('Read it again') });
    expect((await shelf.find('anna', id))?.name).toBe('Animals');
  });

  test('sent again because its answer was lost is made once; after another edit it is a new one', async () => {
    const shelf = createShelf(memory(), now);
    const { id } = await shelf.add('anna', draft);
    const change = { ...add('Katze'), expectedVersion: 1 };
    const first = await shelf.edit('anna', id, change);
    expect(await shelf.edit('anna', id, change)).toEqual(first);
    await shelf.edit('anna', id, { name: 'Other' });
    expect((await shelf.edit('anna', id, add('Katze')))?.cards).toHaveLength(3);
  });

  test.each(['create', 'replace', 'take'] as const)(
    'cut off at %s leaves a whole deck, and the next tidies up',
    async (verb) => {
      const records = memory();
      let seconds = now();
      const clock = () => seconds;
      const { id } = await createShelf(records, clock).add('anna', draft);
      const broken: DeckRecords = {
        ...records,
        // As if the process had ended here: nothing after it runs.
        [verb]: async () => {
          throw new Error('killed');
        },
      };
      await expect(createShelf(broken, clock).edit('anna', id, add('Katze'))).rejects.toThrow('killed');
      const shelf = createShelf(records, clock);
      const after = await shelf.read('anna', id);
      expect(after?.cards).toHaveLength(verb === 'take' ? 2 : 1);
      expect(after?.deck.cardCount).toBe(after?.cards.length);
      expect((await records.list('cards')).items).toHaveLength(verb === 'create' ? 1 : 2);
      seconds += 61;
      await shelf.edit('anna', id, add('Maus'));
      expect((await records.list('cards')).items).toHaveLength(1);
      expect((await shelf.read('anna', id))?.cards.at(-1)?.front).toBe('Maus');
    },
  );

  test('that is just being made is not swept away by another', async () => {
    const records = memory();
    const shelf = createShelf(records, now);
    const { id } = await shelf.add('anna', draft);
    const slow: DeckRecords = {
      ...records,
      replace: async (...args) => {
        await shelf.edit('anna', id, { name: 'Faster' });
        expect((await records.list('cards')).items).toHaveLength(2);
        return records.replace(...args);
      },
    };
    const edited = await createShelf(slow, now)
      .edit('anna', id, add('Katze'))
      .catch((error: Error) => error);
    expect(edited).toMatchObject({ deck: { name: 'Faster', cardCount: 2, version: 3 } });
  });

  test('of a deck that is deleted meanwhile leaves nothing', async () => {
    const records = memory();
    const shelf = createShelf(records, now);
    const { id } = await shelf.add('anna', draft);
    for (let round = 0; round < 20; round++) {
      await Promise.all([shelf.edit('anna', id, add(`card ${round}`)), shelf.remove('anna', id)]);
    }
    expect(await shelf.find('anna', id)).toBeUndefined();
    expect((await records.list('cards')).items).toEqual([]);
  });
});

function settled(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: Error) => expect(error.message).toMatch(/was deleted while it was made/));
}
