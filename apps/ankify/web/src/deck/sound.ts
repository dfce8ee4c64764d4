/** A side of a card as it will sound: a clip of the server's, or the voice of this device. One at a time. */
import { signal } from '@preact/signals';
import { spokenText } from '../../../src/speech/spoken-text.ts';
import { clip } from '../api/decks.ts';
import type { Side } from '../api/shapes.ts';

export interface Sounding {
  readonly key: string;
  readonly side: Side;
  readonly is: 'loading' | 'playing';
}

export const sounding = signal<Sounding | undefined>(undefined);

/** The device has no voice for this language. */
export class NoVoice extends Error {
  override readonly name = 'NoVoice';
}

/** The browser cannot play it. */
export class Unplayable extends Error {
  override readonly name = 'Unplayable';
}

let audio: HTMLAudioElement | undefined;
const clips = new Map<string, Blob>();
const maxClips = 60;

export function silence(): void {
  audio?.pause();
  audio = undefined;
  // Not every browser has it (Chromium builds without speech).
  if ('speechSynthesis' in globalThis) speechSynthesis.cancel();
  sounding.value = undefined;
}

export function forgetClips(): void {
  silence();
  clips.clear();
}

interface Recorded {
  readonly deckId: string;
  readonly cardId: string;
  /** What is said, and in which language: another is another clip. */
  readonly text: string;
  readonly language: string;
}

/** Throws what the call throws, or `Unplayable`. */
export async function playRecorded(key: string, side: Side, what: Recorded): Promise<void> {
  silence();
  const mine: Sounding = { key, side, is: 'loading' };
  sounding.value = mine;
  const id = [what.cardId, side, what.language, what.text].join('\0');
  try {
    const blob = clips.get(id) ?? (await clip(what.deckId, what.cardId, side));
    remember(id, blob);
    if (sounding.value !== mine) return;
    await play(blob, { ...mine, is: 'playing' });
  } catch (error) {
    if (sounding.value?.key === key) sounding.value = undefined;
    throw error;
  }
}

async function play(blob: Blob, mine: Sounding): Promise<void> {
  const url = URL.createObjectURL(blob);
  const element = new Audio(url);
  audio = element;
  const end = () => {
    URL.revokeObjectURL(url);
    if (sounding.value === mine) sounding.value = undefined;
  };
  element.addEventListener('ended', end);
  element.addEventListener('pause', end);
  sounding.value = mine;
  try {
    await element.play();
  } catch (cause) {
    end();
    throw new Unplayable('the browser does not play it', { cause });
  }
}

/** Throws `NoVoice`. */
export async function playDevice(key: string, side: Side, text: string, language: string): Promise<void> {
  silence();
  const mine: Sounding = { key, side, is: 'playing' };
  const voice = await voiceFor(language);
  if (!voice) throw new NoVoice(language);
  const words = new SpeechSynthesisUtterance(spokenText(text).replaceAll(';', ','));
  words.lang = language;
  words.voice = voice;
  const end = () => {
    if (sounding.value === mine) sounding.value = undefined;
  };
  words.addEventListener('end', end);
  words.addEventListener('error', end);
  sounding.value = mine;
  speechSynthesis.speak(words);
}

/** Browsers load their voices when somebody first asks. */
const voicesMs = 1500;

async function voiceFor(language: string): Promise<SpeechSynthesisVoice | undefined> {
  if (!('speechSynthesis' in globalThis)) return undefined;
  if (speechSynthesis.getVoices().length === 0) {
    await new Promise<void>((resolve) => {
      speechSynthesis.addEventListener('voiceschanged', () => resolve(), { once: true });
      setTimeout(resolve, voicesMs);
    });
  }
  const tagOf = (voice: SpeechSynthesisVoice) => voice.lang.replaceAll('_', '-').toLowerCase();
  const wanted = language.toLowerCase();
  const voices = speechSynthesis.getVoices();
  return (
    voices.find((voice) => tagOf(voice) === wanted) ??
    voices.find((voice) => tagOf(voice).split('-')[0] === wanted.split('-')[0])
  );
}

function remember(id: string, blob: Blob): void {
  clips.delete(id);
  clips.set(id, blob);
  const [oldest] = clips.keys();
  if (clips.size > maxClips && oldest !== undefined) clips.delete(oldest);
}
