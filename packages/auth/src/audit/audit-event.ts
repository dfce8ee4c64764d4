/** What an audit sink is given: one security-relevant outcome as bounded, plain data. */
import { type AuditOutcome, describeEvent, type EventLevel, type LogEvent } from './events.ts';

/** At most about 8 KiB of JSON. Nothing in it is a credential, and people and clients are digests (docs/events.md). */
export interface AuditEvent {
  /** Unique among all instances; the order of its bytes is newest first. */
  readonly id: string;
  /** Seconds since the epoch. */
  readonly time: number;
  /** Which process saw it; another after each start. */
  readonly instance: string;
  readonly event: string;
  readonly level: EventLevel;
  readonly outcome: AuditOutcome;
  readonly person?: string;
  readonly client?: string;
  readonly grant?: string;
  /** The event's other documented fields. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Where audit events go. Each sink has a bounded queue of its own: it hurts neither a request nor another sink. */
export interface AuditSink {
  /** For the operator, in `audit.lost` and the counters; its position in the list unless given. */
  readonly name?: string;
  /** How many a minute are taken of each of those events that anybody can cause; all of them unless given. */
  readonly openPerMinute?: number;
  /** One at a time, in order, in the background. What throws, rejects or takes too long is counted as lost. */
  record(event: AuditEvent): void | Promise<void>;
  /** Once, after the last event. */
  close?(): void | Promise<void>;
}

/** Stacks are for whoever reads the log: free text of other people's libraries is not kept for months. */
const logOnly = new Set(['cause']);

const maxTextLength = 512;

/** Undefined: not an audit event. Only documented fields are taken, whatever else an event carries. */
export function auditEventOf(
  logged: LogEvent,
  stamp: Pick<AuditEvent, 'id' | 'time' | 'instance'>,
): AuditEvent | undefined {
  const description = describeEvent(logged.event);
  if (description?.audit === undefined) return undefined;
  const named: { person?: string; client?: string; grant?: string } = {};
  const details: Record<string, string | number | boolean> = {};
  for (const field of [...Object.keys(description.fields), ...Object.keys(description.sometimes ?? {})]) {
    const value = logged[field];
    if (value === undefined || logOnly.has(field)) continue;
    if (field === 'person' || field === 'client' || field === 'grant') named[field] = text(value);
    else details[field] = typeof value === 'boolean' || Number.isFinite(value) ? (value as number) : text(value);
  }
  const { level, audit: outcome } = description;
  return Object.freeze({ ...stamp, event: logged.event, level, outcome, ...named, details: Object.freeze(details) });
}

function text(value: unknown): string {
  const whole = typeof value === 'string' ? value : asJson(value);
  return whole.slice(0, maxTextLength).toWellFormed();
}

/** What cannot be written is no reason to lose the event. */
function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return 'unwritable';
  }
}

/**
 * Ids whose bytes order events newest first, because that is what an operator reads and a list can only be read from its
 * start: seconds and a count, both as what is left of them, then the instance, which makes them unique.
 */
export function auditIds(instance: string): (seconds: number) => string {
  let count = 0;
  return (seconds) => {
    const left = Math.min(9_999_999_999, Math.max(0, 9_999_999_999 - Math.floor(seconds)));
    return `${String(left).padStart(10, '0')}-${String(999_999_999_999 - count++).padStart(12, '0')}-${instance}`;
  };
}
