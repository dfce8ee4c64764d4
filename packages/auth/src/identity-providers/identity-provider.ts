/** The identity provider: who signs people in. Its tokens never leave this folder (SEC-07). */
import { createHash } from 'node:crypto';

/** Who a person is: the pair is the identity, and nothing else is (SEC, rule 12). */
export interface Identity {
  /** The identity provider's issuer identifier. */
  readonly issuer: string;
  /** Its subject for the person; never empty. */
  readonly subject: string;
}

/**
 * The user at this authorization server: one name for the pair, the same for ever, that no other pair can have. The
 * length stands before the issuer, so that no two pairs ever run together.
 */
export function subjectOf({ issuer, subject }: Identity): string {
  return createHash('sha256').update(`${issuer.length}:${issuer}${subject}`, 'utf8').digest('base64url');
}

/** What a sign-in is bound to; nobody can guess any of it, it is used once, and the last two only this server knows. */
export interface SignInBinding {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** Why a sign-in did not come to an identity. */
export class IdentityProviderError extends Error {
  override readonly name = 'IdentityProviderError';
  /** Away or overloaded: the same sign-in may work in a moment. Otherwise the answer is final. */
  readonly transient: boolean;
  /** A private tag for the log. */
  readonly reason: string;

  constructor(reason: string, options: { transient: boolean; cause?: unknown }) {
    super(`The identity provider did not sign the person in: ${reason}`, { cause: options.cause });
    this.reason = reason;
    this.transient = options.transient;
  }
}

export interface IdentityProvider {
  /** What a person calls it; stands on the consent page. */
  readonly name: string;
  /** The address to send the browser to. */
  start(binding: SignInBinding, redirectUri: string): Promise<string>;
  /** The identity behind the answer in `query`; throws `IdentityProviderError`. */
  finish(query: URLSearchParams, binding: SignInBinding, redirectUri: string): Promise<Identity>;
}
