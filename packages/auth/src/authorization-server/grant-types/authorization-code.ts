/** `grant_type=authorization_code`: redeems a code (OAuth 2.1 §4.1.3). */
import { OAuthError } from '../../oauth/error.ts';
import type { Parts } from '../parts.ts';
import { credentialGrant } from './credential-grant.ts';
import type { GrantType } from './grant-type.ts';

export function authorizationCodeGrant(parts: Parts): GrantType {
  const redeem = credentialGrant(parts, 'authorization-code');
  return async (client, parameters, now, issue) => {
    const code = parameters.get('code');
    if (code === undefined) throw new OAuthError('invalid_request', 'code is missing.', { reason: 'code.missing' });
    return redeem(code, client, parameters, now, issue);
  };
}
