/** `grant_type=refresh_token`: rotates a refresh token (OAuth 2.1 §4.3). */
import { OAuthError } from '../../oauth/error.ts';
import type { Parts } from '../parts.ts';
import { credentialGrant } from './credential-grant.ts';
import type { GrantType } from './grant-type.ts';

export function refreshTokenGrant(parts: Parts): GrantType {
  const rotate = credentialGrant(parts, 'refresh-token');
  return async (client, parameters, now, issue) => {
    const token = parameters.get('refresh_token');
    if (token === undefined) {
      throw new OAuthError('invalid_request', 'refresh_token is missing.', { reason: 'refresh.missing' });
    }
    return rotate(token, client, parameters, now, issue);
  };
}
