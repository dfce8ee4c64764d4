/** `grant_type=refresh_token` (RFC 6749 §6) with Cognito's optional rotation. */
import type { ClientConfig } from '../config.ts';
import type { Params } from '../http/params.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Pool } from '../pool.ts';
import { issueUserTokens } from '../token-issuer.ts';
import type { TokenResponse } from './token-response.ts';

export async function redeemRefreshToken(pool: Pool, client: ClientConfig, form: Params): Promise<TokenResponse> {
  if (!client.allowedOAuthFlows.includes('code')) throw new OAuthError('unauthorized_client', 'no refresh tokens');
  const presented = form.get('refresh_token');
  if (presented === undefined) throw new OAuthError('invalid_request', 'no refresh_token');

  const redeemed = await pool.grants.redeem(presented, client.clientId, client.refreshTokenRotation);
  const user = redeemed && pool.users.findBySub(redeemed.grant.sub);
  if (!redeemed || !user)
    throw new OAuthError('invalid_grant', 'refresh token is unknown, expired, revoked or rotated');
  const { grant, refreshToken } = redeemed;
  const tokens = await issueUserTokens(pool, { ...grant, user, client });
  return {
    body: { ...tokens, ...(refreshToken ? { refresh_token: refreshToken } : {}), token_type: 'Bearer' },
    sub: user.sub,
    scopes: grant.scopes,
    resource: grant.resource,
  };
}
