/** `/oauth2/userInfo` (OpenID Connect Core §5.3): the attributes the access token's scopes release. */
import { jwtVerify } from 'jose';
import { type HttpReply, type HttpRequest, json } from '../http/message.ts';
import type { Pool } from '../pool.ts';
import { releasedAttributes } from '../scopes.ts';

const INVALID = 'Access token is expired, disabled, or deleted, or the user has globally signed out.';

export async function userInfo(pool: Pool, request: HttpRequest): Promise<HttpReply> {
  const { authorization, form } = request;
  if (authorization === undefined && !form.has('access_token')) {
    return refuse(pool, request, 400, 'invalid_request', 'Bad OAuth2 request at UserInfo Endpoint');
  }
  const bearer = /^Bearer +([\w.-]+) *$/i.exec(authorization ?? '')?.[1];
  const token = authorization === undefined ? form.get('access_token') : bearer;
  const claims = token === undefined ? undefined : await verify(pool, token);
  if (!claims) return refuse(pool, request, 401, 'invalid_token', INVALID);
  const scopes = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
  if (!scopes.includes('openid')) {
    return refuse(pool, request, 401, 'invalid_token', 'Access token does not contain openid scope');
  }
  const user = pool.users.findBySub(String(claims.sub));
  if (!user) return refuse(pool, request, 401, 'invalid_token', INVALID);
  // Cognito says "true" and "false" here where its ID token says true and false.
  const attributes = Object.entries(releasedAttributes(user, scopes)).map(([name, value]) => [name, String(value)]);
  return json(200, { sub: user.sub, ...Object.fromEntries(attributes), username: user.username });
}

async function verify(pool: Pool, token: string) {
  try {
    const { payload } = await jwtVerify(token, pool.keys.access.publicKey, {
      issuer: pool.issuer,
      algorithms: ['RS256'],
      currentDate: new Date(pool.now() * 1000),
    });
    const revoked = typeof payload.origin_jti === 'string' && pool.grants.isRevoked(payload.origin_jti);
    return payload.token_use === 'access' && !revoked ? payload : undefined;
  } catch {
    return undefined;
  }
}

function refuse(
  pool: Pool,
  { method, path }: HttpRequest,
  status: number,
  error: string,
  description: string,
): HttpReply {
  pool.log({ event: 'request.refused', method, path, status, error, reason: description });
  const challenge = `Bearer error="${error}", error_description="${description}"`;
  return json(status, { error, error_description: description }, { 'www-authenticate': challenge });
}
