/** A compact JWS taken apart (RFC 7515 §5.2, steps 1 to 5): bounded, in one spelling, every member once. Nothing is verified here. */
import { invalidToken } from '../challenge.ts';

export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the signature is over. */
  readonly signingInput: string;
  /** base64url, as sent. */
  readonly signature: string;
}

const maxTokenLength = 8192;

/** Throws `invalid_token` with a private reason. */
export function compactJws(token: string): CompactJws {
  if (token.length > maxTokenLength) throw invalidToken('token.too_long');
  const parts = token.split('.', 4);
  const [encodedHeader, encodedClaims, signature] = parts;
  if (parts.length !== 3 || !encodedHeader || !encodedClaims || !signature) throw invalidToken('token.form');
  const header = decode(encodedHeader);
  // RFC 7515 §4.1.11; `b64` (RFC 7797) may only come with it.
  if ('crit' in header || 'b64' in header) throw invalidToken('token.critical_header');
  return { header, claims: decode(encodedClaims), signingInput: `${encodedHeader}.${encodedClaims}`, signature };
}

function decode(part: string): Record<string, unknown> {
  try {
    const bytes = Buffer.from(part, 'base64url');
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    if (bytes.toString('base64url') === part && isObject(value) && !repeatsMember(text)) return value;
  } catch {
    // refused below, with the rest
  }
  throw invalidToken('token.form');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether a name stands twice in an object (RFC 7515 §4, RFC 7519 §4: reject): two parsers would read two tokens.
 * `json` has been parsed before, so only strings and brackets need a look.
 */
export function repeatsMember(json: string): boolean {
  const open: Array<Set<string> | undefined> = []; // an array has no names
  for (const [text, string, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (text === '{') open.push(new Set());
    else if (text === '[') open.push(undefined);
    else if (text === '}' || text === ']') open.pop();
    else if (colon !== undefined && string !== undefined) {
      const name = JSON.parse(string) as string; // "a" and "\u0061" are one name
      if (open.at(-1)?.has(name)) return true;
      open.at(-1)?.add(name);
    }
  }
  return false;
}
