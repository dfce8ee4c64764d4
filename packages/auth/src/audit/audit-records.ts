/** Audit events as records: kept for so many days, listed newest first, by person where one is known. */
import { type Kinds, type Records, RecordsUnavailableError } from '@mcp-gatehouse/records';
import type { AuditEvent, AuditSink } from './audit-event.ts';

/** The event without its id, which is the record's. */
export type StoredAuditEvent = Omit<AuditEvent, 'id'>;

export type AuditRecords = { auditEvent: StoredAuditEvent };

export const auditKinds: Kinds<AuditRecords> = {
  auditEvent: { groupOf: ({ person, client }) => groupName(person, client) },
};

/** A person before a client: whoever asks about a person wants all of it, whichever client it was. */
function groupName(person: string | undefined, client: string | undefined): string {
  if (isDigest(person)) return `person:${person}`;
  return isDigest(client) ? `client:${client}` : 'nobody';
}

/** What is none of ours stands in no group: not every text can be one, and the event must be kept. */
function isDigest(text: string | undefined): boolean {
  return text !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

export interface RecordSinkOptions {
  readonly records: Pick<Records<AuditRecords>, 'create'>;
  /** How long each is kept; 90 unless told. */
  readonly days?: number;
  /** How many a minute are stored of each of those events that anybody can cause; 120 unless told. */
  readonly openPerMinute?: number;
  /** Before the second try at a database that is away, in seconds; doubled for each further one. */
  readonly pauseSeconds?: number;
}

const tries = 4;

export function recordSink(options: RecordSinkOptions): AuditSink {
  const { records, days = 90, openPerMinute = 120, pauseSeconds = 0.25 } = options;
  return {
    name: 'records',
    openPerMinute,
    async record({ id, ...value }) {
      const expiresAt = value.time + days * 24 * 3600;
      for (let tried = 1; ; tried++) {
        try {
          // False: a write that was called unavailable had happened after all. The id is nobody else's.
          await records.create('auditEvent', id, value, expiresAt);
          return;
        } catch (error) {
          if (!(error instanceof RecordsUnavailableError) || tried === tries) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, pauseSeconds * 1000 * 2 ** (tried - 1)));
      }
    },
  };
}

export interface AuditQuery {
  /** Seconds since the epoch: from then, until before then. */
  readonly since: number;
  readonly until: number;
  /** As events name them: 8 characters. */
  readonly person?: string | undefined;
  readonly client?: string | undefined;
  readonly events?: readonly string[] | undefined;
  /** How many to give. */
  readonly limit: number;
  /** How many to look at for that; 100,000 unless told. */
  readonly maxLooked?: number;
}

export interface AuditFindings {
  /** Newest first. */
  readonly events: readonly AuditEvent[];
  /** Why there may be older ones in the range: `limit` of findings, or of records `looked` at. */
  readonly cut?: 'limit' | 'looked';
  /** Time of the last record looked at: where to go on. */
  readonly reached?: number;
}

export async function readAudit(
  records: Pick<Records<AuditRecords>, 'list'>,
  { since, until, person, client, events, limit, maxLooked = 100_000 }: AuditQuery,
): Promise<AuditFindings> {
  const found: AuditEvent[] = [];
  let looked = 0;
  let after: string | undefined;
  let reached: number | undefined;
  do {
    const filter = { limit: 1000, ...(person !== undefined && { group: groupName(person, undefined) }) };
    const page = await records.list('auditEvent', filter, after);
    for (const { id, value } of page.items) {
      // The ids put the newest first: what follows is older still.
      if (value.time < since) return { events: found };
      if (looked++ >= maxLooked) return { events: found, cut: 'looked', ...(reached !== undefined && { reached }) };
      const wanted =
        value.time < until &&
        (client === undefined || value.client === client) &&
        (events === undefined || events.includes(value.event));
      if (wanted && found.length === limit) {
        return { events: found, cut: 'limit', ...(reached !== undefined && { reached }) };
      }
      reached = value.time;
      if (wanted) found.push({ id, ...value });
    }
    after = page.next;
  } while (after !== undefined);
  return { events: found };
}
