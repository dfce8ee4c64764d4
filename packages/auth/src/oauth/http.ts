/** Requests and replies as plain data: what every endpoint takes and gives (architecture §4). */
import { OAuthError } from './error.ts';

export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** As sent, never decoded or normalised: two spellings of one path are two paths (SEC-11). */
  readonly path: string;
  /** Without the question mark; empty if there is none. */
  readonly query: string;
  /** Lower-case names. On Node, a header that must stand once and does not has been refused before. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  /** Lower-case names; an array is sent as several headers. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** What an adapter puts on the network. */
export interface HttpHandler {
  /**
   * Whether `handle` answers this path, so that nobody else's body is read for it. `host` is the request's Host header,
   * which counts where several hosts are served; left out, the path of any of them will do.
   */
  owns(path: string, host?: string): boolean;
  /** Never throws; undefined where the path is none of ours. */
  handle(request: HttpRequest): Promise<HttpReply | undefined>;
}

export type Endpoint = (request: HttpRequest) => Promise<HttpReply>;

/** The largest request body any endpoint reads, in bytes. */
export const maxBodyBytes = 64 * 1024;

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): HttpReply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** RFC 6749 §5.1, §5.2: nothing of a token answer may be cached. */
export const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' } as const;

export function jsonError(error: OAuthError): HttpReply {
  return json(error.status, error, { ...noStore, ...error.headers });
}

/** 303, so that no browser ever repeats a POST with its body at the new place (RFC 9700 §4.12). */
export function redirect(
  location: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): HttpReply {
  return {
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', ...headers },
    body: '',
  };
}

export function wrongMethod(allow: string): OAuthError {
  return new OAuthError('invalid_request', `Use ${allow} here.`, { status: 405, headers: { allow }, reason: 'method' });
}

/**
 * What browsers on other origins may do with a public endpoint: anybody may call it, and nobody's cookies come along.
 * `mcp-protocol-version` is sent by the MCP SDK on discovery requests.
 */
export function withCors(reply: HttpReply): HttpReply {
  return {
    ...reply,
    headers: {
      ...reply.headers,
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'www-authenticate, retry-after',
    },
  };
}

/** The answer to a preflight request; never 401, whatever it asks for. */
export function preflight(
  methods: string,
  allowHeaders = 'authorization, content-type, mcp-protocol-version',
): HttpReply {
  return {
    status: 204,
    headers: {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': methods,
      'access-control-allow-headers': allowHeaders,
      'access-control-max-age': '7200',
    },
    body: '',
  };
}

/** The value of one cookie (RFC 6265 §4.2.1); undefined when it is absent or sent twice with different values. */
export function cookie(request: HttpRequest, name: string): string | undefined {
  const values = new Set<string>();
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) values.add(part.slice(at + 1).trim());
  }
  return values.size === 1 ? values.values().next().value : undefined;
}
