/**
 * The voices of Amazon Polly that Ankify uses: neural ones, and standard ones for the languages that have no other.
 * Source: https://docs.aws.amazon.com/polly/latest/dg/available-voices.html, 2026-11-21; the names are those of the
 * published service model (botocore 1.44.5, `VoiceId`). The first of a language code is its default.
 */
import type { Voice } from './speech.ts';

export interface PollyVoice extends Voice {
  readonly engine: 'neural' | 'standard';
  /** As Polly writes the language: `cmn-CN` where BCP 47 has `zh-CN`. */
  readonly languageCode: string;
}

const neural: Readonly<Record<string, string>> = {
  'ar-AE': 'Hala Zayd',
  'ca-ES': 'Arlet',
  'cmn-CN': 'Zhiyu',
  'cs-CZ': 'Jitka',
  'da-DK': 'Sofie',
  'de-AT': 'Hannah',
  'de-CH': 'Sabrina',
  'de-DE': 'Vicki Daniel',
  'en-AU': 'Olivia',
  'en-GB': 'Amy Emma Brian Arthur',
  'en-IE': 'Niamh',
  'en-IN': 'Kajal',
  'en-NZ': 'Aria',
  'en-SG': 'Jasmine',
  'en-US': 'Joanna Danielle Gregory Ivy Joey Justin Kendra Kevin Kimberly Matthew Ruth Salli Stephen',
  'en-ZA': 'Ayanda',
  'es-ES': 'Lucia Sergio',
  'es-MX': 'Mia Andres',
  'es-US': 'Lupe Pedro',
  'fi-FI': 'Suvi',
  'fr-BE': 'Isabelle',
  'fr-CA': 'Gabrielle Liam',
  'fr-FR': 'Lea Remi',
  'hi-IN': 'Kajal',
  'it-IT': 'Bianca Adriano',
  'ja-JP': 'Kazuha Takumi Tomoko',
  'ko-KR': 'Seoyeon Jihye',
  'nb-NO': 'Ida',
  'nl-BE': 'Lisa',
  'nl-NL': 'Laura',
  'pl-PL': 'Ola',
  'pt-BR': 'Camila Thiago Vitoria',
  'pt-PT': 'Ines',
  'sv-SE': 'Elin',
  'tr-TR': 'Burcu',
  'yue-CN': 'Hiujin',
};

/** Joined from recorded pieces; of the languages above, none is here. */
const standard: Readonly<Record<string, string>> = {
  'cy-GB': 'Gwyneth',
  'is-IS': 'Dora Karl',
  'ro-RO': 'Carmen',
  'ru-RU': 'Tatyana Maxim',
};

export const pollyVoices: readonly PollyVoice[] = [...voicesOf(neural, 'neural'), ...voicesOf(standard, 'standard')];

function voicesOf(table: Readonly<Record<string, string>>, engine: PollyVoice['engine']): PollyVoice[] {
  return Object.entries(table).flatMap(([languageCode, names]) =>
    names.split(' ').map((id) => ({
      id,
      name: id,
      language: Intl.getCanonicalLocales(languageCode)[0] ?? languageCode,
      languageCode,
      engine,
      quality: engine === 'neural' ? 'neural' : 'robotic',
    })),
  );
}
