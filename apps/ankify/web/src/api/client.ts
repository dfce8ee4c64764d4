/** Calls of the API at the gateway: with the token of the session, once more after a 401, and with errors that have a kind. */
import { accessToken, configuration } from '../session/session.ts';
import { ApiProblem, problemOf, SignedOut, Unreachable } from './problem.ts';

export interface CallOptions {
  readonly body?: unknown;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** The same key and body are the same call, however often it is sent. */
  readonly idempotencyKey?: string;
}

/** Throws `ApiProblem`, `Unreachable` or `SignedOut`, and what an aborted `signal` throws. */
export async function send(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { api_url } = await configuration();
  const attempt = async (force: boolean) => {
    const token = await accessToken(force);
    const { body, signal, idempotencyKey, accept = 'application/json' } = options;
    try {
      return await fetch(api_url + path, {
        method,
        headers: {
          accept,
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
        credentials: 'omit',
        cache: 'no-store',
      });
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw new Unreachable('the API cannot be reached', { cause });
    }
  };
  let response = await attempt(false);
  if (response.status === 401) response = await attempt(true);
  if (response.status === 401) throw new SignedOut('the API takes no token of this session');
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new Unreachable('the answer broke off', { cause });
  }
}

/** Whether the same call may well succeed a little later. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Unreachable ||
    (error instanceof ApiProblem && ['unavailable', 'too-many-requests', 'idempotency-key-in-use'].includes(error.kind))
  );
}
