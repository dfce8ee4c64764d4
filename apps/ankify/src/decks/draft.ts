/** Checks what a caller wrote as a deck, and says for each card what is wrong with it. */
import { parseCloze } from '../anki/cloze.ts';
import { languageCodes, resolveLanguage } from '../anki/speech.ts';
import { DeckRefusal, limits, type NoteType, type Speech } from './deck.ts';

export interface DraftCard {
  readonly front: string;
  readonly back: string;
  readonly extra?: string;
  readonly tags: readonly string[];
  /** BCP 47. */
  readonly frontLanguage?: string;
  readonly backLanguage?: string;
}

/** A deck that may be stored: everything in it was checked. */
export interface Draft {
  readonly name: string;
  readonly noteType: NoteType;
  readonly frontLanguage?: string;
  readonly backLanguage?: string;
  readonly speech: Speech;
  readonly cards: readonly DraftCard[];
}

export interface CardText {
  readonly front: string;
  readonly back?: string | undefined;
  readonly extra?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly frontLanguage?: string | undefined;
  readonly backLanguage?: string | undefined;
}

/** A string is the reason why the card cannot be kept, for its author. */
export function checkCard(noteType: NoteType, text: CardText): DraftCard | string {
  const { front, back = '', extra = '' } = text;
  for (const [name, value] of [
    ['front', front],
    ['back', back],
    ['extra', extra],
  ] as const) {
    const problem = textProblem(value, limits.fieldLength);
    if (problem) return `${name}: ${problem}`;
  }
  if (front.trim() === '') return 'front: it is empty';
  if (noteType === 'cloze') {
    const cloze = parseCloze(front);
    if ('refused' in cloze) return `front: ${cloze.refused}`;
  } else if (back.trim() === '') return 'back: it is empty';
  const tags = cleanTags(text.tags ?? []);
  if (typeof tags === 'string') return `tags: ${tags}`;
  const frontLanguage = languageOf(text.frontLanguage);
  if (frontLanguage?.problem) return `front_language: ${frontLanguage.problem}`;
  const backLanguage = languageOf(text.backLanguage);
  if (backLanguage?.problem) return `back_language: ${backLanguage.problem}`;
  return {
    front,
    back,
    ...(extra !== '' && { extra }),
    tags,
    ...(frontLanguage?.code && { frontLanguage: frontLanguage.code }),
    ...(backLanguage?.code && { backLanguage: backLanguage.code }),
  };
}

/** Deck names as Anki keeps them: trimmed parts, none empty. Throws `DeckRefusal`. */
export function checkName(name: string): string {
  const problem = textProblem(name, limits.nameLength) ?? (/[\t\r\n]/.test(name) ? 'it must be one line' : undefined);
  if (problem) throw new DeckRefusal(`The deck name cannot be used: ${problem}.`);
  const parts = name
    .normalize('NFC')
    .split('::')
    .map((part) => part.trim());
  if (parts.some((part) => part === '' || part.startsWith(':') || part.endsWith(':'))) {
    throw new DeckRefusal('The deck name cannot be used: each part needs a text; sub-decks are written Parent::Child.');
  }
  if (parts.length > limits.nameDepth) {
    throw new DeckRefusal(`The deck name cannot be used: at most ${limits.nameDepth} levels.`);
  }
  return parts.join('::');
}

/** Throws `DeckRefusal`; `field` is the argument's name. */
export function checkLanguage(field: string, language: string | undefined): string | undefined {
  const resolved = languageOf(language);
  if (resolved?.problem) throw new DeckRefusal(`${field}: ${resolved.problem}.`);
  return resolved?.code;
}

/** Throws `DeckRefusal` where nothing says in which language to speak. */
export function checkSpeech(
  { speech, frontLanguage, backLanguage }: Pick<Draft, 'speech' | 'frontLanguage' | 'backLanguage'>,
  cards: ReadonlyArray<Pick<DraftCard, 'frontLanguage' | 'backLanguage'>>,
): void {
  if (speech === 'off' || frontLanguage || backLanguage) return;
  if (cards.some((card) => card.frontLanguage || card.backLanguage)) return;
  throw new DeckRefusal(`audio "${speech}" needs front_language or back_language, or nobody can choose a voice.`);
}

/** At most twenty lines: who sent three hundred faulty cards made one mistake. */
export function listed(problems: readonly string[]): string {
  const shown = problems.slice(0, 20).map((problem) => `- ${problem}`);
  if (problems.length > shown.length) shown.push(`- and ${problems.length - shown.length} more`);
  return shown.join('\n');
}

/** Control characters are refused, not removed: U+001F would split Anki's fields, and nothing is lost in silence. */
function textProblem(text: string, maxLength: number): string | undefined {
  if (text.length > maxLength) return `it has ${text.length} characters; at most ${maxLength} fit`;
  if (!text.isWellFormed()) return 'it is broken Unicode (half of a surrogate pair); send the text again';
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(text);
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return `it contains the control character U+${code}; remove it`;
  }
  return undefined;
}

/** Anki separates tags by spaces, so a space within one becomes `_`. */
function cleanTags(tags: readonly string[]): string[] | string {
  const kept = new Map<string, string>();
  for (const tag of tags) {
    const problem = textProblem(tag, limits.tagLength);
    if (problem) return problem;
    const clean = tag.normalize('NFC').trim().replace(/\s+/gu, '_');
    if (clean !== '' && !kept.has(clean.toLowerCase())) kept.set(clean.toLowerCase(), clean);
  }
  if (kept.size > limits.tagsPerCard) return `${kept.size} tags; at most ${limits.tagsPerCard} fit a card`;
  return [...kept.values()];
}

function languageOf(language: string | undefined): { code?: string; problem?: string } | undefined {
  if (language === undefined || language.trim() === '') return undefined;
  const code = resolveLanguage(language);
  if (code !== undefined) return { code };
  return {
    problem:
      `no voice is known for ${JSON.stringify(language.slice(0, 40))}; ` +
      `use a code such as de or pt-BR (known: ${languageCodes.join(' ')}), or leave it out for no speech`,
  };
}
