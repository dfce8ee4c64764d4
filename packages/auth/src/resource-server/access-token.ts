/** What the guard hands on: a verified RFC 9068 access token as data. */

/** Who acts: the claims of an access token that passed the guard. Times are NumericDate seconds. */
export interface AccessToken {
  /** The user at this authorization server: stable, opaque, derived from (identity provider's issuer, its subject). */
  readonly subject: string;
  readonly clientId: string;
  readonly scope: readonly string[];
  /** The resource the token is for; always the guard's own. */
  readonly audience: string;
  readonly issuer: string;
  readonly expiresAt: number;
  readonly issuedAt: number;
  readonly tokenId: string;
  /** The grant the token was issued from. */
  readonly grantId?: string;
  /** Who the user is at the identity provider (RFC 9493 §3.2.3, `iss_sub`). */
  readonly identity?: { readonly issuer: string; readonly subject: string };
  /** What the user is (RFC 9068 §2.2.3.1), whatever the client may do; absent where nobody says. */
  readonly roles?: readonly string[];
  /** What the user may do, such as `read:schemas`; absent where nobody says. */
  readonly permissions?: readonly string[];
  /**
   * What else the token says, under names that have no meaning of their own: what an operator gave a machine client,
   * such as `connector_id`. JSON values, never more than the token's own 8,192 characters; absent where there are none.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}
