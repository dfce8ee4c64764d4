/**
 * `node tools/build-lambda.ts [--records dynamodb,postgres,redis] [--out FOLDER]`: the gateway as the code of a Lambda
 * function, handler `index.handler`, runtime nodejs24.x. CommonJS behind one small ES module, because importing Node's
 * own modules from a bundle in ESM costs a start 30 ms; what most starts never need stands in files of its own.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { BuildOptions, Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const gateway = join(root, 'packages/gateway');
const backEnds = ['dynamodb', 'postgres', 'redis'] as const;
export type LambdaRecords = (typeof backEnds)[number];

export interface LambdaBuild {
  readonly folder: string;
  /** Back-ends that the function can use; each that is not named is left out. */
  readonly records: readonly LambdaRecords[];
}

export async function buildLambda({ folder, records }: LambdaBuild): Promise<void> {
  const { build } = createRequire(join(gateway, 'package.json'))('esbuild') as typeof import('esbuild');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const shared: BuildOptions = {
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: true,
    // Read where NODE_OPTIONS says --enable-source-maps; a start does not touch it.
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'eof',
    logLevel: 'error',
    // It would be undefined in CommonJS, at the first use and not before.
    logOverride: { 'empty-import-meta': 'error' },
    absWorkingDir: root,
  };
  await build({
    ...shared,
    entryPoints: [join(gateway, 'src/lambda.ts')],
    outfile: join(folder, 'gateway.cjs'),
    plugins: [manifests(), lazily(), leanUndici(), withoutBackEnds(records), withoutOptional()],
  });
  for (const name of lazy) {
    await build({
      ...shared,
      stdin: { contents: `export * from '${name}'`, resolveDir: gateway },
      outfile: join(folder, `${name}.cjs`),
    });
  }
  writeFileSync(
    join(folder, 'index.mjs'),
    `import { createRequire } from 'node:module';
const { start } = createRequire(import.meta.url)('./gateway.cjs');
// Awaited in the init phase: a configuration that cannot be used fails there, with its words in the log.
export const handler = await start();
`,
  );
}

/** A manifest that a source reads, for the version in it, is written into the bundle: there is no file beside it. */
function manifests(): Plugin {
  const reading = /readFileSync\(new URL\('((?:\.\.\/)+package\.json)', import\.meta\.url\), 'utf8'\)/g;
  return {
    name: 'manifests',
    setup(build) {
      build.onLoad({ filter: /\/packages\/[a-z-]+\/src\/.*\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        if (!source.includes('import.meta')) return undefined;
        const { version } = JSON.parse(readFileSync(join(gateway, 'package.json'), 'utf8')) as { version: string };
        return { contents: source.replace(reading, () => JSON.stringify(JSON.stringify({ version }))), loader: 'ts' };
      });
    },
  };
}

/** Read only where a configuration is YAML, or an assertion is presented. */
const lazy = ['yaml', 'jose'];

