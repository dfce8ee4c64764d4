/** The deck every stranger makes, and what must be in the file that the answer links to, read with SQLite's own eyes. */
import { DatabaseSync } from 'node:sqlite';
import { unzipSync } from 'fflate';
import { expect } from 'vitest';

export const deckArguments = {
  name: 'Strangers',
  note_type: 'basic',
  cards: [
    { front: 'der Fremde', back: 'the stranger' },
    { front: 'das Tor', back: 'the gate' },
  ],
};

/** `structured` is the structured content that `create_deck` answered with. Resolves to the link that was followed. */
export async function expectDeckBehind(structured: unknown): Promise<string> {
  expect(structured).toMatchObject({ status: 'ready', cards: deckArguments.cards.length });
  const { download_url: url } = structured as { download_url: string };
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(fieldsOf(bytes)).toEqual(deckArguments.cards.map(({ front, back }) => [front, back]));
  return url;
}

/** Front and back of every note, in the order of learning. */
function fieldsOf(apkg: Uint8Array): string[][] {
  const collection = unzipSync(apkg)['collection.anki2'];
  if (!collection) throw new Error('there is no collection.anki2 in the package');
  const database = new DatabaseSync(':memory:');
  try {
    database.deserialize(collection);
    const notes = database.prepare('SELECT flds FROM notes WHERE id IN (SELECT nid FROM cards) ORDER BY id').all();
    // Fields stand in one column, with U+001F between them.
    return notes.map(({ flds }) => String(flds).split('\u001f').slice(0, 2));
  } finally {
    database.close();
  }
}
