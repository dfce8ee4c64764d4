/** From an authorization to an RFC 9068 access token and the token response of RFC 6749 §5.1. */
import { randomBytes } from 'node:crypto';
import { type HttpReply, json, noStore } from '../oauth/http.ts';
import type { Signer } from '../signers/signer.ts';

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
    exp: now + accessTokenSeconds,
    jti: randomBytes(12).toString('base64url'),
    ...(grantId !== undefined && { grant_id: grantId }),
    // RFC 9068 §2.2.3.1; `permissions` as Auth0 writes them, which resource servers know.
    ...(roles && { roles }),
    ...(permissions && { permissions }),
    ...(identity && { sub_id: { format: 'iss_sub', iss: identity.issuer, sub: identity.subject } }),
  });
}

/**
 * Claims that say something to whoever reads a token: RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800 §3, and those
 * of ID tokens, for a resource must not take one for the other.
 */
const reservedClaims = new Set(
  (
    'iss sub aud exp nbf iat jti client_id scope scp azp grant_id sub_id cnf act may_act authorization_details events ' +
    'auth_time acr amr nonce at_hash c_hash s_hash sid typ token_use active __proto__'
  ).split(' '),
);

/** So that a token stays well below what headers may hold. */
const maxClaimsBytes = 2048;

/** Everything wrong with further claims of a client's tokens; empty: they can be used. */
export function claimsFaults(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const faults = Object.keys(claims).flatMap((name) => {
    if (reservedClaims.has(name)) return [`"${name}" has a meaning of its own and cannot be set`];
    if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(name)) return [`"${name}" is no name of a claim`];
    return claims[name] === undefined || typeof claims[name] === 'function' ? [`"${name}" has no JSON value`] : [];
  });
  try {
    if (Buffer.byteLength(JSON.stringify(claims), 'utf8') > maxClaimsBytes) {
      faults.push(`together they may have ${maxClaimsBytes} bytes of JSON`);
    }
  } catch {
    faults.push('they are not JSON');
  }
  return faults;
}

/** The rule once more where it counts: a name we do not set in this token must not be set by a client's claims either. */
function withoutReserved(claims: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !reservedClaims.has(name)));
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
