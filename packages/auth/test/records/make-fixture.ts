/** `node packages/auth/test/records/make-fixture.ts`: writes the next fixture if a shape or version is not in the last one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowsOfEveryKind } from './every-kind.ts';
import { type AuthRelease, folder, releases, shapesNow } from './releases.ts';

const known = releases();
const shapes = shapesNow();
if (JSON.stringify(known.at(-1)?.[1].shapes) === JSON.stringify(shapes)) {
  process.stdout.write('No shape has changed.\n');
} else {
  const place = mkdtempSync(join(tmpdir(), 'fixture-'));
  const release: AuthRelease = { shapes, ...(await rowsOfEveryKind(join(place, 'records.db'))) };
  rmSync(place, { recursive: true });
  const name = `${known.length + 1}.json`;
  writeFileSync(folder + name, `${JSON.stringify(release, undefined, 2)}\n`);
  process.stdout.write(`written: fixtures/${name}\n`);
}
