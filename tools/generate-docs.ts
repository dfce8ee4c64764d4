/** `npm run docs`: pages that are made from the code, so that they cannot be wrong. `--check` only says whether they are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { configSchema } from '../packages/gateway/src/config/schema.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }) as Schema;

const generated: ReadonlyArray<readonly [file: string, text: string]> = [
  ['docs/configuration.md', configurationPage(schema)],
  [
    'packages/gateway/gatehouse.schema.json',
    `${JSON.stringify({ title: 'Gatehouse configuration', ...schema }, undefined, 2)}\n`,
  ],
];

const check = process.argv.includes('--check');
const stale = generated.filter(([file, text]) => {
  const before = readOrNothing(join(root, file));
  if (before !== text && !check) writeFileSync(join(root, file), text);
  return before !== text;
});
for (const [file] of stale) process.stdout.write(`${check ? 'out of date' : 'written'}: ${file}\n`);
if (check && stale.length > 0) {
  process.stderr.write('Run npm run docs and commit what it writes.\n');
  process.exitCode = 1;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function configurationPage(top: Schema): string {
  return `# Configuration

<!-- Generated from packages/gateway/src/config/schema.ts by \`npm run docs\`; do not edit. -->

\`gatehouse serve --config gatehouse.yaml\` reads one file, JSON or YAML. Unknown settings are refused, and everything wrong with a
file is said at once, each fault with its path. A secret never stands in it, only where it is found. Editors complete and check it with
\`packages/gateway/gatehouse.schema.json\`.

\`\`\`yaml
issuer: https://mcp.example.com
listen: { port: 8080, host: 0.0.0.0 }
resources:
  - path: /notes/mcp
    name: Notes
    target: http://127.0.0.1:8000/mcp
    targetSecret: { env: NOTES_SECRET }
    scopes:
      read: read your notes
      write: change your notes
    defaultScope: [read]
identityProvider:
  type: cognito
  userPoolId: eu-central-1_AbCdEf123
  domain: https://login.example.com
  clientId: 1h57kf5cpq17m0eml12EXAMPLE
  clientSecret: { env: COGNITO_CLIENT_SECRET }
records: { type: sqlite, file: /var/lib/gatehouse/gatehouse.sqlite }
secrets:
  - { id: k1, secret: { file: /run/secrets/gatehouse } }
\`\`\`

Register \`<issuer>/callback\` at the identity provider as the place it may send people back to.

Settings: ${Object.keys(top.properties ?? {})
    .filter((name) => name !== '$schema')
    .map((name) => `[${name}](#${name.toLowerCase()})`)
    .join(' · ')}

${sections(top).join('\n')}`;
}

/** One for each setting of the first level, and one for each variant of those that have them. */
function sections(top: Schema): readonly string[] {
  return Object.entries(top.properties ?? {}).flatMap(([name, setting]) => {
    if (name === '$schema') return [];
    const required = (top.required ?? []).filter((one) => one === name);
    const own = table(rows({ properties: { [name]: withoutVariants(setting) }, required }, ''));
    const variants = setting.oneOf ?? [];
    return [
      `## ${name}\n\n${own}`,
      ...variants.map(
        (variant) => `### ${name}: ${tagOf(variant) ?? ''}\n\n${table(rows(withoutTag(variant), `${name}.`))}`,
      ),
    ];
  });
}

function table(lines: readonly string[]): string {
  return `| Setting | Type | Needed | Default | |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}

/** Its variants have tables of their own; their types are still named. */
function withoutVariants(setting: Schema): Schema {
  if (!setting.oneOf) return setting;
  return {
    ...setting,
    oneOf: setting.oneOf.map(({ properties = {}, ...variant }) => ({
      ...variant,
      properties: { ...(properties.type && { type: properties.type }) },
    })),
  };
}

function rows({ properties = {}, required = [] }: Schema, prefix: string): readonly string[] {
  return Object.entries(properties).flatMap(([name, setting]) => {
    if (name === '$schema') return [];
    const path = `${prefix}${name}`;
    const needed = required.includes(name) ? 'yes' : '';
    const fallback = setting.default === undefined ? '' : `\`${JSON.stringify(setting.default)}\``;
    const row = `| \`${path}\` | ${typeOf(setting)} | ${needed} | ${fallback === '`{}`' ? '' : fallback} | ${cell(setting.description ?? '')} |`;
    return [row, ...nested(setting, path)];
  });
}

function nested(setting: Schema, path: string): readonly string[] {
  if (isSecret(setting)) return [];
  if (setting.properties) return rows(setting, `${path}.`);
  if (setting.items) return nested(setting.items, `${path}[]`);
  const values = valuesOf(setting);
  if (values) return nested(values, `${path}.*`);
  // Variants share their rows where they share their settings: each row is written once, under its variant's name.
  return (setting.oneOf ?? setting.anyOf ?? []).flatMap((variant) =>
    rows(withoutTag(variant), `${path}${tagOf(variant) ? ` (${tagOf(variant)}).` : '.'}`),
  );
}

function tagOf(variant: Schema): string | undefined {
  const tag = variant.properties?.type?.const;
  return typeof tag === 'string' ? tag : undefined;
}

function withoutTag(variant: Schema): Schema {
  const { type: _, ...properties } = variant.properties ?? {};
  return { ...variant, properties };
}

function isSecret({ anyOf }: Schema): boolean {
  return anyOf?.some((one) => one.properties?.env?.type === 'string') ?? false;
}

/** Of an object with names of the operator's own: what stands under each. */
function valuesOf({ properties, additionalProperties }: Schema): Schema | undefined {
  return properties === undefined && typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

function typeOf(setting: Schema): string {
  if (isSecret(setting)) return '`{ env }` or `{ file }`';
  if (setting.const !== undefined) return `\`${String(setting.const)}\``;
  if (setting.enum) return setting.enum.map((one) => `\`${String(one)}\``).join(', ');
  const variants = setting.oneOf ?? setting.anyOf;
  if (variants) {
    const types = variants.map((one) => (tagOf(one) === undefined ? typeOf(one) : `\`type: ${tagOf(one)}\``));
    return [...new Set(types)].join(' or ');
  }
  if (setting.items) return `list of ${setting.items.type === 'object' ? 'objects' : typeOf(setting.items)}`;
  const values = valuesOf(setting);
  if (values) {
    const names = setting.propertyNames?.enum?.map((one) => `\`${String(one)}\``);
    return `object${names ? ` (${names.join(', ')})` : ''}, each ${typeOf(values) || 'any JSON'}`;
  }
  if (setting.type === 'integer') return `whole number${setting.minimum === undefined ? '' : ` ≥ ${setting.minimum}`}`;
  return setting.format === 'uri' ? 'URL' : setting.type === 'string' ? 'text' : (setting.type ?? '');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
