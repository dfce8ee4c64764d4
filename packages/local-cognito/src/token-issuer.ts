/** Makes Cognito's tokens: claims as in the developer guide, "Understanding the ID token" and "… the access token". */
import { createHash, randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { ClientConfig, PoolConfig } from './config.ts';
import type { Pool } from './pool.ts';
import { releasedAttributes } from './scopes.ts';
import type { SigningKey } from './state/signing-keys.ts';
import type { User } from './state/users.ts';

/** What one set of tokens says. */
export interface UserAuthorization {
  readonly user: User;
  readonly client: ClientConfig;
  readonly scopes: readonly string[];
  readonly authTime: number;
  readonly originJti: string;
  readonly resource?: string | undefined;
  /** Only where the tokens answer an authorization request; refreshed ID tokens carry none. */
  readonly nonce?: string | undefined;
}

export interface UserTokens {
  readonly access_token: string;
  /** Present when `openid` is among the scopes. */
  readonly id_token?: string;
  readonly expires_in: number;
}

export async function issueUserTokens(pool: Pool, authorization: UserAuthorization): Promise<UserTokens> {
  const { user, client, scopes, resource, nonce } = authorization;
  const shared = {
    sub: user.sub,
    ...(user.groups.length > 0 ? { 'cognito:groups': user.groups } : {}),
    iss: pool.issuer,
    origin_jti: authorization.originJti,
    event_id: randomUUID(),
    auth_time: authorization.authTime,
    iat: pool.now(),
  };
  const accessToken = await sign(pool.keys.access, {
    ...shared,
    version: 2,
    client_id: client.clientId,
    token_use: 'access',
    scope: scopes.join(' '),
    exp: pool.now() + client.accessTokenValiditySeconds,
    jti: randomUUID(),
    username: user.username,
    // RFC 8707 §2.2. Without a bound resource Cognito's access tokens have no audience at all.
    ...(resource === undefined ? {} : { aud: resource }),
  });
  const tokens = { access_token: accessToken, expires_in: client.accessTokenValiditySeconds };
  if (!scopes.includes('openid')) return tokens;
  const idToken = await sign(pool.keys.id, {
    ...releasedAttributes(user, scopes),
    ...shared,
    ...roles(user, pool.config.groups),
    at_hash: halfHash(accessToken),
    'cognito:username': user.username,
    aud: client.clientId,
    token_use: 'id',
    exp: pool.now() + client.idTokenValiditySeconds,
    jti: randomUUID(),
    ...(nonce === undefined ? {} : { nonce }),
  });
  return { ...tokens, id_token: idToken };
}

/** The access token of a client acting for itself: no user, so neither `username` nor `origin_jti`. */
export function issueMachineToken(pool: Pool, client: ClientConfig, scopes: readonly string[]): Promise<string> {
  return sign(pool.keys.access, {
    sub: client.clientId,
    token_use: 'access',
    scope: scopes.join(' '),
    auth_time: pool.now(),
    iss: pool.issuer,
    exp: pool.now() + client.accessTokenValiditySeconds,
    iat: pool.now(),
    version: 2,
    jti: randomUUID(),
    client_id: client.clientId,
  });
}

/** `cognito:roles` of the user's groups, and the preferred one: that of the lowest precedence, if it is alone there. */
function roles(user: User, groups: PoolConfig['groups']): JWTPayload {
  const mine = groups.filter((group) => group.roleArn !== undefined && user.groups.includes(group.name));
  if (mine.length === 0) return {};
  const lowest = Math.min(...mine.map((group) => group.precedence ?? Infinity));
  const first = mine.filter((group) => (group.precedence ?? Infinity) === lowest);
  const preferred = new Set(first.map((group) => group.roleArn));
  return {
    'cognito:roles': mine.map((group) => group.roleArn),
    ...(preferred.size === 1 ? { 'cognito:preferred_role': first[0]?.roleArn } : {}),
  };
}

/** OpenID Connect Core §3.1.3.6. */
function halfHash(token: string): string {
  return createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');
}

function sign(key: SigningKey, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ kid: key.kid, alg: 'RS256' }).sign(key.privateKey);
}
