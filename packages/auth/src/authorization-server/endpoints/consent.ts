/** The person's answer: stores the authorization request and sends the browser to the identity provider (PX-05). */
import { IdentityProviderError } from '../../identity-providers/identity-provider.ts';
import { OAuthError } from '../../oauth/error.ts';
import { type Endpoint, type HttpRequest, redirect } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { errorResponse, signInFailedResponse } from '../authorization-response.ts';
import { maxConsentFormLength, readConsentForm } from '../consent-form.ts';
import { digest } from '../credential.ts';
import type { Parts } from '../parts.ts';
import { newState, signInBinding } from '../sign-in-binding.ts';

export function consent(parts: Parts): Endpoint {
  const { issuer, callbackUrl, records, keyring, identityProvider, browserCookie, lifetimes, log, now } = parts;
  const { origin } = new URL(issuer);
  return async (request) => {
    refuseOtherOrigins(request, origin);
    const parameters = formParameters(request, { maxValueLength: maxConsentFormLength });
    const form = readConsentForm(keyring, parameters.get('request') ?? '');
    if (!form) throw refuse('The form is not one of this server.', 'consent.forged');
    // The form is worth something only in the browser it was made for: no other person can be made to send it.
    if (browserCookie.sent(request) !== form.browser) {
      throw refuse('The form was opened in another browser, or cookies are switched off.', 'consent.other_browser');
    }
    if (now() >= form.issuedAt + lifetimes.consentSeconds) {
      throw refuse('The form has been open for too long.', 'consent.expired');
    }
    const client = form.clientDigest.slice(0, 8);
    const decision = parameters.get('decision');
    if (decision !== 'allow' && decision !== 'deny') throw refuse('No decision was sent.', 'consent.no_decision');
    if (decision === 'deny') {
      log({ event: 'consent.denied', client, resource: form.resource });
      return errorResponse(issuer, form, new OAuthError('access_denied', 'The person said no.'));
    }

    const state = newState();
    const binding = signInBinding(keyring, state, keyring.currentKeyId);
    if (!binding) throw new Error('The current key is not in the keyring.');
    let location: string;
    try {
      location = await identityProvider.start(binding, callbackUrl);
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      log({ event: 'sign_in.failed', reason: error.reason, client, transient: error.transient });
      return signInFailedResponse(issuer, form, error);
    }
    const { issuedAt: _, ...authorizationRequest } = form;
    // Stored only now, after the consent, and immediately before the redirect (MCP security best practices, state).
    await records.create(
      'authorizationRequest',
      digest(state),
      { ...authorizationRequest, keyId: keyring.currentKeyId },
      now() + lifetimes.signInSeconds,
    );
    log({ event: 'consent.given', client, resource: form.resource, scope: form.scope.join(' ') });
    return redirect(location);
  };
}

/** Browsers say where a form was sent from (RFC 6454 §7, Fetch Metadata): ours, or it is not ours. */
function refuseOtherOrigins(request: HttpRequest, origin: string): void {
  const { origin: sentOrigin, 'sec-fetch-site': site } = request.headers;
  if ((sentOrigin !== undefined && sentOrigin !== origin) || (site !== undefined && site !== 'same-origin')) {
    throw refuse('The form was sent from another site.', 'consent.other_origin');
  }
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { status: 403, reason });
}
