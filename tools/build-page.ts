/** `node tools/build-page.ts`: Ankify's page from its sources, by Vite; `npm start` does it where it is needed. */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const web = join(root, 'apps/ankify/web');
const built = join(web, 'dist');

/** What the build is made of. */
const sources = ['index.html', 'vite.config.ts', 'src', 'public'];

/** Whether there is no build, or a source is newer than it. False where there are no sources, as in a package. */
export function isPageStale(): boolean {
  const made = statSync(join(built, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return sources.some((name) => newest(join(web, name)) > made);
}

function newest(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Built beside, then put in its place: whoever serves the page at that moment has the old one or the new one. */
async function buildPage(): Promise<void> {
  const { build } = await import('vite');
  const draft = join(web, `.dist-${process.pid}`);
  try {
    await build({
      root: web,
      configFile: join(web, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: draft, emptyOutDir: true },
    });
    rmSync(built, { recursive: true, force: true });
    renameSync(draft, built);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildPage();
    process.stderr.write(`The page is built: ${built}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
