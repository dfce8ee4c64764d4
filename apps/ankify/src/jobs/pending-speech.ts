/** Tells whether the recorded speech of a deck is complete, and has what is missing recorded. */
import type { Deck } from '../decks/deck.ts';
import type { Shelf } from '../decks/shelf.ts';
import type { AudioStore } from '../speech/audio-store.ts';
import { deckClips } from '../speech/deck-clips.ts';
import type { Speech } from '../speech/speech.ts';
import { isOpen, type Job } from './job.ts';
import type { Jobs } from './jobs.ts';

/** The job that records what the deck still needs, started if there is none; undefined: nothing is missing. */
export type PendingSpeech = (owner: string, deck: Deck) => Promise<Job | undefined>;

export interface PendingSpeechOptions {
  readonly shelf: Shelf;
  readonly jobs: Jobs;
  /** Absent: this process cannot record, and nothing is ever pending. */
  readonly recorded?: { readonly speech: Speech; readonly audio: AudioStore } | undefined;
}

/** Of a bucket, side by side. */
const looksAtOnce = 16;

export function pendingSpeech({ shelf, jobs, recorded }: PendingSpeechOptions): PendingSpeech {
  return async (owner, deck) => {
    if (deck.speech !== 'recorded' || !recorded) return undefined;
    const work = { kind: 'speech', deckId: deck.id, version: deck.version } as const;
    const known = await jobs.ofDeck(owner, deck.id);
    if (known && isOpen(known)) return jobs.start(owner, work);
    const isDone = known?.state === 'done' && (known.deckVersion ?? 0) >= deck.version;
    const found = await shelf.read(owner, deck.id);
    if (!found) return undefined;
    const keys = [...new Set(deckClips(found, recorded.speech, recorded.audio).clips.map(({ key }) => key))];
    if (await all(keys, recorded.audio)) return undefined;
    return jobs.start(owner, work, { anew: isDone });
  };
}

async function all(keys: readonly string[], audio: AudioStore): Promise<boolean> {
  for (let at = 0; at < keys.length; at += looksAtOnce) {
    const there = await Promise.all(keys.slice(at, at + looksAtOnce).map((key) => audio.has(key)));
    if (there.includes(false)) return false;
  }
  return true;
}
