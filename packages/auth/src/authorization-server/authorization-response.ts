/** The way back to the client: code or error, always with `state` and `iss` (RFC 6749 §4.1.2, RFC 9207 §2). */
import type { IdentityProviderError } from '../identity-providers/identity-provider.ts';
import { OAuthError } from '../oauth/error.ts';
import { type HttpReply, redirect } from '../oauth/http.ts';
import { isLoopbackRedirect, redirectDisplay, withParameters } from '../oauth/redirect-uri.ts';
import { errorPage } from './pages/error.ts';

export interface ResponseTarget {
  /** Known good: one of the client's own. */
  readonly redirectUri: string;
  readonly state?: string | undefined;
}

export function codeResponse(issuer: string, { redirectUri, state }: ResponseTarget, code: string): HttpReply {
  return redirect(withParameters(redirectUri, { code, state, iss: issuer }));
}

/** After the person has decided something: straight back. */
export function errorResponse(issuer: string, target: ResponseTarget, error: OAuthError): HttpReply {
  return redirect(errorLocation(issuer, target, error));
}

/**
 * Before the person has decided anything: straight back only where the way leads to their own computer or to a client
 * somebody vouches for. For all others the person is shown where it leads and goes there or not, because whoever can
 * register could otherwise use us to send people anywhere (RFC 9700 §4.11.2; OAuth 2.1 §7.12).
 */
export function earlyErrorResponse(
  issuer: string,
  target: ResponseTarget,
  error: OAuthError,
  { proven }: { readonly proven: boolean },
): HttpReply {
  if (proven || isLoopbackRedirect(target.redirectUri)) return errorResponse(issuer, target, error);
  return errorPage({
    status: error.status,
    title: 'The application asked for something that is not possible',
    description: error.message,
    code: error.code,
    back: { href: errorLocation(issuer, target, error), host: redirectDisplay(target.redirectUri) },
  });
}

/** The identity provider did not sign the person in: that it was a no, or that it may work later; never its words. */
export function signInFailedResponse(
  issuer: string,
  target: ResponseTarget,
  failure: IdentityProviderError,
): HttpReply {
  return errorResponse(issuer, target, signInError(failure));
}

function signInError({ transient, reason }: IdentityProviderError): OAuthError {
  if (transient) {
    return new OAuthError('temporarily_unavailable', 'The sign-in is not available right now; try again in a moment.');
  }
  // Only the provider's own "the person said no" is one; a fault between it and us is nobody's decision.
  return reason === 'idp.answered.access_denied'
    ? new OAuthError('access_denied', 'The person did not sign in.')
    : new OAuthError('server_error', 'The sign-in failed.');
}

function errorLocation(issuer: string, { redirectUri, state }: ResponseTarget, error: OAuthError): string {
  return withParameters(redirectUri, { error: error.code, error_description: error.message, state, iss: issuer });
}
