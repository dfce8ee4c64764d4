/** The page's language: the person's choice, else the browser's; and numbers, dates and names of languages in it. */
import { computed, effect, signal } from '@preact/signals';
import { resolveLanguage } from '../../../src/anki/speech.ts';
import { kept } from '../look/kept.ts';
import { en, type Words } from './en.ts';

export type Language = 'en' | 'de';

export const languages: ReadonlyArray<{ readonly id: Language; readonly name: string }> = [
  { id: 'en', name: 'English' },
  { id: 'de', name: 'Deutsch' },
];

const key = 'ankify-language';

function firstLanguage(): Language {
  const wanted = [kept.read(key), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase());
  return languages.find(({ id }) => id === wanted.find((tag) => tag === 'en' || tag === 'de'))?.id ?? 'en';
}

const shown = signal<{ readonly language: Language; readonly words: Words }>({ language: 'en', words: en });
export const language = computed(() => shown.value.language);
/** All words of the page. */
export const words = computed(() => shown.value.words);

effect(() => {
  document.documentElement.lang = language.value;
});

/** Whoever reads English is spared the others. A dictionary that cannot be had leaves the language as it is. */
async function show(next: Language): Promise<void> {
  const dictionary = next === 'de' ? (await import('./de.ts')).de : en;
  shown.value = { language: next, words: dictionary };
}

/** Before the first view. */
export function loadLanguage(): Promise<void> {
  return show(firstLanguage()).catch(() => undefined);
}

export async function chooseLanguage(next: Language): Promise<void> {
  await show(next);
  kept.write(key, next);
}

export function number(value: number): string {
  return new Intl.NumberFormat(language.value).format(value);
}

export function day(iso: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(iso));
}

/** `3 hours ago`. */
export function ago(iso: string): string {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' });
  const units: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
    ['year', 31_557_600],
    ['month', 2_629_800],
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ];
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  }
  return format.format(0, 'minute');
}

/** `de-AT` → `Austrian German`, in the person's language; what most people mean by `de` is just `German`. */
export function languageName(tag: string): string {
  const short = tag.split('-', 1)[0] ?? tag;
  try {
    const names = new Intl.DisplayNames([language.value], { type: 'language' });
    return names.of(resolveLanguage(short) === tag ? short : tag) ?? tag;
  } catch {
    return tag;
  }
}
