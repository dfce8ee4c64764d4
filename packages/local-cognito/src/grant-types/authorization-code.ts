/** `grant_type=authorization_code` (RFC 6749 §4.1.3, PKCE RFC 7636 §4.6). */
import { isRegistered } from '../authorization-request.ts';
import type { ClientConfig } from '../config.ts';
import type { Params } from '../http/params.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pool } from '../pool.ts';
import { sameSecret, sha256 } from '../secrets.ts';
import { issueUserTokens } from '../token-issuer.ts';
import type { TokenResponse } from './token-response.ts';

export async function redeemAuthorizationCode(pool: Pool, client: ClientConfig, form: Params): Promise<TokenResponse> {
  if (!client.allowedOAuthFlows.includes('code')) throw new OAuthError('unauthorized_client', 'no code flow');
  const presented = form.get('code');
  const redirectUri = form.get('redirect_uri');
  if (presented === undefined) throw new OAuthError('invalid_request', 'no code');
  if (redirectUri === undefined) throw new OAuthError('invalid_request', 'no redirect_uri');

  // Looking and taking are one step: nothing awaits between them, so of parallel redemptions one wins. Another client's
  // code stays where it is, so that nobody can burn a code by showing it.
  if (pool.codes.get(presented)?.clientId !== client.clientId) {
    throw new OAuthError('invalid_grant', 'code is unknown, used, expired or of another client');
  }
  const code = pool.codes.take(presented);
  if (!code) throw new OAuthError('invalid_grant', 'code is unknown');
  if (code.redirectUri !== redirectUri) throw new OAuthError('invalid_grant', 'redirect_uri differs');
  if (code.codeChallenge !== undefined) {
    // Cognito checks PKCE when the authorization request had a challenge, and only then.
    const verifier = form.get('code_verifier');
    if (verifier === undefined) throw new OAuthError('invalid_grant', 'no code_verifier');
    if (!sameSecret(sha256(verifier), code.codeChallenge))
      throw new OAuthError('invalid_grant', 'code_verifier differs');
  }
  if (code.resource !== undefined && !isRegistered(pool, code.resource)) {
    throw new OAuthError('invalid_grant', `resource ${code.resource} is not a resource server of the pool`);
  }
  const user = pool.users.findBySub(code.sub);
  if (!user) throw new OAuthError('invalid_grant', 'the user is gone');

  const { grant, refreshToken } = await pool.grants.open({
    clientId: client.clientId,
    sub: user.sub,
    scopes: [...code.scopes],
    resource: code.resource,
    authTime: code.authTime,
    expiresAt: pool.now() + client.refreshTokenValiditySeconds,
  });
  const tokens = await issueUserTokens(pool, { ...grant, user, client, nonce: code.nonce });
  return {
    body: { ...tokens, refresh_token: refreshToken, token_type: 'Bearer' },
    sub: user.sub,
    scopes: grant.scopes,
    resource: grant.resource,
  };
}
