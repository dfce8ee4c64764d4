/** Where `gatehouse serve --local` was served last, beside its data: what commands about that data take for granted. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface LastServed {
  readonly issuer: string;
  readonly path: string;
  readonly signInPort: number;
}

const fileOf = (dataDir: string) => resolve(dataDir, 'served.json');

export function keepLastServed(dataDir: string, { issuer, path, signInPort }: LastServed): void {
  writeFileSync(fileOf(dataDir), `${JSON.stringify({ issuer, path, signInPort })}\n`, { mode: 0o600 });
}

/** Undefined: it was never served by a version that says so, or somebody wrote something else there. */
export function lastServed(dataDir: string): LastServed | undefined {
  try {
    const { issuer, path, signInPort } = JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Partial<LastServed>;
    if (typeof issuer !== 'string' || typeof path !== 'string' || typeof signInPort !== 'number') return undefined;
    return { issuer, path, signInPort };
  } catch {
    return undefined;
  }
}
