/**
 * Redirect URIs: which may be registered, and which presented one is a registered one. Compared as strings, never as
 * parsed URLs, because two parsers that disagree are an open redirect (RFC 9700 §2.1, §4.1.3; RFC 8252 §7.3).
 */

/** Private-use schemes of known MCP clients whose scheme has no period, against RFC 8252 §7.1's advice. */
export const knownPrivateUseSchemes: readonly string[] = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'zed'];

export const maxRedirectUriLength = 1024;

interface Parts {
  readonly scheme: string;
  /** Host without port; empty for a private-use scheme without an authority. */
  readonly host: string;
  readonly port: string;
  /** Path and query, as written. */
  readonly rest: string;
}

/** Printable ASCII without space, quotes, angle brackets, backslash, fragment, `^`, backtick, braces and `|`. */
const uriCharacters = /^[\x21\x24-\x26\x28-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+$/;
const hierarchical = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:]+\]|[A-Za-z0-9.-]*)(?::([0-9]{1,5}))?([/?].*)?$/;
const privateUsePath = /^([a-z][a-z0-9+.-]*):(\/?[^/].*)?$/;

/** The parts, where the text is a URI of a form we accept; userinfo, encoded hosts and dot segments are not (SEC-03). */
function parts(uri: string): Parts | undefined {
  if (uri.length > maxRedirectUriLength || !uriCharacters.test(uri)) return undefined;
  const match = hierarchical.exec(uri);
  if (!match) {
    const path = privateUsePath.exec(uri);
    return path?.[1] === undefined ? undefined : { scheme: path[1], host: '', port: '', rest: path[2] ?? '' };
  }
  const [, scheme = '', host = '', port = '', rest = ''] = match;
  if (Number(port) > 65_535) return undefined;
  if (/(^|\/)(\.|%2e){1,2}([/;?]|$)/i.test(rest)) return undefined;
  return { scheme, host, port, rest };
}

const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** A host on the person's own computer (RFC 8252 §7.3; `localhost` too, because Claude Code and VS Code use it). */
export function isLoopbackHost(host: string): boolean {
  return loopbackHosts.has(host.toLowerCase());
}

export function isLoopbackRedirect(uri: string): boolean {
  const parsed = parts(uri);
  return parsed?.scheme === 'http' && isLoopbackHost(parsed.host);
}

/** Why a redirect URI may not be registered; undefined: it may. */
export function redirectUriFault(
  uri: string,
  privateUseSchemes: readonly string[] = knownPrivateUseSchemes,
): string | undefined {
  const parsed = parts(uri);
  if (!parsed) return 'is not an absolute URI without fragment, userinfo, dot segments and unusual characters';
  if (parsed.scheme === 'https') {
    if (parsed.host === '' || !URL.canParse(uri)) return 'has no valid host';
    return undefined;
  }
  if (parsed.scheme === 'http') {
    // OAuth 2.1 §2.3.1: no plain http but to the person's own computer.
    return isLoopbackHost(parsed.host) ? undefined : 'must use https, or http on 127.0.0.1, [::1] or localhost';
  }
  // RFC 8252 §7.1: a scheme of one's own is a reversed domain name; the others are known clients by name. What a
  // browser acts on itself (javascript:, data:, file:, blob:, …) has no period and is on no list.
  if (parsed.scheme.includes('.') || privateUseSchemes.includes(parsed.scheme)) return undefined;
  return `uses the scheme ${parsed.scheme}:, which is not allowed here`;
}

/** The same URI, or the same but for the port where both are on loopback (RFC 8252 §7.3). */
export function redirectUriMatches(presented: string, registered: string): boolean {
  if (presented === registered) return parts(presented) !== undefined;
  const a = parts(presented);
  const b = parts(registered);
  if (!a || !b || a.scheme !== 'http' || b.scheme !== 'http') return false;
  return isLoopbackHost(a.host) && a.host === b.host && a.rest === b.rest;
}

/** What a person is shown as the place their answer goes to: a host, or an application's own scheme. */
export function redirectDisplay(uri: string): string {
  const parsed = parts(uri);
  if (!parsed) return '';
  if (parsed.scheme === 'https' || parsed.scheme === 'http') {
    return parsed.port === '' ? parsed.host : `${parsed.host}:${parsed.port}`;
  }
  return `${parsed.scheme}:${parsed.host === '' ? '' : `//${parsed.host}`}`;
}

/** The redirect with parameters added to its query (RFC 6749 §4.1.2). */
export function withParameters(uri: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = Object.entries(parameters)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  const separator = !uri.includes('?') ? '?' : uri.endsWith('?') || uri.endsWith('&') ? '' : '&';
  return `${uri}${separator}${query}`;
}
