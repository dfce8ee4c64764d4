/**
 * Where bytes are kept that are no records: recorded speech and finished packages. One interface, two stores. All of it
 * can be made again, so a store that is full may drop what was not used for longest.
 */

export interface PutOptions {
  /** A media type, such as `audio/mpeg`. */
  readonly contentType: string;
  /** Seconds. From then on the blob is absent to every call, whenever it is really removed. Absent: kept for good. */
  readonly expiresAt?: number;
}

export interface LinkOptions {
  /** How long the address works. */
  readonly seconds: number;
  /** The name a browser saves it under; any text. */
  readonly fileName: string;
  readonly contentType: string;
}

export interface Blob {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/**
 * Every call throws `TypeError` for a key of another shape (see `checkKey`): keys are ours, never a user's. A store that
 * cannot be reached, a full disk and the like are faults and throw what the system said.
 */
export interface Blobs {
  /** Replaces what is there, as one step: a reader sees the old bytes or the new ones. At most `maxBlobBytes`. */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<void>;
  get(key: string): Promise<Blob | undefined>;
  has(key: string): Promise<boolean>;
  /** No error if it is not there. */
  remove(key: string): Promise<void>;
  /** An address that serves the blob to whoever has it. Undefined: this store has none, serve the bytes yourself. */
  link(key: string, options: LinkOptions): Promise<string | undefined>;
  close(): Promise<void>;
}

/** A deck of 300 cards with speech on both sides is 9 MB; beyond this a blob would not fit the memory of a function. */
export const maxBlobBytes = 64 * 1024 * 1024;

/** `folder/name`: nothing of it can be `..`, a hidden file, or an option of a command. */
const keyShape = /^[a-z]{1,32}\/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

export function checkKey(key: string): string {
  if (!keyShape.test(key)) throw new TypeError(`not a key of a blob: ${JSON.stringify(String(key).slice(0, 80))}`);
  return key;
}

export function checkSize(key: string, bytes: Uint8Array): void {
  if (bytes.length > maxBlobBytes) {
    throw new RangeError(`the blob ${key} has ${bytes.length} bytes; at most ${maxBlobBytes} are kept`);
  }
}
