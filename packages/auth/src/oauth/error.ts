/** The one error of the house: a refusal, with what the world may read and what only the log may (architecture §6). */

/** Registered error codes we answer with, and the RFC that registers each. */
export type OAuthErrorCode =
  | 'invalid_request' // RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1
  | 'invalid_client' // RFC 6749 §5.2
  | 'invalid_grant' // RFC 6749 §5.2
  | 'unauthorized_client' // RFC 6749 §4.1.2.1, §5.2
  | 'unsupported_grant_type' // RFC 6749 §5.2
  | 'unsupported_response_type' // RFC 6749 §4.1.2.1
  | 'invalid_scope' // RFC 6749 §4.1.2.1, §5.2
  | 'access_denied' // RFC 6749 §4.1.2.1
  | 'server_error' // RFC 6749 §4.1.2.1
  | 'temporarily_unavailable' // RFC 6749 §4.1.2.1
  | 'invalid_target' // RFC 8707 §2
  | 'invalid_redirect_uri' // RFC 7591 §3.2.2
  | 'invalid_client_metadata' // RFC 7591 §3.2.2
  | 'invalid_token' // RFC 6750 §3.1
  | 'insufficient_scope'; // RFC 6750 §3.1

const statusOf: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
};

export interface OAuthErrorDetails {
  /** HTTP status; the code's own default otherwise (400 for most). */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A private tag for logs and tests, such as `code.replayed`. Never shown. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/** `description` is public and must hold nothing of a credential; `reason` is private. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: OAuthErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly reason: string;

  constructor(code: OAuthErrorCode, description: string, details: OAuthErrorDetails = {}) {
    super(description, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? statusOf[code] ?? 400;
    this.headers = details.headers ?? {};
    this.reason = details.reason ?? code;
  }

  /** The JSON of RFC 6749 §5.2. */
  toJSON(): { error: OAuthErrorCode; error_description: string } {
    return { error: this.code, error_description: this.message };
  }
}

/** Contention or a database that is away: clients must come again, not throw their tokens away (`invalid_grant`). */
export function unavailable(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('temporarily_unavailable', 'The server cannot answer right now; try again in a moment.', {
    status: 503,
    headers: { 'retry-after': '2' },
    reason,
    cause,
  });
}

/** A fault for the log: words and stack, which hold no credential because no message of ours does. */
export function describeCause(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  if (!(cause instanceof Error)) return String(cause);
  // `fetch failed` says nothing: what failed stands in the cause of the cause.
  const inner = cause.cause === undefined ? '' : `\ncaused by ${describeCause(cause.cause)}`;
  return `${cause.stack ?? cause.message}${inner}`;
}
