/** A deck as the bytes of an `.apkg`: a ZIP of the collection and its (empty) media map. */
import { strToU8, zipSync } from 'fflate';
import type { DeckWithCards } from '../decks/deck.ts';
import { writeCollection } from './collection.ts';

/** No registered type exists; this is what Anki installs on Linux desktops. */
export const apkgMediaType = 'application/x-apkg';

/** The same version of a deck gives the same bytes. Throws if a stored card is not valid, which is a fault of ours. */
export function writeApkg(deck: DeckWithCards): Uint8Array {
  // The first moment a ZIP can hold, in local time, because a ZIP has no time zone.
  const mtime = new Date(1980, 0, 1);
  return zipSync({
    'collection.anki2': [writeCollection(deck), { mtime, level: 6 }],
    media: [strToU8('{}'), { mtime, level: 0 }],
  });
}
