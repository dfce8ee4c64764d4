/** What a command is at, on one line of standard error that is written over; nothing where that is no terminal. */

export interface Progress {
  /** Replaces what stood there. */
  show(text: string): void;
  /** Leaves the line empty. */
  clear(): void;
}

/** A screen does not show more, and a slow terminal would hold up the work. */
const everyMs = 100;

export function progress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { show() {}, clear() {} };
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown = false;
  return {
    show(text) {
      const at = performance.now();
      if (at - shownAt < everyMs) return;
      shownAt = at;
      shown = true;
      stream.write(`\r\u001b[K${text.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
    },
    clear() {
      if (shown) stream.write('\r\u001b[K');
      shown = false;
      shownAt = Number.NEGATIVE_INFINITY;
    },
  };
}
