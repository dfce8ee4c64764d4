/**
 * Comments in event streams that are silent (HTML, "Event stream interpretation": a line that begins with a colon), because
 * front doors cut what says nothing.
 */
import type { ServerResponse } from 'node:http';

/**
 * Below the shortest patience of the usual front doors: CloudFront waits 30 s for a byte of its origin unless told, an edge
 * API Gateway 30 s, an Application Load Balancer and nginx 60 s. Two thirds of it, so that a slow moment costs no stream.
 */
export const defaultKeepAliveSeconds = 20;

const comment = ':\n\n';
const [lineFeed, carriageReturn] = [0x0a, 0x0d];
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

export interface KeepAlive {
  /** To be told of everything that goes to the client; gives what is to be written of it. */
  next<T extends Buffer | string>(chunk: T): T | Buffer;
  end(): void;
}

/** For an answer that is an event stream and whose head is out. */
export function keepAlive(res: ServerResponse, seconds: number): KeepAlive {
  // As if an event had just ended: before the first one is a place for a comment too.
  let tail: readonly number[] = [lineFeed, lineFeed];
  let first = true;
  let commented = false;
  // One timer a stream: Node keeps those of one duration in one list, where to begin anew costs nothing worth a count.
  const timer = setTimeout(() => {
    if (res.destroyed || res.writableEnded) return;
    timer.refresh();
    // What still waits here for the client will keep the connection alive itself, once it is taken.
    if (res.writableLength > 0 || !betweenEvents(tail)) return;
    res.write(comment);
    commented = true;
  }, seconds * 1000).unref();
  return {
    next(chunk) {
      if (chunk.length === 0) return chunk;
      timer.refresh();
      const last = typeof chunk === 'string' ? Buffer.from(chunk.slice(-3)) : chunk.subarray(-3);
      tail = [...tail, ...last].slice(-3);
      const leads = first;
      first = false;
      // A byte order mark counts only at the very beginning, which is ours by now: in front of a field it would spoil it.
      const marked = leads && commented && Buffer.isBuffer(chunk) && chunk.subarray(0, 3).equals(byteOrderMark);
      return marked ? chunk.subarray(3) : chunk;
    },
    end: () => clearTimeout(timer),
  };
}

/**
 * Whether what was written ends with an empty line, whichever way its lines end. `CR LF CR` is none yet: by the letter it
 * is, but the `LF` is on its way, and programs that look for the whole pair twice would miss the end of their event.
 */
function betweenEvents(tail: readonly number[]): boolean {
  const [third, second, last] = [tail.at(-3), tail.at(-2), tail.at(-1)];
  if (last === lineFeed) {
    if (second === lineFeed) return true;
    return second === carriageReturn && (third === lineFeed || third === carriageReturn);
  }
  return last === carriageReturn && second === carriageReturn;
}
