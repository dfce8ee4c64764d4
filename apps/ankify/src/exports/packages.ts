/** Finished packages: made once for each version of a deck, kept for a day, and given out from where they are kept. */
import { apkgMediaType, maxMediaBytes, type Recorded, writeApkg } from '../anki/apkg.ts';
import type { CardSounds } from '../anki/collection.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { Deck, DeckRecords, DeckWithCards } from '../decks/deck.ts';
import type { AudioStore } from '../speech/audio-store.ts';
import { type Clip, deckClips } from '../speech/deck-clips.ts';
import type { Speech } from '../speech/speech.ts';
import { fileName } from './file-name.ts';

export type Delivery =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** An address of the store, good for minutes. */
  | { readonly kind: 'link'; readonly url: string }
  /** So many clips are not there: still being made, or dropped from a full store. A speech job makes them. */
  | { readonly kind: 'unfinished'; readonly missingClips: number }
  /** For the user, with what to do. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The deck, or this version of it, is no more. */
  | { readonly kind: 'gone' };

export interface Packages {
  /** The package of this version of the deck. */
  deliver(deck: Deck): Promise<Delivery>;
}

export interface PackagesOptions {
  readonly records: DeckRecords;
  readonly blobs: Blobs;
  /** Absent: this process cannot record. Decks with recorded speech are then read by the learner's device. */
  readonly recording?: { readonly speech: Speech; readonly audio: AudioStore };
  /** Seconds since the epoch. */
  readonly now: () => number;
}

const keptSeconds = 24 * 3600;
/** A browser follows it at once. */
const linkSeconds = 300;
/** Of a bucket, side by side. */
const readsAtOnce = 16;

export function createPackages({ records, blobs, recording, now }: PackagesOptions): Packages {
  const stored = async (key: string, deck: Deck): Promise<Delivery | undefined> => {
    if (!(await blobs.has(key))) return undefined;
    const url = await blobs.link(key, { seconds: linkSeconds, fileName: fileName(deck), contentType: apkgMediaType });
    if (url !== undefined) return { kind: 'link', url };
    const bytes = (await blobs.get(key))?.bytes;
    return bytes && { kind: 'bytes', bytes };
  };
  return {
    async deliver(deck) {
      const key = packageKey(deck);
      const ready = await stored(key, deck);
      if (ready) return ready;
      const contents = (await records.get('cards', deck.contents))?.value;
      if (!contents) return { kind: 'gone' };
      const recorded = await record({ deck, cards: contents.cards }, recording);
      if ('kind' in recorded) return recorded;
      const bytes = writeApkg({ deck, cards: contents.cards }, recorded);
      await blobs.put(key, bytes, { contentType: apkgMediaType, expiresAt: Math.floor(now()) + keptSeconds });
      return (await stored(key, deck)) ?? { kind: 'bytes', bytes };
    },
  };
}

/** Two decks have no id in common, and each edit counts the version up. */
export function packageKey({ id, version }: Pick<Deck, 'id' | 'version'>): string {
  return `exports/${id}-${version}.apkg`;
}

async function record(
  deck: DeckWithCards,
  recording: PackagesOptions['recording'],
): Promise<Recorded | Extract<Delivery, { kind: 'unfinished' | 'refused' }>> {
  const clips = recording ? deckClips(deck, recording.speech, recording.audio).clips : [];
  const byKey = new Map(clips.map((clip) => [clip.key, clip]));
  const files = new Map<string, Uint8Array>();
  let missingClips = 0;
  let total = 0;
  const wanted = [...byKey.values()];
  for (let at = 0; at < wanted.length && recording; at += readsAtOnce) {
    await Promise.all(
      wanted.slice(at, at + readsAtOnce).map(async ({ key, fileName: file }) => {
        const bytes = await recording.audio.read(key);
        // What the engine refused to say is left to the learner's device.
        if (!bytes) return (await recording.audio.has(key)) ? undefined : missingClips++;
        files.set(file, bytes);
        total += bytes.length;
      }),
    );
    if (total > maxMediaBytes) return { kind: 'refused', reason: tooLarge };
  }
  if (missingClips > 0) return { kind: 'unfinished', missingClips };
  return { sounds: soundsOf(clips.filter((clip) => files.has(clip.fileName))), files };
}

const tooLarge =
  `The recorded speech of this deck is larger than ${maxMediaBytes / 1024 / 1024} MB, the most that fits one package. ` +
  'Divide the deck into several of the same name (Anki joins them), or set its audio to "device".';

function soundsOf(clips: readonly Clip[]): ReadonlyMap<string, CardSounds> {
  const sounds = new Map<string, CardSounds>();
  for (const { cardId, side, fileName: file } of clips) sounds.set(cardId, { ...sounds.get(cardId), [side]: file });
  return sounds;
}
