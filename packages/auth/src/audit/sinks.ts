/** Sinks that keep nothing themselves: a log of its own for the audit trail, and a function of the caller's. */
import type { AuditEvent, AuditSink } from './audit-event.ts';

/** Audit events alone, flat and one at a time, to something that writes lines: a file, a stream, `createLog` of the gateway. */
export function logSink(write: (event: Readonly<Record<string, unknown>> & { event: string }) => void): AuditSink {
  return {
    name: 'log',
    // `details` first: no detail can put itself in the place of what every event carries.
    record: ({ details, event, ...rest }) => write({ event, ...details, ...rest }),
  };
}

/** For whoever sends events elsewhere, such as to a bus. Delivered at most once; the event's `id` tells two apart. */
export function functionSink(
  name: string,
  record: (event: AuditEvent) => void | Promise<void>,
  options: Pick<AuditSink, 'openPerMinute' | 'close'> = {},
): AuditSink {
  return { name, record, ...options };
}
