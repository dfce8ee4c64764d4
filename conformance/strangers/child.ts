/**
 * Strangers that are programs: each runs in a home of its own, and where it would open a browser it finds a shim that
 * notes the address (`$BROWSER` for xdg-open, `open` on the PATH for macOS).
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Home {
  readonly directory: string;
  /** The whole environment of the stranger: nothing of ours gets in. */
  readonly env: Record<string, string>;
  /** Addresses it opened in a browser, so far. */
  opened(): readonly string[];
  /** The address number `index`; rejects with what `output` says if it does not come in time. */
  nextOpened(index: number, output: () => string): Promise<string>;
  remove(): void;
}

export function makeHome(): Home {
  const directory = mkdtempSync(join(tmpdir(), 'stranger-'));
  const bin = join(directory, 'bin');
  const notes = join(directory, 'opened');
  mkdirSync(bin);
  writeFileSync(notes, '');
  const shim = join(bin, 'browser');
  writeFileSync(shim, `#!/bin/sh\nfor last in "$@"; do :; done\nprintf '%s\\n' "$last" >> '${notes}'\n`);
  chmodSync(shim, 0o755);
  for (const name of ['open', 'xdg-open']) symlinkSync(shim, join(bin, name));
  const opened = () => readFileSync(notes, 'utf8').split('\n').slice(0, -1);
  return {
    directory,
    env: {
      HOME: directory,
      PATH: [bin, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
      BROWSER: shim,
      LANG: 'C.UTF-8',
    },
    opened,
    async nextOpened(index, output) {
      for (const end = Date.now() + 20_000; Date.now() < end; await sleep(50)) {
        const url = opened()[index];
        if (url !== undefined) return url;
      }
      throw new Error(`no browser was opened; it said:\n${output()}`);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The file that a package's command runs. */
export function commandOf(packageName: string, command: string): string {
  const manifest = findManifest(packageName);
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  const file = bin[command];
  if (file === undefined) throw new Error(`${packageName} has no command ${command}`);
  return join(dirname(manifest), file);
}

/** Not by `resolve`: an `exports` map may hide package.json, and a package of commands need not have an entry. */
function findManifest(packageName: string): string {
  const { resolve } = createRequire(import.meta.url);
  for (const folder of resolve.paths(packageName) ?? []) {
    const manifest = join(folder, packageName, 'package.json');
    try {
      readFileSync(manifest);
      return manifest;
    } catch {
      // not in this folder; perhaps further up
    }
  }
  throw new Error(`${packageName} is not installed`);
}
