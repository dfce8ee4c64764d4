/** `grant_type=client_credentials` (RFC 6749 §4.4): a confidential client, scopes of resource servers, no user. */
import type { ClientConfig } from '../config.ts';
import type { Params } from '../http/params.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pool } from '../pool.ts';
import { machineScopes } from '../scopes.ts';
import { issueMachineToken } from '../token-issuer.ts';
import type { TokenResponse } from './token-response.ts';

export async function grantClientCredentials(pool: Pool, client: ClientConfig, form: Params): Promise<TokenResponse> {
  if (!client.allowedOAuthFlows.includes('client_credentials')) {
    throw new OAuthError('unauthorized_client', 'no client_credentials flow');
  }
  const scopes = machineScopes(client, form.get('scope'));
  // Not RFC 6749 §5.2's invalid_scope: this is what Cognito answers.
  if (!scopes) throw new OAuthError('invalid_grant', 'a scope is not among those of the client');
  const token = await issueMachineToken(pool, client, scopes);
  return {
    body: { access_token: token, expires_in: client.accessTokenValiditySeconds, token_type: 'Bearer' },
    sub: client.clientId,
    scopes,
  };
}
