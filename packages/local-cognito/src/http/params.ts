/** Reads query strings and form bodies strictly: RFC 6749 §3.1 and §3.2, WHATWG URL §5.1. */

/** Parameters by name. A parameter sent without a value is absent (RFC 6749 §3.1). */
export type Params = ReadonlyMap<string, string>;

const MAX_PARAMS = 100;
const MAX_NAME_LENGTH = 128;
const MAX_VALUE_LENGTH = 4096;

/**
 * Parses `a=1&b=2`. Returns the fault as text instead of parameters when the input is not UTF-8, repeats a parameter
 * (RFC 6749 §3.1: "MUST NOT be included more than once") or is larger than anything a real client sends.
 */
export function parseParams(raw: string): Params | { fault: string } {
  const params = new Map<string, string>();
  const seen = new Set<string>();
  if (raw === '') return params;
  const pairs = raw.split('&', MAX_PARAMS + 1);
  if (pairs.length > MAX_PARAMS) return { fault: 'too many parameters' };
  for (const pair of pairs) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    if (name === undefined || value === undefined) return { fault: 'not percent-encoded UTF-8' };
    if (name.length > MAX_NAME_LENGTH || value.length > MAX_VALUE_LENGTH) return { fault: 'parameter too long' };
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(name + value)) return { fault: 'control character' };
    if (seen.has(name)) return { fault: 'repeated parameter' };
    seen.add(name);
    if (value !== '') params.set(name, value);
  }
  return params;
}

/** The inverse: parameters as a query string, in the order given. */
export function formatParams(params: Iterable<readonly [string, string]>): string {
  return new URLSearchParams([...params] as [string, string][]).toString();
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined; // decodeURIComponent refuses malformed escapes and invalid UTF-8 alike
  }
}
