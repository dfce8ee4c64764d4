/** The deck that is being planned: kept through a change of view, a reload and a sign-in in this tab. */
import { computed, effect, signal } from '@preact/signals';
import { spokenText } from '../../../src/speech/spoken-text.ts';
import type { CardText, NoteType, Parsed, Speech } from '../api/shapes.ts';

export type Way = 'paste' | 'file' | 'topic';

const key = 'ankify-new-deck';

function earlier(): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const before = earlier();
const textOf = (name: string) => (typeof before[name] === 'string' ? before[name] : '');

export const startText = signal(textOf('text'));
export const topic = signal(textOf('topic'));
export const deckName = signal(textOf('name'));
export const frontLanguage = signal(textOf('front'));
export const backLanguage = signal(textOf('back'));
export const way = signal<Way>('paste');
export const noteType = signal<NoteType | 'guess'>('guess');
export const count = signal(20);
/** What the person chose; undefined: nothing yet. */
export const chosenSpeech = signal<Speech | undefined>(undefined);
/** The job that writes cards for this tab. */
export const writing = signal<string | undefined>(textOf('writing') || undefined);

/** Nobody can choose a voice for a language that nobody said. */
export const speech = computed<Speech>(() => {
  if (frontLanguage.value === '' && backLanguage.value === '') return 'off';
  return chosenSpeech.value ?? 'device';
});

effect(() => {
  const value = {
    text: startText.value,
    topic: topic.value,
    name: deckName.value,
    front: frontLanguage.value,
    back: backLanguage.value,
    writing: writing.value,
  };
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Too large to be kept, or nothing is: then it lives as long as the tab.
  }
});

export function clearPlan(): void {
  startText.value = '';
  topic.value = '';
  deckName.value = '';
  frontLanguage.value = '';
  backLanguage.value = '';
  noteType.value = 'guess';
  chosenSpeech.value = undefined;
  writing.value = undefined;
  way.value = 'paste';
}

/** Of both sides that have a language: what the quota counts, if nothing of it was recorded before. */
export function spokenCharacters(cards: readonly CardText[], front: string, back: string): number {
  let characters = 0;
  for (const card of cards) {
    if (card.front_language || front) characters += spokenText(card.front).length;
    if (card.back_language || back) characters += spokenText(card.back).length;
  }
  return characters;
}

/** The server's own bounds of a card and an answer: an upper end, not a promise. */
export function modelTokens(cards: number): number {
  return Math.ceil(cards / 25) * 2000 + cards * 200;
}

export function textCards(parsed: Parsed): readonly CardText[] {
  return parsed.cards.map(({ row: _, last_row: __, ...card }) => card);
}
