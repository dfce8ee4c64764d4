/** Quotas: no parallel calls get more than there is, and a refusal says what is left and when it begins anew. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AnkifyRecords, ankifyKinds, type DeckRecords } from '../src/decks/deck.ts';
import { createShelf } from '../src/decks/shelf.ts';
import { createUsage } from '../src/usage/usage.ts';

let folder: string;
let records: DeckRecords;
let seconds: number;
const now = () => seconds;
const limits = { decks: 3, cards: 10, characters: 100, modelTokens: 1000 };

beforeEach(() => {
  seconds = Date.UTC(2026, 10, 18) / 1000;
  folder = mkdtempSync(join(tmpdir(), 'usage-'));
  records = sqliteRecords<AnkifyRecords>({ kinds: ankifyKinds, file: join(folder, 'records.db'), now });
});
afterEach(async () => {
  await records.close();
  rmSync(folder, { recursive: true });
});

describe('a month', () => {
  test('of forty parallel calls exactly as many pass as there is room for', async () => {
    const usage = createUsage({ records, now, limits });
    const answers = await Promise.all(Array.from({ length: 40 }, () => usage.charge('anna', { characters: 7 })));
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(14);
    expect((await usage.report('anna')).used.characters).toBe(98);
  });

  test('a refusal says what is left and when it begins anew; then it does', async () => {
    const usage = createUsage({ records, now, limits });
    await usage.charge('anna', { decks: 2, cards: 4 });
    expect(await usage.charge('anna', { decks: 1, cards: 7 })).toEqual({
      what: 'cards',
      limit: 10,
      used: 4,
      left: 6,
      resetsAt: Date.UTC(2026, 11, 1) / 1000,
      message: 'This needs 7 new cards, and 6 of 10 are left this month. The count begins anew on 2026-12-01 (UTC).',
    });
    expect((await usage.report('anna')).used).toMatchObject({ decks: 2, cards: 4 });
    seconds = Date.UTC(2026, 11, 1) / 1000;
    expect(await usage.charge('anna', { decks: 1, cards: 7 })).toBeUndefined();
    expect(await usage.report('anna')).toMatchObject({ month: '2026-12', left: { decks: 2, cards: 3 } });
  });

  test('belongs to one user', async () => {
    const usage = createUsage({ records, now, limits });
    await usage.charge('anna', { decks: 3 });
    expect(await usage.charge('anna ', { decks: 1 })).toBeUndefined();
    expect((await usage.report('ben')).used.decks).toBe(0);
  });

  test('a refund gives back to the month that was charged, and never more than was used', async () => {
    const usage = createUsage({ records, now, limits });
    const chargedAt = now();
    await usage.charge('anna', { characters: 90 });
    seconds = Date.UTC(2026, 11, 2) / 1000;
    await usage.charge('anna', { characters: 20 });
    await usage.refund('anna', { characters: 90 }, chargedAt);
    expect((await usage.report('anna')).used.characters).toBe(20);
    await usage.refund('anna', { characters: 500 });
    expect((await usage.report('anna')).used.characters).toBe(0);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('%s is no amount', async (characters) => {
    const usage = createUsage({ records, now, limits });
    await expect(usage.charge('anna', { characters })).rejects.toThrow(TypeError);
    await expect(usage.refund('anna', { characters })).rejects.toThrow(TypeError);
  });
});

describe('decks and cards', () => {
  const draft = (name: string, cards = 1) => ({
    name,
    noteType: 'basic' as const,
    speech: 'off' as const,
    cards: Array.from({ length: cards }, (_, index) => ({ front: `f${index}`, back: 'b', tags: [] })),
  });

  test('are charged once for each that is made, also by parallel equal calls', async () => {
    const usage = createUsage({ records, now, limits });
    const shelf = createShelf(records, now, usage);
    await Promise.all(Array.from({ length: 3 }, () => shelf.add('anna', draft('a', 2))));
    await shelf.add('anna', draft('a', 2));
    expect((await usage.report('anna')).used).toMatchObject({ decks: 1, cards: 2 });
  });

  test('beyond the limit none is made, and the refusal is the quota’s', async () => {
    const usage = createUsage({ records, now, limits });
    const shelf = createShelf(records, now, usage);
    await expect(shelf.add('anna', draft('big', 11))).rejects.toThrow(/11 new cards, and 10 of 10 are left/);
    expect((await shelf.list('anna')).decks).toEqual([]);
    expect((await records.list('cards')).items).toEqual([]);
    const { id } = await shelf.add('anna', draft('ok', 8));
    const add = [1, 2, 3].map((number) => ({ front: `n${number}`, back: 'b' }));
    const refused = shelf.edit('anna', id, { add });
    await expect(refused).rejects.toMatchObject({ name: 'DeckRefusal', quota: { what: 'cards', left: 2 } });
    expect((await shelf.read('anna', id))?.deck.version).toBe(1);
    await shelf.edit('anna', id, { add: add.slice(1) });
    expect((await usage.report('anna')).left.cards).toBe(0);
    // Deleting gives nothing back: the work was done.
    await shelf.remove('anna', id);
    expect((await usage.report('anna')).left.cards).toBe(0);
  });
});
