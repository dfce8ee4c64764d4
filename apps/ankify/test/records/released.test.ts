/** Decks that an earlier release stored are whole, found again, and deleted with all their cards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shapesConformance } from '../../../../packages/records/test/conformance-shapes.ts';
import { writeRows } from '../../../../packages/records/test/released.ts';
import { drafts, openJobs, openShelf, releases, shapesNow, storedRows } from './releases.ts';

shapesConformance({
  releases: releases(),
  now: shapesNow(),
  store: storedRows,
  command: 'node apps/ankify/test/records/make-fixture.ts',
});

describe.each(releases())('what the release of fixture %s stored', (_, { rows }) => {
  let folder: string;
  let opened: ReturnType<typeof openShelf>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'released-'));
    const file = join(folder, 'records.db');
    await openShelf(file).records.close();
    writeRows(file, rows);
    opened = openShelf(file);
  });
  afterEach(async () => {
    await opened.records.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('every deck is listed and read with its cards', async () => {
    const { shelf } = opened;
    const { decks } = await shelf.list('anna');
    expect(new Set(decks.map(({ name }) => name))).toEqual(new Set(drafts.map(({ name }) => name)));
    for (const draft of drafts) {
      const { id } = decks.find(({ name }) => name === draft.name) as (typeof decks)[number];
      const { cards: asked, ...head } = draft;
      const whole = await shelf.read('anna', id);
      expect(whole?.deck).toMatchObject({ ...head, cardCount: asked.length });
      expect(whole?.cards).toMatchObject(asked);
    }
  });

  test('a deck is edited: the others of its cards stay as they are, and no number is given twice', async () => {
    const { shelf, records } = opened;
    for (const draft of drafts) {
      const { decks } = await shelf.list('anna');
      const deck = decks.find(({ name }) => name === draft.name);
      const before = await shelf.read('anna', deck?.id ?? '');
      const front = draft.noteType === 'cloze' ? 'A {{c1::new}} one' : 'neu';
      const after = await shelf.edit('anna', deck?.id ?? '', { add: [{ front, back: 'new' }] });
      expect(after?.cards.slice(0, -1)).toEqual(before?.cards);
      expect(new Set(after?.cards.flatMap(({ id, ankiNoteId }) => [id, ankiNoteId])).size).toBe(
        2 * (draft.cards.length + 1),
      );
      expect(await shelf.remove('anna', deck?.id ?? '')).toEqual(after?.deck);
    }
    expect((await records.list('cards')).items).toEqual([]);
  });

  test('jobs that were open are run, those that have ended are told, and what was used stays used', async () => {
    const jobs = openJobs(opened, { speech: async ({ job }) => ({ note: `ran ${job.state}` }) });
    const stored = rows.filter(({ kind }) => kind === 'job').map(({ id }) => id);
    const before = await Promise.all(stored.map((id) => jobs.find('anna', id)));
    jobs.resume();
    for (const [index, id] of stored.entries()) {
      const was = before[index];
      const now = await jobs.wait('anna', id, 20);
      if (was?.state === 'waiting') expect(now).toMatchObject({ state: 'done', note: 'ran working' });
      else expect(now).toEqual(was);
    }
    await jobs.close();
    const { used } = await opened.usage.report('anna');
    const counted = rows.some(({ kind }) => kind === 'usage') ? 2 : 0;
    expect(used.decks).toBe(counted);
  });

  test('the same call again gives the same deck, and a deleted deck leaves nothing', async () => {
    const { shelf, records } = opened;
    const { decks } = await shelf.list('anna');
    for (const draft of drafts) {
      const again = await shelf.add('anna', draft);
      expect(decks).toContainEqual(again);
      expect(await shelf.remove('anna', again.id)).toEqual(again);
    }
    for (const kind of ['deck', 'cards'] as const) expect((await records.list(kind)).items, kind).toEqual([]);
  });
});
