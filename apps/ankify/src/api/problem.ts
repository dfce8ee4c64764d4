/** What a refusal looks like (RFC 9457): one table of the kinds there are, and the error that carries one. */

/** The name of each kind is the stable end of its `type`; clients compare it and never the words. */
export const problemKinds = {
  'invalid-request': { status: 400, title: 'The request is not of the form described in openapi.json.' },
  'not-json': { status: 400, title: 'The body is not JSON.' },
  unauthorized: { status: 401, title: 'Nobody is signed in.' },
  forbidden: { status: 403, title: 'The request did not come by the way it must come.' },
  'insufficient-scope': { status: 403, title: 'The token does not have the scope this needs.' },
  'not-found': { status: 404, title: 'There is nothing here that is yours.' },
  'method-not-allowed': { status: 405, title: 'This method cannot be used here.' },
  'deck-changed': { status: 409, title: 'The deck was changed in the meantime.' },
  'no-speech': { status: 409, title: 'This server records no speech.' },
  'no-model': { status: 409, title: 'This server has no language model.' },
  'idempotency-key-in-use': { status: 409, title: 'The first request with this Idempotency-Key is still running.' },
  'precondition-failed': { status: 412, title: 'The deck has another version than If-Match says.' },
  'too-large': { status: 413, title: 'The body is too large.' },
  'not-json-type': { status: 415, title: 'The body must be application/json.' },
  'range-not-satisfiable': { status: 416, title: 'There is nothing in that range.' },
  'deck-refused': { status: 422, title: 'A deck cannot be like that.' },
  'cannot-be-spoken': { status: 422, title: 'This text cannot be spoken.' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request.' },
  'quota-reached': { status: 429, title: 'The quota of this month is used up.' },
  'foreign-page': { status: 403, title: 'Only the page itself may ask this.' },
  'sign-in-failed': { status: 400, title: 'The sign-in did not come to its end.' },
  'signed-out': { status: 401, title: 'You are signed out.' },
  'gateway-unavailable': { status: 503, title: 'The gateway cannot be reached right now.' },
  fault: { status: 500, title: 'Ankify failed.' },
  unavailable: { status: 503, title: 'This cannot be done right now.' },
} as const;

export type ProblemKind = keyof typeof problemKinds;

export const problemMediaType = 'application/problem+json';

/** One member of the request that is wrong. */
export interface Fault {
  /** JSON Pointer (RFC 6901) into the body; `?name` for a parameter of the query. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly errors?: readonly Fault[];
  /** Seconds; becomes `Retry-After`. */
  readonly retrySeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the body. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Thrown to refuse a request; `message` is for the user. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly kind: ProblemKind;
  readonly options: ProblemOptions;

  constructor(kind: ProblemKind, detail: string, options: ProblemOptions = {}) {
    super(detail);
    this.kind = kind;
    this.options = options;
  }
}

/** No address: nobody has to serve it, and it stays the same wherever Ankify runs (RFC 9457 §4.2, RFC 4151). */
export function problemType(kind: ProblemKind): string {
  return `tag:ankify,2026:problems/${kind}`;
}

export interface ProblemReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function problemReply({ kind, message, options }: Problem): ProblemReply {
  const { status, title } = problemKinds[kind];
  const { errors, retrySeconds, headers, members } = options;
  return {
    status,
    headers: {
      'content-type': problemMediaType,
      'cache-control': 'no-store',
      ...(retrySeconds !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retrySeconds))) }),
      ...headers,
    },
    body: JSON.stringify({
      type: problemType(kind),
      title,
      status,
      detail: message,
      ...(errors && errors.length > 0 && { errors }),
      ...members,
    }),
  };
}
