/** `/<pool id>/.well-known/…`: discovery (OpenID Connect Discovery §4) and the public keys (RFC 7517). */
import { type HttpReply, json } from '../http/message.ts';
import type { Pool } from '../pool.ts';

const CACHEABLE = { 'cache-control': 'public, max-age=300', pragma: '' };

/** Exactly the members Cognito publishes; it names neither PKCE methods, nor grant types, nor custom scopes. */
export async function discovery({ origin, issuer }: Pool): Promise<HttpReply> {
  return json(
    200,
    {
      authorization_endpoint: `${origin}/oauth2/authorize`,
      end_session_endpoint: `${origin}/logout`,
      id_token_signing_alg_values_supported: ['RS256'],
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ['code', 'token'],
      revocation_endpoint: `${origin}/oauth2/revoke`,
      scopes_supported: ['openid', 'email', 'phone', 'profile'],
      subject_types_supported: ['public'],
      token_endpoint: `${origin}/oauth2/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      userinfo_endpoint: `${origin}/oauth2/userInfo`,
    },
    CACHEABLE,
  );
}

export async function jwks({ keys }: Pool): Promise<HttpReply> {
  return json(200, { keys: [keys.id.publicJwk, keys.access.publicJwk] }, CACHEABLE);
}
