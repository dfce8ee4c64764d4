/**
 * Recorded clips by content: the same text in the same voice is made once, for every deck and every user, and never
 * twice at the same time.
 */
import { createHash } from 'node:crypto';
import type { Blobs } from '../blobs/blobs.ts';
import { type Speech, SpeechRefusal, type Voice } from './speech.ts';

export interface AudioStore {
  /** The key of the clip's blob, `audio/<sha256>.mp3`: of the engine, the voice and the text. */
  keyOf(text: string, voice: Voice): string;
  /** True also where the engine refused the text: there is nothing left to do, for a day. */
  has(key: string): Promise<boolean>;
  /**
   * The clip is there when this returns; `made` is true for the one caller whose call had the engine speak (and who is
   * charged for it). Throws what `Speech.speak` throws; a `SpeechRefusal` is remembered, so that a text which cannot be
   * said is not tried with every export.
   */
  make(text: string, voice: Voice, signal?: AbortSignal): Promise<{ readonly key: string; readonly made: boolean }>;
  /** MP3. Undefined: it was not made, or refused. */
  read(key: string): Promise<Uint8Array | undefined>;
}

export const audioMediaType = 'audio/mpeg';

export interface AudioStoreOptions {
  readonly blobs: Blobs;
  readonly speech: Speech;
  /** Seconds since the epoch. */
  readonly now?: () => number;
}

/** In the place of a clip: the words of the refusal. */
const refusalType = 'text/plain; charset=utf-8';
/** An operator may choose another voice, or another region. */
const refusedSeconds = 24 * 3600;

export function audioStore({ blobs, speech, now = () => Date.now() / 1000 }: AudioStoreOptions): AudioStore {
  const working = new Map<string, SharedWork>();
  const makeClip = async (key: string, text: string, voice: Voice, signal: AbortSignal): Promise<boolean> => {
    const known = await blobs.get(key);
    if (known?.contentType === refusalType) throw new SpeechRefusal(Buffer.from(known.bytes).toString('utf8'));
    if (known) return false;
    try {
      await blobs.put(key, await speech.speak(text, voice, signal), { contentType: audioMediaType });
    } catch (error) {
      if (error instanceof SpeechRefusal) {
        const expiresAt = Math.floor(now()) + refusedSeconds;
        await blobs.put(key, Buffer.from(error.message), { contentType: refusalType, expiresAt });
      }
      throw error;
    }
    return true;
  };
  const keyOf: AudioStore['keyOf'] = (text, voice) => audioKey(speech.provider, voice, text);
  return {
    keyOf,
    has: (key) => blobs.has(key),
    async make(text, voice, signal) {
      signal?.throwIfAborted();
      const key = keyOf(text, voice);
      let shared = working.get(key);
      if (!shared) {
        shared = shareWork(
          (stop) => makeClip(key, text, voice, stop),
          () => {
            if (working.get(key) === shared) working.delete(key);
          },
        );
        working.set(key, shared);
      }
      return { key, made: await shared.join(signal) };
    },
    async read(key) {
      const found = await blobs.get(key);
      return found?.contentType === audioMediaType ? found.bytes : undefined;
    },
  };
}

/** One voice may speak two languages, and says the same text differently in each. */
function audioKey(provider: string, { id, language }: Voice, text: string): string {
  const content = JSON.stringify(['ankify audio 1', provider, id, language, text]);
  return `audio/${createHash('sha256').update(content).digest('hex')}.mp3`;
}

interface SharedWork {
  /** True for the first to return of those who waited for work that was really done. */
  join(signal: AbortSignal | undefined): Promise<boolean>;
}

/** Work that several wait for: it is stopped when the last of them has gone, not when the first has. */
function shareWork(work: (stop: AbortSignal) => Promise<boolean>, onEnd: () => void): SharedWork {
  const stop = new AbortController();
  const result = work(stop.signal).finally(onEnd);
  result.catch(() => undefined); // it is told to those who wait; that nobody does any more is no fault
  let waiting = 0;
  let claimed = false;
  return {
    async join(signal) {
      waiting++;
      const left = Promise.withResolvers<never>();
      const leave = () => {
        waiting--;
        if (waiting === 0) {
          onEnd(); // at once: who comes now must not join work that is being stopped
          stop.abort(signal?.reason);
        }
        left.reject(signal?.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      try {
        const made = (await Promise.race([result, left.promise])) && !claimed;
        claimed ||= made;
        return made;
      } finally {
        signal?.removeEventListener('abort', leave);
      }
    },
  };
}
