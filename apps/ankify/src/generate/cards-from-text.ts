/**
 * Cards from notes as people write them, without any model: tables, `term - definition`, `Q:` and `A:`, Markdown
 * headings and bold. Every line that is not empty is in a card or in an error with its number; nothing is lost.
 */
import { DeckRefusal, limits, type NoteType } from '../decks/deck.ts';
import { checkCard, type DraftCard } from '../decks/draft.ts';
import { cardOf, headerOf, splitRows } from '../decks/table.ts';
import {
  asQuestionLine,
  boldToCloze,
  delimiterOf,
  formatOf,
  plainText,
  splitTerm,
  type TextFormat,
} from './text-format.ts';

/** Lines of the text, from 1, both included. */
interface Lines {
  readonly from: number;
  readonly to: number;
}

export interface ParsedCard extends Lines {
  readonly card: DraftCard;
}

export interface ParseError extends Lines {
  readonly reason: string;
  /** The first of the lines, cut to 200 characters. */
  readonly text: string;
}

export interface ParsedText {
  readonly format: TextFormat;
  readonly noteType: NoteType;
  /** In the order of the text. */
  readonly cards: readonly ParsedCard[];
  readonly errors: readonly ParseError[];
  /** The row of a table that names its columns. */
  readonly header?: Lines;
  /** Headings of headings: no cards by themselves, but in `extra` of those below. */
  readonly titles: readonly Lines[];
}

export interface ParseOptions {
  /** Guessed unless told. */
  readonly format?: TextFormat | undefined;
  /** Cloze where the text has bold words and no terms, else basic, unless told. */
  readonly noteType?: NoteType | undefined;
}

export const maxTextLines = 3000;

/** Throws `DeckRefusal` for a text that is too long as a whole. */
export function cardsFromText(text: string, options: ParseOptions = {}): ParsedText {
  if (text.length > limits.deckBytes) {
    throw new DeckRefusal(`The text has ${text.length} characters; at most ${limits.deckBytes} can be read at a time.`);
  }
  const source = text.replace(/^\uFEFF/, '');
  const lines = source.split(/\r\n|[\r\n]/);
  if (lines.length > maxTextLines) {
    throw new DeckRefusal(`The text has ${lines.length} lines; at most ${maxTextLines} can be read at a time.`);
  }
  const guessed = formatOf(lines);
  const format = options.format ?? guessed.format;
  const noteType = options.noteType ?? (format === guessed.format ? guessed.noteType : 'basic');
  const sheet = newSheet(lines, noteType);
  if (format === 'table') readTable(sheet, source, delimiterOf(lines) ?? '\t');
  else if (format === 'questions') readQuestions(sheet);
  else if (format === 'markdown') readSections(sheet);
  else readLines(sheet, 1, lines.length, '');
  const byLine = (a: Lines, b: Lines) => a.from - b.from;
  return {
    format,
    noteType,
    cards: sheet.cards.sort(byLine),
    errors: sheet.errors.sort(byLine),
    titles: sheet.titles,
    ...(sheet.header && { header: sheet.header }),
  };
}

interface Sheet {
  readonly lines: readonly string[];
  readonly noteType: NoteType;
  readonly cards: ParsedCard[];
  readonly errors: ParseError[];
  readonly titles: Lines[];
  header?: Lines;
  add(at: Lines, text: { front: string; back?: string; extra?: string }): void;
  refuse(at: Lines, reason: string): void;
  keep(at: Lines, card: DraftCard | string): void;
}

function newSheet(lines: readonly string[], noteType: NoteType): Sheet {
  let extraLength = 0;
  const sheet: Sheet = {
    lines,
    noteType,
    cards: [],
    errors: [],
    titles: [],
    add(at, text) {
      // A heading stands in each card below it: one long one would make a thousand times what was sent.
      extraLength += text.extra?.length ?? 0;
      if (extraLength > limits.deckBytes) sheet.refuse(at, 'the headings above are too long; shorten them');
      else sheet.keep(at, checkCard(noteType, text));
    },
    refuse: ({ from, to }, reason) =>
      void sheet.errors.push({ from, to, reason, text: (lines[from - 1] ?? '').slice(0, 200) }),
    keep: ({ from, to }, card) => {
      if (typeof card === 'string') sheet.refuse({ from, to }, card);
      else sheet.cards.push({ from, to, card });
    },
  };
  return sheet;
}

function isEmpty(line: string | undefined): boolean {
  return line === undefined || line.trim() === '';
}

function readTable(sheet: Sheet, source: string, delimiter: string): void {
  let header: ReturnType<typeof headerOf>;
  let started = false;
  for (const { from, to, cells, source: row } of splitRows(source, delimiter)) {
    if (row.trim() === '') continue;
    if (cells.every((cell) => cell.trim() === '')) {
      sheet.refuse({ from, to }, 'all of its cells are empty');
      continue;
    }
    if (!started) {
      started = true;
      header = headerOf(cells);
      if (header) {
        sheet.header = { from, to };
        continue;
      }
    }
    const trimmed = delimiter === '\t' ? cells : cells.map((cell) => cell.trim());
    sheet.keep({ from, to }, cardOf(trimmed, header, sheet.noteType));
  }
}

