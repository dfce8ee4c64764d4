/** A job: long work of a user as a record, and its transitions, all pure. Who may run it holds its lease. */
import { createHash } from 'node:crypto';
import type { GenerateWork } from '../generate/generate-job.ts';

export type JobState = 'waiting' | 'working' | 'done' | 'failed';

/** Record the clips of a deck as it is; `version` is the deck's when this was asked. */
export interface SpeechWork {
  readonly kind: 'speech';
  readonly deckId: string;
  readonly version: number;
}

export type JobWork = SpeechWork | GenerateWork;
export type JobKind = JobWork['kind'];

export interface Job {
  readonly id: string;
  readonly owner: string;
  readonly kind: JobKind;
  /** The deck it works on, or the one it has made. */
  readonly deckId?: string;
  /** Of speech: the version of the deck that it records, or has recorded. */
  readonly deckVersion?: number;
  readonly state: JobState;
  readonly done: number;
  /** 0: not known yet. */
  readonly total: number;
  /** Of a failed one, in words for the user. */
  readonly error?: string;
  /** What a done one could not do, or did otherwise than asked, in words for the user. */
  readonly note?: string;
  /** Seconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface JobRecord extends Omit<Job, 'deckVersion'> {
  readonly work: JobWork;
  /** The run that holds the lease; a number drawn for each. */
  readonly runner?: string;
  /** Seconds. From then on anybody may run it. */
  readonly leasedUntil: number;
  /** Of a waiting one: not before then. */
  readonly notBefore: number;
  /** Runs that ended without progress, those of killed processes among them. */
  readonly attempts: number;
}

/** The user is told, and it is not tried again. */
export class JobRefusal extends Error {
  override name = 'JobRefusal';
}

export const jobLimits = {
  leaseSeconds: 30,
  /** Finished jobs are kept for a day. */
  keptSeconds: 86_400,
  attempts: 6,
  /** Unfinished jobs of one user. */
  openPerOwner: 50,
  /** The same generation asked for again within this is the same job, also when it is done. */
  recentSeconds: 600,
} as const;

/** One job for the speech of a deck, whatever its version; one for each distinct request to generate. */
export function jobId(owner: string, work: JobWork): string {
  const content = work.kind === 'speech' ? work.deckId : work.request;
  const digest = createHash('sha256')
    .update(JSON.stringify(['job', owner, work.kind, content]))
    .digest();
  const bytes = digest.subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6); // version 8, RFC 9562 §5.8
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8); // its variant, §4.1
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function isOpen({ state }: Pick<Job, 'state'>): boolean {
  return state === 'waiting' || state === 'working';
}

export function newJob(owner: string, work: JobWork, now: number): JobRecord {
  const seconds = Math.floor(now);
  return {
    id: jobId(owner, work),
    owner,
    kind: work.kind,
    ...(work.kind === 'speech' && { deckId: work.deckId }),
    state: 'waiting',
    done: 0,
    total: 0,
    createdAt: seconds,
    updatedAt: seconds,
    work,
    leasedUntil: 0,
    notBefore: 0,
    attempts: 0,
  };
}

/**
 * What becomes of a job that is asked for again: the same object, if there is nothing to do for it. `anew`: what it has
 * made is gone, so that a done one has to be run once more.
 */
export function askedAgain(job: JobRecord, work: JobWork, now: number, anew = false): JobRecord {
  if (isOpen(job)) {
    // The one who runs it sees at its end that the deck went on, and so does it.
    const newer = job.work.kind === 'speech' && work.kind === 'speech' && work.version > job.work.version;
    return newer ? { ...job, work, updatedAt: Math.floor(now) } : job;
  }
  if (job.state === 'failed' || anew) return newJob(job.owner, work, now);
  if (job.work.kind === 'speech' && work.kind === 'speech') {
    return work.version <= job.work.version ? job : newJob(job.owner, work, now);
  }
  return job.updatedAt + jobLimits.recentSeconds > now ? job : newJob(job.owner, work, now);
}

export function isFree(job: JobRecord, now: number): boolean {
  return job.state === 'waiting' ? job.notBefore <= now : job.state === 'working' && job.leasedUntil <= now;
}

export function leased(job: JobRecord, runner: string, now: number): JobRecord {
  const leasedUntil = now + jobLimits.leaseSeconds;
  return { ...job, state: 'working', runner, leasedUntil, attempts: job.attempts + 1, updatedAt: Math.floor(now) };
}

/** Undefined: the job is no longer this runner's. */
export function held(job: JobRecord | undefined, runner: string): JobRecord | undefined {
  return job?.state === 'working' && job.runner === runner ? job : undefined;
}

/** Back among the waiting, whoever takes it next. */
export function released(job: JobRecord, notBefore: number, now: number): JobRecord {
  const { runner: _, ...rest } = job;
  return { ...rest, state: 'waiting', leasedUntil: 0, notBefore, updatedAt: Math.floor(now) };
}

export function ended(
  job: JobRecord,
  end: { readonly error: string } | { readonly note?: string },
  now: number,
): JobRecord {
  const { runner: _, ...rest } = job;
  const state = 'error' in end ? 'failed' : 'done';
  return { ...rest, ...end, state, leasedUntil: 0, updatedAt: Math.floor(now) };
}

/** Without what is ours alone. */
export function jobOf(record: JobRecord): Job {
  const { work, runner: _, leasedUntil: __, notBefore: ___, attempts: ____, ...job } = record;
  return work.kind === 'speech' ? { ...job, deckVersion: work.version } : job;
}
