/**
 * Everything `oauth4webapi` or the network throws, sorted: at a sign-in into "no" and "not now", at a renewal into "no,
 * and it is about the person" and everything else.
 */
import * as oauth from 'oauth4webapi';
import { IdentityProviderError } from './identity-provider.ts';

export function signInFailure(error: unknown): IdentityProviderError {
  if (error instanceof IdentityProviderError) return error;
  if (error instanceof oauth.AuthorizationResponseError) {
    const transient = error.error === 'temporarily_unavailable' || error.error === 'server_error';
    return new IdentityProviderError(`idp.answered.${tag(error.error)}`, { transient, cause: inWords(error) });
  }
  if (error instanceof oauth.ResponseBodyError) {
    return new IdentityProviderError(`idp.token.${tag(error.error)}`, {
      transient: isOverloaded(error.status),
      cause: inWords(error),
    });
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    // RFC 6749 §5.2: how providers refuse our own credentials. Trying again does not make them right.
    return new IdentityProviderError('idp.token.credentials_refused', {
      transient: isOverloaded(error.status),
      cause: inWords(error),
    });
  }
  if (error instanceof oauth.OperationProcessingError) {
    const response = error.cause instanceof Response ? error.cause : undefined;
    const transient = response !== undefined && isOverloaded(response.status);
    return new IdentityProviderError(`idp.invalid.${tag(error.code ?? 'response')}`, {
      transient,
      cause: inWords(error),
    });
  }
  if (error instanceof oauth.UnsupportedOperationError) {
    return new IdentityProviderError('idp.invalid.unsupported', { transient: false, cause: inWords(error) });
  }
  // What is left came from the network: refused, reset, timed out, no name.
  return new IdentityProviderError('idp.unreachable', { transient: true, cause: error });
}

/**
 * What a refresh may be refused with that is about the person (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6): the
 * session is over, or they have to come in person. Everything not on this list leaves grants alone.
 */
const definite = new Set([
  'invalid_grant',
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]);

/** Our own registration at the provider is wrong: a typo in a secret must not end everybody's grants. */
const misconfigured = new Set(['invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope']);

/** As `signInFailure`, but final only where the provider said no about the person. */
export function renewalFailure(error: unknown, session?: string): IdentityProviderError {
  if (error instanceof oauth.ResponseBodyError && !isOverloaded(error.status)) {
    const cause = inWords(error);
    if (definite.has(error.error) && [400, 401, 403].includes(error.status))
      return new IdentityProviderError(`idp.renew.refused.${error.error}`, { transient: false, cause });
    if (misconfigured.has(error.error))
      return new IdentityProviderError(`idp.renew.misconfigured.${error.error}`, { transient: true, cause, session });
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError && !isOverloaded(error.status)) {
    const cause = inWords(error);
    return new IdentityProviderError('idp.renew.misconfigured.credentials_refused', {
      transient: true,
      cause,
      session,
    });
  }
  if (error instanceof IdentityProviderError && error.reason.startsWith('idp.renew.') && !error.transient) return error;
  const { reason, cause } = signInFailure(error);
  return new IdentityProviderError(reason, { transient: true, cause, session });
}

/** Overloaded or broken, and perhaps not for long (RFC 6585 §4, RFC 9110 §15.6). */
export function isOverloaded(status: number): boolean {
  return status >= 500 || status === 429;
}

/** A provider's error code inside our log: short and harmless. */
export function tag(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_]/g, '_')
    .slice(0, 60)
    .toLowerCase();
}

/** The library's errors carry the whole answer with them, tokens and all; what is logged must not. */
function inWords(error: Error): Error {
  return new Error(`${error.name}: ${error.message}`);
}