/** Each line by itself; `extra` is where it stands in the text. */
function readLines(sheet: Sheet, from: number, to: number, extra: string): void {
  for (let number = from; number <= to; number++) {
    const line = sheet.lines[number - 1];
    if (line !== undefined && !isEmpty(line)) readLine(sheet, number, line, extra);
  }
}

function readLine(sheet: Sheet, number: number, line: string, extra: string): void {
  const at = { from: number, to: number };
  const where = extra === '' ? {} : { extra };
  if (sheet.noteType === 'cloze') {
    const front = boldToCloze(line);
    if (front === undefined) sheet.refuse(at, 'nothing is hidden; mark it **in bold**, or as {{c1::…}}');
    else sheet.add(at, { front, ...where });
    return;
  }
  const term = splitTerm(line);
  if (!term) sheet.refuse(at, 'it has no definition; write: term - definition');
  else sheet.add(at, { front: plainText(term[0]), back: plainText(term[1]), ...where });
}

/** Lines without a mark go on with the question or the answer before them. */
function readQuestions(sheet: Sheet): void {
  let open: { from: number; to: number; front: string[]; back: string[] | undefined } | undefined;
  const close = () => {
    if (open?.back) sheet.add(open, { front: tidy(open.front), back: tidy(open.back) });
    else if (open) sheet.refuse(open, 'the question has no answer; write A: and the answer below it');
    open = undefined;
  };
  for (const [index, line] of sheet.lines.entries()) {
    const number = index + 1;
    const marked = asQuestionLine(line);
    if (marked?.asks) {
      close();
      open = { from: number, to: number, front: [marked.text], back: undefined };
    } else if (isEmpty(line)) {
      (open?.back ?? open?.front)?.push('');
    } else if (!open) {
      const reason = marked
        ? 'the answer has no question; write Q: and the question above it'
        : 'it stands before the first Q:';
      sheet.refuse({ from: number, to: number }, reason);
    } else {
      open.to = number;
      if (marked && !open.back) open.back = [marked.text];
      else (open.back ?? open.front).push(marked ? marked.text : line);
    }
  }
  close();
}

function tidy(lines: readonly string[]): string {
  return plainText(lines.join('\n').trim());
}

interface Section extends Lines {
  readonly level: number;
  readonly title: string;
  /** Empty for a heading with nothing but headings below it. */
  readonly body: Lines | undefined;
}

/**
 * A heading asks and the text below it answers; where every line below is a `term - definition`, and in a cloze deck,
 * each line is a card. The headings above stand in `extra`.
 */
function readSections(sheet: Sheet): void {
  const sections = sectionsOf(sheet.lines);
  const [first] = sections;
  readLines(sheet, 1, first ? first.from - 1 : sheet.lines.length, '');
  const path: Section[] = [];
  for (const [index, section] of sections.entries()) {
    while ((path.at(-1)?.level ?? 0) >= section.level) path.pop();
    const parents = path.map(({ title }) => title);
    path.push(section);
    const { body } = section;
    if (!body) {
      if ((sections[index + 1]?.level ?? 0) <= section.level)
        sheet.refuse(section, 'nothing stands below this heading');
      else sheet.titles.push({ from: section.from, to: section.to });
      continue;
    }
    const lines = sheet.lines.slice(body.from - 1, body.to).filter((line) => !isEmpty(line));
    const isList = lines.length > 1 && lines.every((line) => splitTerm(line) !== undefined);
    if (sheet.noteType === 'cloze' || isList) {
      readLines(sheet, body.from, body.to, [...parents, section.title].join(' › '));
      // The heading itself is in those cards, or there are none.
      const used = sheet.cards.find(({ from }) => from >= body.from && from <= body.to);
      if (used) sheet.cards[sheet.cards.indexOf(used)] = { ...used, from: section.from };
      else sheet.refuse({ from: section.from, to: section.from }, 'no line below this heading is a card');
      continue;
    }
    const extra = parents.join(' › ');
    const back = tidy(sheet.lines.slice(body.from - 1, body.to));
    sheet.add({ from: section.from, to: body.to }, { front: section.title, back, ...(extra && { extra }) });
  }
}

function sectionsOf(lines: readonly string[]): Section[] {
  const sections: Array<{ level: number; title: string; from: number; to: number; body: Lines | undefined }> = [];
  let fenced = false;
  for (const [index, line] of lines.entries()) {
    const number = index + 1;
    if (/^\s{0,3}(```|~~~)/.test(line)) fenced = !fenced;
    const heading = fenced ? undefined : /^\s{0,3}(#{1,6})\s+(\S.*)$/.exec(line);
    const section = sections.at(-1);
    if (heading) {
      const title = plainText((heading[2] ?? '').trimEnd().replace(/(?<=\s)#+$/, ''));
      sections.push({ level: heading[1]?.length ?? 1, title, from: number, to: number, body: undefined });
    } else if (section && !isEmpty(line)) {
      section.body = { from: section.body?.from ?? number, to: number };
    }
  }
  return sections;
}
