/**
 * Any OpenID Connect provider, we being its client: code flow with PKCE and nonce (OpenID Connect Core §3.1). The
 * protocol is `oauth4webapi`'s; ours are the bounds, the explicit scopes and the difference between "no" and "not now".
 */
import * as oauth from 'oauth4webapi';
import { codeChallengeOf } from '../oauth/pkce.ts';
import { isLoopbackHost } from '../oauth/redirect-uri.ts';
import { type IdentityProvider, IdentityProviderError } from './identity-provider.ts';

export interface OidcOptions {
  /** Exactly as in its discovery document and its id_tokens. */
  readonly issuer: string;
  readonly clientId: string;
  /** Left out: a public client. */
  readonly clientSecret?: string;
  /** What to ask for; `openid` is added if it is missing. Never taken from discovery. */
  readonly scope?: readonly string[];
  /** Shown to people. */
  readonly name?: string;
  /** Endpoints that are known, so that no discovery document has to be fetched first. */
  readonly endpoints?: {
    readonly authorization: string;
    readonly token: string;
    readonly jwks: string;
  };
  /** Seconds for one answer of the provider. */
  readonly timeoutSeconds?: number;
}

export function oidc(options: OidcOptions): IdentityProvider {
  const { issuer, clientId, clientSecret, endpoints, timeoutSeconds = 10 } = options;
  const scope = [...new Set(['openid', ...(options.scope ?? [])])].join(' ');
  const client: oauth.Client = { client_id: clientId };
  const authenticate = clientSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(clientSecret);
  // The library insists on TLS; a provider on this very computer (the local Cognito) has none.
  const insecure = isLoopbackHttp(issuer);
  const http = () => ({
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
    [oauth.allowInsecureRequests]: insecure,
  });

  let server: oauth.AuthorizationServer | undefined = endpoints && {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    // Not told, the library takes RS256 alone. What is accepted is still one key of the provider's own set.
    id_token_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
  };
  const discovered = async (): Promise<oauth.AuthorizationServer> => {
    if (server) return server;
    const url = new URL(issuer);
    const found = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http()));
    server = found; // only a success is kept (SEC-19)
    return found;
  };

  return {
    name: options.name ?? new URL(issuer).host,
    async start({ state, nonce, codeVerifier }, redirectUri) {
      const { authorization_endpoint: endpoint } = await discovered().catch(fail);
      if (endpoint === undefined)
        throw new IdentityProviderError('idp.no_authorization_endpoint', { transient: false });
      const url = new URL(endpoint);
      for (const [name, value] of Object.entries({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: codeChallengeOf(codeVerifier),
        code_challenge_method: 'S256',
      })) {
        url.searchParams.set(name, value);
      }
      return url.href;
    },
    async finish(query, { state, nonce, codeVerifier }, redirectUri) {
      try {
        const as = await discovered();
        // Checks `state`, and `iss` where the provider sends one (RFC 9207): mix-up fails here (SEC-15).
        const parameters = oauth.validateAuthResponse(as, client, query, state);
        const answer = await oauth.authorizationCodeGrantRequest(
          as,
          client,
          authenticate,
          parameters,
          redirectUri,
          codeVerifier,
          http(),
        );
        const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, {
          expectedNonce: nonce,
          requireIdToken: true,
        });
        // Core §3.1.3.7 would trust TLS to the token endpoint; we check the signature all the same.
        await oauth.validateApplicationLevelSignature(as, answer, http());
        const claims = oauth.getValidatedIdTokenClaims(tokens);
        if (claims === undefined || claims.sub === '') {
          throw new IdentityProviderError('idp.no_subject', { transient: false });
        }
        return { identity: { issuer: claims.iss, subject: claims.sub }, groups: [] };
      } catch (error) {
        return fail(error);
      }
    },
  };
}

/** Everything the library or the network throws, sorted into "no" and "not now". */
function fail(error: unknown): never {
  if (error instanceof IdentityProviderError) throw error;
  if (error instanceof oauth.AuthorizationResponseError) {
    const transient = error.error === 'temporarily_unavailable' || error.error === 'server_error';
    throw new IdentityProviderError(`idp.answered.${tag(error.error)}`, { transient, cause: error });
  }
  if (error instanceof oauth.ResponseBodyError) {
    throw new IdentityProviderError(`idp.token.${tag(error.error)}`, {
      transient: isTransient(error.status),
      cause: error,
    });
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    // RFC 6749 §5.2: how providers refuse our own credentials. Trying again does not make them right.
    throw new IdentityProviderError('idp.token.credentials_refused', {
      transient: isTransient(error.status),
      cause: error,
    });
  }
  if (error instanceof oauth.OperationProcessingError) {
    const response = error.cause instanceof Response ? error.cause : undefined;
    const transient = response !== undefined && isTransient(response.status);
    throw new IdentityProviderError(`idp.invalid.${tag(error.code ?? 'response')}`, { transient, cause: error });
  }
  // What is left came from the network: refused, reset, timed out, no name.
  throw new IdentityProviderError('idp.unreachable', { transient: true, cause: error });
}

/** Overloaded or broken, and perhaps not for long (RFC 6585 §4, RFC 9110 §15.6). */
function isTransient(status: number): boolean {
  return status >= 500 || status === 429;
}

/** A provider's error code inside our log: short and harmless. */
function tag(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_]/g, '_')
    .slice(0, 60)
    .toLowerCase();
}

function isLoopbackHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && isLoopbackHost(hostname);
}
