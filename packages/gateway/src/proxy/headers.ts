/** Which headers cross the proxy, in each direction (RFC 9110 §7.6.1; SEC-07, SEC-11). */
import type { AccessToken } from '@mcp-gatehouse/auth/guard';
import { identityHeaderPrefix, writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';

/** Of one connection, not of the message. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Never forwarded: the client's credentials, our own cookies, what `node:http` has already acted on, and what only a
 * front door may claim. `origin` was judged here, and a target on another origin would judge it wrongly.
 */
const dropped = new Set(['authorization', 'cookie', 'host', 'expect', 'origin', 'referer', 'forwarded', 'x-real-ip']);

export interface RequestFacts {
  /** Name and value by turns, as they came. */
  readonly rawHeaders: readonly string[];
  /** Missing on open paths: then no identity is sent at all. */
  readonly token?: AccessToken;
  readonly targetSecret?: string | undefined;
  /** The public origin, `https://mcp.example.com`. */
  readonly publicOrigin: string;
  readonly remoteAddress?: string | undefined;
  readonly requestId: string;
}

/** The request's headers for the target, name and value by turns. */
export function requestHeaders(facts: RequestFacts): string[] {
  const { rawHeaders, token, targetSecret, publicOrigin, remoteAddress, requestId } = facts;
  const named = connectionTokens(rawHeaders);
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || dropped.has(lower) || named.has(lower) || isOurs(lower)) continue;
    headers.push(name, rawHeaders[i + 1] as string);
  }
  const { protocol, host } = new URL(publicOrigin);
  headers.push('x-forwarded-proto', protocol.slice(0, -1), 'x-forwarded-host', host, 'x-request-id', requestId);
  if (remoteAddress !== undefined) headers.push('x-forwarded-for', remoteAddress);
  for (const [name, value] of token ? writeIdentityHeaders(token, targetSecret) : []) headers.push(name, value);
  return headers;
}

/**
 * Names under which only we speak to the target. A target that reads headers the CGI way cannot tell `_` from `-`
 * (CVE-2025-64484), so both spellings are taken from strangers.
 */
function isOurs(name: string): boolean {
  const spelled = name.replaceAll('_', '-');
  return spelled.startsWith(identityHeaderPrefix) || spelled.startsWith('x-forwarded-') || spelled === 'x-request-id';
}

/** RFC 9110 §7.6.1: what `Connection` names belongs to this connection too. */
function connectionTokens(rawHeaders: readonly string[]): ReadonlySet<string> {
  const tokens = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() !== 'connection') continue;
    for (const token of (rawHeaders[i + 1] as string).split(',')) tokens.add(token.trim().toLowerCase());
  }
  return tokens;
}

/** Answers of a target that are ours to give: cookies on our origin, CORS, framing, and its own challenges. */
const droppedFromTarget = new Set([
  'set-cookie',
  'www-authenticate',
  'server',
  'x-powered-by',
  'alt-svc',
  'strict-transport-security',
]);

/**
 * The target's headers for the client. A page of the target would run on the origin where people give their consent,
 * so whatever it sends is no page there: sandboxed, and never sniffed into one.
 */
export function responseHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  const named = new Set(
    [headers.connection ?? []].flat().flatMap((line) => line.split(',').map((name) => name.trim().toLowerCase())),
  );
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(name) || named.has(name) || droppedFromTarget.has(name)) continue;
    if (name.startsWith('access-control-')) continue;
    kept[name] = value;
  }
  kept['x-content-type-options'] = 'nosniff';
  kept['content-security-policy'] = "default-src 'none'; sandbox";
  return kept;
}

/** The scope a target's own `insufficient_scope` challenge asks for (RFC 6750 §3.1); undefined: it sent none. */
export function challengedScope(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): readonly string[] | undefined {
  const lines = [headers['www-authenticate'] ?? []].flat();
  const line = lines.find((text) => /^bearer\b/i.test(text) && /\berror="?insufficient_scope"?/i.test(text));
  const scope = line && /\bscope="([\x20\x21\x23-\x5b\x5d-\x7e]{1,1024})"/i.exec(line)?.[1];
  return scope === undefined || scope === '' ? undefined : scope.split(' ').filter(Boolean);
}
