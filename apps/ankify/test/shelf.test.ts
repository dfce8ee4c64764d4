/** The shelf under parallel calls and failing writes: a deck is there whole, or not at all. */
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { expect, test } from 'vitest';
import { type AnkifyRecords, ankifyKinds, type DeckRecords } from '../src/decks/deck.ts';
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
  expect((await records.list('cards', { group: 'anna' })).items).toHaveLength(1);
});

test('of parallel deletions one removes the deck, with its cards', async () => {
  const records = memory();
  const shelf = createShelf(records, now);
  const { id } = await shelf.add('anna', draft);
  const removed = await Promise.all(Array.from({ length: 8 }, () => shelf.remove('anna', id)));
  expect(removed.filter(Boolean)).toHaveLength(1);
  expect((await records.list('cards', { group: 'anna' })).items).toEqual([]);
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

function settled(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: Error) => expect(error.message).toMatch(/was deleted while it was made/));
}
