/** A deck as the bytes of an `.apkg`: a ZIP of the collection, the map of its media, and the media under their numbers. */
import { strToU8, type Zippable, zipSync } from 'fflate';
import type { DeckWithCards } from '../decks/deck.ts';
import { type CardSounds, writeCollection } from './collection.ts';

/** No registered type exists; this is what Anki installs on Linux desktops. */
export const apkgMediaType = 'application/x-apkg';

/**
 * Of all clips of a package. A deck of 300 cards with both sides spoken has 9 MB; a package is made in memory, and a
 * function of 512 MB must be able to.
 */
export const maxMediaBytes = 48 * 1024 * 1024;

export interface Recorded {
  /** By the card's id: which file each side plays. */
  readonly sounds: ReadonlyMap<string, CardSounds>;
  /** By its name. Anki takes in what a note refers to, and nothing else. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * The same version of a deck with the same clips gives the same bytes. Throws if a stored card is not valid, or there
 * are more clips than `maxMediaBytes`, which are faults of ours.
 */
export function writeApkg(deck: DeckWithCards, recorded?: Recorded): Uint8Array {
  // The first moment a ZIP can hold, in local time, because a ZIP has no time zone.
  const mtime = new Date(1980, 0, 1);
  const names = [...(recorded?.files.keys() ?? [])].sort();
  const media: Zippable = {};
  let mediaBytes = 0;
  for (const [index, name] of names.entries()) {
    const bytes = recorded?.files.get(name) ?? new Uint8Array();
    mediaBytes += bytes.length;
    if (mediaBytes > maxMediaBytes)
      throw new RangeError(`the clips of deck ${deck.deck.id} exceed ${maxMediaBytes} bytes`);
    media[String(index)] = [bytes, { mtime, level: 0 }]; // MP3 does not get smaller
  }
  const map = Object.fromEntries(names.map((name, index) => [String(index), name]));
  return zipSync({
    'collection.anki2': [writeCollection(deck, recorded?.sounds), { mtime, level: 6 }],
    media: [strToU8(JSON.stringify(map)), { mtime, level: 0 }],
    ...media,
  });
}
