/** Amazon's published service models (those of botocore, from PyPI), and requests and answers held against them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Member>>;
  readonly member?: Member;
  readonly key?: Member;
  readonly value?: Member;
  readonly enum?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly union?: boolean;
  readonly payload?: string;
  readonly document?: boolean;
}

export interface Member {
  readonly shape: string;
  readonly location?: 'uri' | 'header' | 'headers' | 'querystring' | 'statusCode';
  readonly locationName?: string;
}

export interface Operation {
  readonly name: string;
  readonly http: { readonly method: string; readonly requestUri: string };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string };
  readonly errors?: ReadonlyArray<{ readonly shape: string }>;
}

export interface ServiceModel {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** The folder `botocore/data` of an unpacked botocore, as CI has it. */
const data = process.env.BOTOCORE_DATA ?? '';

/** Undefined: the models are not on this machine. */
export function publishedModel(service: string): ServiceModel | undefined {
  if (data === '' || !existsSync(join(data, service))) return undefined;
  const version = readdirSync(join(data, service)).sort().at(-1) ?? '';
  return JSON.parse(gunzipSync(readFileSync(join(data, service, version, 'service-2.json.gz'))).toString());
}

/** What in `value` is not of the shape, each with its path. */
export function faults(model: ServiceModel, shapeName: string, value: unknown, path = shapeName): string[] {
  const shape = model.shapes[shapeName];
  if (!shape) return [`${path}: the model has no shape ${shapeName}`];
  if (shape.document) return [];
  switch (shape.type) {
    case 'structure':
      return structureFaults(model, shape, value, path);
    case 'list':
      if (!Array.isArray(value)) return [`${path}: not a list`];
      return [
        ...boundFaults(shape, value.length, path),
        ...value.flatMap((item, index) => faults(model, shape.member?.shape ?? '', item, `${path}[${index}]`)),
      ];
    case 'map':
      if (!isObject(value)) return [`${path}: not a map`];
      return Object.entries(value).flatMap(([key, item]) => [
        ...faults(model, shape.key?.shape ?? '', key, `${path} key`),
        ...faults(model, shape.value?.shape ?? '', item, `${path}.${key}`),
      ]);
    case 'string': {
      if (typeof value !== 'string') return [`${path}: not a string`];
      const known = !shape.enum || shape.enum.includes(value);
      const fits = !shape.pattern || new RegExp(`^(?:${shape.pattern})$`, 'su').test(value);
      return [
        ...boundFaults(shape, value.length, path),
        ...(known ? [] : [`${path}: ${value} is none of the values`]),
        ...(fits ? [] : [`${path}: ${value} does not fit ${shape.pattern}`]),
      ];
    }
    case 'integer':
    case 'long':
      return Number.isInteger(value) ? boundFaults(shape, Number(value), path) : [`${path}: not a whole number`];
    case 'float':
    case 'double':
      return typeof value === 'number' ? boundFaults(shape, value, path) : [`${path}: not a number`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path}: not a boolean`];
    default: // blob, timestamp: as the transport carries them
      return [];
  }
}

function structureFaults(model: ServiceModel, shape: Shape, value: unknown, path: string): string[] {
  if (!isObject(value)) return [`${path}: not a structure`];
  const members = shape.members ?? {};
  const given = Object.keys(value);
  return [
    ...(shape.required ?? []).filter((name) => !given.includes(name)).map((name) => `${path}.${name}: missing`),
    ...(shape.union && given.length !== 1 ? [`${path}: a union of ${given.length} members`] : []),
    ...Object.entries(value).flatMap(([name, item]) => {
      const member = members[name];
      return member ? faults(model, member.shape, item, `${path}.${name}`) : [`${path}.${name}: unknown member`];
    }),
  ];
}

function boundFaults({ min, max }: Shape, size: number, path: string): string[] {
  if (min !== undefined && size < min) return [`${path}: ${size} is less than ${min}`];
  if (max !== undefined && size > max) return [`${path}: ${size} is more than ${max}`];
  return [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
