/** Fixtures of Ankify's records, and the flows that make them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { type Release, type Row, readRows, releasesIn, shapesOf } from '../../../../packages/records/test/released.ts';
import { type AnkifyRecords, ankifyKinds } from '../../src/decks/deck.ts';
import type { Draft } from '../../src/decks/draft.ts';
import { describedAnkifyRecords } from '../../src/decks/record-fields.ts';
import { createShelf } from '../../src/decks/shelf.ts';

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
  return { records, shelf: createShelf(records, now) };
}

/** What stands in a database after `anna` has made all of these decks. */
export async function storedRows(): Promise<readonly Row[]> {
  const place = mkdtempSync(join(tmpdir(), 'ankify-'));
  try {
    const file = join(place, 'records.db');
    const { records, shelf } = openShelf(file);
    for (const draft of drafts) await shelf.add('anna', draft);
    await records.close();
    return readRows(file);
  } finally {
    rmSync(place, { recursive: true });
  }
}
