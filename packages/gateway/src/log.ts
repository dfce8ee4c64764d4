/** The log: one JSON line an event for machines, or one short line for a person at a terminal. */

export type LogFormat = 'json' | 'text' | 'none';

/** What can be written: every event of the catalogue (docs/events.md), and audit events as `logSink` gives them. */
export interface Writable {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Lines go to `write`, standard error unless told, so that standard output stays free for what a command answers. */
export function createLog(
  format: LogFormat,
  write: (line: string) => void = (line) => process.stderr.write(line),
): (event: Writable) => void {
  if (format === 'none') return () => {};
  const line = format === 'json' ? jsonLine : textLine;
  return (event) => write(`${line(event)}\n`);
}

function jsonLine(event: Writable): string {
  const time = new Date().toISOString();
  return stringified({ time, ...event }) ?? JSON.stringify({ time, event: event.event, unwritable: true });
}

function textLine({ event, ...fields }: Writable): string {
  const shown = Object.entries(fields)
    .filter(([name, value]) => value !== undefined && name !== 'requestId')
    .map(([name, value]) => `${name}=${plain(value)}`)
    .join(' ');
  return `${new Date().toISOString().slice(11, 19)} ${event} ${shown}`;
}

/** Values as they are where they are plain; what a terminal would act on is escaped. */
export function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : (stringified(value) ?? typeof value);
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  return visible(JSON.stringify(text));
}

/** What a terminal would act on, or would not show, by its number: control characters, escapes, changes of direction. */
export function visible(text: string): string {
  return text.replace(
    /[^\x20-\x7e\p{L}\p{N}\p{P}\p{S}\p{Zs}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** JSON with errors in words; undefined for what JSON cannot hold. A log line never throws. */
function stringified(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, one: unknown) => {
      if (one instanceof Error) return one.stack ?? one.message;
      return typeof one === 'bigint' || typeof one === 'symbol' ? String(one) : one;
    });
  } catch {
    return undefined;
  }
}
