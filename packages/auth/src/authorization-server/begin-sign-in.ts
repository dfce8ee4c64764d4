/**
 * From a consent to the identity provider: stores the authorization request and sends the browser there (PX-05). One way,
 * whether the person has just said yes or their remembered yes stands.
 */
import { IdentityProviderError } from '../identity-providers/identity-provider.ts';
import { describeCause, OAuthError } from '../oauth/error.ts';
import { type HttpReply, redirect } from '../oauth/http.ts';
import { signInFailedResponse } from './authorization-response.ts';
import type { ConsentForm } from './consent-form.ts';
import { digest } from './credential.ts';
import type { Parts } from './parts.ts';
import type { Remembering } from './remembered-consent.ts';
import { signInBinding, stateContext, stateOf } from './sign-in-binding.ts';

export interface Consented extends Remembering {
  readonly form: ConsentForm;
  /** The key the form was made with: an instance with a newer secret derives the same sign-in from it. */
  readonly keyId: string;
  /** Until when the same form could come again, in seconds since the epoch: until then its `state` stays spent. */
  readonly repeatableUntil: number;
  /** How the audit log calls it. */
  readonly event: 'consent.given' | 'consent.remembered';
  readonly setCookie?: string | undefined;
}

export type BeginSignIn = (consented: Consented) => Promise<HttpReply>;

type SignInParts = Pick<
  Parts,
  'issuer' | 'callbackUrl' | 'records' | 'keyring' | 'identityProvider' | 'lifetimes' | 'log' | 'now'
>;

export function signInBeginner(parts: SignInParts): BeginSignIn {
  const { issuer, callbackUrl, records, keyring, identityProvider, lifetimes, log, now } = parts;
  return async (consented) => {
    const { form, keyId, event, setCookie } = consented;
    const client = form.clientDigest.slice(0, 8);
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
    await store(consented, state);
    log({ event, client, resource: form.resource, scope: form.scope.join(' ') });
    return redirect(location, setCookie === undefined ? {} : { 'set-cookie': setCookie });
  };

  /** Stored only now, after the consent, and immediately before the redirect (MCP security best practices, state). */
  async function store(
    { form, keyId, repeatableUntil, remember, remembered }: Consented,
    state: string,
  ): Promise<void> {
    const requestId = digest(state);
    const { id: _id, issuedAt: _at, rememberable: _offer, state: clientState, ...asked } = form;
    const created = await records.create(
      'authorizationRequest',
      requestId,
      {
        ...asked,
        ...(clientState !== undefined && { sealedState: keyring.seal(stateContext(requestId), clientState) }),
        ...(remember && { remember }),
        ...(remembered && { remembered }),
        signInExpiresAt: now() + lifetimes.signInSeconds,
        keyId,
      },
      repeatableUntil + lifetimes.signInSeconds,
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
