/** `/jobs/{job_id}`: what became of long work, asked for or told as it goes on. */
import * as z from 'zod';
import { isOpen, type Job } from '../jobs/job.ts';
import { Problem } from './problem.ts';
import { type EventStream, type Route, route } from './route.ts';
import { eventText } from './send-stream.ts';
import type { Services } from './services.ts';
import * as shapes from './shapes.ts';

/** Below what clients and front doors wait for an answer. */
const longestWaitSeconds = 20;

export function jobRoutes(services: Services): readonly Route[] {
  const { jobs } = services;
  return [
    route({
      method: 'GET',
      path: '/jobs/{job_id}',
      id: 'readJob',
      scope: 'list_decks',
      summary: 'A job, or its progress as events',
      description:
        'With `Accept: text/event-stream`: events `progress`, and at last `done` or `failed`, each with the whole job ' +
        'as its data. A stream that ends without them is opened again; `Last-Event-ID` is not needed.',
      params: z.object({ job_id: z.string() }),
      query: z.strictObject({
        wait_seconds: z
          .string()
          .regex(/^([0-9]|1[0-9]|20)$/, 'it must be a whole number from 0 to 20')
          .optional()
          .describe('How long to wait for its end before answering, 0 to 20; 0 unless told.'),
      }),
      answers: { 200: { description: 'The job.', schema: shapes.job, also: 'text/event-stream' } },
      problems: ['not-found'],
      async handle({ owner, params, query, headers, signal }) {
        const id = params.job_id;
        const found = shapes.isId(id) ? await jobs.find(owner, id) : undefined;
        if (!found) throw noJob();
        if (wantsEvents(headers.accept)) return { status: 200, stream: progressOf(services, found) };
        const seconds = Math.min(Number(query.wait_seconds ?? 0), longestWaitSeconds);
        const job = seconds > 0 && isOpen(found) ? await waitFor(services, found, seconds, signal) : found;
        return { status: 200, json: shapes.describeJob(job) };
      },
    }),
  ];
}

export function noJob(): Problem {
  return new Problem('not-found', 'There is no such job among yours. Finished ones are kept for a day.');
}

/** The one thing that is asked for by name; `*` and everything else is the job as JSON. */
function wantsEvents(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((part) => part.split(';', 1)[0]?.trim().toLowerCase() === 'text/event-stream');
}

/** Ends sooner when nobody waits for the answer any more. */
async function waitFor({ jobs }: Services, { owner, id }: Job, seconds: number, signal: AbortSignal): Promise<Job> {
  const gone = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const job = (await Promise.race([jobs.wait(owner, id, seconds), gone])) ?? (await jobs.find(owner, id));
  if (!job) throw noJob();
  return job;
}

/** Each event is the whole state, so whoever comes back needs nothing of what it missed. */
function progressOf({ jobs }: Services, first: Job): EventStream {
  return (send, signal) =>
    new Promise((resolve) => {
      let id = 0;
      let stop: (() => void) | undefined;
      let over = false;
      const finish = () => {
        over = true;
        if (stop) stop();
        resolve();
      };
      const tell = (job: Job) => {
        if (over) return;
        id += 1;
        const ended = !isOpen(job);
        send(eventText({ id, event: ended ? job.state : 'progress', data: shapes.describeJob(job) }));
        if (ended) finish();
      };
      send('retry: 2000\n\n');
      if (signal.aborted) return finish();
      signal.addEventListener('abort', finish, { once: true });
      stop = jobs.watch(first.owner, first.id, tell);
      if (over) stop();
      return undefined;
    });
}
