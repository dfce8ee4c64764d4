/** The built page as files in memory: read once, looked up by their exact path, so that no path can lead anywhere else. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

export interface PageFile {
  readonly bytes: Uint8Array;
  /** By brotli, where that is smaller. */
  readonly compressed?: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
  /** Its name is a digest of its content: what has it needs never ask again. */
  readonly immutable: boolean;
}

export interface PageFiles {
  /** `/assets/index-3f2a.js`; undefined: there is none. */
  find(path: string): PageFile | undefined;
  /** The page itself; undefined: it is not built. */
  index(): PageFile | undefined;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** A page that is larger is none that somebody wants to load. */
const maxFiles = 500;
const maxBytes = 20 * 1024 * 1024;

/** `folder`: of the build. It may come, and come anew, while this runs. */
export function pageFiles(folder: string): PageFiles {
  let files: ReadonlyMap<string, PageFile> = new Map();
  let readAt = '';
  const current = () => {
    const stamp = stampOf(join(folder, 'index.html'));
    if (stamp !== readAt) {
      files = stamp === '' ? new Map() : read(folder);
      readAt = stamp;
    }
    return files;
  };
  return { find: (path) => current().get(path), index: () => current().get('/index.html') };
}

/** Empty: it is not there. A build writes its index last, or anew. */
function stampOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() ? `${stats.mtimeMs} ${stats.size} ${stats.ino}` : '';
}

function read(folder: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  let total = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined || entry.name.startsWith('.')) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    total += bytes.length;
    if (files.size >= maxFiles || total > maxBytes) throw new Error(`the page in ${folder} is too large to be served`);
    const path = file.slice(folder.length).replaceAll('\\', '/');
    const compressed = /text|json|svg|javascript/.test(contentType) ? compress(bytes) : undefined;
    files.set(path.startsWith('/') ? path : `/${path}`, {
      bytes,
      ...(compressed && compressed.length < bytes.length && { compressed }),
      contentType,
      etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
      immutable: /^\/?assets\/.*[-.][A-Za-z0-9_-]{8,}\.\w+$/.test(path),
    });
  }
  return files;
}

function compress(bytes: Uint8Array): Uint8Array {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
}
