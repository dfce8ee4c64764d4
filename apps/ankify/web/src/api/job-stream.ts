/** A job until it ends: its events over SSE (WHATWG HTML §9.2.6), opened again whenever the stream breaks, else polled. */
import { isPassing, send } from './client.ts';
import { readJob } from './decks.ts';
import { ApiProblem } from './problem.ts';
import type { Job } from './shapes.ts';

const pauseMs = 1500;
const pollSeconds = 15;

/** `seen` is told of each state, and with `undefined` while the connection is away. Resolves with the ended job. */
export async function followJob(id: string, seen: (job: Job | undefined) => void, abort: AbortSignal): Promise<Job> {
  for (let breaks = 0; ; breaks++) {
    try {
      const stream = breaks % 3 < 2;
      for await (const job of stream ? events(id, abort) : polled(id, abort)) {
        breaks = 0;
        seen(job);
        if (job.state === 'done' || job.state === 'failed') return job;
      }
    } catch (error) {
      if (abort.aborted) throw error;
      // A server that streams nothing can still be polled.
      if (!isPassing(error) && !(error instanceof TypeError)) throw error;
      seen(undefined);
    }
    await pause(pauseMs, abort);
  }
}

async function* polled(id: string, abort: AbortSignal): AsyncGenerator<Job> {
  yield await readJob(id, pollSeconds, abort);
}

async function* events(id: string, abort: AbortSignal): AsyncGenerator<Job> {
  const response = await send('GET', `/jobs/${id}`, { accept: 'text/event-stream', signal: abort });
  if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
    throw new ApiProblem('unavailable', response.status, 'no event stream');
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      for (let end = endOfEvent(rest); end; end = endOfEvent(rest)) {
        const data = rest
          .slice(0, end.at)
          .split(/\r?\n/)
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5).trimStart())
          .join('\n');
        rest = rest.slice(end.at + end.length);
        if (data !== '') yield JSON.parse(data) as Job;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function endOfEvent(text: string): { at: number; length: number } | undefined {
  const match = /\r?\n\r?\n/.exec(text);
  return match ? { at: match.index, length: match[0].length } : undefined;
}

export function pause(milliseconds: number, abort?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    abort?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(abort.reason);
    });
  });
}
