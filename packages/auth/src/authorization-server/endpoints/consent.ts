/** The person's answer on the consent page: a no goes back to the client, a yes on to the identity provider (PX-02). */
import { OAuthError } from '../../oauth/error.ts';
import type { Endpoint } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { errorResponse } from '../authorization-response.ts';
import { signInBeginner } from '../begin-sign-in.ts';
import { maxConsentFormLength, readConsentForm } from '../consent-form.ts';
import type { Parts } from '../parts.ts';
import type { RememberedConsents } from '../remembered-consent.ts';
import { refuseOtherOrigins } from '../same-origin.ts';

/** Without `remembered` a tick in the box is nothing. */
export function consent(parts: Parts, remembered?: RememberedConsents): Endpoint {
  const { issuer, keyring, browserCookie, lifetimes, log, now } = parts;
  const { origin } = new URL(issuer);
  const beginSignIn = signInBeginner(parts);
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
    const repeatableUntil = form.issuedAt + lifetimes.consentSeconds;
    if (now() >= repeatableUntil) throw refuse('The form has been open for too long.', 'consent.expired');
    const decision = parameters.get('decision');
    if (decision !== 'allow' && decision !== 'deny') throw refuse('No decision was sent.', 'consent.no_decision');
    const asked = { ...form, ...form.rememberable };
    if (decision === 'deny') {
      // A no is about the client, and not about this page alone.
      if (form.rememberable) await remembered?.forget(request, asked);
      log({ event: 'consent.denied', client: form.clientDigest.slice(0, 8), resource: form.resource });
      return errorResponse(issuer, form, new OAuthError('access_denied', 'The person said no.'));
    }
    // The tick is the person's own and in no MAC; whether a tick counts is ours, and in it.
    const ticked = form.rememberable !== undefined && parameters.get('remember') === 'yes';
    const remembering = ticked ? remembered?.begin(request, asked) : undefined;
    return beginSignIn({ form, keyId, repeatableUntil, event: 'consent.given', ...remembering });
  };
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { status: 403, reason });
}
