/** What binds one sign-in at the identity provider: a random `state`, and nonce and verifier derived from it, so that the database holds none of them. */
import { randomBytes } from 'node:crypto';
import type { SignInBinding } from '../identity-providers/identity-provider.ts';
import type { Keyring } from '../sealing/keyring.ts';

export function newState(): string {
  return randomBytes(32).toString('base64url');
}

/** Undefined: the key is no longer in the keyring. */
export function signInBinding(keyring: Keyring, state: string, keyId: string): SignInBinding | undefined {
  const nonce = keyring.mac('identity-provider', `nonce ${state}`, keyId);
  const codeVerifier = keyring.mac('identity-provider', `code_verifier ${state}`, keyId);
  return nonce === undefined || codeVerifier === undefined ? undefined : { state, nonce, codeVerifier };
}
