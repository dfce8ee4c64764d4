/**
 * Tables as spreadsheets and language models write them, separated by tabs or another delimiter, to cards. Every row
 * that cannot become a card is returned with its number and the reason; no row is dropped in silence.
 */
import { DeckRefusal, limits, type NoteType } from './deck.ts';
import { checkCard, type DraftCard } from './draft.ts';

export interface MalformedRow {
  /** From 1, counting the header and empty rows, as a spreadsheet numbers them. */
  readonly row: number;
  readonly reason: string;
  /** The row as it came, cut to 200 characters. */
  readonly text: string;
}

export interface Table {
  readonly cards: readonly DraftCard[];
  readonly malformed: readonly MalformedRow[];
}

/**
 * Columns: front, back; then, by their number, tags (3), the two languages (4), the two languages and tags (5).
 * A first row of column names (`front`, `back`, `extra`, `tags`, `front_language`, `back_language`) allows any order.
 * Throws `DeckRefusal` for a table that is too long as a whole.
 */
export function readTable(text: string, noteType: NoteType): Table {
  const cards: DraftCard[] = [];
  const malformed: MalformedRow[] = [];
  let header: readonly Column[] | undefined;
  let started = false;
  for (const { number, cells, source } of splitRows(text.replace(/^\uFEFF/, ''))) {
    if (number > limits.rowsPerTable) {
      throw new DeckRefusal(`The table has more than ${limits.rowsPerTable} rows. Send it in parts, same deck_name.`);
    }
    if (cells.every((cell) => cell.trim() === '')) continue;
    if (!started) {
      started = true;
      header = headerOf(cells);
      if (header) continue;
    }
    const card = cardOf(cells, header, noteType);
    if (typeof card === 'string') malformed.push({ row: number, reason: card, text: source.slice(0, 200) });
    else cards.push(card);
  }
  return { cards, malformed };
}

export type Column = 'front' | 'back' | 'extra' | 'tags' | 'frontLanguage' | 'backLanguage';

const columnNames = new Map<string, Column>([
  ['front', 'front'],
  ['front_text', 'front'],
  ['back', 'back'],
  ['back_text', 'back'],
  ['extra', 'extra'],
  ['tags', 'tags'],
  ['front_language', 'frontLanguage'],
  ['back_language', 'backLanguage'],
]);

const widest = 5;
const layouts: Readonly<Record<number, readonly Column[]>> = {
  2: ['front', 'back'],
  3: ['front', 'back', 'tags'],
  4: ['front', 'back', 'frontLanguage', 'backLanguage'],
  5: ['front', 'back', 'frontLanguage', 'backLanguage', 'tags'],
};

/** Only a row in which every cell is a column's name is a header: a card "front / back" of a ship is none with tags. */
export function headerOf(cells: readonly string[]): readonly Column[] | undefined {
  const columns = cells.map((cell) => columnNames.get(cell.trim().toLowerCase().replace(/[ -]/g, '_')));
  const known = columns.filter((column) => column !== undefined);
  const complete = known.length === cells.length && new Set(known).size === known.length;
  return complete && known.includes('front') && known.includes('back') ? known : undefined;
}

export function cardOf(
  cells: readonly string[],
  header: readonly Column[] | undefined,
  noteType: NoteType,
): DraftCard | string {
  if (cells.length < 2) return 'it has one column; separate front and back by a tab';
  const layout = header ?? layouts[cells.length];
  if (!layout)
    return `it has ${cells.length} columns; at most ${widest} (front, back, front language, back language, tags)`;
  if (cells.length > layout.length && cells.slice(layout.length).some((cell) => cell !== '')) {
    return `it has ${cells.length} columns, but the header names ${layout.length}`;
  }
  const values: Partial<Record<Column, string>> = {};
  for (const [index, column] of layout.entries()) values[column] = cells[index] ?? '';
  return checkCard(noteType, {
    front: values.front ?? '',
    back: values.back,
    extra: values.extra,
    tags: values.tags?.split(/[\s,;]+/u).filter(Boolean),
    frontLanguage: values.frontLanguage,
    backLanguage: values.backLanguage,
  });
}

export interface Row {
  readonly number: number;
  /** Its first and last line in the text, from 1: a quoted cell may hold line breaks. */
  readonly from: number;
  readonly to: number;
  readonly cells: readonly string[];
  readonly source: string;
}

/** `delimiter`: a tab or one of `;,|`. */
export function* splitRows(text: string, delimiter = '\t'): Generator<Row> {
  const ends = endsOf(delimiter);
  let at = 0;
  let line = 1;
  for (let number = 1; at < text.length; number++) {
    const start = at;
    const cells: string[] = [];
    for (;;) {
      const cell = quotedCell(text, at, ends) ?? plainCell(text, at, ends);
      cells.push(cell.value);
      at = cell.end;
      if (text[at] !== delimiter) break;
      at++;
    }
    // Spreadsheets write every row as wide as the widest.
    while (cells.length > widest && cells.at(-1) === '') cells.pop();
    const source = text.slice(start, at);
    const to = line + (source.match(/\r\n|[\r\n]/g)?.length ?? 0);
    yield { number, from: line, to, cells, source };
    line = to + 1;
    at += text.startsWith('\r\n', at) ? 2 : 1;
  }
}

interface Cell {
  readonly value: string;
  /** Where its separator is, or the text's end. */
  readonly end: number;
}

interface Ends {
  readonly plain: RegExp;
  readonly quoted: RegExp;
}

function endsOf(delimiter: string): Ends {
  const end = `[${delimiter}\\r\\n]`;
  return { plain: new RegExp(end, 'g'), quoted: new RegExp(`"([^"]*(?:""[^"]*)*)"(?=${end}|$)`, 'y') };
}

function plainCell(text: string, start: number, { plain }: Ends): Cell {
  plain.lastIndex = start;
  const end = plain.exec(text)?.index ?? text.length;
  return { value: text.slice(start, end), end };
}

/**
 * A cell in double quotes, as RFC 4180 §2 and spreadsheets write those with tabs, line breaks or quotes. Undefined
 * where the quotes are the text's own (`"Hallo" sagen`), or where they would swallow the rows up to a stray quote.
 */
function quotedCell(text: string, start: number, { quoted }: Ends): Cell | undefined {
  if (text[start] !== '"') return undefined;
  quoted.lastIndex = start;
  const content = quoted.exec(text)?.[1];
  if (content === undefined || (content.includes('\t') && /[\r\n]/.test(content))) return undefined;
  return { value: content.replaceAll('""', '"'), end: quoted.lastIndex };
}
