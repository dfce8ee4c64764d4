/** A request's body as JSON: bounded in size and depth, UTF-8 without repair (RFC 8259 §8.1). */
import type { IncomingMessage } from 'node:http';

export interface BodyBounds {
  readonly maxBytes: number;
  /** How deep objects and arrays may lie in each other. */
  readonly maxDepth: number;
}

/** `too_deep`: it is JSON, and nested so deep that who walks it by recursion would fail. */
export interface Unreadable {
  readonly fault: 'too_large' | 'not_utf8' | 'not_json' | 'too_deep';
  readonly message: string;
}

/** Strict where parsers are lenient: broken UTF-8 would be stored as U+FFFD, and a card's text be lost in silence. */
export async function readJson(
  request: IncomingMessage,
  { maxBytes, maxDepth }: BodyBounds,
): Promise<{ readonly value: unknown; readonly bytes: Buffer } | Unreadable> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read on for a while: a connection closed on a sender is an error there, not an answer.
    if (length > 16 * maxBytes) break;
    if (length <= maxBytes) chunks.push(chunk);
  }
  if (length > maxBytes) return { fault: 'too_large', message: `The body is larger than ${maxBytes} bytes` };
  const bytes = Buffer.concat(chunks);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { fault: 'not_utf8', message: 'the body is not UTF-8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'not_json', message: 'the body is not JSON' };
  }
  if (isDeeper(value, maxDepth)) {
    return { fault: 'too_deep', message: `The body is nested more than ${maxDepth} deep` };
  }
  return { value, bytes };
}

function isDeeper(value: unknown, depth: number): boolean {
  let level = [value];
  for (let at = 0; at <= depth; at++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}
