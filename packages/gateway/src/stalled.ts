/** Cuts clients that stopped taking their answer: what waits for them holds memory here and a connection at the target (REL-06). */
import type { ServerResponse } from 'node:http';

interface Look {
  /** What tells whether anything moved. */
  readonly sent: number;
  readonly waiting: number;
  readonly since: number;
}

/**
 * To be called now and then with every answer under way. An answer that nothing waits in is never cut, however silent: a
 * stream may have nothing to say. What moves at all, a piece of 64 KB in the time, is only slow.
 */
export function stalledReaders(stalledSeconds: number, clock: () => number = () => performance.now()) {
  const looks = new WeakMap<ServerResponse, Look>();
  return (underway: Iterable<ServerResponse>): void => {
    const time = clock();
    for (const res of underway) {
      const { socket } = res;
      // Behind another answer of a connection that is asked ahead: what counts is the one in front.
      if (!socket) continue;
      const waiting = res.writableLength;
      const last = looks.get(res);
      if (waiting === 0) {
        looks.delete(res);
        continue;
      }
      const sent = socket.bytesWritten;
      if (!last || last.sent !== sent || last.waiting !== waiting) looks.set(res, { sent, waiting, since: time });
      else if (time - last.since >= stalledSeconds * 1000) socket.destroy();
    }
  };
}
