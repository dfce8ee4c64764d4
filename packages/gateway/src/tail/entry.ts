/** A line of a log as an event: ours, or ours inside what systemd, Docker or a log collector put around it. */
import { describeEvent, type EventLevel } from '@mcp-gatehouse/auth/audit';

export interface Entry {
  readonly event: string;
  readonly level: EventLevel;
  /** Milliseconds since the epoch. */
  readonly time?: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The JSON text, as it came. */
  readonly json: string;
}

export const levels: readonly EventLevel[] = ['info', 'notice', 'warning', 'fault'];

/** Undefined: no event of a gateway. Never throws. */
export function entryOf(line: string): Entry | undefined {
  // `Jul 28 10:00:00 host gatehouse[7]: {…}`: the JSON is what begins with the first brace.
  const start = line.indexOf('{');
  if (start < 0) return undefined;
  const json = line.slice(start).trimEnd();
  const fields = objectIn(json);
  if (!fields) return undefined;
  if (typeof fields.event === 'string') return entry(fields.event, fields, json);
  // Docker's own files, and `journalctl -o json`. Once: nobody wraps twice.
  const inner = fields.log ?? fields.MESSAGE;
  if (typeof inner !== 'string') return undefined;
  const text = inner.slice(Math.max(0, inner.indexOf('{'))).trimEnd();
  const found = objectIn(text);
  return typeof found?.event === 'string' ? entry(found.event, found, text) : undefined;
}

function entry(event: string, fields: Readonly<Record<string, unknown>>, json: string): Entry {
  const time = typeof fields.time === 'string' ? Date.parse(fields.time) : secondsIn(fields.time);
  return { event, level: levelOf(event, fields), fields, json, ...(Number.isFinite(time) && { time }) };
}

/** Audit events carry seconds. */
function secondsIn(time: unknown): number {
  const ms = typeof time === 'number' ? time * 1000 : Number.NaN;
  return Math.abs(ms) <= 8.64e15 ? ms : Number.NaN;
}

/** A request is `info` in the catalogue, whatever became of it; for who looks for trouble its answer says more. */
function levelOf(event: string, { status, outcome }: Readonly<Record<string, unknown>>): EventLevel {
  const level = describeEvent(event)?.level ?? 'info';
  if (event !== 'http.request') return level;
  if (outcome === 'fault') return 'fault';
  if (typeof status !== 'number') return 'notice';
  return status >= 500 ? 'warning' : status >= 400 ? 'notice' : 'info';
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
