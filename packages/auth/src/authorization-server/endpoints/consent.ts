/** The person's answer: stores the authorization request and sends the browser to the identity provider (PX-05). */
import { IdentityProviderError } from '../../identity-providers/identity-provider.ts';
import { describeCause, OAuthError } from '../../oauth/error.ts';
import { type Endpoint, redirect } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { errorResponse, signInFailedResponse } from '../authorization-response.ts';
import { type ConsentForm, maxConsentFormLength, readConsentForm } from '../consent-form.ts';
import { digest } from '../credential.ts';
import type { Parts } from '../parts.ts';
import { refuseOtherOrigins } from '../same-origin.ts';
import { signInBinding, stateContext, stateOf } from '../sign-in-binding.ts';

export function consent(parts: Parts): Endpoint {
  const { issuer, callbackUrl, records, keyring, identityProvider, browserCookie, lifetimes, log, now } = parts;
  const { origin } = new URL(issuer);
  return async (request) => {
    refuseOtherOrigins(request, origin, 'consent.other_origin');
    const parameters = formParameters(request, { maxValueLength: maxConsentFormLength });
    const read = readConsentForm(keyring, parameters.get('request') ?? '');
    if (!read) throw refuse('The form is not one of this server.', 'consent.forged');
    const { form, keyId } = read;
    // The form is worth something only in the browser it was made for: no other person can be made to send it.
    if (!browserCookie.sent(request).has(form.browser)) {
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

    // With the form's own key: an instance with a newer secret derives the same sign-in.
    const state = stateOf(keyring, form.id, keyId);
    const binding = signInBinding(keyring, state, keyId);
    if (!binding) throw new Error(`The key ${keyId} is not in the keyring.`);
    let location: string;
    try {
      location = await identityProvider.start(binding, callbackUrl);
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      const { reason, transient, cause } = error;
      log({ event: 'sign_in.failed', reason, client, transient, cause: describeCause(cause) });
      return signInFailedResponse(issuer, form, error);
    }
    await remember(form, state, keyId);
    log({ event: 'consent.given', client, resource: form.resource, scope: form.scope.join(' ') });
    return redirect(location);
  };

  /** Stored only now, after the consent, and immediately before the redirect (MCP security best practices, state). */
  async function remember(form: ConsentForm, state: string, keyId: string): Promise<void> {
    const requestId = digest(state);
    const { id: _, issuedAt, state: clientState, ...asked } = form;
    const created = await records.create(
      'authorizationRequest',
      requestId,
      {
        ...asked,
        ...(clientState !== undefined && { sealedState: keyring.seal(stateContext(requestId), clientState) }),
        signInExpiresAt: now() + lifetimes.signInSeconds,
        keyId,
      },
      issuedAt + lifetimes.consentSeconds + lifetimes.signInSeconds,
    );
    if (created) return;
    // A button pressed twice leads to the same sign-in; a consent that was used up leads nowhere (SEC-01).
    const stored = await records.get('authorizationRequest', requestId);
    if (stored?.value.usedAt !== undefined) throw refuse('The form was already used.', 'consent.spent');
    if (!stored || now() >= stored.value.signInExpiresAt) {
      throw refuse('The sign-in that this form began took too long.', 'consent.sign_in_expired');
    }
  }
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { status: 403, reason });
}
