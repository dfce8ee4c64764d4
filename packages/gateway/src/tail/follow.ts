/** The bytes of a log file, to its end or as it grows: renamed away, made anew or cut off, as whatever rotates logs does it. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

export interface FollowOptions {
  readonly follow: boolean;
  /** Begin so many bytes before the end; from the beginning unless given. */
  readonly lastBytes?: number;
  /** Told once, when the end was reached for the first time. */
  readonly onEnd: () => void;
  /** Ends it, in order. */
  readonly signal: AbortSignal;
  /** How often the file is looked at, in milliseconds; 250 unless told. */
  readonly everyMs?: number;
}

const lineBreak = Buffer.from('\n');

/** Rejects, in words, where the file cannot be read at the start. A file that goes away later is waited for. */
export async function* fileBytes(path: string, options: FollowOptions): AsyncGenerator<Buffer> {
  const { follow, lastBytes, onEnd, signal, everyMs = 250 } = options;
  let file = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const facts = await file.stat();
    if (facts.isDirectory()) throw new Error(`${path} is a directory: name the file.`);
    // A pipe has no places, and no end to wait for again.
    if (!facts.isFile()) {
      for await (const chunk of file.createReadStream({ autoClose: false, signal })) yield chunk as Buffer;
      return onEnd();
    }
    let at = lastBytes === undefined ? 0 : Math.max(0, facts.size - lastBytes);
    if (at > 0) at = await lineStart(file, at);
    let ended = false;
    for (;;) {
      for (let chunk = await read(file, at); chunk.length > 0; chunk = await read(file, at)) {
        if (signal.aborted) return;
        at += chunk.length;
        yield chunk;
      }
      if (!ended) onEnd();
      ended = true;
      if (!follow || signal.aborted) return;
      const next = await following(path, file, at);
      if (next === 'same') await pause(everyMs, undefined, { signal }).catch(() => {});
      else {
        // What was written to the old one until it was let go of belongs to it.
        if (next !== 'cut') {
          for (let rest = await read(file, at); rest.length > 0; rest = await read(file, at)) {
            at += rest.length;
            yield rest;
          }
          await file.close();
          file = next;
        }
        at = 0;
        // A line that was cut off is none of the new file's.
        yield lineBreak;
      }
      if (signal.aborted) return;
    }
  } finally {
    await file.close().catch(() => {});
  }
}

/** The file that has the name now, where it is another one; `cut`: it is shorter than what was read of it. */
async function following(path: string, file: FileHandle, at: number): Promise<'same' | 'cut' | FileHandle> {
  try {
    const [own, named] = await Promise.all([file.stat(), stat(path)]);
    if (own.ino === named.ino && own.dev === named.dev) return own.size < at ? 'cut' : 'same';
    return await open(path);
  } catch {
    return 'same'; // between two names: it comes back
  }
}

async function read(file: FileHandle, at: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
  return buffer.subarray(0, bytesRead);
}

/** Behind the first line break from here on: half a line is no event. */
async function lineStart(file: FileHandle, from: number): Promise<number> {
  for (let at = from - 1; ; ) {
    const chunk = await read(file, at);
    const found = chunk.indexOf(0x0a);
    if (found >= 0 || chunk.length === 0) return at + found + 1;
    at += chunk.length;
  }
}

function unreadable(path: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new Error(`There is no file ${path}.`);
  if (code === 'EACCES' || code === 'EPERM') return new Error(`${path} may not be read by you.`);
  return new Error(`${path} cannot be read: ${(error as Error).message}`);
}
