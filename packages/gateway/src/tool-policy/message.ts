/** One MCP message as every program must read it (SEC-11), in agreement with the headers that repeat it (MCP 2026-07-28, RS-18, RS-22). */
import type { IncomingHttpHeaders } from 'node:http';
import { jsonMembers, strictJson } from './strict-json.ts';

export interface Message {
  /** Written anew from what was read: what goes to the target. */
  readonly text: string;
  /** Undefined of a response. */
  readonly method?: string;
  /** JSON text; undefined of a notification. */
  readonly id?: string;
  /** `params.name`, where it is a string. */
  readonly name?: string;
  /** JSON text of `params._meta`, for whoever follows a trace (SEP-414). Nothing is decided by it. */
  readonly meta?: string;
}

export interface MessageFault {
  readonly status: 400 | 415;
  /** JSON-RPC's. */
  readonly code: -32700 | -32600 | -32602 | -32020;
  readonly message: string;
  /** For the log. */
  readonly reason: string;
  readonly id?: string;
}

/** Nested arrays and objects of a message. */
const maxDepth = 64;

export function readMessage(body: Buffer, headers: IncomingHttpHeaders): Message | MessageFault {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  if (encoding.trim().toLowerCase() !== 'identity') {
    return refused(415, -32600, 'Send the message as it is, without a Content-Encoding.', 'encoding');
  }
  if (!/^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(type)) {
    return refused(415, -32600, 'Send the message as application/json in UTF-8.', 'content_type');
  }
  const source = utf8(body);
  if (source === undefined) return refused(400, -32700, 'The message is not UTF-8.', 'utf8');
  const json = strictJson(source, maxDepth);
  if (json.fault === 'syntax') return refused(400, -32700, 'The message is not JSON.', 'syntax');
  if (json.fault === 'depth') return refused(400, -32600, `Nested deeper than ${maxDepth} levels.`, 'depth');
  if (json.fault === 'keys') return refused(400, -32600, 'More keys than a message may have.', 'keys');
  if (json.fault) return refused(400, -32600, 'A key of the message has more than one reading.', json.fault);
  return message(json.text, headers);
}

function message(text: string, headers: IncomingHttpHeaders): Message | MessageFault {
  const envelope = jsonMembers(text);
  // Batches were in 2025-03-26 alone; each of its messages would have an answer of its own.
  if (!envelope) return refused(400, -32600, 'Send one JSON-RPC message, and no batch.', 'no_object');
  const id = envelope.get('id');
  const params = envelope.get('params');
  const fields = jsonMembers(params ?? '{}');
  if (twoReadings(envelope, envelopeKeys) || (fields && twoReadings(fields, paramsKeys))) {
    return refused(400, -32600, 'A key of the message has more than one reading.', 'key_case');
  }
  if (envelope.get('jsonrpc') !== '"2.0"' || (id !== undefined && !/^["0-9-]/.test(id))) {
    return refused(400, -32600, 'Not a JSON-RPC 2.0 message.', 'no_message');
  }
  const refuse = (code: MessageFault['code'], words: string, reason: string) => refused(400, code, words, reason, id);
  const method = stringIn(envelope.get('method'));
  const outcomes = ['result', 'error'].filter((key) => envelope.has(key)).length;
  if (method === undefined) {
    const response = !envelope.has('method') && id !== undefined && outcomes === 1;
    if (!response) return refuse(-32600, 'Not a JSON-RPC 2.0 message.', 'no_message');
  } else if (outcomes > 0) return refuse(-32600, 'A request and a response at once.', 'no_message');
  if (!fields) return refuse(-32602, 'The params of a message are an object.', 'params');
  const name = stringIn(fields.get('name'));
  if (method === 'tools/call' && name === undefined) {
    return refuse(-32602, 'tools/call names a tool in params.name.', 'tool_missing');
  }
  const mismatch = mirrorFault(headers, method, fields);
  if (mismatch) return refuse(-32020, `Bad Request: the request headers and body disagree: ${mismatch}`, 'header');
  const meta = fields.get('_meta');
  return {
    text,
    ...(method !== undefined && { method }),
    ...(id !== undefined && { id }),
    ...(name !== undefined && { name }),
    ...(meta !== undefined && { meta }),
  };
}

/** What of the body `Mcp-Name` repeats (SEP-2243; SEP-2663 for tasks). */
const named: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Whoever routes by the headers must have routed this very message. That they are there at all is the target's to ask. */
function mirrorFault(
  headers: IncomingHttpHeaders,
  method: string | undefined,
  params: ReadonlyMap<string, string>,
): string | undefined {
  const { 'mcp-method': mcpMethod, 'mcp-name': mcpName } = headers;
  if (mcpMethod !== undefined && decoded(String(mcpMethod)) !== (method ?? NaN)) return 'Mcp-Method is another method.';
  if (mcpName === undefined) return undefined;
  const fields =
    method !== undefined && Object.hasOwn(named, method) ? [named[method] as string] : Object.values(named);
  const name = decoded(String(mcpName));
  const same = name !== undefined && fields.some((field) => stringIn(params.get(field)) === name);
  return same ? undefined : 'Mcp-Name is another name.';
}

/** A header's value, out of its Base64 sentinel where it has one (SEP-2243); undefined where that is broken. */
function decoded(value: string): string | undefined {
  const base64 = /^=\?base64\?(.*)\?=$/.exec(value.trim())?.[1];
  if (base64 === undefined) return value.trim();
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? utf8(bytes) : undefined;
}

const envelopeKeys = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
const paramsKeys = new Set(['name', 'arguments', 'uri', 'taskId', 'task', 'cursor', '_meta']);

/** Go and .NET take a key in any case for the one they look for, and the last of two. */
function twoReadings(members: ReadonlyMap<string, string>, meant: ReadonlySet<string>): boolean {
  const foldedMeant = new Set([...meant].map(folded));
  const seen = new Set<string>();
  for (const key of members.keys()) {
    const plain = folded(key);
    if (seen.has(plain) || (foldedMeant.has(plain) && !meant.has(key))) return true;
    seen.add(plain);
  }
  return false;
}

/** Both ways, for the long s (ſ) and the Kelvin sign (K), which Go folds too. */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

function stringIn(json: string | undefined): string | undefined {
  return json?.startsWith('"') ? (JSON.parse(json) as string) : undefined;
}

function utf8(bytes: Buffer): string | undefined {
  try {
    // A byte order mark is no JSON (RFC 8259 §8.1), so it is left in to be found.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function refused(
  status: MessageFault['status'],
  code: MessageFault['code'],
  message: string,
  reason: string,
  id?: string,
): MessageFault {
  return { status, code, message, reason: `message.${reason}`, ...(id !== undefined && { id }) };
}
