/** `node apps/ankify/test/records/make-fixture.ts`: writes the next fixture if a shape or version is not in the last one. */
import { writeFileSync } from 'node:fs';
import { folder, releases, shapesNow, storedRows } from './releases.ts';

const known = releases();
const shapes = shapesNow();
if (JSON.stringify(known.at(-1)?.[1].shapes) === JSON.stringify(shapes)) {
  process.stdout.write('No shape has changed.\n');
} else {
  const name = `${known.length + 1}.json`;
  writeFileSync(folder + name, `${JSON.stringify({ shapes, rows: await storedRows() }, undefined, 2)}\n`);
  process.stdout.write(`written: fixtures/${name}\n`);
}
