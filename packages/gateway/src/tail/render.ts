/** An event as one aligned line for a person. Every text in it is somebody else's: what a terminal would act on is escaped. */
import { describeEvent, type EventLevel } from '@mcp-gatehouse/auth/audit';
import { plain, visible } from '../log.ts';
import type { Entry } from './entry.ts';

export interface Renderer {
  /** Without its last line break; more than one line where there is a cause. */
  entry(entry: Entry): string;
  /** A line for the day of what follows; empty where it is the day of what was before. */
  day(entry: Entry): string;
  /** A line that is no event. */
  other(line: string): string;
}

const [reset, bold, dim] = ['\u001b[0m', '\u001b[1m', '\u001b[2m'];
const [red, green, yellow, magenta, cyan] = [31, 32, 33, 35, 36].map((code) => `\u001b[${code}m`) as [
  string,
  string,
  string,
  string,
  string,
];

const ofLevel: Readonly<Record<EventLevel, string>> = {
  info: dim,
  notice: yellow,
  warning: magenta,
  fault: bold + red,
};

/** Shown in columns of their own, or not for people. */
const placed = new Set([
  ...['time', 'event', 'level', 'method', 'path', 'ms', 'status', 'outcome', 'reason', 'person', 'subject', 'tool'],
  ...['client', 'clientId', 'cause', 'requestId', 'rpcMethod', 'id', 'instance', 'details'],
]);

const widths = { level: 7, method: 7, path: 26, ms: 9, outcome: 26, person: 8 };

export function renderer(color: boolean): Renderer {
  const paint = (code: string, text: string) => (color && text !== '' ? code + text + reset : text);
  let day = '';

  function entryLines({ event, level, time, fields }: Entry): string {
    const iso = time === undefined ? undefined : new Date(time).toISOString();
    const request = event === 'http.request';
    const { status, ms, outcome, reason, cause } = fields;
    const what = request
      ? `${fit(fields.method, widths.method)} ${fit(fields.path, widths.path)}`
      : fit(event, widths.method + 1 + widths.path);
    const code = typeof status === 'number' ? String(status) : 'none';
    const mark = request ? code : level;
    const why = request ? [word(outcome), word(reason)] : [word(reason ?? outcome)];
    const columns = [
      paint(dim, iso?.slice(11, 19) ?? ' '.repeat(8)),
      paint(request ? ofStatus(status) : ofLevel[level], mark.padEnd(widths.level)),
      what,
      paint(typeof ms === 'number' && ms >= 1000 ? yellow : dim, duration(ms).padStart(widths.ms)),
      cut(why.join(' ').trimEnd(), widths.outcome).padEnd(widths.outcome),
      fit(fields.person ?? (typeof fields.subject === 'string' ? fields.subject.slice(0, 8) : ''), widths.person),
      paint(cyan, word(fields.tool ?? fields.rpcMethod)),
      clientWords(fields),
      paint(dim, rest(fields)),
      // What it means, where somebody may have to act on it.
      level === 'info' || request ? '' : paint(dim, `– ${describeEvent(event)?.says ?? ''}`),
    ];
    const line = columns.filter((one, at) => at < 6 || one !== '').join('  ');
    const causes = cause === undefined ? [] : causeLines(cause).map((one) => paint(red, `          ${one}`));
    return [line.trimEnd(), ...causes].join('\n');
  }

  return {
    entry: entryLines,
    day({ time }) {
      const its = time === undefined ? day : new Date(time).toISOString().slice(0, 10);
      if (its === day) return '';
      day = its;
      return `${paint(dim, `── ${day} UTC`)}\n`;
    },
    other: (line) => paint(dim, cut(visible(line), 2000)),
  };
}

function ofStatus(status: unknown): string {
  if (typeof status !== 'number') return magenta;
  return status >= 500 ? bold + red : status >= 400 ? yellow : status >= 300 ? cyan : green;
}

function duration(ms: unknown): string {
  if (typeof ms !== 'number') return '';
  return ms < 10_000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function clientWords({ client, clientId }: Entry['fields']): string {
  const named = client ?? clientId;
  return named === undefined ? '' : `client=${word(named)}`;
}

/** The event's other fields, those of an audit event among them. */
function rest(fields: Entry['fields']): string {
  const { details } = fields;
  const more = typeof details === 'object' && details !== null ? Object.entries(details) : [];
  const shown = [...Object.entries(fields).filter(([name]) => !placed.has(name)), ...more].slice(0, 20);
  return cut(shown.map(([name, value]) => `${cut(plain(name), 40)}=${word(value)}`).join(' '), 400);
}

function word(value: unknown): string {
  return value === undefined || value === '' ? '' : cut(plain(value), 100);
}

function fit(value: unknown, width: number): string {
  return cut(word(value), width).padEnd(width);
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** The first lines of a stack; the rest is in the log. */
function causeLines(cause: unknown): readonly string[] {
  const text = typeof cause === 'string' ? cause : plain(cause);
  const lines = text.slice(0, 4000).split('\n');
  return [...lines.slice(0, 6), ...(lines.length > 6 ? ['…'] : [])].map((line) => cut(visible(line.trimEnd()), 300));
}
