/** Which voice speaks a language: the operator's choice, else that of the region, else the language's own. Pure. */
import type { Voice } from './speech.ts';

/** From a BCP 47 tag to a voice's id, such as `{ "de": "Daniel", "en-GB": "Amy" }`. */
export type VoiceChoices = Readonly<Record<string, string>>;

/** Tags that name the same speech: Hong Kong speaks Cantonese, and `no` is written Bokmål. */
const sameSpeech = new Map([
  ['zh-HK', 'yue'],
  ['yue-HK', 'yue'],
  ['yue-CN', 'yue'],
  ['no', 'nb'],
]);

export function chooseVoice(voices: readonly Voice[], language: string, choices: VoiceChoices = {}): Voice | undefined {
  const wanted = canonicalTag(language);
  if (wanted === undefined) return undefined;
  const base = new Intl.Locale(wanted).language;
  const candidates = voices.filter((voice) => new Intl.Locale(canonicalTag(voice.language) ?? 'und').language === base);
  for (const [tag, id] of Object.entries(choices)) {
    const chosen = canonicalTag(tag);
    if (chosen !== wanted && (chosen !== base || hasChoice(choices, wanted))) continue;
    const voice = candidates.find((candidate) => candidate.id === id);
    if (voice) return voice;
  }
  const regionOf = (tag: string) => new Intl.Locale(tag).maximize().region;
  // The plainest tag first: `en-GB` before `en-GB-x-rp`.
  const plain = candidates.toSorted((a, b) => a.language.length - b.language.length);
  return (
    candidates.find((voice) => canonicalTag(voice.language) === wanted) ??
    plain.find((voice) => regionOf(voice.language) === regionOf(wanted)) ??
    // Spanish of Mexico is nearer to that of Latin America (UN M49 419) than to Spain's.
    plain.find((voice) => regionOf(voice.language) === '419' && regionOf(wanted) !== regionOf(base)) ??
    plain.find((voice) => regionOf(voice.language) === regionOf(base)) ??
    plain[0]
  );
}

/** `de=Daniel,en-GB=Arthur`, as an environment has it. Throws an `Error` that names what cannot be read. */
export function readChoices(text: string): VoiceChoices {
  const choices: Record<string, string> = {};
  for (const part of text.split(',').map((one) => one.trim())) {
    if (part === '') continue;
    const [, tag, id] = /^([A-Za-z][\w-]{1,40})=([\w-]{1,60})$/.exec(part) ?? [];
    if (tag === undefined || id === undefined) {
      throw new Error(`voices: ${JSON.stringify(part.slice(0, 80))} is no choice, such as de=Daniel`);
    }
    choices[tag] = id;
  }
  return choices;
}

/** Throws an `Error` that names the choice if a voice does not exist or does not speak the language. */
export function checkChoices(voices: readonly Voice[], choices: VoiceChoices): void {
  for (const [tag, id] of Object.entries(choices)) {
    const wanted = canonicalTag(tag);
    if (wanted === undefined) throw new Error(`voices: ${JSON.stringify(tag)} is no language tag, such as de or en-GB`);
    if (chooseVoice(voices, wanted, { [tag]: id })?.id !== id) {
      throw new Error(`voices: there is no voice ${JSON.stringify(id)} that speaks ${tag}`);
    }
  }
}

function hasChoice(choices: VoiceChoices, wanted: string): boolean {
  return Object.keys(choices).some((tag) => canonicalTag(tag) === wanted);
}

/** `cmn` is `zh`, `PT-br` is `pt-BR`. Undefined: it is no tag. */
export function canonicalTag(language: string): string | undefined {
  let tag: string | undefined;
  try {
    [tag] = Intl.getCanonicalLocales(language.replaceAll('_', '-'));
  } catch {
    return undefined; // a RangeError is how Intl says that it is none
  }
  return tag && (sameSpeech.get(tag) ?? tag);
}
