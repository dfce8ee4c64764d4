/** Tells in which of the known ways a text was written, and reads its smallest parts: a term, a bold word, a bullet. */
import type { NoteType } from '../decks/deck.ts';
import { headerOf, splitRows } from '../decks/table.ts';

export type TextFormat = 'table' | 'lines' | 'questions' | 'markdown';

/** Of the lines that are not empty. */
export function formatOf(lines: readonly string[]): { readonly format: TextFormat; readonly noteType: NoteType } {
  const full = lines.filter((line) => line.trim() !== '');
  const share = (test: (line: string) => boolean) => full.filter(test).length / Math.max(1, full.length);
  const questions = full.map(asQuestionLine);
  if (questions.some((line) => line?.asks) && questions.some((line) => line?.asks === false)) {
    return { format: 'questions', noteType: 'basic' };
  }
  const terms = share((line) => splitTerm(line) !== undefined);
  const marked = share((line) => boldToCloze(line) !== undefined);
  const isCloze = marked > terms && marked > 0;
  if (full.some((line) => /^\s{0,3}#{1,6}\s+\S/.test(line))) {
    const texts = full.filter((line) => !/^\s{0,3}#/.test(line));
    const bold = texts.filter((line) => boldToCloze(line) !== undefined && !splitTerm(line)).length;
    return { format: 'markdown', noteType: bold * 2 > texts.length ? 'cloze' : 'basic' };
  }
  const delimiter = delimiterOf(lines);
  if (delimiter === '\t' || (delimiter !== undefined && terms < 0.5 && !isCloze)) {
    return { format: 'table', noteType: 'basic' };
  }
  return { format: 'lines', noteType: isCloze ? 'cloze' : 'basic' };
}

/** A tab wherever half of the lines have one; another only if nearly all rows are cut into the same few columns by it. */
export function delimiterOf(lines: readonly string[]): string | undefined {
  const full = lines.filter((line) => line.trim() !== '');
  if (full.length === 0) return undefined;
  if (full.filter((line) => line.includes('\t')).length * 2 >= full.length) return '\t';
  return [';', ',', '|'].find((delimiter) => {
    const rows = Array.from(splitRows(full.join('\n'), delimiter), ({ cells }) => cells);
    const first = rows[0]?.length ?? 0;
    if (first < 2 || first > 6) return false;
    if (headerOf(rows[0] ?? [])) return true;
    const alike = rows.filter((cells) => cells.length === first).length;
    return first <= 5 && alike >= 0.9 * rows.length;
  });
}

const questionLine =
  /^\s*(?:[-*•]\s+|\d{1,4}[.)]\s+)?(?:\*\*)?(Q|Question|F|Frage|A|Answer|Antwort)(?:\s{0,3}\d{1,4})?\s{0,3}:(?:\*\*)?\s?(.*)$/i;

export function asQuestionLine(line: string): { readonly asks: boolean; readonly text: string } | undefined {
  const match = questionLine.exec(line);
  if (!match) return undefined;
  return { asks: /^[QF]/i.test(match[1] ?? ''), text: match[2] ?? '' };
}

/** `- `, `* `, `1. ` before a line. */
function withoutBullet(line: string): string {
  return line.trim().replace(/^(?:[-*+•]|\d{1,4}[.)])\s+/, '');
}

/**
 * Term and definition: at the first tab, else at the first dash, `=` or `::` between spaces, else at the first colon
 * with a space behind it. A dash within a word (`E-Mail`) and a colon within a time (`10:30`) separate nothing.
 */
export function splitTerm(line: string): readonly [term: string, definition: string] | undefined {
  const text = withoutBullet(line);
  for (const separator of [/\t+/, /(?<=\s)(?:[-–—=]|::|->|→)\s+/, /[:：](?:\*\*)?\s+/]) {
    const match = separator.exec(text);
    if (!match) continue;
    const bold = match[0].includes('**') ? '**' : '';
    const term = text.slice(0, match.index) + bold;
    const definition = text.slice(match.index + match[0].length);
    if (plainText(term) !== '' && plainText(definition) !== '') return [term, definition];
  }
  return undefined;
}

const bold = /\*\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*\*|__(?=\S)([^_\n]{1,2000}?)(?<=\S)__/g;

/** Without the marks of bold and code; everything else stays as it was typed. */
export function plainText(text: string): string {
  return text.replace(bold, (_, stars?: string, lines?: string) => stars ?? lines ?? '').trim();
}

/** Bold words become gaps, c1, c2 and so on; a line that has gaps already stays. Undefined: it hides nothing. */
export function boldToCloze(line: string): string | undefined {
  const text = withoutBullet(line);
  if (/\{\{c\d{1,9}::/.test(text)) return text;
  let number = 0;
  const front = text.replace(bold, (_, stars?: string, lines?: string) => {
    number += 1;
    return `{{c${number}::${(stars ?? lines ?? '').replaceAll('}}', '} }').replaceAll('::', ': :')}}}`;
  });
  return number === 0 ? undefined : front;
}
