/**
 * `grant_type=client_credentials`: a machine acts for itself (RFC 6749 §4.4; MCP extension
 * `io.modelcontextprotocol/oauth-client-credentials`). No person is asked, so only the operator's own list can allow it.
 */
import { OAuthError } from '../../oauth/error.ts';
import type { Resource } from '../../oauth/resource.ts';
import { parseScope } from '../../oauth/scope.ts';
import type { GrantType } from './grant-type.ts';
import { permittedScope, requestedResource } from './requested-access.ts';

export interface ClientCredentialsOptions {
  readonly resources: readonly Resource[];
}

/**
 * No record is kept: the credential itself can be used again, so a refresh token would add nothing (RFC 6749 §4.4.3), and
 * taking the client off the list ends it. A token that is out then lives for its minutes.
 */
export function clientCredentialsGrant({ resources }: ClientCredentialsOptions): GrantType {
  return async (client, parameters) => {
    // Whatever a client says of itself when it registers, it cannot give itself access.
    if (client.source !== 'configured') throw refuse('client_credentials.not_configured');
    if (client.authenticatedBy === 'none') throw refuse('client_credentials.public_client');
    const resource = requestedResource(parameters.get('resource'), resources);
    const scope = permittedScope(parseScope(parameters.get('scope')), resource, [client.scope]);
    return {
      authorization: {
        subject: client.id, // RFC 9068 §2.2
        clientId: client.id,
        resource: resource.uri,
        scope,
        ...(client.claims && { claims: client.claims }),
      },
      replay: false,
    };
  };
}

function refuse(reason: string): OAuthError {
  return new OAuthError('unauthorized_client', 'The client may not act for itself.', { reason });
}
