/**
 * Client authentication: `none`, HTTP Basic, the secret in the body (RFC 6749 §2.3, §3.2.1), or an assertion (RFC 7521
 * §4.2). One method a request, and one that the client is registered for.
 */
import { OAuthError } from '../../oauth/error.ts';
import type { HttpRequest } from '../../oauth/http.ts';
import type { Parameters } from '../../oauth/parameters.ts';
import type { Assertion } from '../assertion.ts';
import type { Client, ClientAuthMethod, ClientResolver } from './client.ts';
import { assertionFault, type ClientAssertions, presentedAssertion } from './client-assertion.ts';

/** The client that makes a request, and how it proved itself: `none` proves nothing, whatever else it could have sent. */
export interface AuthenticatedClient extends Client {
  readonly authenticatedBy: ClientAuthMethod;
}

type Credentials =
  | { readonly method: 'none'; readonly clientId: string; readonly basic: boolean }
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly clientId: string;
      readonly secret: string;
      readonly basic: boolean;
    }
  | {
      readonly method: 'private_key_jwt';
      readonly clientId: string;
      readonly assertion: Assertion;
      readonly basic: false;
    };

/** The client that makes this request. Without `assertions`, assertion parameters are unknown ones and ignored. */
export async function authenticateClient(
  request: HttpRequest,
  parameters: Parameters,
  resolve: ClientResolver,
  assertions?: ClientAssertions,
): Promise<AuthenticatedClient> {
  const credentials = challenged(request, () => readCredentials(request, parameters, assertions));
  const client = await resolve(credentials.clientId);
  const reason = client ? await fault(client, credentials, assertions) : 'client.unknown';
  if (client && reason === undefined) return { ...client, authenticatedBy: credentials.method };
  // The same words for an unknown client and a wrong secret (SEC-13). Clients register anew on this answer alone.
  throw new OAuthError('invalid_client', 'The client is unknown or its credentials are wrong; register again.', {
    reason: reason ?? 'client.unknown',
    // RFC 6749 §5.2: the scheme the client used.
    ...(credentials.basic && basicChallenge),
  });
}

/** RFC 6749 §5.2: who tried the Authorization header is told so, whatever else was wrong with what they sent. */
function challenged<T>(request: HttpRequest, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const tried = /^basic(?:\s|$)/i.test(request.headers.authorization ?? '');
    if (!tried || !(error instanceof OAuthError) || error.code !== 'invalid_client') throw error;
    const { code, message, reason, cause } = error;
    throw new OAuthError(code, message, { reason, cause, ...basicChallenge });
  }
}

const basicChallenge = { headers: { 'www-authenticate': 'Basic realm="token", charset="UTF-8"' } };

/** The private reason why these credentials do not prove this client; undefined: they do. */
async function fault(
  client: Client,
  credentials: Credentials,
  assertions: ClientAssertions | undefined,
): Promise<string | undefined> {
  const { authMethods, verifySecret } = client;
  if (credentials.method === 'none') {
    if (authMethods.includes('none')) return undefined;
    return verifySecret ? 'client.secret_missing' : 'client.assertion_missing';
  }
  // A public client has no secret, so one that is sent was made up (and must not look as if it had been checked).
  if (!authMethods.includes(credentials.method)) {
    return authMethods.every((method) => method === 'none') && credentials.method !== 'private_key_jwt'
      ? 'client.public_with_secret'
      : 'client.other_method';
  }
  if (credentials.method === 'private_key_jwt') {
    return assertions ? assertionFault(credentials.assertion, client, assertions) : 'client.other_method';
  }
  return verifySecret?.(credentials.secret) ? undefined : 'client.secret_wrong';
}

function readCredentials(
  request: HttpRequest,
  parameters: Parameters,
  assertions: ClientAssertions | undefined,
): Credentials {
  const bodyId = parameters.get('client_id');
  const bodySecret = parameters.get('client_secret');
  const { authorization } = request.headers;
  const assertion = assertions && presentedAssertion(parameters, assertions);
  if (assertion) {
    // RFC 7521 §4.2.1: more than one mechanism is `invalid_client`, where RFC 6749 says `invalid_request` of secrets.
    if (authorization !== undefined || bodySecret !== undefined) {
      throw new OAuthError('invalid_client', 'Authenticate in one way, not two.', { reason: 'client.two_methods' });
    }
    if (bodyId !== undefined && bodyId !== assertion.subject) {
      throw new OAuthError('invalid_client', 'client_id is not the one of the assertion.', {
        reason: 'client.two_ids',
      });
    }
    return { method: 'private_key_jwt', clientId: assertion.subject, assertion, basic: false };
  }
  if (authorization === undefined) {
    if (bodyId === undefined) {
      throw new OAuthError('invalid_client', 'Send client_id.', { reason: 'client.missing' });
    }
    return bodySecret === undefined
      ? { method: 'none', clientId: bodyId, basic: false }
      : { method: 'client_secret_post', clientId: bodyId, secret: bodySecret, basic: false };
  }
  const basic = parseBasic(authorization);
  if (!basic) {
    throw new OAuthError('invalid_client', 'The Authorization header is not HTTP Basic with an id and a secret.', {
      reason: 'client.basic_malformed',
      ...basicChallenge,
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
  const { clientId, secret } = basic;
  // An empty password is how some libraries send a public client's id.
  return secret === ''
    ? { method: 'none', clientId, basic: true }
    : { method: 'client_secret_basic', clientId, secret, basic: true };
}

/**
 * RFC 6749 §2.3.1 percent-encodes both halves, the MCP SDK sends them raw. Ours hold only characters that both forms
 * write alike, so undoing the encoding serves everybody.
 */
function parseBasic(header: string): { readonly clientId: string; readonly secret: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]{1,8192})$/i.exec(header);
  if (!match) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) return undefined;
  try {
    return { clientId: decodeURIComponent(text.slice(0, at)), secret: decodeURIComponent(text.slice(at + 1)) };
  } catch {
    return undefined;
  }
}
