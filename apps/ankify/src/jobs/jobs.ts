/** The jobs of all users: asked for, followed, and taken up again by whichever process is there. */
import { type Records, type Stored, update } from '@mcp-gatehouse/records';
import { type AnkifyRecords, DeckRefusal } from '../decks/deck.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import {
  askedAgain,
  ended,
  isFree,
  isOpen,
  type Job,
  type JobKind,
  type JobRecord,
  type JobWork,
  jobId,
  jobLimits,
  jobOf,
  newJob,
} from './job.ts';
import { Cancelled, Closing, type Run, runJob } from './run.ts';

export interface Jobs {
  /** What this process has the means for. */
  readonly kinds: ReadonlySet<JobKind>;
  /**
   * The same work is the same job; `anew`: also if it is done, because what it has made is gone. Throws `DeckRefusal` if
   * this process cannot do it, or the user has too many.
   */
  start(owner: string, work: JobWork, options?: { readonly anew?: boolean }): Promise<Job>;
  /** Undefined: there is none, or it is somebody else's; the two look alike. */
  find(owner: string, jobId: string): Promise<Job | undefined>;
  /** The speech job of a deck, whatever became of it. */
  ofDeck(owner: string, deckId: string): Promise<Job | undefined>;
  /** Until it has ended or the time is over: 0 to 25 seconds. */
  wait(owner: string, jobId: string, seconds: number): Promise<Job | undefined>;
  /** The job as it is, then each change, until it has ended. The answer ends it sooner. */
  watch(owner: string, jobId: string, listener: (job: Job) => void): () => void;
  /** Ends it as failed, with these words for the user. */
  cancel(owner: string, jobId: string, reason: string): Promise<Job | undefined>;
  /** Takes up what nobody runs, now and from time to time. */
  resume(): void;
  /** Gives the running ones back; others, or the next start, go on with them. */
  close(): Promise<void>;
}

export interface JobsOptions {
  readonly records: Records<AnkifyRecords>;
  /** Seconds. */
  readonly now: () => number;
  readonly runs: { readonly [K in JobKind]?: Run };
  readonly log?: (event: LogEvent) => void;
  /** Jobs at once in this process, and of one user. */
  readonly parallel?: number;
  readonly parallelPerOwner?: number;
  /** How often to look for jobs of ended processes. */
  readonly scanSeconds?: number;
  /** Before the next attempt, of those without progress the n-th. */
  readonly backoffSeconds?: (attempt: number) => number;
}

export const longestWaitSeconds = 25;
/** How soon a change made by another process is seen. */
const pollMs = 1000;

