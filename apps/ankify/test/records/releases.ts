/** Fixtures of Ankify's records, and the flows that make them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { type Release, type Row, readRows, releasesIn, shapesOf } from '../../../../packages/records/test/released.ts';
import { type AnkifyRecords, ankifyKinds, type Deck } from '../../src/decks/deck.ts';
import type { Draft } from '../../src/decks/draft.ts';
import { describedAnkifyRecords } from '../../src/decks/record-fields.ts';
import { createShelf } from '../../src/decks/shelf.ts';
import type { GenerateWork } from '../../src/generate/generate-job.ts';
import { JobRefusal } from '../../src/jobs/job.ts';
import { createJobs, type JobsOptions } from '../../src/jobs/jobs.ts';
import { createUsage } from '../../src/usage/usage.ts';

export const folder = fileURLToPath(new URL('./fixtures/', import.meta.url));
export const releases = () => releasesIn<Release>(folder);
export const shapesNow = () => shapesOf(ankifyKinds, describedAnkifyRecords);

export const madeAt = 1_795_000_000;

export const drafts: readonly Draft[] = [
  {
    name: 'Tiere::Haustiere',
    noteType: 'reversed',
    frontLanguage: 'de-DE',
    backLanguage: 'en-GB',
    speech: 'device',
    cards: [
      { front: 'der Hund', back: 'dog', extra: 'Plural: Hunde', tags: ['noun', 'a1'] },
      { front: 'le chat', back: 'cat', tags: [], frontLanguage: 'fr-FR', backLanguage: 'en-US' },
    ],
  },
  {
    name: 'Cells',
    noteType: 'cloze',
    speech: 'off',
    cards: [{ front: 'The {{c1::mitochondrion}} is the powerhouse.', back: '', tags: [] }],
  },
];

export function openShelf(file: string) {
  const now = () => madeAt;
  const records = sqliteRecords<AnkifyRecords>({ kinds: ankifyKinds, file, now });
  const usage = createUsage({ records, now });
  return { records, usage, shelf: createShelf(records, now, usage) };
}

/** Jobs on a shelf. */
export function openJobs({ records }: ReturnType<typeof openShelf>, runs: JobsOptions['runs'] = {}) {
  return createJobs({ records, now: () => madeAt, runs });
}

export const generation: GenerateWork = {
  kind: 'generate',
  request: { topic: 'Tiere', text: 'der Hund', name: 'Tiere', noteType: 'basic', count: 20, speech: 'off' },
};

/** What stands in a database after `anna` has made all of these decks, edited one, and asked for speech and cards. */
export async function storedRows(): Promise<readonly Row[]> {
  const place = mkdtempSync(join(tmpdir(), 'ankify-'));
  try {
    const file = join(place, 'records.db');
    const opened = openShelf(file);
    const { records, shelf } = opened;
    const decks: Deck[] = [];
    for (const draft of drafts) decks.push(await shelf.add('anna', draft));
    const edited = decks[0];
    // There and back, so that it is what was asked for; the record says that it was edited.
    await shelf.edit('anna', edited?.id ?? '', { name: 'Other' });
    await shelf.edit('anna', edited?.id ?? '', { name: edited?.name });
    const jobs = openJobs(opened, {
      speech: async ({ progress }) => {
        progress(2, 2);
        return { note: 'Not recorded: no voice speaks xx' };
      },
      generate: async ({ save }) => {
        await save({ ...generation, made: [{ front: 'Hund', back: 'dog', tags: [] }] });
        throw new JobRefusal('It was not to be.');
      },
    });
    const speech = await jobs.start('anna', { kind: 'speech', deckId: edited?.id ?? '', version: 3 });
    const failed = await jobs.start('anna', generation);
    for (const { id } of [speech, failed]) await jobs.wait('anna', id, 20);
    await jobs.close();
    const idle = createJobs({ records, now: () => madeAt, runs: { speech: async () => ({}) }, parallel: 0 });
    await idle.start('anna', { kind: 'speech', deckId: decks[1]?.id ?? '', version: 1 });
    await idle.close();
    await records.close();
    return readRows(file);
  } finally {
    rmSync(place, { recursive: true });
  }
}
