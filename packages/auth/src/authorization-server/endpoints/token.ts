/** The token endpoint (OAuth 2.1 §3.2): parses, authenticates the client, lets the grant type decide, issues, answers. */
import { describeCause, OAuthError } from '../../oauth/error.ts';
import type { Endpoint } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { maxAssertionLength } from '../assertion.ts';
import { authenticateClient } from '../clients/authenticate.ts';
import type { Client } from '../clients/client.ts';
import { jwtBearerGrantType } from '../clients/configured.ts';
import { logName } from '../credential.ts';
import { authorizationCodeGrant } from '../grant-types/authorization-code.ts';
import { clientCredentialsGrant } from '../grant-types/client-credentials.ts';
import type { GrantType } from '../grant-types/grant-type.ts';
import { jwtBearerGrant } from '../grant-types/jwt-bearer.ts';
import { refreshTokenGrant } from '../grant-types/refresh-token.ts';
import type { Parts } from '../parts.ts';
import { type Issue, issueAccessToken, tokenLife, tokenReply } from '../token-issuer.ts';

export function token(parts: Parts): Endpoint {
  const { issuer, signer, resolveClient, lifetimes, registry, singleUse, log, now } = parts;
  const { accessTokenSeconds } = lifetimes;
  const grantTypes = supportedGrantTypes(parts);
  const assertions = { issuer, singleUse, now };
  return async (request) => {
    const parameters = formParameters(request, { maxValueLength: maxAssertionLength });
    const client = await authenticateClient(request, parameters, resolveClient, assertions);
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
    const issue: Issue = (authorized) => issueAccessToken({ issuer, signer, accessTokenSeconds }, authorized, time);
    const issued = await grantType(client, parameters, time, issue);
    const { authorization, refreshToken, replay } = issued;
    const accessToken = issued.accessToken ?? (await issue(authorization));
    const { grantId, identity, resource, scope } = authorization;
    log({
      event: replay ? 'grant.grace_replay' : 'token.issued',
      client: logName(client.id),
      ...(grantId !== undefined && { grant: grantId }),
      ...(identity && { person: authorization.subject.slice(0, 8) }),
      // Without a grant record this line is the only trace: who it was for, as which client proved itself how.
      ...(grantId === undefined && {
        subject: logName(authorization.subject),
        authenticatedBy: client.authenticatedBy,
      }),
      ...(grantId === undefined && identity && { identityIssuer: identity.issuer }),
      grantType: name,
      resource,
      scope: scope.join(' '),
    });
    await markUsed(client);
    return tokenReply({
      accessToken,
      expiresIn: tokenLife(accessTokenSeconds, authorization, time),
      scope,
      ...(refreshToken !== undefined && { refreshToken }),
    });
  };

  /** A renewal that fails takes nobody's tokens away: the next use renews as well. */
  async function markUsed(client: Client): Promise<void> {
    try {
      await registry.used?.(client.id);
    } catch (error) {
      log({ event: 'client.renewal_failed', client: logName(client.id), cause: describeCause(error) });
    }
  }
}

function supportedGrantTypes(parts: Parts): ReadonlyMap<string, GrantType> {
  const { issuer, resources, machineClients, assertionIssuers, singleUse, people } = parts;
  const grantTypes = new Map<string, GrantType>([
    ['authorization_code', authorizationCodeGrant(parts)],
    ['refresh_token', refreshTokenGrant(parts)],
  ]);
  if (machineClients) grantTypes.set('client_credentials', clientCredentialsGrant({ resources }));
  if (assertionIssuers.length > 0) {
    grantTypes.set(
      jwtBearerGrantType,
      jwtBearerGrant({ issuer, resources, assertionIssuers, singleUse, ...(people && { people }) }),
    );
  }
  return grantTypes;
}
