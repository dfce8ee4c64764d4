/** The end of the server in order: nobody new, what is in flight finished, streams ended, and what is left cut in time (REL-04). */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface DrainTimes {
  /** Still listening, but not ready and letting go of every connection: for load balancers to notice. 0: at once. */
  readonly delayMs: number;
  /** From then on, until whatever is left is cut. */
  readonly graceMs: number;
}

export interface Connections {
  readonly underway: ReadonlySet<ServerResponse>;
  /** Those on which nothing was ever asked: to Node they are not idle, and would be waited for. */
  readonly silent: ReadonlySet<Socket>;
}

/** A moment before the cut, in which a stream is still ended so that its client knows it has all there is. */
const lastWordsMs = 1000;

export async function drain(
  server: Server,
  { underway, silent }: Connections,
  { delayMs, graceMs }: DrainTimes,
): Promise<void> {
  for (const res of underway) letGo(res);
  if (delayMs > 0) await pause(delayMs);
  await new Promise<void>((resolve) => {
    const lastWords = setTimeout(
      () => {
        for (const res of underway) if (isOpenEventStream(res)) res.end();
      },
      Math.max(graceMs - lastWordsMs, graceMs * 0.9),
    );
    const force = setTimeout(() => server.closeAllConnections(), graceMs);
    // An answer that began before the end could not say that its connection ends with it.
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    server.close(() => {
      clearTimeout(lastWords);
      clearTimeout(force);
      clearInterval(idle);
      resolve();
    });
    server.closeIdleConnections();
    for (const socket of silent) socket.destroy();
    for (const res of underway) {
      letGo(res);
      // It has no end of its own to wait for. An answer to a POST has, though it comes as events: the call's result.
      if (isOpenEventStream(res) && res.req.method === 'GET') res.end();
    }
  });
}

/** A client that keeps its connection would hold us for the whole time. */
function letGo(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('connection', 'close');
}

function isOpenEventStream(res: ServerResponse): boolean {
  return res.headersSent && !res.writableEnded && String(res.getHeader('content-type')).startsWith('text/event-stream');
}
