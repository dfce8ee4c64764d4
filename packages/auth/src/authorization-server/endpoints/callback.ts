/** The way back from the identity provider: binds the identity to the request it was asked for, once (PX-05, N40–N42). */

import { IdentityProviderError, type SignIn, subjectOf } from '../../identity-providers/identity-provider.ts';
import { describeCause, OAuthError, unavailable } from '../../oauth/error.ts';
import { type Endpoint, type HttpReply, type HttpRequest, redirect } from '../../oauth/http.ts';
import { type Parameters, queryParameters } from '../../oauth/parameters.ts';
import { countedGroups } from '../../resource-server/require.ts';
import { codeResponse, errorResponse, signInFailedResponse } from '../authorization-response.ts';
import { authorizationCode, digest, newGrantId } from '../credential.ts';
import { passesTokenOn } from '../identity-session-record.ts';
import type { Parts } from '../parts.ts';
import { admits, listedDomain, notAdmitted } from '../people.ts';
import type { AuthorizationRequest } from '../records.ts';
import type { RememberedConsents } from '../remembered-consent.ts';
import { signInBinding, stateContext } from '../sign-in-binding.ts';

/** The same way back for a sign-in that no client asked for; undefined: it is not one. */
type OtherSignIn = (request: HttpRequest, parameters: Parameters) => Promise<HttpReply | undefined>;

export function callback(parts: Parts, remembered: RememberedConsents, otherSignIn?: OtherSignIn): Endpoint {
  const {
    issuer,
    callbackUrl,
    records,
    keyring,
    identityProvider,
    browserCookie,
    roles,
    people,
    resources,
    sessions,
    lifetimes,
    log,
    now,
  } = parts;
  return async (request) => {
    const parameters = queryParameters(request);
    const other = await otherSignIn?.(request, parameters);
    if (other) return other;
    const state = parameters.get('state');
    if (state === undefined) throw refuse('The sign-in has no state.', 'callback.state_missing');
    const stored = await records.get('authorizationRequest', digest(state));
    if (!stored) throw refuse('The sign-in took too long, or it is not one of this server.', 'callback.state_unknown');
    // Before anything is spent, and on error answers too: somebody else's browser changes nothing (SEC-02, SEC-04).
    if (!browserCookie.sent(request).has(stored.value.browser)) {
      throw refuse('The sign-in was begun in another browser.', 'callback.other_browser');
    }
    const asked = stored.value;
    if (now() >= asked.signInExpiresAt) throw refuse('The sign-in took too long.', 'callback.expired');
    // Marked as used rather than removed: compare-and-swap has one winner, and the state stays spent for its whole life.
    const spent = { ...asked, usedAt: now() };
    const first =
      asked.usedAt === undefined && (await records.replace('authorizationRequest', stored, spent, stored.expiresAt));
    if (!first) throw refuse('The sign-in was already used.', 'callback.state_spent');

    const binding = signInBinding(keyring, state, asked.keyId);
    const clientState = asked.sealedState && keyring.open(stateContext(stored.id), asked.sealedState);
    if (!binding || (asked.sealedState && clientState === undefined))
      throw refuse('The sign-in took too long.', 'callback.key_gone');
    const client = asked.clientDigest.slice(0, 8);
    const target = { redirectUri: asked.redirectUri, state: clientState };
    try {
      const signIn = await identityProvider.finish(new URLSearchParams([...parameters]), binding, callbackUrl);
      const { groups, emailDomain } = signIn;
      const subject = subjectOf(signIn.identity);
      if (!admits(people, { subject, groups, emailDomain: emailDomain ?? undefined })) {
        await sessions.discard(signIn.session);
        const person = subject.slice(0, 8);
        log({ event: 'people.not_listed', client, person, resource: asked.resource, reason: 'people.not_listed' });
        return errorResponse(issuer, target, notAdmitted());
      }
      const code = await grantCode(asked, signIn, client);
      // Nobody has seen a page for this request, and it is not theirs to pass without one: now they see it (SEC-04).
      if (code === undefined) return redirect(remembered.askAgain(asked, clientState));
      return codeResponse(issuer, target, code);
    } catch (error) {
      // The state is spent: whatever went wrong, the client must learn that there is nothing to wait for.
      if (!(error instanceof IdentityProviderError)) {
        log({ event: 'fault', path: request.path, reason: 'callback.fault', client, cause: describeCause(error) });
        return errorResponse(issuer, target, unavailable('callback.fault', error));
      }
      const { reason, transient, cause } = error;
      log({ event: 'sign_in.failed', reason, client, transient, cause: describeCause(cause) });
      return signInFailedResponse(issuer, target, error);
    }
  };

  /** Undefined: the request stood on a remembered consent that is not this person's, or no longer stands. */
  async function grantCode(asked: AuthorizationRequest, signIn: SignIn, client: string): Promise<string | undefined> {
    const grantId = newGrantId();
    let granted = false;
    try {
      // Before the grant: a grant that stands on a remembered consent is written down in it, or never is.
      granted = await remembered.settle(asked, subjectOf(signIn.identity), grantId);
      if (granted) await createGrant(grantId, asked, signIn);
    } catch (error) {
      // What is stored goes by itself soon, for no code was handed out; the provider would keep its session for long.
      await sessions.discard(signIn.session);
      throw error;
    }
    if (!granted) {
      await sessions.discard(signIn.session);
      return undefined;
    }
    const { resource, scope } = asked;
    const person = subjectOf(signIn.identity).slice(0, 8);
    log({ event: 'code.issued', client, person, grant: grantId, resource, scope: scope.join(' ') });
    return authorizationCode(keyring, grantId);
  }

  async function createGrant(grantId: string, asked: AuthorizationRequest, signIn: SignIn): Promise<void> {
    const { clientDigest, clientName, redirectUri, scope, resource, codeChallenge } = asked;
    const { identity, session } = signIn;
    const groups = countedGroups(signIn.groups, roles, people?.groups);
    const emailDomain = listedDomain(people, signIn.emailDomain);
    const accessToken = passesTokenOn(resources, resource) ? signIn.accessToken : undefined;
    const createdAt = now();
    const codeExpiresAt = createdAt + lifetimes.codeSeconds;
    // A little longer than the code, so that a late redemption is told apart from a made-up one in the log.
    const keptUntil = codeExpiresAt + 300;
    // First: no grant is without the session it says it has.
    const held = { session, groups, emailDomain, accessToken, signedInAt: createdAt };
    const sessionDueAt = await sessions.hold(grantId, held, keptUntil);
    await records.create(
      'grant',
      grantId,
      {
        clientDigest,
        ...(clientName !== undefined && { clientName }),
        subject: subjectOf(identity),
        identity: { issuer: identity.issuer, subject: identity.subject },
        ...(groups.length > 0 && { groups }),
        ...(emailDomain !== undefined && { emailDomain }),
        scope,
        resource,
        redirectUri,
        codeChallenge,
        createdAt,
        codeExpiresAt,
        generation: 0,
        advancedAt: createdAt,
        graceReplays: 0,
        ...(sessionDueAt !== undefined && { sessionDueAt }),
      },
      keptUntil,
    );
  }
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason });
}
