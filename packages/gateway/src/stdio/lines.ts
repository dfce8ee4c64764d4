/** The lines of a process, bounded: what it writes is cut, counted and made harmless before it stands anywhere. */

export interface LongLine {
  /** The first and the last bytes of it, decoded. */
  readonly head: string;
  readonly tail: string;
  readonly bytes: number;
}

/** Bytes of a line that is too long which are kept from either end. */
const keptOfLong = 256;

export interface LineReader {
  push(chunk: Buffer): void;
  /** What came after the last line break. */
  end(): void;
}

/** A line longer than `maxBytes` is never held: only its ends are. */
export function lineReader(
  maxBytes: number,
  onLine: (line: Buffer) => void,
  onLong: (line: LongLine) => void,
): LineReader {
  let chunks: Buffer[] = [];
  let length = 0;
  let long: { head: string; tail: Buffer; bytes: number } | undefined;

  const add = (chunk: Buffer) => {
    if (long) {
      long.bytes += chunk.length;
      long.tail = Buffer.concat([long.tail, chunk]).subarray(-keptOfLong);
      return;
    }
    chunks.push(chunk);
    length += chunk.length;
    if (length <= maxBytes) return;
    const whole = Buffer.concat(chunks, length);
    long = {
      head: whole.subarray(0, keptOfLong).toString('utf8'),
      // A copy: a view would hold all that came.
      tail: Buffer.from(whole.subarray(-keptOfLong)),
      bytes: length,
    };
    chunks = [];
    length = 0;
  };
  const finish = () => {
    if (long) onLong({ head: long.head, tail: long.tail.toString('utf8'), bytes: long.bytes });
    else if (length > 0) {
      const [only] = chunks;
      onLine(chunks.length === 1 && only ? only : Buffer.concat(chunks, length));
    }
    chunks = [];
    length = 0;
    long = undefined;
  };
  return {
    push(chunk) {
      let rest = chunk;
      for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
        add(rest.subarray(0, at));
        finish();
        rest = rest.subarray(at + 1);
      }
      if (rest.length > 0) add(rest);
    },
    end: finish,
  };
}

/** For the log: no control character reaches a terminal or breaks a line, and nobody can write backwards in it. */
export function harmless(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength)
    .replace(/[\p{C}\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** So many at once, and so many a second after that. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Says of each whether it may pass; `now` gives seconds. */
export function rateGate({ burst, perSecond }: Rate, now: () => number): () => boolean {
  let left = burst;
  let last = now();
  return () => {
    const time = now();
    left = Math.min(burst, left + Math.max(0, time - last) * perSecond);
    last = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
