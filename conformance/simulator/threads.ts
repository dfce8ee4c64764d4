/** Shares jobs out over threads; the first finding or fault ends it all. */
import { Worker } from 'node:worker_threads';
import type { Figures, Job } from './explore.ts';

export async function exploreInThreads(jobs: readonly Job[], threads: number): Promise<readonly Figures[]> {
  const left = [...jobs];
  const done: Figures[] = [];
  const workers = Array.from(
    { length: Math.min(threads, jobs.length) },
    // Young garbage only: with room for it, almost none of it is ever looked at.
    () =>
      new Worker(new URL('./worker.ts', import.meta.url), {
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      }),
  );
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            const next = (): void => {
              const job = left.shift();
              if (job) worker.postMessage(job);
              else resolve();
            };
            worker.on('error', reject);
            worker.on('message', ({ figures, fault }: { figures?: Figures; fault?: string }) => {
              if (!figures) return reject(new Error(fault));
              done.push(figures);
              if (figures.finding) left.length = 0;
              next();
            });
            next();
          }),
      ),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return done;
}
