/**
 * The identity provider: who signs people in. Its refresh tokens never leave this folder in the clear; its access token does
 * for a resource whose operator asks for it, and for no other (SEC-07).
 */
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

/** Why a sign-in did not come to an identity, or why nobody could say of a session what has become of its person. */
export class IdentityProviderError extends Error {
  override readonly name = 'IdentityProviderError';
  /** Away or overloaded: the same may work in a moment. Otherwise the answer is final. */
  readonly transient: boolean;
  /** A private tag for the log. */
  readonly reason: string;
  /** Out of sight of whatever prints errors: there is a token in it. */
  readonly #session: string | undefined;

  constructor(reason: string, options: { transient: boolean; cause?: unknown; session?: string | undefined }) {
    super(`The identity provider did not sign the person in: ${reason}`, { cause: options.cause });
    this.reason = reason;
    this.transient = options.transient;
    this.#session = options.session;
  }

  /**
   * Of `renew` alone, and only where it is transient: the provider had already replaced what is in the session when
   * something after that went wrong. To be stored in the place of the one that was used, which is worth nothing now.
   */
  get session(): string | undefined {
    return this.#session;
  }
}

/** A bearer token of the provider for its own APIs (RFC 6750). */
export interface ProviderToken {
  readonly token: string;
  /** Seconds from now; left out: the provider does not say that it ends. */
  readonly expiresIn?: number;
}

/** What the identity provider says of somebody who signed in. */
export interface SignIn {
  readonly identity: Identity;
  /** The provider's own groups of the person, at most 200 of at most 256 characters; empty where it says nothing. */
  readonly groups: readonly string[];
  /**
   * Of an e-mail address that the provider says is verified, in ASCII and lower case. Null: there is an address, and it is
   * not; left out: nothing is said of one. The address itself is kept nowhere.
   */
  readonly emailDomain?: string | null;
  /** Its access token, from this sign-in; dropped unless the resource is one that passes it on. */
  readonly accessToken?: ProviderToken;
  /**
   * What it takes to ask the provider about the person again, its refresh token among it: text that only its maker
   * reads, to be sealed before it is stored. Left out: it cannot be asked.
   */
  readonly session?: string;
}

/** What the provider says of the person now; the session in the place of the one that was used. */
export interface RenewedSession {
  readonly groups: readonly string[];
  /** As in `SignIn`; left out: what was known stays. */
  readonly emailDomain?: string | null;
  readonly accessToken?: ProviderToken;
  readonly session: string;
}

export interface IdentityProvider {
  /** What a person calls it; stands on the consent page. */
  readonly name: string;
  /** The address to send the browser to. */
  start(binding: SignInBinding, redirectUri: string): Promise<string>;
  /** Who is behind the answer in `query`; throws `IdentityProviderError`. */
  finish(query: URLSearchParams, binding: SignInBinding, redirectUri: string): Promise<SignIn>;
  /**
   * Whether the person of this session is still who they were; at most once at a time for one session, because a
   * provider may rotate what is in it. Throws `IdentityProviderError`: `transient` where nobody knows, our own wrong
   * configuration among that; else a definite no about the person. See `IdentityProviderError.session`.
   */
  renew?(session: string, identity: Identity): Promise<RenewedSession>;
  /** Ends the session at the provider, where it has a way to; ended twice is ended. Throws `IdentityProviderError`. */
  end?(session: string): Promise<void>;
}
