/** Which clips a deck with recorded speech consists of: what is said, by which voice, under which name. Pure. */
import type { DeckWithCards } from '../decks/deck.ts';
import type { AudioStore } from './audio-store.ts';
import { maxSpokenCharacters, type Speech, type Voice } from './speech.ts';
import { spokenText } from './spoken-text.ts';

export interface Clip {
  readonly cardId: string;
  readonly side: 'front' | 'back';
  /** What is said; `Speech.speak` takes it as it is. */
  readonly text: string;
  readonly voice: Voice;
  /** Of the blob. Two sides that say the same have the same. */
  readonly key: string;
  /** In Anki's media, which all decks of a learner share. */
  readonly fileName: string;
}

export interface DeckClips {
  readonly clips: readonly Clip[];
  /** BCP 47: no voice of this engine speaks them. Those sides are left to the learner's device. */
  readonly unspokenLanguages: readonly string[];
  /** Positions of cards with a side that is longer than `maxSpokenCharacters`; left to the device as well. */
  readonly tooLong: readonly number[];
}

/** None for a deck whose speech is not `recorded`. A side without a language or without words has no clip. */
export function deckClips(
  { deck, cards }: DeckWithCards,
  speech: Pick<Speech, 'voiceFor'>,
  audio: Pick<AudioStore, 'keyOf'>,
): DeckClips {
  const clips: Clip[] = [];
  const unspokenLanguages = new Set<string>();
  const tooLong = new Set<number>();
  for (const card of deck.speech === 'recorded' ? cards : []) {
    for (const [side, field, language] of [
      ['front', card.front, card.frontLanguage ?? deck.frontLanguage],
      ['back', card.back, card.backLanguage ?? deck.backLanguage],
    ] as const) {
      if (language === undefined) continue;
      const text = spokenText(field);
      if (text === '') continue;
      const voice = speech.voiceFor(language);
      if (!voice) unspokenLanguages.add(language);
      else if (Array.from(text).length > maxSpokenCharacters) tooLong.add(card.position);
      else {
        const key = audio.keyOf(text, voice);
        clips.push({ cardId: card.id, side, text, voice, key, fileName: mediaName(key) });
      }
    }
  }
  return { clips, unspokenLanguages: [...unspokenLanguages], tooLong: [...tooLong] };
}

/** By content, so that two decks that say the same share a file, and another recording never takes its name. */
function mediaName(key: string): string {
  const digest = /^audio\/([0-9a-f]{64})\.mp3$/.exec(key)?.[1];
  if (digest === undefined) throw new TypeError(`not a key of a clip: ${key}`);
  return `ankify-${digest.slice(0, 20)}.mp3`;
}
