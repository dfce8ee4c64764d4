/** Headers of the operator's own that go to a target with every request, such as its API key; which names they may have. */
import { identityHeaderPrefix } from '@mcp-gatehouse/auth/identity-headers';
import { hopByHop } from './headers.ts';

/**
 * What frames or describes the message, what is said by the gateway itself, and what it judges by: with a second source the
 * target would get another request than the one that was judged (SEC-11).
 */
const reserved: ReadonlySet<string> = new Set([
  ...hopByHop,
  'accept-encoding',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'x-request-id',
]);

/** Undefined: fit to be sent. */
export function injectionFault(name: string, value: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name)) return 'is no name of a header (RFC 9110 §5.1)';
  const lower = plain(name);
  if (reserved.has(lower) || ['mcp-', 'x-forwarded-', identityHeaderPrefix].some((start) => lower.startsWith(start))) {
    return 'is set by the gateway itself, or belongs to the message: choose another header';
  }
  if (value === '' || value.length > 8192) return 'must have 1 to 8192 characters';
  // Visible characters, and spaces inside: a line break would be a second header.
  if (!/^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/.test(value)) {
    return 'has characters that no header may have (RFC 9110 §5.5)';
  }
  return undefined;
}

/** By the name under which a client's header is replaced. */
export function injectedHeaders(
  headers: Readonly<Record<string, string>>,
): ReadonlyMap<string, readonly [name: string, value: string]> {
  return new Map(Object.entries(headers).map(([name, value]) => [plain(name), [name, value]]));
}

/** To a target that reads headers the CGI way, `_` and `-` are one. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
