/** Where at its target a request to a resource goes, by what the target speaks. */
import type { IncomingMessage } from 'node:http';
import { type AccessToken, type HttpReply, requestTarget } from '@mcp-gatehouse/auth';
import { problem, wrongMethod } from './problem.ts';
import type { Exchange } from './proxy/forward.ts';
import { type LegacySse, readableStream, unknownEndpoint } from './proxy/legacy-sse.ts';
import type { Rewrite } from './proxy/rewriter.ts';
import type { Target } from './proxy/target.ts';

type Parts = Pick<Exchange, 'rewrite' | 'inPlace'>;

export interface Routed {
  /** Path and query at the target. */
  readonly path: string;
  /** What else belongs to the exchange, made of what the tool policy wants; `lists`: its filter for lists that may come. */
  readonly exchange?: (parts: Parts, lists: () => Rewrite | undefined) => Parts;
  /** A `Location` of the target's as clients reach it; undefined: they cannot. */
  readonly publicLocation?: (location: string) => string | undefined;
}

export interface Unrouted {
  readonly outcome: 'method_not_allowed' | 'unknown_endpoint' | 'not_found';
  readonly reply: HttpReply;
}

export interface TargetRoute {
  /** Any other is refused before anybody is asked who they are: TRACE would send our own headers back (RFC 9110 §9.3.8). */
  readonly methods: readonly string[];
  of(req: IncomingMessage, token: AccessToken): Routed | Unrouted;
}

/** RS-17: POST, and GET and DELETE in the older revisions. */
const mcpMethods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];

/** Streamable HTTP: one address. */
export function streamableRoute(target: Target): TargetRoute {
  return { methods: mcpMethods, of: (req) => ({ path: pathOf(target, requestTarget(req).query) }) };
}

/** HTTP+SSE of 2024-11-05: the stream at one address, messages to another that it names. */
export function legacyRoute(target: Target, legacy: LegacySse): TargetRoute {
  return {
    methods: mcpMethods,
    of(req, token) {
      const { path: asked, query } = requestTarget(req);
      const posts = asked === legacy.messagePath;
      const only = posts ? 'POST' : 'GET';
      // To a newer client the sign that the stream is to be opened by GET (MCP 2025-03-26, Backwards Compatibility).
      if (req.method !== only) return { outcome: 'method_not_allowed', reply: wrongMethod(only) };
      if (!posts) {
        return {
          path: pathOf(target, query),
          exchange: ({ rewrite, inPlace }) => ({
            rewrite: legacy.rewriteFor(token, rewrite),
            inPlace: { ...inPlace, ...readableStream },
          }),
        };
      }
      const path = legacy.targetPathOf(query, token);
      if (path === undefined) {
        return { outcome: 'unknown_endpoint', reply: problem(404, 'unknown_endpoint', unknownEndpoint) };
      }
      // A list is answered on the stream; what a target writes in answer to the message itself need not be one.
      return {
        path,
        exchange: (parts, lists) => {
          const rewrite = parts.rewrite && lists();
          return { ...parts, ...(rewrite && { rewrite }) };
        },
      };
    },
  };
}

/** An HTTP API: everything at and below the resource's path, by any method. */
export function apiRoute(target: Target, publicPath: string): TargetRoute {
  const base = target.url.pathname.replace(/\/$/, '');
  return {
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    of(req) {
      const { path, query } = requestTarget(req);
      const rest = path.slice(publicPath.length);
      if (!isApiPath(rest)) {
        return { outcome: 'not_found', reply: problem(404, 'not_found', 'There is nothing at this address.') };
      }
      // A target that is an origin alone has a path too: "/" (RFC 9112 §3.2.1).
      const asked = `${base}${rest}` || '/';
      return {
        path: asked + mergedQuery(target.url.search, query),
        publicLocation(location) {
          const from = new URL(asked, target.url);
          if (!URL.canParse(location, from.href)) return undefined;
          const { origin, pathname, search, hash } = new URL(location, from);
          const below = pathname === base || pathname.startsWith(`${base}/`);
          return origin === from.origin && below ? publicPath + pathname.slice(base.length) + search + hash : undefined;
        },
      };
    },
  };
}

/** Two programs normalise paths differently (CVE-2026-22031): only what has one reading goes through. */
export function hasOneReading(path: string): boolean {
  return /^[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*$/.test(path) && !/(^|\/)\.{1,2}(\/|$)/.test(path);
}

/** Of `pchar` (RFC 3986 §3.3) without `;`, which some servers cut off with what follows it; escaped, what no path is built of. */
const apiSegment = "(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%(?:2[0289ABC]|3[ACDE]|40|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]))+";
const apiPath = new RegExp(`^(?:/${apiSegment})*/?$`, 'i');

/** As `hasOneReading`, for what APIs have in their paths beside: an e-mail address, a space, a name that is not ASCII, a slash at the end. */
function isApiPath(rest: string): boolean {
  if (!apiPath.test(rest) || /\/\.{1,2}(\/|$)/.test(rest)) return false;
  try {
    decodeURIComponent(rest); // what is not UTF-8 is read as one program or another likes
    return true;
  } catch {
    return false;
  }
}

function pathOf({ url }: Target, query: string): string {
  return url.pathname + mergedQuery(url.search, query);
}

/**
 * The query of the configured target, then the client's without the parameters that are configured: of two with one name
 * many programs take the last, and the operator's must hold (SEC-11).
 */
function mergedQuery(configured: string, sent: string): string {
  const own = namesInQuery(configured.slice(1));
  const isTheirs = (pair: string) => [...namesInQuery(pair)].every((name) => !own.has(name));
  const passed = own.size === 0 ? sent : sent.split('&').filter(isTheirs).join('&');
  if (passed === '') return configured;
  return configured === '' ? `?${passed}` : `${configured}&${passed}`;
}

/** Names of parameters as a target may read them: decoded, in any case, with `;` between them, as the name of a list. */
export function namesInQuery(query: string): ReadonlySet<string> {
  const names = query.split(/[&;]/).flatMap((pair) => [...new URLSearchParams(pair).keys()]);
  return new Set(names.map((name) => name.trim().toLowerCase().replace(/\[.*$/s, '')));
}
