/** Client authentication at the token endpoint: `none`, HTTP Basic, or the secret in the body (RFC 6749 §2.3, §3.2.1). */
import { OAuthError } from '../../oauth/error.ts';
import type { HttpRequest } from '../../oauth/http.ts';
import type { Parameters } from '../../oauth/parameters.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import type { Client, ClientResolver } from './client.ts';
import { isClientSecret } from './registered.ts';

interface Credentials {
  readonly clientId: string;
  readonly secret?: string;
  readonly basic: boolean;
}

/** The client that makes this request, proven where it is confidential. */
export async function authenticateClient(
  request: HttpRequest,
  parameters: Parameters,
  resolve: ClientResolver,
  keyring: Keyring,
): Promise<Client> {
  const { clientId, secret, basic } = credentials(request, parameters);
  const refuse = (reason: string) =>
    // The same words for an unknown client and a wrong secret (SEC-13). Clients register anew on this answer alone.
    new OAuthError('invalid_client', 'The client is unknown or its credentials are wrong; register again.', {
      reason,
      // RFC 6749 §5.2: the scheme the client used.
      ...(basic && { headers: { 'www-authenticate': 'Basic realm="token", charset="UTF-8"' } }),
    });
  const client = await resolve(clientId);
  if (!client) throw refuse('client.unknown');
  if (client.authMethod === 'none') {
    // A public client has no secret, so one that is sent was made up (and must not look as if it had been checked).
    if (secret !== undefined) throw refuse('client.public_with_secret');
    return client;
  }
  if (secret === undefined) throw refuse('client.secret_missing');
  if (!isClientSecret(keyring, client.id, secret)) throw refuse('client.secret_wrong');
  return client;
}

function credentials(request: HttpRequest, parameters: Parameters): Credentials {
  const bodyId = parameters.get('client_id');
  const bodySecret = parameters.get('client_secret');
  const { authorization } = request.headers;
  if (authorization === undefined) {
    if (bodyId === undefined) {
      throw new OAuthError('invalid_client', 'Send client_id.', { reason: 'client.missing' });
    }
    return { clientId: bodyId, ...(bodySecret !== undefined && { secret: bodySecret }), basic: false };
  }
  const basic = parseBasic(authorization);
  if (!basic) {
    throw new OAuthError('invalid_client', 'The Authorization header is not HTTP Basic with an id and a secret.', {
      reason: 'client.basic_malformed',
      headers: { 'www-authenticate': 'Basic realm="token", charset="UTF-8"' },
    });
  }
  // RFC 6749 §2.3: one method a request.
  if (bodySecret !== undefined) {
    throw new OAuthError('invalid_request', 'Authenticate in one way, not two.', { reason: 'client.two_methods' });
  }
  if (bodyId !== undefined && bodyId !== basic.clientId) {
    throw new OAuthError('invalid_request', 'client_id is not the one in the Authorization header.', {
      reason: 'client.two_ids',
    });
  }
  return { ...basic, basic: true };
}

/**
 * RFC 6749 §2.3.1 percent-encodes both halves, the MCP SDK sends them raw. Ours hold only characters that both forms
 * write alike, so undoing the encoding serves everybody.
 */
function parseBasic(header: string): { clientId: string; secret?: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]{1,8192})$/i.exec(header);
  if (!match) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) return undefined;
  try {
    const clientId = decodeURIComponent(text.slice(0, at));
    const secret = decodeURIComponent(text.slice(at + 1));
    return { clientId, ...(secret !== '' && { secret }) };
  } catch {
    return undefined;
  }
}
