/** Tables and times for a person at a terminal. Cells come from outside: what a terminal would act on is escaped. */
import { plain } from '../log.ts';

/** Columns as wide as their widest cell; the last is not filled up. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => lines.reduce((most, line) => Math.max(most, line[column]?.length ?? 0), 0));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A cell: text as it is where it is plain, quoted where not, and nothing for nothing. */
export function cell(value: unknown, most = 60): string {
  if (value === undefined || value === '') return '';
  const text = plain(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Seconds since the epoch as `2026-07-28T10:00:00Z`; a number that is no time stays one. */
export function date(seconds: number | undefined): string {
  if (seconds === undefined) return '';
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? String(seconds) : time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** `1 grant`, `2 grants`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