export function createJobs(options: JobsOptions): Jobs {
  const { records, now, runs, parallel = 4, parallelPerOwner = 2, scanSeconds = 10, log = () => {} } = options;
  const { backoffSeconds = (attempt: number) => Math.min(60, 2 ** attempt) } = options;
  const kinds: ReadonlySet<JobKind> = new Set((['speech', 'generate'] as const).filter((kind) => runs[kind]));
  const candidates = new Map<string, { readonly owner: string; readonly createdAt: number }>();
  const running = new Map<string, { readonly owner: string; readonly abort: AbortController; ended: Promise<void> }>();
  /** Of what runs here: its record is up to a second behind. */
  const latest = new Map<string, JobRecord>();
  const listeners = new Map<string, Set<(job: Job) => void>>();
  const timers = new Set<NodeJS.Timeout>();
  /** End those who wait and watch: nobody is told anything after the close. */
  const followers = new Set<() => void>();
  let scanning: NodeJS.Timeout | undefined;
  let closed = false;

  const find: Jobs['find'] = async (owner, id) => {
    if (!isJobId(id)) return undefined;
    const stored = await records.get('job', id);
    if (stored?.value.owner !== owner) return undefined;
    const seen = latest.get(id);
    return jobOf(seen?.runner !== undefined && seen.runner === stored.value.runner ? seen : stored.value);
  };

  /** Never rejects: what failed is in the log, and the next scan tries again. */
  function inBackground(what: string, work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      log({ event: 'job.unavailable', what, error: error instanceof Error ? error.stack : String(error) });
    });
  }

  function scanIn(seconds: number): void {
    if (closed) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      void inBackground('scan', scan());
    }, seconds * 1000);
    timer.unref();
    timers.add(timer);
  }

  async function scan(): Promise<void> {
    for await (const { value: job } of openJobs(records)) {
      if (!kinds.has(job.kind) || running.has(job.id)) continue;
      const { id, owner, createdAt } = job;
      const wait = job.notBefore - now();
      if (isFree(job, now())) candidates.set(id, { owner, createdAt });
      // Timers may come a little early, and then would find nothing.
      else if (job.state === 'waiting' && wait < scanSeconds) scanIn(wait + 0.01);
    }
    pump();
  }

  /** Whoever has the fewest running comes first, so that nobody waits behind all the work of another. */
  function pump(): void {
    while (!closed && running.size < parallel) {
      const busy = new Map<string, number>();
      for (const { owner } of running.values()) busy.set(owner, (busy.get(owner) ?? 0) + 1);
      const load = (owner: string) => busy.get(owner) ?? 0;
      const [next] = [...candidates]
        .filter(([id, { owner }]) => load(owner) < parallelPerOwner && !running.has(id))
        .sort(([, a], [, b]) => load(a.owner) - load(b.owner) || a.createdAt - b.createdAt);
      if (!next) return;
      const [id, { owner }] = next;
      candidates.delete(id);
      const entry = { owner, abort: new AbortController(), ended: Promise.resolve() };
      running.set(id, entry);
      entry.ended = inBackground('run', take(id, entry.abort.signal)).then(() => {
        running.delete(id);
        latest.delete(id);
        pump();
      });
    }
  }

  async function take(id: string, signal: AbortSignal): Promise<void> {
    const again = await runJob({ records, now, runs, log, publish, backoffSeconds, start }, id, signal);
    if (again !== undefined) scanIn(again);
  }

  function publish(record: JobRecord): void {
    if (running.has(record.id)) latest.set(record.id, record);
    for (const listener of listeners.get(record.id) ?? []) listener(jobOf(record));
  }

  const watch: Jobs['watch'] = (owner, id, listener) => {
    let last = '';
    const stop = () => {
      clearInterval(poll);
      followers.delete(stop);
      const set = listeners.get(id);
      set?.delete(hear);
      if (set?.size === 0) listeners.delete(id);
    };
    const hear = (job: Job) => {
      const text = JSON.stringify(job);
      if (job.owner !== owner || text === last) return;
      last = text;
      if (!isOpen(job)) stop();
      listener(job);
    };
    const look = async () => {
      const job = await find(owner, id);
      if (job && listeners.get(id)?.has(hear)) hear(job);
    };
    // What runs here is told at once.
    const poll = setInterval(() => running.has(id) || void inBackground('watch', look()), pollMs);
    poll.unref();
    listeners.set(id, (listeners.get(id) ?? new Set()).add(hear));
    followers.add(stop);
    void inBackground('watch', look());
    return stop;
  };

  const start: Jobs['start'] = async (owner, work, { anew = false } = {}) => {
    if (!kinds.has(work.kind)) throw new DeckRefusal(unable[work.kind]);
    const id = jobId(owner, work);
    if (!(await records.get('job', id))) await refuseTooMany(records, owner);
    const { record, started } = await update(records, 'job', id, (stored) => {
      const record = stored ? askedAgain(stored.value, work, now(), anew) : newJob(owner, work, now());
      if (record === stored?.value) return { result: { record, started: false } };
      return { write: { value: record }, result: { record, started: true } };
    });
    if (started) {
      publish(record);
      candidates.set(id, { owner, createdAt: record.createdAt });
      pump();
    }
    return jobOf(record);
  };

  return {
    kinds,
    find,
    watch,
    ofDeck: (owner, deckId) => find(owner, jobId(owner, { kind: 'speech', deckId, version: 0 })),
    start,
    async wait(owner, id, seconds) {
      const ms = Math.min(Math.max(seconds, 0), longestWaitSeconds) * 1000;
      const job = await find(owner, id);
      if (!job || !isOpen(job) || ms === 0 || closed) return job;
      let last = job;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => finish(), ms);
        const stop = watch(owner, id, (seen) => {
          last = seen;
          if (!isOpen(seen)) finish();
        });
        followers.add(finish);
        function finish() {
          followers.delete(finish);
          clearTimeout(timer);
          stop();
          resolve();
        }
      });
      return closed ? last : find(owner, id);
    },
    async cancel(owner, id, reason) {
      const record = await update(records, 'job', id, (stored) => {
        if (stored?.value.owner !== owner || !isOpen(stored.value)) return { result: undefined };
        const value = ended(stored.value, { error: reason }, now());
        return { write: { value, expiresAt: now() + jobLimits.keptSeconds }, result: value };
      });
      if (!record) return undefined;
      candidates.delete(id);
      running.get(id)?.abort.abort(new Cancelled());
      publish(record);
      return jobOf(record);
    },
    resume() {
      if (closed) return;
      void inBackground('scan', scan());
      scanning ??= setInterval(() => void inBackground('scan', scan()), scanSeconds * 1000);
      scanning.unref();
    },
    async close() {
      closed = true;
      clearInterval(scanning);
      for (const timer of timers) clearTimeout(timer);
      for (const end of followers) end();
      for (const { abort } of running.values()) abort.abort(new Closing());
      await Promise.all(Array.from(running.values(), (entry) => entry.ended));
    },
  };
}

const unable: Record<JobKind, string> = {
  speech: 'This server records no speech. Use audio "device": Anki then reads the cards aloud itself.',
  generate: 'This server has no language model. Write the cards yourself and call create_deck.',
};

/** UUIDs only: anything else is no job, and never reaches the database as a key. */
export function isJobId(id: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}

async function* openJobs(records: Records<AnkifyRecords>): AsyncGenerator<Stored<JobRecord>> {
  for (let after: string | undefined; ; ) {
    const page = await records.list('job', { group: 'open', limit: 200 }, after);
    yield* page.items;
    after = page.next;
    if (after === undefined) return;
  }
}

async function refuseTooMany(records: Records<AnkifyRecords>, owner: string): Promise<void> {
  let open = 0;
  for await (const { value } of openJobs(records)) if (value.owner === owner) open++;
  if (open < jobLimits.openPerOwner) return;
  throw new DeckRefusal(`${open} jobs of yours are not finished yet. Wait for them with get_job, then call again.`);
}
