/** `gatehouse audit`: reads the audit events that the gateways keep in their records, newest first (docs/events.md). */
import { createHash } from 'node:crypto';
import { type AuditEvent, type AuditFindings, describeEvent, readAudit } from '@mcp-gatehouse/auth/audit';
import { plain } from '../log.ts';
import { configFrom, placeHelp, systemSeconds, withRecords } from './configured.ts';
import { date, table } from './table.ts';
import { exitCodes, jsonLine, readArguments, UsageError } from './usage.ts';

export const auditHelp = `gatehouse audit – who did what, as the gateways kept it

  gatehouse audit --config gatehouse.yaml
      Consents, sign-ins, tokens, refusals and revocations of the last day,
      newest first.

  gatehouse audit --config gatehouse.yaml --since 30d --person SUBJECT
      Everything about one person.

Which
  --since TIME         from then: 30m, 24h, 7d, or 2026-07-28T10:00:00Z   (24h)
  --until TIME         until before then, in the same forms               (now)
  --person SUBJECT     their sub as MCP servers see it, or 8 characters of it
  --client ID          the client id, or the 8 characters that events show
  --event NAME         of this name; may be given again
  --limit NUMBER       at most so many, 1 to 10000                        (100)

Options
${placeHelp}
  --json               each event as one JSON line: { id, time, instance, event,
                       level, outcome, person?, client?, grant?, details }
  --help               this text

What each event means: docs/events.md. Gateways keep them for 90 days unless
told otherwise (audit.records.days).

Exit codes: 0 done, also where nothing was found; 1 could not; 2 wrong usage.
`;

export interface AuditCommandOptions {
  readonly write?: (text: string) => void;
  /** For what is said beside the events. */
  readonly note?: (text: string) => void;
  /** Seconds since the epoch. */
  readonly now?: number;
}

/** Resolves to the exit code. */
export async function auditCommand(args: readonly string[], options: AuditCommandOptions = {}): Promise<number> {
  const { write = (text) => process.stdout.write(text), note = (text) => process.stderr.write(text) } = options;
  const { values } = parse(args);
  if (values.help) {
    write(auditHelp);
    return 0;
  }
  const query = queryFrom(values, options.now ?? systemSeconds());
  const config = configFrom(values, 'events');
  if (config.audit.records === false) note('audit.records is false: gateways of this configuration keep no events.\n');
  return withRecords(config, async (records) => {
    const findings = await readAudit(records, query);
    const { events } = findings;
    if (values.json) for (const event of events) write(`${jsonLine(event)}\n`);
    else write(`${events.length === 0 ? 'No audit events.' : eventTable(events)}\n`);
    const more = moreWords(findings);
    if (more) note(`${more}\n`);
    return exitCodes.done;
  });
}

function moreWords({ cut, reached }: AuditFindings): string | undefined {
  if (cut === undefined || reached === undefined) return undefined;
  // One second later: events of that very second may be on both sides of the cut.
  const on = `--until ${date(reached + 1)}`;
  return cut === 'limit'
    ? `There are older ones: ${on} goes on, --limit shows more.`
    : `Stopped at ${date(reached)} after looking at very many: ${on} goes on.`;
}

function eventTable(events: readonly AuditEvent[]): string {
  const rows = events.map(({ time, event, outcome, person = '', client = '', grant, details }) => [
    date(time),
    plain(event),
    plain(outcome),
    person && plain(person),
    client && plain(client),
    [...(grant === undefined ? [] : [['grant', grant] as const]), ...Object.entries(details)]
      .map(([name, value]) => `${plain(name)}=${plain(value)}`)
      .join(' '),
  ]);
  return table(['TIME', 'EVENT', 'OUTCOME', 'PERSON', 'CLIENT', 'DETAILS'], rows);
}

type Values = ReturnType<typeof parse>['values'];

function queryFrom(values: Values, now: number): Parameters<typeof readAudit>[1] {
  const since = timeFrom('--since', values.since ?? '24h', now);
  const until = values.until === undefined ? Number.POSITIVE_INFINITY : timeFrom('--until', values.until, now);
  if (until <= since) throw new UsageError('--until must be after --since.');
  const limit = values.limit ?? '100';
  if (!/^[1-9]\d{0,4}$/.test(limit) || Number(limit) > 10_000) {
    throw new UsageError('--limit takes a whole number from 1 to 10000.');
  }
  for (const name of values.event ?? []) {
    const description = describeEvent(name);
    if (description?.audit === undefined)
      throw new UsageError(`There is no audit event "${name}": see docs/events.md.`);
  }
  if (values.person !== undefined && !/^[A-Za-z0-9_-]{8}([A-Za-z0-9_-]{35})?$/.test(values.person)) {
    throw new UsageError('--person takes a subject: 43 characters, or the first 8 of them.');
  }
  if (values.client === '') throw new UsageError('--client takes a client id.');
  return {
    since,
    until,
    limit: Number(limit),
    person: values.person?.slice(0, 8),
    client: values.client === undefined ? undefined : clientName(values.client),
    events: values.event,
  };
}

/** Events name a client by the beginning of its id's digest; an id of eight such characters is taken for a name already. */
function clientName(client: string): string {
  if (/^[A-Za-z0-9_-]{8}$/.test(client)) return client;
  return createHash('sha256').update(client, 'utf8').digest('base64url').slice(0, 8);
}

function timeFrom(option: string, text: string, now: number): number {
  const ago = /^(\d{1,6})([mhd])$/.exec(text);
  if (ago) return now - Number(ago[1]) * { m: 60, h: 3600, d: 86_400 }[ago[2] as 'm' | 'h' | 'd'];
  // With its zone: a time without one means another moment on every computer.
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new UsageError(`${option} takes 30m, 24h, 7d, or a time such as 2026-07-28T10:00:00Z.`);
  return Math.floor(time / 1000);
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      person: { type: 'string' },
      client: { type: 'string' },
      event: { type: 'string', multiple: true },
      limit: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
