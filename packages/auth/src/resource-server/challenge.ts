/** The challenge: how a resource says that a token is missing, wrong or too weak (RFC 6750 §3, RFC 9728 §5.1). */
import { OAuthError } from '../oauth/error.ts';
import { type HttpReply, json } from '../oauth/http.ts';

export interface ChallengeFacts {
  /** Absolute URL of the resource's metadata. */
  readonly resourceMetadata: string;
  /** The scope to ask for: the minimal set at 401, everything the call needs at 403. */
  readonly scope: readonly string[];
}

/** 401, 403, 400 or 503 for a refusal; without one, 401 to a request that brought no credentials at all. */
export function challenge({ resourceMetadata, scope }: ChallengeFacts, refusal?: OAuthError): HttpReply {
  const parameters: Array<[string, string]> = [];
  // RFC 6750 §3.1: no error code for a request "that did not include any authentication information".
  if (refusal) parameters.push(['error', refusal.code], ['error_description', refusal.message]);
  if (scope.length > 0) parameters.push(['scope', scope.join(' ')]);
  parameters.push(['resource_metadata', resourceMetadata]);
  const value = parameters.map(([name, text]) => `${name}="${quoted(text)}"`).join(', ');
  const status = refusal?.status ?? 401;
  return json(
    status,
    // Repeated in the body, because some front doors rename the header (reference: API Gateway, Function URLs).
    {
      error: refusal?.code ?? 'unauthorized',
      error_description: refusal?.message ?? 'Sign in first: this resource needs an access token.',
      resource_metadata: resourceMetadata,
      ...(scope.length > 0 && { scope: scope.join(' ') }),
    },
    {
      ...(status !== 503 && { 'www-authenticate': `Bearer ${value}` }),
      'cache-control': 'no-store',
      ...refusal?.headers,
    },
  );
}

/** HTTP 403 with every scope the operation needs (RFC 6750 §3.1; SEP-2350). */
export function insufficientScope(facts: ChallengeFacts): HttpReply {
  return challenge(
    facts,
    new OAuthError('insufficient_scope', 'The access token does not allow this operation.', { reason: 'token.scope' }),
  );
}

export function invalidToken(reason: string): OAuthError {
  // One description for every fault: which check failed is nobody's business but the log's (SEC-13).
  return new OAuthError('invalid_token', 'The access token is expired, revoked or not for this resource.', { reason });
}

/** A quoted-string (RFC 9110 §5.6.4) of the characters RFC 6750 §3 allows. */
function quoted(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, "'");
}
