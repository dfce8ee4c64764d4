/** Which headers cross the proxy, in each direction (RFC 9110 §7.6.1; SEC-07, SEC-11). */
import { identityHeaderPrefix } from '@mcp-gatehouse/auth/identity-headers';

/** Of one connection, not of the message. */
export const hopByHop: ReadonlySet<string> = new Set([
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
 * Never forwarded: the client's credentials, our own cookies, what `node:http` has already acted on, what only a front
 * door may claim, and what would make a target answer another request than the one that was judged here (SEC-11).
 * `origin` was judged here too, and a target on another origin would judge it wrongly.
 */
const dropped = new Set([
  'authorization',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'proxy', // HTTP_PROXY to a CGI target (CVE-2016-5385)
  'referer',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
]);

/**
 * Who somebody is, or where they come from, in the words of front doors that sign people in or end TLS: ALB, Azure App
 * Service, Cloudflare, Envoy, Fastly, Google IAP, Kubernetes, nginx, oauth2-proxy, Tailscale. A target that stood behind
 * one still believes them, and a client could say them of itself.
 */
const frontDoors = new RegExp(
  `^(${[
    'cf-(access|connecting)-.*',
    'fastly-client-ip|true-client-ip|x-(cluster-)?client-ip|x-remote-addr',
    'impersonate-.*|(x-)?remote-(user|group|extra|name|email)s?(-.*)?',
    'tailscale-(user|app)-.*|x-(auth-request|authenticated|webauth)-.*',
    'x-amzn-(oidc|mtls)-.*|x-goog-(authenticated-user|iap)-.*|x-ms-(client-principal|token)(-.*)?',
    'x-envoy-.*|x-original-(host|method|uri)|x-host',
    '(x-)?ssl-client-.*|(x-)?client-cert(-.*)?',
  ].join('|')})$`,
);

export interface RequestFacts {
  /** Name and value by turns, as they came. */
  readonly rawHeaders: readonly string[];
  /** Who calls, as the target is told: headers of ours. Missing on open paths, which no token stands before. */
  readonly identity?: ReadonlyArray<readonly [name: string, value: string]>;
  /** The public origin, `https://mcp.example.com`. */
  readonly publicOrigin: string;
  readonly remoteAddress?: string | undefined;
  readonly requestId: string;
  /** By lower-case name, in place of what the client sent; undefined: none at all. */
  readonly inPlace?: Readonly<Record<string, string | undefined>>;
  /** The operator's own for this target, by lower-case name; they yield only to `inPlace`. */
  readonly injected?: ReadonlyMap<string, readonly [name: string, value: string]>;
}

/** The request's headers for the target, name and value by turns. */
export function requestHeaders(facts: RequestFacts): string[] {
  const { rawHeaders, identity = [], publicOrigin, remoteAddress, requestId, inPlace = {}, injected } = facts;
  const named = connectionTokens(rawHeaders);
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    // A target that reads headers the CGI way cannot tell `_` from `-` (CVE-2025-64484): it would merge the two.
    if (name.includes('_')) continue;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || dropped.has(lower) || named.has(lower) || isOurs(lower)) continue;
    if (frontDoors.test(lower)) continue;
    if (Object.hasOwn(inPlace, lower) || injected?.has(lower)) continue;
    headers.push(name, rawHeaders[i + 1] as string);
  }
  for (const [name, value] of Object.entries(inPlace)) if (value !== undefined) headers.push(name, value);
  for (const [lower, [name, value]] of injected ?? []) if (!Object.hasOwn(inPlace, lower)) headers.push(name, value);
  const { protocol, host } = new URL(publicOrigin);
  headers.push('x-forwarded-proto', protocol.slice(0, -1), 'x-forwarded-host', host, 'x-request-id', requestId);
  if (remoteAddress !== undefined) headers.push('x-forwarded-for', remoteAddress);
  for (const [name, value] of identity) headers.push(name, value);
  return headers;
}

/** Names under which only we speak to the target. */
function isOurs(name: string): boolean {
  return name.startsWith(identityHeaderPrefix) || name.startsWith('x-forwarded-');
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

/**
 * What a target may say to the client: what describes its answer, and fields of its own. A list of what passes and not of
 * what does not, because browsers learn new fields that act on a whole origin (`NEL`, `Clear-Site-Data`, `Refresh`, …),
 * and on this origin people give their consent.
 */
const passed = new Set([
  'accept-ranges',
  'age',
  'allow',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'deprecation',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server-timing',
  'sunset',
  'traceparent',
  'tracestate',
  'vary',
]);

/** Fields of the protocol. Not every `x-`: `X-Accel-Redirect` and its kin are orders to a front door before us. */
function isItsOwn(name: string): boolean {
  return name.startsWith('mcp-') || /^(x-)?ratelimit(-|$)/.test(name);
}

/** The target's headers for the client. A page of the target would run where people consent: so it is no page there. */
export function responseHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  const named = new Set(
    [headers.connection ?? []].flat().flatMap((line) => line.split(',').map((name) => name.trim().toLowerCase())),
  );
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !named.has(name) && (passed.has(name) || isItsOwn(name))) kept[name] = value;
  }
  // What is somebody's own is not kept by a cache, unless the target says how.
  kept['cache-control'] ??= 'no-store';
  // A front door such as nginx would hold a stream back.
  if (String(kept['content-type']).startsWith('text/event-stream')) kept['x-accel-buffering'] = 'no';
  kept['x-content-type-options'] = 'nosniff';
  kept['content-security-policy'] = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
  return kept;
}

/** The head of an answer that was written anew: what spoke of its bytes speaks of others. */
export function rewrittenHeaders(headers: Record<string, string | string[]>): Record<string, string | string[]> {
  const ofBytes = new Set([
    'accept-ranges',
    'content-length',
    'content-range',
    'etag',
    'last-modified',
    'expires',
    'age',
  ]);
  const kept = Object.entries(headers).filter(([name]) => !ofBytes.has(name));
  return { ...Object.fromEntries(kept), 'cache-control': 'no-store' };
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
