/** Which client is calling: `client_secret_basic`, `client_secret_post` or none (RFC 6749 §2.3). */
import type { ClientConfig } from './config.ts';
import type { HttpRequest } from './http/message.ts';
import { OAuthError } from './oauth-error.ts';
import type { Pool } from './pool.ts';
import { sameSecret } from './secrets.ts';

/** @throws OAuthError `invalid_client`, or `invalid_request` when there is nothing to authenticate */
export function authenticateClient(pool: Pool, request: HttpRequest): ClientConfig {
  const { id, secret } = presentedCredentials(request);
  const client = pool.client(id);
  if (!client) throw new OAuthError('invalid_client', 'unknown client');
  if (client.clientSecret === undefined) {
    if (secret !== undefined) throw new OAuthError('invalid_client', 'the client has no secret, one was sent');
  } else if (secret === undefined || !sameSecret(client.clientSecret, secret)) {
    throw new OAuthError('invalid_client', secret === undefined ? 'no secret' : 'wrong secret');
  }
  return client;
}

function presentedCredentials({ authorization, form }: HttpRequest): { id: string; secret: string | undefined } {
  const id = form.get('client_id');
  const secret = form.get('client_secret');
  if (authorization === undefined) {
    if (id === undefined) throw new OAuthError('invalid_request', 'no client_id');
    return { id, secret };
  }
  const basic = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization)?.[1];
  if (basic === undefined) throw new OAuthError('invalid_client', 'Authorization is not Basic');
  if (secret !== undefined) throw new OAuthError('invalid_request', 'two ways of authentication (RFC 6749 §2.3)');
  const pair = Buffer.from(basic, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) throw new OAuthError('invalid_client', 'Basic credentials without a colon');
  const basicId = unescapeCredential(pair.slice(0, colon));
  if (id !== undefined && id !== basicId) throw new OAuthError('invalid_client', 'two different client ids');
  return { id: basicId, secret: unescapeCredential(pair.slice(colon + 1)) };
}

/**
 * RFC 6749 §2.3.1 form-encodes both parts, many clients do not. Percent escapes are decoded and a plus is left as it
 * is: Cognito's ids and secrets may contain a plus but never a space or a percent sign, so nothing is ambiguous.
 */
function unescapeCredential(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
