/**
 * The part of a JSON Schema that a provider takes. What it does not take is written into the description beside it, so
 * that the model still reads it; whoever asked validates the answer against the whole schema. Pure.
 */
import type { JsonSchema } from './model.ts';

/** Amazon Bedrock takes what Anthropic takes. */
export type Dialect = 'anthropic' | 'openai';

/**
 * Sources: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (“JSON Schema limitations”),
 * https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html and
 * https://developers.openai.com/api/docs/guides/structured-outputs (“Supported schemas”), all 2026-11-21.
 */
const keptKeywords: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  anthropic: new Set(['title', 'description', '$ref', 'required']),
  openai: new Set([
    'title',
    'description',
    '$ref',
    'required',
    'pattern',
    'minimum',
    'maximum',
    'exclusiveMinimum',
    'exclusiveMaximum',
    'multipleOf',
    'minItems',
    'maxItems',
  ]),
};

const keptFormats: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  anthropic: new Set('date-time time date duration email hostname uri ipv4 ipv6 uuid'.split(' ')),
  openai: new Set('date-time time date duration email hostname ipv4 ipv6 uuid'.split(' ')),
};

/** Keywords about the schema itself: nothing is lost without them. */
const silent = new Set([
  '$schema',
  '$id',
  '$comment',
  '$anchor',
  'examples',
  'default',
  'deprecated',
  'readOnly',
  'writeOnly',
]);

const maxDepth = 32;
const maxNoteLength = 2000;

/** Throws a `TypeError` for a schema that is deeper than 32 or none. The given one is left as it is. */
export function schemaFor(dialect: Dialect, schema: JsonSchema): JsonSchema {
  return subset(dialect, schema, 0);
}

/**
 * Whether OpenAI's strict mode takes what `schemaFor` gave: it wants every property required, and to make an optional
 * one nullable would change what is asked for.
 */
export function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (typeof schema !== 'object' || schema === null) return true;
  const { properties, required } = schema as JsonSchema;
  if (isObject(properties)) {
    const names = Object.keys(properties);
    if (!Array.isArray(required) || !names.every((name) => required.includes(name))) return false;
  } else if ((schema as JsonSchema).type === 'object') return false;
  return Object.values(schema).every(isStrict);
}

function subset(dialect: Dialect, schema: unknown, depth: number): Record<string, unknown> {
  if (depth > maxDepth) throw new TypeError(`the schema is nested more than ${maxDepth} deep`);
  // `true` allows everything; a provider wants to know what to write, so its note is all there is.
  if (!isObject(schema)) {
    if (typeof schema === 'boolean') return {};
    throw new TypeError('a schema is an object');
  }
  const inner = (value: unknown) => subset(dialect, value, depth + 1);
  if (Array.isArray(schema.type) && dialect === 'anthropic') return inner(asChoice(schema, schema.type)) as never;
  const taken: Record<string, unknown> = {};
  const left: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (silent.has(keyword)) continue;
    const kept = keep(dialect, keyword, value, inner);
    // `anyOf` and `oneOf` side by side would be one.
    if (kept && !Object.keys(kept).some((name) => name in taken)) Object.assign(taken, kept);
    else left.push(`${keyword}: ${JSON.stringify(value)}`);
  }
  // A schema that refers to another is that one; one that lists its values needs no type.
  if ('$ref' in taken) return { ...('$defs' in taken && { $defs: taken.$defs }), $ref: taken.$ref };
  if ('enum' in taken || 'const' in taken) delete taken.type;
  const isObjectSchema = taken.type === 'object' || isObject(taken.properties);
  if (isObjectSchema) {
    taken.properties ??= {};
    taken.additionalProperties = false; // both providers insist
  }
  if (left.length > 0) {
    const note = `It must also keep to this: ${left.join(', ')}`.slice(0, maxNoteLength);
    taken.description = typeof taken.description === 'string' ? `${taken.description}\n${note}` : note;
  }
  return taken;
}

/** Anthropic takes no list of types: a choice of schemas says the same. */
function asChoice(schema: Record<string, unknown>, types: readonly unknown[]): JsonSchema {
  const { type: _, title, description, $defs, ...rest } = schema;
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...($defs !== undefined && { $defs }),
    anyOf: types.map((type) => (type === 'null' ? { type } : { ...rest, type })),
  };
}

/** What becomes of one keyword. Undefined: the provider does not take it. */
function keep(
  dialect: Dialect,
  keyword: string,
  value: unknown,
  inner: (value: unknown) => unknown,
): Record<string, unknown> | undefined {
  switch (keyword) {
    case 'type':
      // OpenAI takes a list of types, Anthropic a choice of schemas.
      return Array.isArray(value) && dialect === 'anthropic'
        ? { anyOf: value.map((type) => ({ type })) }
        : { type: value };
    case 'properties':
    case '$defs':
    case 'definitions':
      if (!isObject(value)) return undefined;
      return { [keyword]: Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inner(part)])) };
    case 'items':
      return isObject(value) ? { items: inner(value) } : undefined;
    case 'anyOf':
    case 'oneOf':
      // That no two match at once cannot be asked for.
      return Array.isArray(value) ? { anyOf: value.map(inner) } : undefined;
    case 'allOf':
      return Array.isArray(value) && dialect === 'anthropic' ? { allOf: value.map(inner) } : undefined;
    case 'enum':
      return Array.isArray(value) && value.length > 0 && value.every(isPrimitive) ? { enum: value } : undefined;
    case 'const':
      return isPrimitive(value) ? { const: value } : undefined;
    case 'format':
      return keptFormats[dialect].has(String(value)) ? { format: value } : undefined;
    case 'minItems':
      return dialect === 'openai' || value === 0 || value === 1 ? { minItems: value } : undefined;
    case 'additionalProperties':
      return value === false ? {} : undefined;
    case '$ref':
      return typeof value === 'string' && value.startsWith('#') ? { $ref: value } : undefined;
    default:
      return keptKeywords[dialect].has(keyword) ? { [keyword]: value } : undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPrimitive(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
