/** A refusal in Cognito's form: `{"error":"invalid_grant"}`, status 400 unless it says otherwise. */

export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_token_type'
  | 'invalid_token';

export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: OAuthErrorCode;
  /** For the log only: Cognito tells clients the code and nothing else. */
  readonly reason: string;
  readonly status: number;

  constructor(code: OAuthErrorCode, reason: string, status = 400) {
    super(`${code}: ${reason}`);
    this.code = code;
    this.reason = reason;
    this.status = status;
  }
}
