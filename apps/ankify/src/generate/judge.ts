/** Judges cards that a language model wrote: each by its deck's rules, all together by language, and for repetition. */
import type { NoteType } from '../decks/deck.ts';
import { checkCard, type DraftCard } from '../decks/draft.ts';
import { answerSchema, type GenerateRequest } from './request.ts';

export interface Judgement {
  /** Good ones, none a repetition. */
  readonly cards: readonly DraftCard[];
  readonly repeated: number;
  /** For the model, to correct. Empty: everything it wrote is good. */
  readonly problems: readonly string[];
}

/** `value`: whatever it answered. `known`: cards there are already. */
export function judge(request: GenerateRequest, value: unknown, known: readonly DraftCard[]): Judgement {
  const answer = answerSchema.safeParse(value);
  if (!answer.success) {
    const problems = answer.error.issues.map(({ path, message }) => `${path.join('.') || 'the answer'}: ${message}`);
    return { cards: [], repeated: 0, problems: problems.slice(0, 30) };
  }
  const fronts = new Set(known.map(({ front }) => normalFront(front)));
  const problems: string[] = [];
  const cards: DraftCard[] = [];
  let repeated = 0;
  for (const [index, text] of answer.data.cards.entries()) {
    const card = checkCard(request.noteType, text);
    if (typeof card === 'string') {
      problems.push(`card ${index + 1} (${JSON.stringify(text.front.slice(0, 60))}), ${card}`);
      continue;
    }
    const front = normalFront(card.front);
    if (fronts.has(front)) repeated += 1;
    else cards.push(card);
    fronts.add(front);
  }
  const wrong = wrongLanguages(request, cards);
  if (wrong.length > 0) return { cards: [], repeated, problems: [...problems, ...wrong] };
  return { cards, repeated, problems };
}

/** Equal for fronts that ask the same to the eye: case, spacing, the form of letters and a last mark do not count. */
export function normalFront(front: string): string {
  const plain = front.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
  return plain.replace(/[\s.,;:!?…。！？]+$/u, '') || plain;
}

/**
 * Languages are told apart where their scripts are: nobody can prove that a text is Portuguese, but Japanese in Latin
 * letters is plainly not what was asked. Of the sides with letters most must show the script; names and terms need not.
 */
function wrongLanguages(request: GenerateRequest, cards: readonly DraftCard[]): string[] {
  const sides: Array<[side: 'front' | 'back', language: string | undefined]> = [['front', request.frontLanguage]];
  if (request.noteType !== ('cloze' satisfies NoteType)) sides.push(['back', request.backLanguage]);
  return sides.flatMap(([side, language]) => {
    const script = language === undefined ? undefined : scriptOf(language);
    const texts = cards.map((card) => card[side]).filter((text) => /\p{Letter}/u.test(text));
    if (!script || texts.length === 0) return [];
    const right = texts.filter((text) => script.test(text)).length;
    return right * 2 >= texts.length
      ? []
      : [`the ${side}s are not in ${language}: write all of them anew in that language`];
  });
}

/** Japanese and Korean are written in several scripts at once. */
const mixed: Readonly<Record<string, string>> = {
  Jpan: '[\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Han}]',
  Kore: '[\\p{Script=Hangul}\\p{Script=Han}]',
  Hans: '\\p{Script=Han}',
  Hant: '\\p{Script=Han}',
};

function scriptOf(language: string): RegExp | undefined {
  const { script } = new Intl.Locale(language).maximize();
  return script === undefined ? undefined : new RegExp(mixed[script] ?? `\\p{Script=${script}}`, 'u');
}
