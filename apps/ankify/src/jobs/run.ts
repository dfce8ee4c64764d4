/** One run of one job: the lease, its renewal, the progress that is stored, and what an end of any kind means. */
import { randomUUID } from 'node:crypto';
import { type Records, update } from '@mcp-gatehouse/records';
import { type AnkifyRecords, DeckRefusal } from '../decks/deck.ts';
import { SpeechRefusal } from '../speech/speech.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import {
  ended,
  held,
  isFree,
  isOpen,
  type Job,
  type JobKind,
  type JobRecord,
  JobRefusal,
  type JobWork,
  jobLimits,
  leased,
  released,
} from './job.ts';

export interface RunControl {
  /** As it was when this run began. */
  readonly job: JobRecord;
  /** Aborted when the job is no longer this run's: cancelled, lost to another process, or this one ends. */
  readonly signal: AbortSignal;
  /** Told to who watches at once, stored at most once a second. */
  progress(done: number, total: number): void;
  /** Stored before it returns: a later run begins from there. */
  save(work: JobWork): Promise<void>;
  /** Another job of the same user. */
  start(work: JobWork): Promise<Job>;
}

/** Throws `JobRefusal`, `DeckRefusal` or `SpeechRefusal` for what will never work; anything else is tried again. */
export type Run = (control: RunControl) => Promise<{ readonly deckId?: string; readonly note?: string }>;

export interface RunContext {
  readonly records: Records<AnkifyRecords>;
  readonly now: () => number;
  readonly runs: { readonly [K in JobKind]?: Run };
  readonly log: (event: LogEvent) => void;
  readonly publish: (record: JobRecord) => void;
  readonly backoffSeconds: (attempt: number) => number;
  readonly start: (owner: string, work: JobWork) => Promise<Job>;
}

/** Reasons of an abort. */
export class Closing extends Error {
  override name = 'Closing';
}
export class Cancelled extends Error {
  override name = 'Cancelled';
}
class Lost extends Error {
  override name = 'Lost';
}

const storeMs = 1000;

/** Undefined: the job has ended, or is not ours to run. A number: it may be tried again after so many seconds. */
export async function runJob(context: RunContext, id: string, outer: AbortSignal): Promise<number | undefined> {
  const { records, now, runs, log, publish } = context;
  const runner = randomUUID();
  const claimed = await update(records, 'job', id, (stored) => {
    const job = stored?.value;
    if (!job || !isFree(job, now()) || !runs[job.kind]) return { result: undefined };
    // Those of killed processes count: a job that ends its process must not do so for ever.
    if (job.attempts >= jobLimits.attempts) return finishing(ended(job, { error: gaveUp }, now()), now());
    const value = leased(job, runner, now());
    return { write: { value }, result: value };
  });
  if (!claimed) return undefined;
  publish(claimed);
  if (claimed.state !== 'working') return undefined;
  const { kind } = claimed;
  log({ event: 'job.started', jobId: id, kind, attempt: claimed.attempts });
  const keeper = keepLease(context, claimed, runner, outer);
  try {
    for (;;) {
      const worked = keeper.work();
      const run = runs[kind] as Run;
      const start = (work: JobWork) => context.start(claimed.owner, work);
      const { signal, progress, save } = keeper;
      const result = await run({ job: keeper.job(), signal, progress, save, start });
      keeper.signal.throwIfAborted();
      const after = await keeper.finish(worked, result);
      if (after === 'again') continue;
      log({ event: 'job.done', jobId: id, kind });
      return undefined;
    }
  } catch (error) {
    return await keeper.fail(error);
  } finally {
    keeper.stop();
  }
}

const gaveUp = 'It stopped several times without getting on, and was given up. Try again later.';

function finishing(value: JobRecord, now: number) {
  return { write: { value, expiresAt: now + jobLimits.keptSeconds }, result: value };
}

