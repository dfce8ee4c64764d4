/** `npm run boundaries`: the rooms import only what ARCHITECTURE.md says they may. Prints every crossing and fails on one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A room is a folder; the longest matching one owns a file. `packages` are bare imports (prefixes), `rooms` folders. */
interface Room {
  readonly folder: string;
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
}

const auth = 'packages/auth/src';

/** What each room may import, beside itself and `node:`. The table is the architecture. */
export const architecture: readonly Room[] = [
  { folder: 'packages/records/src', rooms: [], packages: ['pg', 'ioredis', 'undici', '@aws-sdk/client-dynamodb'] },
  { folder: 'packages/local-cognito/src', rooms: [], packages: ['jose', 'zod'] },
  { folder: `${auth}/oauth`, rooms: [], packages: [] },
  { folder: `${auth}/sealing`, rooms: [], packages: [] },
  {
    folder: `${auth}/signers`,
    rooms: [
      `${auth}/oauth`,
      `${auth}/sealing`,
      `${auth}/authorization-server/records.ts`,
      `${auth}/authorization-server/credential.ts`,
    ],
    packages: ['@mcp-gatehouse/records'],
  },
  {
    folder: `${auth}/resource-server`,
    rooms: [`${auth}/oauth`, `${auth}/signers/signer.ts`, `${auth}/identity-providers/identity-provider.ts`],
    packages: [],
  },
  { folder: `${auth}/identity-providers`, rooms: [`${auth}/oauth`], packages: ['oauth4webapi'] },
  {
    folder: `${auth}/authorization-server`,
    rooms: [
      `${auth}/net`,
      `${auth}/audit`,
      `${auth}/resource-server`,
      `${auth}/oauth`,
      `${auth}/sealing`,
      `${auth}/signers/signer.ts`,
      `${auth}/identity-providers/identity-provider.ts`,
    ],
    packages: ['@mcp-gatehouse/records', 'jose'],
  },
  { folder: `${auth}/net`, rooms: [], packages: [] },
  { folder: `${auth}/audit`, rooms: [], packages: ['@mcp-gatehouse/records'] },
  { folder: `${auth}/adapters`, rooms: [`${auth}/oauth`], packages: [] },
  { folder: auth, rooms: [auth], packages: ['@mcp-gatehouse/records'] },
  {
    folder: 'packages/gateway/src',
    rooms: [],
    packages: [
      '@clack/prompts',
      '@mcp-gatehouse/auth',
      '@mcp-gatehouse/records',
      '@opentelemetry/',
      'local-cognito',
      'pg',
      'undici',
      'yaml',
      'zod',
    ],
  },
  {
    folder: 'apps/ankify/src',
    rooms: [],
    packages: [
      '@aws-sdk/client-polly',
      '@aws-sdk/client-s3',
      '@aws-sdk/s3-request-presigner',
      '@mcp-gatehouse/auth/identity-headers',
      '@mcp-gatehouse/auth/guard',
      '@mcp-gatehouse/models',
      '@mcp-gatehouse/records',
      '@modelcontextprotocol/',
      '@smithy/node-http-handler',
      'fflate',
      'sql.js',
      'wasm-media-encoders',
      'zod',
    ],
  },
  {
    folder: 'packages/models/src',
    rooms: [],
    packages: ['@aws-sdk/client-bedrock-runtime', '@smithy/node-http-handler'],
  },
];

const imports =
  /(?:^|[\s;])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]|(?:^|\n)import\s+['"]([^'"]+)['"]/g;

/** Every import of the file at `path` that the table does not allow, as `file → import`. Paths relative to the root. */
export function crossings(path: string, source: string, rooms: readonly Room[] = architecture): readonly string[] {
  const room = rooms.filter(({ folder }) => within(path, folder)).sort((a, b) => b.folder.length - a.folder.length)[0];
  if (!room) return [`${path} → is in no room of the table`];
  const found: string[] = [];
  for (const match of source.matchAll(imports)) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    if (specifier.startsWith('node:')) continue;
    const allowed = specifier.startsWith('.')
      ? [room.folder, ...room.rooms].some((folder) =>
          within(join(dirname(path), specifier).split(sep).join('/'), folder),
        )
      : room.packages.some(
          (name) => specifier === name || specifier.startsWith(name.endsWith('/') ? name : `${name}/`),
        );
    if (!allowed) found.push(`${path} → ${specifier}`);
  }
  return found;
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|mts|js|mjs)$/.test(entry.name)) yield path;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  const folders = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(root, group, name, 'src')),
  );
  const files = folders.filter((folder) => existsSync(folder)).flatMap((folder) => [...sources(folder)]);
  const found = files.flatMap((file) =>
    crossings(relative(root, file).split(sep).join('/'), readFileSync(file, 'utf8')),
  );
  for (const crossing of found) process.stderr.write(`${crossing}\n`);
  process.stdout.write(`boundaries: ${files.length} files, ${found.length} crossings\n`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
