/** What binds one sign-in at the identity provider: a random `state`, and nonce and verifier derived from it, so that the database holds none of them. */
import type { SignInBinding } from '../identity-providers/identity-provider.ts';
import type { Keyring } from '../sealing/keyring.ts';

/** The `state` of the sign-in that a consent form begins: the same however often the form is sent, and no guess. */
export function stateOf(keyring: Keyring, formId: string): string {
  return keyring.mac('identity-provider', `state ${formId}`) ?? '';
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