/** Holds the lease of one run and is the only one that writes its record. */
function keepLease(context: RunContext, claimed: JobRecord, runner: string, outer: AbortSignal) {
  const { records, now, log, publish, backoffSeconds } = context;
  const { id, kind } = claimed;
  const lost = new AbortController();
  const signal = AbortSignal.any([outer, lost.signal]);
  let current = claimed;
  let storedAt = Date.now();
  let storing: Promise<void> | undefined;
  let pending: NodeJS.Timeout | undefined;

  /** Undefined: somebody else holds it by now. */
  const write = (decide: (job: JobRecord) => JobRecord) =>
    update(records, 'job', id, (stored) => {
      const job = held(stored?.value, runner);
      if (!job) return { result: undefined };
      const value = decide(job);
      const expiresAt = isOpen(value) ? undefined : now() + jobLimits.keptSeconds;
      return { write: { value, expiresAt }, result: value };
    });

  /** Progress and lease in one write; `attempts` begins anew once there is progress. */
  async function store(): Promise<void> {
    storedAt = Date.now();
    const { done, total } = current;
    const stored = await write((job) => ({
      ...job,
      done,
      total,
      attempts: done > claimed.done ? 0 : job.attempts,
      leasedUntil: now() + jobLimits.leaseSeconds,
      updatedAt: Math.floor(now()),
    }));
    if (!stored) lost.abort(new Lost());
    else current = { ...stored, done: current.done, total: current.total };
  }

  /** One write at a time; a database that is away for a moment is tried again before the lease ends. */
  function storeSoon(): void {
    if (storing || signal.aborted) return;
    storing = store()
      .catch((error: unknown) => log({ event: 'job.unavailable', what: 'store', error: String(error) }))
      .finally(() => {
        storing = undefined;
      });
  }

  const heartbeat = setInterval(storeSoon, (jobLimits.leaseSeconds * 1000) / 3);
  heartbeat.unref();

  async function end(decide: (job: JobRecord) => JobRecord): Promise<void> {
    const value = await write((job) => decide({ ...job, done: current.done, total: current.total }));
    if (value) publish(value);
  }

  return {
    signal,
    job: () => current,
    work: () => JSON.stringify(current.work),
    progress(done: number, total: number) {
      current = { ...current, done, total, updatedAt: Math.floor(now()) };
      publish(current);
      const wait = storedAt + storeMs - Date.now();
      if (wait <= 0) storeSoon();
      else if (!pending) {
        pending = setTimeout(() => {
          pending = undefined;
          storeSoon();
        }, wait);
        pending.unref();
      }
    },
    async save(work: JobWork) {
      const { done, total } = current;
      const attempts = done > claimed.done ? 0 : current.attempts;
      const stored = await write((job) => ({
        ...job,
        work,
        done,
        total,
        attempts,
        leasedUntil: now() + jobLimits.leaseSeconds,
      }));
      if (!stored) lost.abort(new Lost());
      signal.throwIfAborted();
      if (stored) current = stored;
    },
    /** `again`: while it ran, more was asked of it. */
    async finish(worked: string, { deckId, note }: Awaited<ReturnType<Run>>): Promise<'again' | 'ended'> {
      await storing;
      const value = await write((job) => {
        if (kind === 'speech' && JSON.stringify(job.work) !== worked) return job;
        const done = { ...job, done: current.done, total: current.total, ...(deckId && { deckId }) };
        return ended(done, note === undefined ? {} : { note }, now());
      });
      if (!value) throw new Lost();
      current = value;
      if (value.state === 'working') return 'again';
      publish(value);
      return 'ended';
    },
    /** Seconds until the next attempt, if there is one. */
    async fail(error: unknown): Promise<number | undefined> {
      await storing;
      const reason: unknown = signal.aborted ? signal.reason : error;
      if (reason instanceof Lost || reason instanceof Cancelled) {
        log({ event: 'job.left', jobId: id, kind, reason: reason.name });
        return undefined;
      }
      if (reason instanceof Closing) {
        await end((job) => released({ ...job, attempts: Math.max(0, job.attempts - 1) }, 0, now()));
        return undefined;
      }
      const words = refusalOf(error);
      const { attempts } = current;
      const last = attempts >= jobLimits.attempts;
      if (words !== undefined || last) {
        const told = words ?? `${unavailableWords(error)} It was tried ${attempts} times. Try again later.`;
        const blamed = words === undefined ? error : causeOf(error);
        log({
          event: 'job.failed',
          jobId: id,
          kind,
          reason: told,
          ...(blamed !== undefined && { error: stackOf(blamed) }),
        });
        await end((job) => ended(job, { error: told }, now()));
        return undefined;
      }
      const seconds = Math.max(backoffSeconds(attempts), retrySecondsOf(error));
      log({ event: 'job.retried', jobId: id, kind, attempt: attempts, seconds, error: stackOf(error) });
      await end((job) => released({ ...job, attempts }, now() + seconds, now()));
      return seconds;
    },
    stop() {
      clearInterval(heartbeat);
      clearTimeout(pending);
    },
  };
}

function refusalOf(error: unknown): string | undefined {
  const isRefusal = error instanceof JobRefusal || error instanceof DeckRefusal || error instanceof SpeechRefusal;
  return isRefusal ? error.message : undefined;
}

/** What the engines say of themselves is for the user; anything else might give something away. */
function unavailableWords(error: unknown): string {
  const known = error instanceof Error && /^(Speech|Model)Unavailable$/.test(error.name);
  return known ? error.message : 'Something that this needs failed.';
}

function retrySecondsOf(error: unknown): number {
  const seconds = error instanceof Error && 'retrySeconds' in error ? Number(error.retrySeconds) : 0;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 300) : 0;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : String(error);
}
