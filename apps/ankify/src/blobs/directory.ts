/**
 * Blobs in a directory of this machine. A file holds one line of JSON about the blob and then its bytes, and appears
 * by a rename: there is no moment at which a reader finds half of it, or bytes without their expiry.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Blobs, checkKey, checkSize } from './blobs.ts';

export interface DirectoryOptions {
  /** Made if it is not there, for this user only. */
  readonly directory: string;
  /** Of all blobs together; beyond it, those not used for longest go. Default 10 GiB. */
  readonly maxBytes?: number;
  /** Default 600. */
  readonly sweepEverySeconds?: number;
  /** Seconds since the epoch. */
  readonly now?: () => number;
  /** A sweep that fails is tried again; what it said comes here. */
  readonly onError?: (error: unknown) => void;
}

export interface DirectoryBlobs extends Blobs {
  /** Removes what has expired, what a killed process left half-written, and what does not fit. */
  sweep(): Promise<void>;
}

interface Head {
  readonly contentType: string;
  readonly expiresAt?: number;
  /** Of the bytes after the line. */
  readonly length: number;
}

const defaultMaxBytes = 10 * 1024 ** 3;
const maxHeadBytes = 512;
/** Nobody writes for so long: its process has ended. */
const abandonedSeconds = 3600;
/** The time of last use is kept roughly: not every read has to write. */
const usedAgainSeconds = 3600;
const draftFolder = '.drafts';

/** Throws what the system says if the directory cannot be made or read. */
export async function openDirectoryBlobs(options: DirectoryOptions): Promise<DirectoryBlobs> {
  const { directory, maxBytes = defaultMaxBytes, now = () => Date.now() / 1000, onError = () => undefined } = options;
  await mkdir(join(directory, draftFolder), { recursive: true, mode: 0o700 });
  /** What is kept, as far as is known since the last sweep. */
  let kept = 0;
  let sweeping: Promise<void> | undefined;
  const sweep = () => {
    sweeping ??= sweepDirectory(directory, maxBytes, now)
      .then((bytes) => {
        kept = bytes;
      })
      .finally(() => {
        sweeping = undefined;
      });
    return sweeping;
  };
  await sweep();
  const timer = setInterval(() => void sweep().catch(onError), (options.sweepEverySeconds ?? 600) * 1000);
  timer.unref();
  const pathOf = (key: string) => join(directory, checkKey(key));

  return {
    sweep,
    async put(key, bytes, { contentType, expiresAt }) {
      const path = pathOf(key);
      checkSize(key, bytes);
      const head: Head = { contentType, ...(expiresAt !== undefined && { expiresAt }), length: bytes.length };
      const line = Buffer.from(`${JSON.stringify(head)}\n`);
      if (line.length > maxHeadBytes) throw new RangeError('contentType is too long');
      await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
      const draft = join(directory, draftFolder, randomBytes(12).toString('hex'));
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(Buffer.concat([line, bytes]));
          // Else a machine that loses its power could keep the name without the bytes.
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
      kept += bytes.length;
      if (kept > maxBytes) await sweep();
    },
    async get(key) {
      const path = pathOf(key);
      return withFile(path, async (file) => {
        const found = await readHead(file);
        if (!found?.whole || hasExpired(found.head, now())) return undefined;
        const bytes = Buffer.alloc(found.head.length);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, found.start);
        if (bytesRead < bytes.length) return undefined;
        const { mtimeMs } = await file.stat();
        // A sweep on its way may have removed it; it was read.
        if (now() - mtimeMs / 1000 > usedAgainSeconds) await utimes(path, now(), now()).catch(ignoreMissing);
        return { bytes, contentType: found.head.contentType };
      });
    },
    async has(key) {
      const found = await withFile(pathOf(key), readHead);
      return found?.whole === true && !hasExpired(found.head, now());
    },
    remove: (key) => rm(pathOf(key), { force: true }),
    async link(key) {
      checkKey(key);
      return undefined;
    },
    async close() {
      clearInterval(timer);
      await sweeping;
    },
  };
}

function hasExpired({ expiresAt }: Head, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    return ignoreMissing(error);
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

interface Found {
  readonly head: Head;
  /** Where the bytes begin. */
  readonly start: number;
  /** False: a disk lost some of it. It counts as absent, and is made again. */
  readonly whole: boolean;
}

/** Undefined: it is no file of ours. */
async function readHead(file: FileHandle): Promise<Found | undefined> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(maxHeadBytes);
  const { bytesRead } = await file.read(buffer, 0, maxHeadBytes, 0);
  const end = buffer.subarray(0, bytesRead).indexOf(10);
  if (end < 0) return undefined;
  let head: unknown;
  try {
    head = JSON.parse(buffer.toString('utf8', 0, end));
  } catch {
    return undefined;
  }
  return isHead(head) ? { head, start: end + 1, whole: size === end + 1 + head.length } : undefined;
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false;
  const { contentType, expiresAt, length } = value as Partial<Record<keyof Head, unknown>>;
  return (
    typeof contentType === 'string' &&
    Number.isSafeInteger(length) &&
    (expiresAt === undefined || typeof expiresAt === 'number')
  );
}

/** How many bytes are kept after it. */
async function sweepDirectory(directory: string, maxBytes: number, now: () => number): Promise<number> {
  for (const name of await readdir(join(directory, draftFolder))) {
    const path = join(directory, draftFolder, name);
    const known = await stat(path).catch(ignoreMissing);
    if (known && now() - known.mtimeMs / 1000 > abandonedSeconds) await rm(path, { force: true });
  }
  const files: Array<{ readonly path: string; readonly bytes: number; readonly used: number }> = [];
  for (const folder of await readdir(directory, { withFileTypes: true })) {
    if (!folder.isDirectory() || !/^[a-z]+$/.test(folder.name)) continue;
    for (const entry of await readdir(join(directory, folder.name), { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(directory, folder.name, entry.name);
      const found = await withFile(path, async (file) => ({ head: await readHead(file), stat: await file.stat() }));
      // What is not ours is left alone: somebody may have named a directory that holds more than blobs.
      if (!found?.head) continue;
      if (!found.head.whole || hasExpired(found.head.head, now())) await rm(path, { force: true });
      else files.push({ path, bytes: found.stat.size, used: found.stat.mtimeMs });
    }
  }
  let kept = files.reduce((sum, file) => sum + file.bytes, 0);
  files.sort((a, b) => a.used - b.used);
  // To nine tenths: not every blob after this one shall sweep again.
  for (const { path, bytes } of kept > maxBytes ? files : []) {
    if (kept <= maxBytes * 0.9) break;
    await rm(path, { force: true });
    kept -= bytes;
  }
  return kept;
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}
