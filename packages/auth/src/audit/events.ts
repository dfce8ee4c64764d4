/**
 * The catalogue of events: every name that may stand in the log, what it says, and its fields. docs/events.md is made
 * from it; a test compares it with the sources both ways. To add one: an entry in library-events.ts or gateway-events.ts,
 * then `node tools/generate-events.ts`.
 */
import { gatewayEvents } from './gateway-events.ts';
import { libraryEvents } from './library-events.ts';

/** `info`: all is well. `notice`: somebody was refused, or something ended. `warning`: look at it. `fault`: ours to mend. */
export type EventLevel = 'info' | 'notice' | 'warning' | 'fault';

/** Of an audit event. `refused`: we said no. `failed`: it did not come to an answer. */
export type AuditOutcome = 'success' | 'refused' | 'failed';

export interface EventDescription {
  /** One sentence. */
  readonly says: string;
  readonly level: EventLevel;
  /** Given: the event is security-relevant and goes to the audit sinks, with this outcome. */
  readonly audit?: AuditOutcome;
  /** Anybody can cause it without a credential: sinks that store take so many a minute and no more. */
  readonly open?: true;
  /** By name, what each means: these are always there. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields that are there where they apply. */
  readonly sometimes?: Readonly<Record<string, string>>;
}

export const events = { ...libraryEvents, ...gatewayEvents };

export type EventName = keyof typeof events;

/** One structured event an outcome. Values are safe to keep: no credential, no query string, no e-mail address. */
export interface LogEvent {
  readonly event: EventName;
  /** The private reason of a refusal. */
  readonly reason?: string;
  readonly [field: string]: unknown;
}

export type Log = (event: LogEvent) => void;

/** Undefined for a name the catalogue lacks, which only code that escaped the compiler can send. */
export function describeEvent(name: string): EventDescription | undefined {
  return Object.hasOwn(events, name) ? events[name as EventName] : undefined;
}
