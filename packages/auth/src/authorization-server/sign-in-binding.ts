/**
 * What binds one sign-in at the identity provider: `state` derived from the consent form that begins it, nonce and verifier
 * derived from that state, so that the database holds none of them.
 */
import type { SignInBinding } from '../identity-providers/identity-provider.ts';
import type { Keyring } from '../sealing/keyring.ts';

/** The `state` of the sign-in that a consent form begins: the same however often the form is sent, and no guess. */
export function stateOf(keyring: Keyring, formId: string, keyId: string): string {
  const state = keyring.mac('identity-provider', `state ${formId}`, keyId);
  if (state === undefined) throw new Error(`The key ${keyId} is not in the keyring.`);
  return state;
}

/** What the client's own `state` is sealed with: it opens in this authorization request and in no other. */
export function stateContext(requestId: string): string {
  return `authorizationRequest ${requestId}`;
}

/** Undefined: the key is no longer in the keyring. */
export function signInBinding(keyring: Keyring, state: string, keyId: string): SignInBinding | undefined {
  const nonce = keyring.mac('identity-provider', `nonce ${state}`, keyId);
  const codeVerifier = keyring.mac('identity-provider', `code_verifier ${state}`, keyId);
  return nonce === undefined || codeVerifier === undefined ? undefined : { state, nonce, codeVerifier };
}
