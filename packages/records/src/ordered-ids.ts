/** Owns the order of ids in memory: a sorted list in chunks, so that a page costs the same among a million records. */

const maxChunk = 512;

export class OrderedIds {
  /** Each chunk is sorted and not empty; the last id of a chunk is before the first of the next. */
  readonly #chunks: string[][] = [];

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  add(id: string): void {
    const at = Math.min(this.#chunkOf(id), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([id]);
      return;
    }
    const index = firstNotBefore(chunk, id);
    if (chunk[index] === id) return;
    chunk.splice(index, 0, id);
    if (chunk.length > maxChunk) this.#chunks.splice(at + 1, 0, chunk.splice(maxChunk / 2));
  }

  delete(id: string): void {
    const at = this.#chunkOf(id);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const index = firstNotBefore(chunk, id);
    if (chunk[index] !== id) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The ids strictly after `id`. Do not change the list while reading it. */
  *after(id: string): Generator<string, void> {
    const start = this.#chunkOf(id);
    for (let at = start; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as string[];
      let index = at === start ? firstNotBefore(chunk, id) : 0;
      if (chunk[index] === id) index++;
      for (; index < chunk.length; index++) yield chunk[index] as string;
    }
  }

  /** The first chunk that ends at or after the id; the number of chunks if none does. */
  #chunkOf(id: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUtf8(this.#chunks[middle]?.at(-1) as string, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function firstNotBefore(chunk: readonly string[], id: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(chunk[middle] as string, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The order of the strings' UTF-8 bytes, which is the order of databases. JavaScript's own differs: it puts surrogates
 * (code points from U+10000) before U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
