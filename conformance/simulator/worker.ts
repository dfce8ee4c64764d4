/** A thread that simulates what it is sent, one job after the other. */
import { parentPort } from 'node:worker_threads';
import { explore, type Job } from './explore.ts';

// Thousands of refusals a second, and nobody reads where they were thrown.
Error.stackTraceLimit = 0;

parentPort?.on('message', async (job: Job) => {
  try {
    parentPort?.postMessage({ figures: await explore(job) });
  } catch (error) {
    parentPort?.postMessage({ fault: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
});
