/** The token endpoint (OAuth 2.1 §3.2): parses, authenticates the client, lets the grant type decide, issues, answers. */
import { OAuthError } from '../../oauth/error.ts';
import type { Endpoint } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { authenticateClient } from '../clients/authenticate.ts';
import { logName } from '../credential.ts';
import { authorizationCodeGrant } from '../grant-types/authorization-code.ts';
import type { GrantType } from '../grant-types/grant-type.ts';
import { refreshTokenGrant } from '../grant-types/refresh-token.ts';
import type { Parts } from '../parts.ts';
import { issueAccessToken, tokenReply } from '../token-issuer.ts';

export function token(parts: Parts): Endpoint {
  const { issuer, signer, keyring, resolveClient, lifetimes, log, now } = parts;
  const { accessTokenSeconds } = lifetimes;
  const grantTypes = new Map<string, GrantType>([
    ['authorization_code', authorizationCodeGrant(parts)],
    ['refresh_token', refreshTokenGrant(parts)],
  ]);
  return async (request) => {
    const parameters = formParameters(request);
    const client = await authenticateClient(request, parameters, resolveClient, keyring);
    const name = parameters.get('grant_type');
    if (name === undefined) {
      throw new OAuthError('invalid_request', 'grant_type is missing.', { reason: 'token.grant_type_missing' });
    }
    const grantType = grantTypes.get(name);
    if (!grantType) {
      throw new OAuthError('unsupported_grant_type', `Use one of ${[...grantTypes.keys()].join(', ')}.`, {
        reason: 'token.grant_type',
      });
    }
    if (!client.grantTypes.includes(name)) {
      throw new OAuthError('unauthorized_client', 'The client is not registered for this grant type.', {
        reason: 'token.grant_type_unregistered',
      });
    }
    // A code must not be spent, nor a token rotated, for an answer that cannot be signed.
    await signer.ready();
    const time = now();
    const { authorization, refreshToken, replay } = await grantType(client, parameters, time);
    const accessToken = await issueAccessToken({ issuer, signer, accessTokenSeconds }, authorization, time);
    const { grantId, resource, scope } = authorization;
    log({
      event: replay ? 'grant.grace_replay' : 'token.issued',
      client: logName(client.id),
      grant: grantId,
      grantType: name,
      resource,
      scope: scope.join(' '),
    });
    return tokenReply({
      accessToken,
      expiresIn: accessTokenSeconds,
      scope,
      ...(refreshToken !== undefined && { refreshToken }),
    });
  };
}
