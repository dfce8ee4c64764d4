/** The run of a speech job: every clip of the deck is there when it is done, each charged before it is made. */
import type { Shelf } from '../decks/shelf.ts';
import type { AudioStore } from '../speech/audio-store.ts';
import { type Clip, deckClips } from '../speech/deck-clips.ts';
import { type Speech, SpeechRefusal } from '../speech/speech.ts';
import type { Usage } from '../usage/usage.ts';
import { JobRefusal } from './job.ts';
import type { Run } from './run.ts';

export interface SpeechRunOptions {
  readonly shelf: Shelf;
  readonly speech: Speech;
  readonly audio: AudioStore;
  readonly usage: Usage;
  /** Of one job; 3 unless told. Four jobs together stay below what Polly allows a second. */
  readonly clipsAtOnce?: number;
  /** Seconds. */
  readonly now: () => number;
}

export function speechRun({ shelf, speech, audio, usage, now, clipsAtOnce = 3 }: SpeechRunOptions): Run {
  return async ({ job, signal, progress }) => {
    const found = job.deckId === undefined ? undefined : await shelf.read(job.owner, job.deckId);
    if (!found) throw new JobRefusal(deleted);
    const { id } = found.deck;
    if (found.deck.speech !== 'recorded') return {};
    const { clips, unspokenLanguages, tooLong } = deckClips(found, speech, audio);
    const positions = new Map(found.cards.map(({ id, position }) => [id, position]));
    const distinct = Array.from(new Map(clips.map((clip) => [clip.key, clip])).values());
    const silent = [
      ...unspokenLanguages.map((language) => `no voice speaks ${language}`),
      ...tooLong.map((position) => `card ${position} is too long to be spoken`),
    ];
    let done = 0;
    progress(0, distinct.length);
    await pool(distinct, clipsAtOnce, signal, async (clip) => {
      if (!(await audio.has(clip.key))) await record(clip);
      done += 1;
      progress(done, distinct.length);
    });
    return silent.length === 0 ? {} : { note: noteOf(silent) };

    async function record({ text, voice, cardId, side }: Clip): Promise<void> {
      // It may be deleted meanwhile, also through another process: then nothing more is made or charged.
      if (!(await shelf.find(job.owner, id))) throw new JobRefusal(deleted);
      // An engine on this machine bills nothing, and still is work that one user must not take from all others.
      const characters = Math.max(speech.costOf(text, voice).characters, Array.from(text).length);
      const chargedAt = now();
      const refusal = await usage.charge(job.owner, { characters });
      if (refusal) throw new JobRefusal(`${refusal.message} What is recorded so far is kept.`);
      const refund = () => usage.refund(job.owner, { characters }, chargedAt);
      try {
        const { made } = await audio.make(text, voice, signal);
        if (!made) await refund();
      } catch (error) {
        // What was cut off may have been made, and billed: given back, deleting decks in time would be free speech.
        if (!signal.aborted) await refund();
        if (!(error instanceof SpeechRefusal)) throw error;
        silent.push(`card ${positions.get(cardId)}, ${side}: ${error.message}`);
      }
    }
  };
}

const deleted = 'The deck was deleted.';

function noteOf(silent: readonly string[]): string {
  const more = silent.length > 10 ? [`and ${silent.length - 10} more`] : [];
  return `Not recorded: ${[...silent.slice(0, 10), ...more].join('; ')}`;
}

/** Begins no other item after a failure, and returns only when all that were begun have ended. */
async function pool<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of rest) {
      try {
        signal.throwIfAborted();
        await work(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  // A refusal is final, whatever else went wrong meanwhile.
  if (failures.length > 0) throw failures.find((failure) => failure instanceof JobRefusal) ?? failures[0];
}
