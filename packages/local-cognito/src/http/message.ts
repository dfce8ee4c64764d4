/** Plain-data HTTP: what an endpoint receives and returns, and the few shapes of reply this pool sends. */
import type { Params } from './params.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Params;
  /** The parsed form body; empty for GET. */
  readonly form: Params;
  readonly authorization: string | undefined;
  readonly cookies: ReadonlyMap<string, string>;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' };

/** `value` as JSON with Cognito's content type, never cached (RFC 6749 §5.1). */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8', ...NO_STORE, ...headers },
    body: JSON.stringify(value),
  };
}

/** 302, as Cognito answers everywhere, even after a POST. */
export function redirect(location: string, cookies: readonly string[] = []): HttpReply {
  return {
    status: 302,
    headers: { location, ...NO_STORE, ...(cookies.length > 0 ? { 'set-cookie': cookies } : {}) },
    body: '',
  };
}

export function empty(status: number, headers: Record<string, string> = {}): HttpReply {
  return { status, headers: { ...NO_STORE, ...headers }, body: '' };
}

/** The same reply with cookies added to those it already sets. */
export function withCookies(reply: HttpReply, cookies: readonly string[]): HttpReply {
  if (cookies.length === 0) return reply;
  const present = reply.headers['set-cookie'] ?? [];
  const all = [...(typeof present === 'string' ? [present] : present), ...cookies];
  return { ...reply, headers: { ...reply.headers, 'set-cookie': all } };
}
