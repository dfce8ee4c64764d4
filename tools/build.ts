/**
 * `npm run build [package …]`: each publishable package as JavaScript with types, in its `dist`, ready for
 * `npm publish packages/<name>/dist`. In the checkout nothing needs it: Node runs the sources.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const publishable = ['records', 'auth', 'local-cognito', 'gateway'];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !publishable.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No package ${unknown.join(', ')} to build; there are ${publishable.join(', ')}.\n`);
  process.exit(2);
}

for (const name of asked.length > 0 ? asked : publishable) build(name);

function build(name: string): void {
  const folder = join(root, 'packages', name);
  const dist = join(folder, 'dist');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  const project = join(folder, 'dist', 'tsconfig.json');
  const options = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      allowImportingTsExtensions: false,
      // The other workspaces are packages here too: looked at, not compiled.
      preserveSymlinks: true,
      rootDir: folder,
      outDir: dist,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [join(folder, 'src')],
    exclude: [],
  };
  writeFileSync(project, JSON.stringify(options));
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
      stdio: 'inherit',
    });
  } finally {
    rmSync(project);
  }
  if (existsSync(join(folder, 'bin'))) cpSync(join(folder, 'bin'), join(dist, 'bin'), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md']) {
    if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(dist, file));
  }
  copyFileSync(join(root, 'LICENSE'), join(dist, 'LICENSE'));
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(published(folder), undefined, 2)}\n`);
  process.stdout.write(`built packages/${name}/dist\n`);
}

/** The manifest for the registry: the same entries, as what they were compiled to. */
function published(folder: string): Record<string, unknown> {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    exports: Record<string, string>;
    [key: string]: unknown;
  };
  const { devDependencies: _, files: __, exports: entries, ...rest } = manifest;
  const exports = Object.fromEntries(
    Object.entries(entries).map(([entry, source]) => [
      entry,
      { types: source.replace(/\.ts$/, '.d.ts'), default: source.replace(/\.ts$/, '.js') },
    ]),
  );
  return { ...rest, exports };
}
