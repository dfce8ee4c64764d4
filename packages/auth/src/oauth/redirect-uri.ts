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
  const [, scheme = '', host = '', port = '', rest = ''] = hierarchical.exec(uri) ?? spread(privateUsePath.exec(uri));
  if (scheme === '' || Number(port) > 65_535) return undefined;
  if (/(^|\/)(\.|%2e){1,2}([/;?]|$)/i.test(rest)) return undefined;
  return { scheme, host, port, rest };
}

/** A private-use URI without an authority, in the places of one with. */
function spread(match: RegExpExecArray | null): readonly (string | undefined)[] {
  return ['', match?.[1], '', '', match?.[2]];
}

/** Schemes that a browser acts on itself: on no list of an operator do they become harmless. */
const neverSchemes = new Set('about blob data file filesystem javascript vbscript view-source ws wss'.split(' '));

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
  const malformed = 'is not an absolute URI without fragment, userinfo, dot segments and unusual characters';
  if (!parsed) return malformed;
  if (parsed.scheme === 'https') {
    // `https://0x7f.1/` is 127.0.0.1 to a browser: only a host that every parser reads as it is written (RFC 9700 §4.1.3).
    const sameToAll = URL.canParse(uri) && new URL(uri).hostname === parsed.host.toLowerCase();
    return parsed.host !== '' && sameToAll ? undefined : 'has no valid host';
  }
  if (parsed.scheme === 'http') {
    // OAuth 2.1 §2.3.1: no plain http but to the person's own computer.
    return isLoopbackHost(parsed.host) ? undefined : 'must use https, or http on 127.0.0.1, [::1] or localhost';
  }
  // RFC 8252 §7.1: a scheme of one's own is a reversed domain name; the others are known clients by name.
  const known = parsed.scheme.includes('.') || privateUseSchemes.includes(parsed.scheme);
  if (!known || neverSchemes.has(parsed.scheme)) return `uses the scheme ${parsed.scheme}:, which is not allowed here`;
  return URL.canParse(uri) ? undefined : malformed;
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
  const at = uri.indexOf('?');
  const separator = at < 0 ? '?' : at === uri.length - 1 || uri.endsWith('&') ? '' : '&';
  return `${uri}${separator}${query}`;
}
