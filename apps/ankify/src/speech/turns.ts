/** So many at a time; the others wait in their order, and may leave. */

export interface Turns {
  /** Rejects with the signal's reason if it was aborted while it waited. */
  take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function turns(atOnce: number): Turns {
  let working = 0;
  const waiting = new Set<() => void>();
  return {
    async take(work, signal) {
      signal?.throwIfAborted();
      if (working >= atOnce) {
        await new Promise<void>((resolve, reject) => {
          const leave = () => {
            waiting.delete(enter);
            reject(signal?.reason);
          };
          const enter = () => {
            signal?.removeEventListener('abort', leave);
            resolve();
          };
          waiting.add(enter);
          signal?.addEventListener('abort', leave, { once: true });
        });
      } else working++;
      try {
        return await work();
      } finally {
        // The place is handed on, never free in between: who just came must not overtake.
        const [next] = waiting;
        if (next) {
          waiting.delete(next);
          next();
        } else working--;
      }
    },
  };
}
