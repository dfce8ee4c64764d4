/** `npm run sizes`: a file that has grown too large has two owners. Names every file over the limit, and fails. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Lines. About 300 and 500 are meant; the limits leave room for a table or a long comment. */
const limits = [
  { name: 'source', matches: /^(packages|apps)\/[^/]+\/(src|bin)\/|^tools\//, lines: 350 },
  { name: 'test', matches: /^(packages|apps)\/[^/]+\/test\/|^conformance\//, lines: 550 },
];

/** What git knows or would add: nothing generated, nothing installed. */
const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
});
const files = [...new Set(listed.split('\0'))].filter((file) => /\.(ts|mts|js|mjs)$/.test(file));

let tooLarge = 0;
for (const file of files) {
  const limit = limits.find(({ matches }) => matches.test(file));
  if (!limit) continue;
  let lines: number;
  try {
    lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  } catch {
    continue; // deleted, and not yet committed as such
  }
  if (lines <= limit.lines) continue;
  tooLarge += 1;
  process.stderr.write(`${file} has ${lines} lines; a ${limit.name} file may have ${limit.lines}\n`);
}
process.stdout.write(`sizes: ${files.length} files, ${tooLarge} too large\n`);
process.exitCode = tooLarge > 0 ? 1 : 0;
