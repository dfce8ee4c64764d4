/** The introspection endpoint (RFC 7662): a resource server that cannot verify tokens itself asks whether one is alive. */
import type { Records } from '@mcp-gatehouse/records';
import { OAuthError } from '../../oauth/error.ts';
import { type Endpoint, json, noStore } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import type { AccessToken } from '../../resource-server/access-token.ts';
import { maxAssertionLength } from '../assertion.ts';
import { type AuthenticatedClient, authenticateClient } from '../clients/authenticate.ts';
import type { Client } from '../clients/client.ts';
import type { ClientAssertions } from '../clients/client-assertion.ts';
import { logName } from '../credential.ts';
import type { Grant } from '../grant.ts';
import type { IssuedTokenReader } from '../issued-token.ts';
import type { Parts } from '../parts.ts';

export interface IntrospectOptions extends Pick<Parts, 'resolveClient' | 'log'> {
  readonly records: Records<{ grant: Grant }>;
  readonly readIssuedToken: IssuedTokenReader;
  /** For `private_key_jwt`; without it, assertions are not read. */
  readonly assertions?: ClientAssertions;
  /** The resources (`aud`) whose tokens this client may ask about; empty: it may not ask at all. */
  readonly mayIntrospect: (client: Client) => readonly string[];
}

export function introspect(options: IntrospectOptions): Endpoint {
  const { records, resolveClient, log, readIssuedToken, mayIntrospect, assertions } = options;
  return async (request) => {
    const parameters = formParameters(request, { maxValueLength: maxAssertionLength });
    const client = await authenticateClient(request, parameters, resolveClient, assertions);
    const audiences = askable(client, mayIntrospect);
    const token = parameters.get('token');
    if (token === undefined) {
      throw new OAuthError('invalid_request', 'token is missing.', { reason: 'introspect.token_missing' });
    }
    const access = await readIssuedToken(token);
    // RFC 7662 §2.2: dead, unknown and none of the caller's business look the same, and hold nothing else. So does a
    // refresh token: whoever is told that one is active might let somebody in with it.
    const active = access !== undefined && audiences.includes(access.audience) && (await alive(access));
    log({ event: 'token.introspected', client: logName(client.id), active });
    return json(200, active ? described(access) : { active: false }, noStore);
  };

  /** From the records and not from memory: RFC 7662 §4 leaves freshness to us, and the caller may cache again. */
  async function alive({ grantId }: AccessToken): Promise<boolean> {
    if (grantId === undefined) return true;
    const stored = await records.get('grant', grantId);
    return stored !== undefined && stored.value.endedAt === undefined;
  }
}

/** RFC 7662 §2.1, §4: authorized callers only. Anybody can register a client with a secret; only an operator configures one. */
function askable(client: AuthenticatedClient, mayIntrospect: IntrospectOptions['mayIntrospect']): readonly string[] {
  const known = client.source === 'configured' && client.authenticatedBy !== 'none';
  const audiences = known ? mayIntrospect(client) : [];
  if (audiences.length === 0) {
    throw new OAuthError('unauthorized_client', 'The client may not introspect tokens.', {
      status: 403,
      reason: known ? 'introspect.not_allowed' : 'introspect.not_configured',
    });
  }
  return audiences;
}

/** RFC 7662 §2.2; `sub_id` is the claim of RFC 9493 §3.2.3, as in the token. */
function described({
  subject,
  clientId,
  scope,
  audience,
  issuer,
  expiresAt,
  issuedAt,
  tokenId,
  identity,
}: AccessToken) {
  return {
    active: true,
    token_type: 'Bearer',
    iss: issuer,
    aud: audience,
    sub: subject,
    client_id: clientId,
    scope: scope.join(' '),
    iat: issuedAt,
    exp: expiresAt,
    jti: tokenId,
    ...(identity && { sub_id: { format: 'iss_sub', iss: identity.issuer, sub: identity.subject } }),
  };
}
