/** Which events are wanted: every kind of filter must agree, and of one kind any. */
import { createHash } from 'node:crypto';
import { events } from '@mcp-gatehouse/auth/audit';
import { UsageError } from '../commands/usage.ts';
import { type Entry, levels } from './entry.ts';

export interface FilterFlags {
  readonly event?: readonly string[] | undefined;
  readonly reason?: readonly string[] | undefined;
  readonly person?: string | undefined;
  readonly client?: string | undefined;
  readonly tool?: readonly string[] | undefined;
  readonly status?: readonly string[] | undefined;
  readonly 'min-level'?: string | undefined;
  readonly since?: string | undefined;
}

export type Filter = (entry: Entry) => boolean;

/** Undefined: everything is wanted. Throws a `UsageError` for what would never match by mistake. `now` in milliseconds. */
export function filterFrom(flags: FilterFlags, now: number): Filter | undefined {
  const all = [
    anyOf(flags.event, (name) => eventFilter(name)),
    anyOf(flags.reason, (name) => textFilter('reason', name, '.')),
    anyOf(flags.tool, (name) => textFilter('tool', name)),
    anyOf(flags.status, statusFilter),
    flags.person === undefined ? undefined : personFilter(flags.person),
    flags.client === undefined ? undefined : clientFilter(flags.client),
    flags['min-level'] === undefined ? undefined : levelFilter(flags['min-level']),
    flags.since === undefined ? undefined : sinceFilter(flags.since, now),
  ].filter((one) => one !== undefined);
  return all.length === 0 ? undefined : (entry) => all.every((one) => one(entry));
}

function anyOf(values: readonly string[] | undefined, make: (value: string) => Filter): Filter | undefined {
  const filters = values?.map(make);
  return filters && ((entry) => filters.some((one) => one(entry)));
}

function eventFilter(name: string): Filter {
  const matches = matcher(name);
  if (!Object.keys(events).some(matches)) throw new UsageError(`There is no event "${name}": see docs/events.md.`);
  return ({ event }) => matches(event);
}

/** A name, or the start of one and a `*`; with a separator, a family stands for its members. */
function textFilter(field: string, name: string, separator?: string): Filter {
  const matches = matcher(name);
  const family = separator === undefined ? undefined : name + separator;
  return ({ fields }) => {
    const value = fields[field];
    return typeof value === 'string' && (matches(value) || (family !== undefined && value.startsWith(family)));
  };
}

function matcher(name: string): (value: string) => boolean {
  if (!name.endsWith('*')) return (value) => value === name;
  const start = name.slice(0, -1);
  return (value) => value.startsWith(start);
}

function statusFilter(text: string): Filter {
  if (!/^[1-5](\d\d|xx)$/.test(text))
    throw new UsageError('--status takes a status such as 404, or a class such as 4xx.');
  const matches = matcher(text.replace('xx', '*'));
  return ({ fields }) => typeof fields.status === 'number' && matches(String(fields.status));
}

/** Events name a person by the first characters of the subject; `http.request` has the whole of it. */
function personFilter(person: string): Filter {
  if (person.length < 8) throw new UsageError('--person takes a subject, or the first 8 characters of it.');
  const start = person.slice(0, 8);
  return ({ fields: { person: named, subject } }) =>
    named === start || (typeof subject === 'string' && subject.slice(0, 8) === start);
}

/** Events name a client by the beginning of its id's digest; an id of eight such characters is taken for a name already. */
function clientFilter(client: string): Filter {
  if (client === '') throw new UsageError('--client takes a client id.');
  const name = /^[A-Za-z0-9_-]{8}$/.test(client)
    ? client
    : createHash('sha256').update(client, 'utf8').digest('base64url').slice(0, 8);
  return ({ fields }) => fields.client === name || fields.clientId === client;
}

function levelFilter(text: string): Filter {
  const least = (levels as readonly string[]).indexOf(text);
  if (least < 0) throw new UsageError(`--min-level takes ${levels.join(', ')}.`);
  return ({ level }) => levels.indexOf(level) >= least;
}

const milliseconds = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function sinceFilter(text: string, now: number): Filter {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const from = ago
    ? now - Number(ago[1]) * milliseconds[ago[2] as keyof typeof milliseconds]
    : zoned
      ? Date.parse(text)
      : Number.NaN;
  if (Number.isNaN(from))
    throw new UsageError('--since takes 30s, 10m, 24h, 7d, or a time such as 2026-07-28T10:00:00Z.');
  return ({ time }) => time !== undefined && time >= from;
}
