/** Packages with recorded speech for tests: each clip is a tone of its own, so that none can be taken for another. */
import { createHash } from 'node:crypto';
import { type Recorded, writeApkg } from '../src/anki/apkg.ts';
import type { CardSounds } from '../src/anki/collection.ts';
import type { DeckWithCards } from '../src/decks/deck.ts';
import { deckClips } from '../src/speech/deck-clips.ts';
import { encodeMp3 } from '../src/speech/mp3.ts';
import { pollyVoices } from '../src/speech/polly-voices.ts';
import { chooseVoice } from '../src/speech/voice-choice.ts';

/** A third of a second of MP3; its pitch depends on the text. */
export function toneClip(text: string): Promise<Uint8Array> {
  const pitch = 200 + createHash('sha256').update(text).digest().readUInt16BE(0) / 50;
  const samples = Int16Array.from({ length: 7350 }, (_, at) => 9000 * Math.sin((at * pitch * 2 * Math.PI) / 22_050));
  return encodeMp3({ samples, sampleRate: 22_050 });
}

export async function recordingOf(deck: DeckWithCards): Promise<Recorded> {
  const { clips } = deckClips(
    deck,
    { voiceFor: (language) => chooseVoice(pollyVoices, language) },
    { keyOf: (text, voice) => `audio/${createHash('sha256').update(`${voice.id} ${text}`).digest('hex')}.mp3` },
  );
  const sounds = new Map<string, CardSounds>();
  const files = new Map<string, Uint8Array>();
  for (const { cardId, side, fileName, text } of clips) {
    sounds.set(cardId, { ...sounds.get(cardId), [side]: fileName });
    files.set(fileName, await toneClip(text));
  }
  return { sounds, files };
}

export async function recordedApkg(deck: DeckWithCards): Promise<Uint8Array> {
  return writeApkg(deck, await recordingOf(deck));
}