function lazily(): Plugin {
  return {
    name: 'lazily',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(${lazy.join('|')})$`) }, ({ path, kind }) =>
        kind === 'dynamic-import' ? { path: `./${path}.cjs`, external: true } : { path, namespace: 'lazily' },
      );
      build.onLoad({ filter: /.*/, namespace: 'lazily' }, async ({ path }) => {
        const names = Object.keys((await import(pathToFileURL(requireOfGateway.resolve(path)).href)) as object);
        const one = (name: string) => `get ${name}() { return require('./${path}.cjs').${name}; }`;
        return {
          contents: `module.exports = { ${names
            .filter((name) => /^(?!default$)[A-Za-z_]+$/.test(name))
            .map(one)
            .join(', ')} };`,
        };
      });
      build.onResolve({ filter: /^\.\/[a-z]+\.cjs$/, namespace: 'lazily' }, ({ path }) => ({ path, external: true }));
    },
  };
}

const requireOfGateway = createRequire(join(gateway, 'package.json'));

/** Of undici what our sources name: the whole of it costs a start 25 ms more. */
const undiciParts: Readonly<Record<string, string>> = {
  Pool: 'undici/lib/dispatcher/pool',
  Agent: 'undici/lib/dispatcher/agent',
  Client: 'undici/lib/dispatcher/client',
  buildConnector: 'undici/lib/core/connect',
  errors: 'undici/lib/core/errors',
};

function leanUndici(): Plugin {
  const parts = Object.entries(undiciParts).map(([name, path]) => `get ${name}() { return require('${path}'); }`);
  const contents = `
    const Dispatcher = require('undici/lib/dispatcher/dispatcher');
    Object.assign(Dispatcher.prototype, { request: require('undici/lib/api/api-request') });
    module.exports = { ${parts.join(', ')} };`;
  return {
    name: 'lean-undici',
    setup(build) {
      build.onResolve({ filter: /^undici$/ }, ({ importer }) => {
        const missing = valuesImported(importer, 'undici').filter((name) => !Object.hasOwn(undiciParts, name));
        if (missing.length === 0) return { path: 'parts', namespace: 'lean-undici' };
        return { errors: [{ text: `undici: ${missing.join(', ')} has no entry in tools/build-lambda.ts` }] };
      });
      build.onLoad({ filter: /.*/, namespace: 'lean-undici' }, () => ({ contents, resolveDir: gateway }));
      // A parser that has to be asked for, and one for machines without SIMD: Lambda's all have it.
      build.onLoad({ filter: /undici\/lib\/(milo\/.*|llhttp\/llhttp-wasm)\.js$/ }, ({ path }) => refusing(path));
    },
  };
}

/** Names that a source imports of a package, types left out. */
function valuesImported(file: string, name: string): readonly string[] {
  const found = new RegExp(`^import \\{([^}]*)\\} from '${name}';`, 'm').exec(readFileSync(file, 'utf8'));
  const names = (found?.[1] ?? '').split(',').map((one) => one.trim());
  return names.filter((one) => one !== '' && !one.startsWith('type '));
}

function withoutBackEnds(records: readonly LambdaRecords[]): Plugin {
  return {
    name: 'without-back-ends',
    setup(build) {
      build.onResolve({ filter: /^@mcp-gatehouse\/records\/[a-z]+$/ }, ({ path }) => {
        const name = path.slice('@mcp-gatehouse/records/'.length);
        return (records as readonly string[]).includes(name) ? undefined : { path: name, namespace: 'left-out' };
      });
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => {
        const words = `This bundle was built without ${path}: node tools/build-lambda.ts --records ${path}`;
        return { contents: `throw new Error(${JSON.stringify(words)});` };
      });
    },
  };
}

/** Drivers that a driver would use if they were there, and what only a process of its own can use. */
function withoutOptional(): Plugin {
  return {
    name: 'without-optional',
    setup(build) {
      build.onResolve({ filter: /^(pg-native|@opentelemetry\/.*|@aws-sdk\/.*)$/ }, ({ path }) => ({
        path,
        external: true,
      }));
    },
  };
}

function refusing(path: string): { contents: string } {
  return { contents: `throw new Error(${JSON.stringify(`${relative(root, path)} is not in this bundle`)});` };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { records: { type: 'string', default: 'dynamodb' }, out: { type: 'string', default: 'dist/lambda' } },
  });
  const records = values.records.split(',');
  const unknown = records.filter((name) => !(backEnds as readonly string[]).includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`No records ${unknown.join(', ')} for Lambda; there are ${backEnds.join(', ')}.\n`);
    process.exit(2);
  }
  const folder = resolve(values.out);
  await buildLambda({ folder, records: records as LambdaRecords[] });
  for (const name of readdirSync(folder)) {
    process.stdout.write(`${name} ${Math.ceil(statSync(join(folder, name)).size / 1024)} KiB\n`);
  }
}
