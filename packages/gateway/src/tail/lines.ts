/** Lines out of bytes, each of bounded length: what is longer is counted and left out, and nothing else is lost. */

/** A log line of ours is far below: its longest text is a stack. */
export const maxLineBytes = 1024 * 1024;

/** `undefined`: here was a line that is too long. Without its line break; a last line needs none. */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  maxBytes = maxLineBytes,
): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  const taken = (): string | undefined => {
    const line = length > maxBytes ? undefined : Buffer.concat(parts).toString('utf8').replace(/\r$/, '');
    [parts, length] = [[], 0];
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, end < 0 ? chunk.length : end);
      length += part.length;
      if (length > maxBytes) parts = [];
      else parts.push(part);
      if (end < 0) break;
      yield taken();
      start = end + 1;
    }
  }
  if (length > 0) yield taken();
}
