/** The three note types of a package, with their templates and styling; one Anki note type for each pair of languages. */
import type { NoteType } from '../decks/deck.ts';
import { idFrom } from './ids.ts';
import { ankiLocale } from './speech.ts';

/**
 * Part of a note type's id. Raise it when fields or templates change: Anki will not update notes whose note type has
 * the old id but other fields. The styling alone may change without it, and then reaches new learners only.
 */
const templateVersion = 2;
/** Seconds, and constant: Anki replaces a note type by a newer one, and the learner's own styling with it. */
const templateTime = 1_790_000_000;

export interface SpokenLanguages {
  /** BCP 47; absent: that side is not read aloud. */
  readonly front?: string;
  readonly back?: string;
}

/** An entry of the `models` object of a collection, schema 11. */
export interface AnkiNoteType {
  readonly id: number;
  readonly [property: string]: unknown;
}

export function ankiNoteType(noteType: NoteType, spoken: SpokenLanguages): AnkiNoteType {
  const languages = [spoken.front, spoken.back].map((language) => language ?? '–').join(' / ');
  const isCloze = noteType === 'cloze';
  const title = { basic: 'basic', reversed: 'basic and reversed', cloze: 'cloze' }[noteType];
  return {
    id: idFrom('note type', String(templateVersion), noteType, spoken.front ?? '', spoken.back ?? ''),
    name: spoken.front || spoken.back ? `Ankify ${title} (${languages})` : `Ankify ${title}`,
    type: isCloze ? 1 : 0,
    mod: templateTime,
    usn: -1,
    sortf: 0,
    did: null,
    tmpls: templates(noteType, spoken).map(([name, question, answer], ord) => ({
      name,
      ord,
      qfmt: question,
      afmt: answer,
      bqfmt: '',
      bafmt: '',
      did: null,
      bfont: '',
      bsize: 0,
    })),
    flds: [...fieldNames(noteType)].map((name, ord) => ({
      name,
      ord,
      sticky: false,
      rtl: false,
      font: 'Arial',
      size: 20,
      media: [],
    })),
    css: styling,
    latexPre: '\\documentclass[12pt]{article}\n\\begin{document}\n',
    latexPost: '\\end{document}',
    latexsvg: false,
    // Which fields a card needs to exist: its own question.
    req: templates(noteType, spoken).map((_, ord) => [ord, 'any', [ord]]),
    tags: [],
    vers: [],
  };
}

/** In the order of a note's contents. The last two hold recorded speech, and are empty in decks without. */
function fieldNames(noteType: NoteType) {
  return noteType === 'cloze'
    ? (['Text', 'Back', 'Extra', 'TextSound', 'BackSound'] as const)
    : (['Front', 'Back', 'Extra', 'FrontSound', 'BackSound'] as const);
}

type Template = readonly [name: string, question: string, answer: string];

function templates(noteType: NoteType, spoken: SpokenLanguages): Template[] {
  const front = side('Front') + speech(spoken.front, 'Front', 'FrontSound');
  const back = side('Back') + speech(spoken.back, 'Back', 'BackSound');
  if (noteType === 'cloze') {
    // Read aloud with the answer only: on the question it would say the gap.
    const text = side('cloze:Text');
    const heard = speech(spoken.front, 'cloze:Text', 'TextSound');
    return [['Cloze', text, `${text}${heard}${optional('Back')}\n{{BackSound}}${optional('Extra')}`]];
  }
  const forward: Template = ['Forward', front, `{{FrontSide}}\n<hr id=answer>\n${back}${optional('Extra')}`];
  const backward: Template = ['Backward', back, `{{FrontSide}}\n<hr id=answer>\n${front}${optional('Extra')}`];
  return noteType === 'reversed' ? [forward, backward] : [forward];
}

/** `dir=auto`: a Hebrew or Arabic side reads from the right, whatever its other side does. */
function side(field: string): string {
  return `<div class="side" dir="auto">{{${field}}}</div>`;
}

function optional(field: string): string {
  return `\n{{#${field}}}<div class="${field.toLowerCase()}" dir="auto">{{${field}}}</div>{{/${field}}}`;
}

/**
 * The recorded clip, else the device's voice: one note type for both, or a deck that gets recorded speech later would
 * have notes that Anki does not update.
 */
function speech(language: string | undefined, field: string, soundField: string): string {
  const recorded = `\n{{${soundField}}}`;
  if (language === undefined) return recorded;
  return `${recorded}{{^${soundField}}}{{tts ${ankiLocale(language)}:${field}}}{{/${soundField}}}`;
}

const styling = `.card {
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-size: 24px;
  line-height: 1.4;
  text-align: center;
  color: #1b1f24;
  background-color: #ffffff;
}
.side, .back, .extra { margin: 0.6em auto; max-width: 36em; overflow-wrap: break-word; }
.extra { font-size: 0.75em; color: #57606a; }
hr#answer { border: 0; border-top: 1px solid #d0d7de; }
.cloze { font-weight: bold; color: #0a58ca; }
.card.nightMode { color: #e6edf3; background-color: #1f2328; }
.nightMode .extra { color: #9da7b1; }
.nightMode hr#answer { border-top-color: #444c56; }
.nightMode .cloze { color: #79b8ff; }
`;
