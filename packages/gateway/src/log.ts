/** The log: one JSON line an event for machines, or one short line for a person at a terminal. */
import type { Log, LogEvent } from '@mcp-gatehouse/auth';

export type LogFormat = 'json' | 'text' | 'none';

/** Lines go to `write`, standard error unless told, so that standard output stays free for what a command answers. */
export function createLog(
  format: LogFormat,
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  if (format === 'none') return () => {};
  const line = format === 'json' ? jsonLine : textLine;
  return (event) => write(`${line(event)}\n`);
}

function jsonLine(event: LogEvent): string {
  return JSON.stringify({ time: new Date().toISOString(), ...event });
}

function textLine({ event, ...fields }: LogEvent): string {
  const shown = Object.entries(fields)
    .filter(([name, value]) => value !== undefined && name !== 'requestId')
    .map(([name, value]) => `${name}=${plain(value)}`)
    .join(' ');
  return `${new Date().toISOString().slice(11, 19)} ${event} ${shown}`;
}

/** Values as they are where they are plain; what a terminal would act on is escaped by JSON. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text);
}
