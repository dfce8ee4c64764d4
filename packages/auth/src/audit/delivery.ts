/** The way from an event to one sink: a bounded queue, emptied in the background, and an account of what was lost. */
import type { AuditEvent, AuditSink } from './audit-event.ts';
import { describeEvent } from './events.ts';

export const lossReasons = ['overflow', 'failed', 'budget', 'closed'] as const;
export type LossReason = (typeof lossReasons)[number];

export interface DeliveryOptions {
  readonly sink: AuditSink;
  readonly name: string;
  /** Events that wait at most; more are lost. */
  readonly queueSize: number;
  /** How long one event may take, in seconds. */
  readonly timeoutSeconds: number;
  /** Told at the first loss at once, later once a minute: how many since the last time. */
  readonly sayLost: (reason: LossReason, count: number) => void;
}

export interface Delivery {
  readonly name: string;
  /** Never throws, never waits. */
  offer(event: AuditEvent): void;
  /** Resolves once everything offered so far has been delivered or lost. */
  flush(): Promise<void>;
  /** As `flush`, for so long at most; what then still waits is lost, and said. Later offers are too. */
  close(withinSeconds: number): Promise<void>;
  /** Since the start. */
  counts(): { readonly delivered: number; readonly lost: Readonly<Record<LossReason, number>> };
}

const sayEverySeconds = 60;

export function delivery({ sink, name, queueSize, timeoutSeconds, sayLost }: DeliveryOptions): Delivery {
  const queue: AuditEvent[] = [];
  const lost: Record<LossReason, number> = { overflow: 0, failed: 0, budget: 0, closed: 0 };
  const said = { ...lost };
  let delivered = 0;
  let closed = false;
  let running: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let silence: NodeJS.Timeout | undefined;
  let openMinute = 0;
  const openInMinute = new Map<string, number>();

  function lose(event: AuditEvent, reason: LossReason, now = true): void {
    // The word of a loss stands in the log already: counting it too would make a dead sink speak for ever.
    if (event.event === 'audit.lost') return;
    lost[reason]++;
    if (now && (!silence || closed)) say();
  }

  function say(): void {
    const reasons = lossReasons.filter((reason) => lost[reason] > said[reason]);
    clearTimeout(silence);
    silence = reasons.length > 0 && !closed ? setTimeout(say, sayEverySeconds * 1000).unref() : undefined;
    for (const reason of reasons) {
      const count = lost[reason] - said[reason];
      said[reason] = lost[reason];
      sayLost(reason, count);
    }
  }

  /**
   * Floods that anybody can cause fill no database: the counters and the log still see each. By name, so that whoever
   * makes one kind of noise hides no other: there are few names.
   */
  function overBudget({ event, time }: AuditEvent): boolean {
    if (sink.openPerMinute === undefined || !describeEvent(event)?.open) return false;
    const minute = Math.floor(time / 60);
    if (minute !== openMinute) {
      openMinute = minute;
      openInMinute.clear();
    }
    const count = (openInMinute.get(event) ?? 0) + 1;
    openInMinute.set(event, count);
    return count > sink.openPerMinute;
  }

  async function run(): Promise<void> {
    // Behind the answer that is under way: even a sink that works hard comes after it.
    await new Promise((resolve) => setImmediate(resolve));
    for (let event = queue[0]; event; event = queue[0]) {
      try {
        await within(timeoutSeconds, sink.record(event));
        if (!closed) delivered++;
      } catch {
        if (!closed) lose(event, 'failed');
      }
      // Nothing to take where a close that gave up has emptied the queue: it counted this one already.
      queue.shift();
    }
    running = undefined;
  }

  async function flush(): Promise<void> {
    while (running) await running;
  }

  async function end(withinSeconds: number): Promise<void> {
    await within(withinSeconds, flush()).catch(() => {});
    closed = true;
    for (const event of queue.splice(0)) lose(event, 'closed', false);
    say();
    await within(withinSeconds, (async () => sink.close?.())()).catch(() => {});
  }

  return {
    name,
    offer(event) {
      if (closed) lose(event, 'closed');
      else if (overBudget(event)) lose(event, 'budget');
      else if (queue.length >= queueSize) lose(event, 'overflow');
      else {
        queue.push(event);
        running ??= run();
      }
    },
    flush,
    close: (withinSeconds) => {
      closing ??= end(withinSeconds);
      return closing;
    },
    counts: () => ({ delivered, lost: { ...lost } }),
  };
}

/** Rejects when it takes longer; the work itself cannot be stopped and is waited for no more. */
async function within(seconds: number, work: void | Promise<void>): Promise<void> {
  if (work === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
