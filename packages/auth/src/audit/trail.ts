/** The one way of an event: to the log, into the counters, and, where it is audit, to every sink. */
import { randomBytes } from 'node:crypto';
import { type AuditSink, auditEventOf, auditIds } from './audit-event.ts';
import { type Counters, counters } from './counters.ts';
import { delivery } from './delivery.ts';
import type { Log, LogEvent } from './events.ts';

export interface AuditTrailOptions {
  readonly log?: Log | undefined;
  readonly sinks?: readonly AuditSink[] | undefined;
  /** Whole seconds since the epoch. */
  readonly now: () => number;
  /** Events that wait for one sink at most; 5000 unless told. */
  readonly queueSize?: number;
  /** How long a sink may take over one event, in seconds; 10 unless told. */
  readonly timeoutSeconds?: number;
}

export interface AuditTrail {
  /** Never throws and waits for nobody. */
  readonly log: Log;
  /** A snapshot; monotonic since the start of the process. */
  counters(): Counters;
  /** Resolves once the sinks have what was said so far: for a runtime that is frozen between requests. */
  flush(): Promise<void>;
  /** Gives the sinks so many seconds for what waits, 5 unless told; safe to call twice. Log and counters live on. */
  close(withinSeconds?: number): Promise<void>;
}

export function auditTrail(options: AuditTrailOptions): AuditTrail {
  const { sinks = [], now, queueSize = 5000, timeoutSeconds = 10 } = options;
  // Random and not configured: two processes that were given one name would write over each other's ids.
  const instance = randomBytes(9).toString('base64url');
  const nextId = auditIds(instance);
  const counted = counters();
  const deliveries = sinks.map((sink, index) => {
    const name = sink.name ?? String(index + 1);
    return delivery({
      sink,
      name,
      queueSize,
      timeoutSeconds,
      sayLost: (reason, count) => log({ event: 'audit.lost', sink: name, reason, count }),
    });
  });

  function log(event: LogEvent): void {
    // Each by itself: a log that fails takes nothing from the sinks, and neither anything from a request.
    quietly(() => options.log?.(event));
    quietly(() => counted.count(event));
    if (deliveries.length > 0) quietly(() => hand(event));
  }

  function hand(event: LogEvent): void {
    const time = now();
    const audit = auditEventOf(event, { id: nextId(time), time, instance });
    if (audit) for (const one of deliveries) one.offer(audit);
  }

  return {
    log,
    counters: () => ({
      events: counted.snapshot(),
      sinks: deliveries.map((one) => ({ sink: one.name, ...one.counts() })),
    }),
    async flush() {
      await Promise.all(deliveries.map((one) => one.flush()));
    },
    async close(withinSeconds = 5) {
      await Promise.all(deliveries.map((one) => one.close(withinSeconds)));
    },
  };
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // nowhere left to say so
  }
}
