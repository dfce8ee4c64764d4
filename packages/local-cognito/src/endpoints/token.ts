/** `POST /oauth2/token` (RFC 6749 §3.2): authenticate the client, hand over to the grant type, answer. */
import { authenticateClient } from '../client-authentication.ts';
import { redeemAuthorizationCode } from '../grant-types/authorization-code.ts';
import { grantClientCredentials } from '../grant-types/client-credentials.ts';
import { redeemRefreshToken } from '../grant-types/refresh-token.ts';
import { type HttpReply, type HttpRequest, json } from '../http/message.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pool } from '../pool.ts';

const GRANT_TYPES = new Map([
  ['authorization_code', redeemAuthorizationCode],
  ['refresh_token', redeemRefreshToken],
  ['client_credentials', grantClientCredentials],
]);

export async function token(pool: Pool, request: HttpRequest): Promise<HttpReply> {
  const grantType = request.form.get('grant_type');
  if (grantType === undefined) throw new OAuthError('invalid_request', 'no grant_type');
  const grant = GRANT_TYPES.get(grantType);
  if (!grant) throw new OAuthError('unsupported_grant_type', 'unknown grant_type');
  const client = authenticateClient(pool, request);
  const { body, sub, scopes, resource } = await grant(pool, client, request.form);
  pool.log({
    event: 'token.issued',
    grantType,
    clientId: client.clientId,
    sub,
    scope: scopes.join(' '),
    ...(resource === undefined ? {} : { resource }),
  });
  return json(200, body);
}
