/** PostgreSQL keeps the records contract, in one process and among several. */

import { afterAll } from 'vitest';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsProcessConformance, type SharedBackend } from './conformance-processes.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { open } from './open-postgres.ts';
import { startPostgres } from './postgres-server.ts';

const server = await startPostgres();
afterAll(() => server.remove());

let places = 0;
const postgres: SharedBackend = {
  place: async () => `${server.url}#t${process.pid}_${++places}`,
  open,
  module: new URL('./open-postgres.ts', import.meta.url),
};

recordsConformance('PostgreSQL', postgres);
recordsInputConformance('PostgreSQL', postgres);
recordsVersionConformance('PostgreSQL', postgres);
recordsProcessConformance('PostgreSQL', postgres);
