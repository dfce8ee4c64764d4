/**
 * JSON-RPC of a stdio server (MCP, stdio transport): one message a line, taken apart at its outermost keys alone. What is
 * inside stays the text it was, so that no number loses digits and a large result is not built twice.
 */
import { objectText } from '../tool-policy/strict-json.ts';

export interface ServerMessage {
  readonly kind: 'request' | 'notification' | 'response';
  /** JSON text of a string or a number; undefined of a notification, and of an error without one. */
  readonly id?: string;
  /** Undefined of a response. */
  readonly method?: string;
  /** Key to JSON text. */
  readonly members: Map<string, string>;
}

export type Unreadable = 'not_utf8' | 'not_json' | 'not_rpc';

/** Undefined of an empty line, which says nothing. */
export function readServerLine(line: Buffer): ServerMessage | Unreadable | undefined {
  const text = utf8(line);
  if (text === undefined) return 'not_utf8';
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const parsed = parse(trimmed);
  if (parsed === undefined) return 'not_json';
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'not_rpc';
  // A line break inside a message can only be space here; in an event of a stream it would end a field.
  const members = membersOf(trimmed.includes('\r') ? trimmed.replaceAll('\r', ' ') : trimmed);
  const { id, method } = parsed as Record<string, unknown>;
  if (members.get('jsonrpc') !== '"2.0"') return 'not_rpc';
  const hasId = typeof id === 'string' || typeof id === 'number';
  const named = hasId && { id: members.get('id') as string };
  if (typeof method === 'string') {
    if (members.has('id') && !hasId) return 'not_rpc';
    return { kind: hasId ? 'request' : 'notification', method, members, ...named };
  }
  if (members.has('method') || members.has('result') === members.has('error')) return 'not_rpc';
  return { kind: 'response', members, ...named };
}

/** Key to the text of its value; of a key that is there twice, the last, as `JSON.parse` has it. `text` is a JSON object. */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>();
  for (let at = text.indexOf('{') + 1; ; ) {
    at = past(text, at, ', \t\n\r');
    if (text[at] !== '"') return members;
    const end = stringEnd(text, at);
    const key = JSON.parse(text.slice(at, end)) as string;
    const start = past(text, end, ': \t\n\r');
    at = valueEnd(text, start);
    members.set(key, text.slice(start, at));
  }
}

/** The members of a value that is an object; none of anything else. */
export function membersIn(text: string | undefined): Map<string, string> {
  return text?.startsWith('{') ? membersOf(text) : new Map<string, string>();
}

/** A string's value; undefined of anything else. */
export function stringIn(text: string | undefined): string | undefined {
  return text?.startsWith('"') ? (JSON.parse(text) as string) : undefined;
}

/** `members` with `changes` made; undefined takes a key away. */
export function changed(
  members: ReadonlyMap<string, string>,
  changes: Readonly<Record<string, string | undefined>>,
): string {
  const all = new Map(members);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) all.delete(key);
    else all.set(key, value);
  }
  return objectText(all);
}

/** `params` with one key of its `_meta` changed. */
export function withMeta(params: ReadonlyMap<string, string>, changes: Readonly<Record<string, string>>): string {
  return changed(params, { _meta: changed(membersIn(params.get('_meta')), changes) });
}

/** Also of what JSON.parse refused: undefined is no JSON value. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function utf8(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function past(text: string, from: number, characters: string): number {
  let at = from;
  while (at < text.length && characters.includes(text[at] as string)) at += 1;
  return at;
}

/** Behind the closing quote of the string that opens at `at`. */
function stringEnd(text: string, at: number): number {
  for (let end = at + 1; ; end++) {
    const code = text.charCodeAt(end);
    if (code === 0x22) return end + 1;
    if (code === 0x5c) end += 1;
  }
}

function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const character = text[at] as string;
    if (character === '"') {
      at = stringEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && ', \t\n\r'.includes(character)) return at;
    at += 1;
  }
  return text.length;
}
