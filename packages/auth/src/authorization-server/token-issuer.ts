/** From an authorization to an RFC 9068 access token and the token response of RFC 6749 §5.1. */
import { randomBytes } from 'node:crypto';
import { withoutReserved } from '../oauth/claims.ts';
import { type HttpReply, json, noStore } from '../oauth/http.ts';
import type { Signer } from '../signers/signer.ts';

export { claimsFaults } from '../oauth/claims.ts';

/** What a token says: who acts, as which client, for what. */
export interface Authorization {
  /** Left out where no person gave a grant here: such a token ends when it expires, and no sooner. */
  readonly grantId?: string;
  readonly subject: string;
  /** Left out where the client acts for itself. */
  readonly identity?: { readonly issuer: string; readonly subject: string };
  readonly clientId: string;
  readonly resource: string;
  readonly scope: readonly string[];
  /** Seconds since the epoch, when the grant is over at the latest: no token of it lives longer. */
  readonly endsAt?: number;
  /** What the user is and may do; left out where nobody says. */
  readonly roles?: readonly string[];
  readonly permissions?: readonly string[];
  /** Further claims; none of them can take the place of one that we set. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The access token of an authorization. */
export type Issue = (authorization: Authorization) => Promise<string>;

export interface TokenIssuerOptions {
  readonly issuer: string;
  readonly signer: Signer;
  readonly accessTokenSeconds: number;
}

/** How long an access token that is issued now lives, in seconds: its `exp` and the answer's `expires_in` say the same. */
export function tokenLife(
  accessTokenSeconds: number,
  { endsAt = Infinity }: Pick<Authorization, 'endsAt'>,
  now: number,
) {
  return Math.max(0, Math.min(accessTokenSeconds, endsAt - now));
}

export async function issueAccessToken(
  { issuer, signer, accessTokenSeconds }: TokenIssuerOptions,
  authorization: Authorization,
  now: number,
): Promise<string> {
  const { grantId, subject, identity, clientId, resource, scope, roles, permissions, claims } = authorization;
  // RFC 9068 §2.2; `sub_id` is RFC 9493 §3.2.3 and `grant_id` our own.
  return signer.sign('at+jwt', {
    ...withoutReserved(claims),
    iss: issuer,
    aud: resource,
    sub: subject,
    client_id: clientId,
    scope: scope.join(' '),
    iat: now,
    exp: now + tokenLife(accessTokenSeconds, authorization, now),
    jti: randomBytes(12).toString('base64url'),
    ...(grantId !== undefined && { grant_id: grantId }),
    // RFC 9068 §2.2.3.1; `permissions` as Auth0 writes them, which resource servers know.
    ...(roles && { roles }),
    ...(permissions && { permissions }),
    ...(identity && { sub_id: { format: 'iss_sub', iss: identity.issuer, sub: identity.subject } }),
  });
}

export interface TokenResponse {
  readonly accessToken: string;
  readonly expiresIn: number;
  readonly scope: readonly string[];
  readonly refreshToken?: string;
}

export function tokenReply({ accessToken, expiresIn, scope, refreshToken }: TokenResponse): HttpReply {
  return json(
    200,
    {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: expiresIn,
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
      scope: scope.join(' '),
    },
    noStore,
  );
}
