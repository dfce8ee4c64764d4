/** `POST /oauth2/revoke` (RFC 7009): a refresh token, and with it every token of the same sign-in. */
import { authenticateClient } from '../client-authentication.ts';
import { empty, type HttpReply, type HttpRequest } from '../http/message.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pool } from '../pool.ts';

export async function revoke(pool: Pool, request: HttpRequest): Promise<HttpReply> {
  const token = request.form.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'no token');
  const client = authenticate(pool, request);
  // Access and ID tokens are JWTs, refresh tokens never look like one.
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new OAuthError('unsupported_token_type', 'not a refresh token');
  const outcome = await pool.grants.revoke(token, client.clientId);
  if (outcome === 'of another client') throw new OAuthError('invalid_request', 'token of another client');
  if (outcome === 'revoked') pool.log({ event: 'token.revoked', clientId: client.clientId });
  return empty(200); // unknown and revoked tokens too (RFC 7009 §2.2)
}

/** Here, and only here, Cognito answers `invalid_client` with 401. */
function authenticate(pool: Pool, request: HttpRequest) {
  try {
    return authenticateClient(pool, request);
  } catch (error) {
    if (error instanceof OAuthError && error.code === 'invalid_client') {
      throw new OAuthError('invalid_client', error.reason, 401);
    }
    throw error;
  }
}
