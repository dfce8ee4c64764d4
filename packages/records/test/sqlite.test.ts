/** SQLite keeps the records contract, in one process and among several. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsProcessConformance, type SharedBackend } from './conformance-processes.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { open } from './open-sqlite.ts';

const folder = await mkdtemp(join(tmpdir(), 'records-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let places = 0;
const sqlite: SharedBackend = {
  place: async () => join(folder, `new-${++places}`, 'records.db'),
  open,
  module: new URL('./open-sqlite.ts', import.meta.url),
};

recordsConformance('SQLite', sqlite);
recordsInputConformance('SQLite', sqlite);
recordsVersionConformance('SQLite', sqlite);
recordsProcessConformance('SQLite', sqlite);
