/** Arguments of tools that a client repeats in headers (MCP 2026-07-28, Custom Headers from Tool Parameters; SEP-2243): whoever routed by the header must have routed this very call. */
import type { IncomingHttpHeaders } from 'node:http';
import { statelessParams, within } from './backend.ts';
import type { Connection } from './connection.ts';
import { changed, membersIn, type ServerMessage, stringIn } from './wire.ts';

interface Declaration {
  /** Lower case. */
  readonly header: string;
  readonly path: readonly string[];
  readonly numeric: boolean;
}

/** By the name of the tool. */
export type RepeatedArguments = Map<string, readonly Declaration[]>;

/** Of a list in pages; a server may give the same page forever. */
const maxPages = 50;
/** A schema that is nested deeper has no arguments that a header could hold. */
const maxDepth = 32;

/** Asks a process for its tools. Rejects with words where it does not say in time; what it said is known. */
export async function askForTools(connection: Connection, seconds: number): Promise<void> {
  let params = statelessParams;
  for (let page = 0; page < maxPages; page++) {
    const answer = await within(seconds, connection.ask('tools/list', params));
    learn(connection.repeated, answer);
    const cursor = membersIn(answer.members.get('result')).get('nextCursor');
    if (stringIn(cursor) === undefined) return;
    params = changed(membersIn(statelessParams), { cursor });
  }
}

/** From a list of tools as it passes. */
export function learn(known: RepeatedArguments, { members }: ServerMessage): void {
  const tools: unknown = JSON.parse(membersIn(members.get('result')).get('tools') ?? '[]');
  if (!Array.isArray(tools)) return;
  for (const tool of tools as unknown[]) {
    if (!isObject(tool) || typeof tool.name !== 'string') continue;
    const declarations = [...declarationsOf(tool.inputSchema, [])];
    if (declarations.length > 0) known.set(tool.name, declarations);
    else known.delete(tool.name);
  }
}

function* declarationsOf(schema: unknown, path: readonly string[]): Generator<Declaration> {
  if (!isObject(schema) || path.length > maxDepth) return;
  const { type, properties } = schema;
  const header = schema['x-mcp-header'];
  if (typeof header === 'string' && path.length > 0) {
    yield { header: `mcp-param-${header.toLowerCase()}`, path, numeric: type === 'integer' || type === 'number' };
  }
  if (!isObject(properties)) return;
  for (const [key, child] of Object.entries(properties)) yield* declarationsOf(child, [...path, key]);
}

/** What disagrees, in words; undefined: nothing does. A header without its argument says nothing. */
export function paramFault(
  known: RepeatedArguments,
  headers: IncomingHttpHeaders,
  params: ReadonlyMap<string, string>,
): string | undefined {
  const declarations = known.get(stringIn(params.get('name')) ?? '');
  if (!declarations) return undefined;
  const given: unknown = JSON.parse(params.get('arguments') ?? '{}');
  for (const { header, path, numeric } of declarations) {
    const value = path.reduce<unknown>((node, key) => {
      return isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined;
    }, given);
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    // Digits that a double does not hold were not repeated.
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) continue;
    const raw = headers[header];
    if (raw === undefined) return `${header} is missing.`;
    const text = decoded(String(raw).trim());
    if (text === undefined) return `${header} cannot be decoded.`;
    const same = numeric && typeof value === 'number' && /^-?\d+(\.\d+)?$/.test(text) && Number(text) === value;
    if (!same && text !== String(value)) return `${header} is another value.`;
  }
  return undefined;
}

/** Out of its Base64 sentinel, where it has one; undefined where that is broken. */
function decoded(value: string): string | undefined {
  const base64 = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (base64 === undefined) return value;
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
