/** From a grant to an RFC 9068 access token and the token response of RFC 6749 §5.1. */
import { randomBytes } from 'node:crypto';
import { type HttpReply, json, noStore } from '../oauth/http.ts';
import type { Signer } from '../signers/signer.ts';

/** What a token says: who acts, as which client, for what. */
export interface Authorization {
  readonly grantId: string;
  readonly subject: string;
  readonly identity: { readonly issuer: string; readonly subject: string };
  readonly clientId: string;
  readonly resource: string;
  readonly scope: readonly string[];
}

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
  const { grantId, subject, identity, clientId, resource, scope } = authorization;
  // RFC 9068 §2.2; `sub_id` is RFC 9493 §3.2.3 and `grant_id` our own.
  return signer.sign('at+jwt', {
    iss: issuer,
    aud: resource,
    sub: subject,
    client_id: clientId,
    scope: scope.join(' '),
    iat: now,
    exp: now + accessTokenSeconds,
    jti: randomBytes(12).toString('base64url'),
    grant_id: grantId,
    sub_id: { format: 'iss_sub', iss: identity.issuer, sub: identity.subject },
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
