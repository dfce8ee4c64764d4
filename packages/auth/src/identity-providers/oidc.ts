/**
 * Any OpenID Connect provider, we being its client: code flow with PKCE and nonce (OpenID Connect Core §3.1), refresh
 * (§12) and revocation (RFC 7009). The protocol is `oauth4webapi`'s; ours are the bounds, the explicit scopes and the
 * difference between "no" and "not now".
 */
import * as oauth from 'oauth4webapi';
import { codeChallengeOf } from '../oauth/pkce.ts';
import { isLoopbackHost } from '../oauth/redirect-uri.ts';
import { boundedFetch, requestSignals } from './bounded-fetch.ts';
import { renewalFailure, signInFailure } from './failures.ts';
import { type ClaimPath, groupsOf } from './groups.ts';
import { type IdentityProvider, IdentityProviderError, type ProviderToken } from './identity-provider.ts';
import { checkedParameters } from './parameters.ts';
import { isToken, providerSession, readProviderSession } from './provider-session.ts';
import { type EmailProof, verifiedEmailDomain } from './verified-email.ts';

export interface OidcOptions {
  /** Exactly as in its discovery document and its id_tokens. */
  readonly issuer: string;
  readonly clientId: string;
  /** Left out: a public client. */
  readonly clientSecret?: string;
  /** How the secret is sent: `client_secret_basic`, the default (RFC 6749 §2.3.1), or `client_secret_post`. */
  readonly clientAuthentication?: 'basic' | 'post';
  /** What to ask for; `openid` is added if it is missing. Never taken from discovery. */
  readonly scope?: readonly string[];
  /**
   * Asks for a refresh token as OpenID Connect Core §11 has it: the scope `offline_access`, and `prompt=consent`, without
   * which a provider must ignore that scope. Where a provider does without the prompt, write the scope instead.
   */
  readonly offline?: boolean;
  /** Further, fixed parameters of the authorization request, such as `access_type`; at most 20, and none of ours. */
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  /** The claim that holds the person's groups, a list of strings; left out, there are none. */
  readonly groupsClaim?: ClaimPath;
  /** How it says that an address is the person's own; `email_verified` unless told. */
  readonly emailProof?: EmailProof;
  /** Claims an id_token must have with exactly this value; another person is refused, at a sign-in and ever after. */
  readonly requiredClaims?: Readonly<Record<string, string>>;
  /**
   * Whether the provider is told of a session that is no longer needed, at its revocation endpoint; true. Not where it
   * ends all of a person's sessions at this client with one: each of their grants has its own, and would end with it.
   */
  readonly revokes?: boolean;
  /** Shown to people. */
  readonly name?: string;
  /** Endpoints that are known, so that no discovery document has to be fetched first. */
  readonly endpoints?: {
    readonly authorization: string;
    readonly token: string;
    readonly jwks: string;
    readonly revocation?: string;
    readonly userInfo?: string;
  };
  /** Seconds for one answer of the provider; 10, and below 15. A sign-in or a renewal takes at most twice as long. */
  readonly timeoutSeconds?: number;
}

/** Throws a `TypeError` for parameters that are ours or no parameters. */
export function oidc(options: OidcOptions): IdentityProvider {
  const { issuer, clientId, clientSecret, endpoints, groupsClaim, timeoutSeconds = 10, offline = false } = options;
  if (!(timeoutSeconds > 0 && timeoutSeconds < 15))
    throw new TypeError(`timeoutSeconds: ${timeoutSeconds} is not above 0 and below 15`);
  const scope = [...new Set(['openid', ...(options.scope ?? []), ...(offline ? ['offline_access'] : [])])].join(' ');
  const extra = checkedParameters(options.authorizationParameters ?? {}, offline);
  const client: oauth.Client = { client_id: clientId };
  const authenticate =
    clientSecret === undefined
      ? oauth.None()
      : options.clientAuthentication === 'post'
        ? oauth.ClientSecretPost(clientSecret)
        : oauth.ClientSecretBasic(clientSecret);
  // The library insists on TLS; a provider on this very computer (the local Cognito) has none.
  const insecure = isLoopbackHttp(issuer);
  /** For the requests of one call; each asks for options of its own. */
  const requests = () => {
    const signal = requestSignals(timeoutSeconds);
    return () => ({
      signal: signal(),
      [oauth.allowInsecureRequests]: insecure,
      [oauth.customFetch]: boundedFetch,
    });
  };
  type Http = ReturnType<typeof requests>;

  let server: oauth.AuthorizationServer | undefined = endpoints && {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    jwks_uri: endpoints.jwks,
    ...(endpoints.revocation !== undefined && { revocation_endpoint: endpoints.revocation }),
    ...(endpoints.userInfo !== undefined && { userinfo_endpoint: endpoints.userInfo }),
    // Not told, the library takes RS256 alone. What is accepted is still one key of the provider's own set.
    id_token_signing_alg_values_supported: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
  };
  const discovered = async (http: Http): Promise<oauth.AuthorizationServer> => {
    if (server) return server;
    const url = new URL(issuer);
    const found = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http()));
    server = found; // only a success is kept (SEC-19)
    return found;
  };
  /** The claims of an answer's id_token, its signature among what is checked; undefined: it has none. */
  const validated = async (
    as: oauth.AuthorizationServer,
    answer: Response,
    tokens: oauth.TokenEndpointResponse,
    http: Http,
  ) => {
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    // Core §3.1.3.7 would trust TLS to the token endpoint; we check the signature all the same.
    if (claims !== undefined) await oauth.validateApplicationLevelSignature(as, answer, http());
    return claims;
  };
  const personOf = (claims: Readonly<Record<string, unknown>>) => {
    const emailDomain = verifiedEmailDomain(claims, options.emailProof);
    return { groups: groupsOf(claims, groupsClaim), ...(emailDomain !== undefined && { emailDomain }) };
  };
  const lacksClaim = (claims: Readonly<Record<string, unknown>>) =>
    Object.entries(options.requiredClaims ?? {}).some(([name, value]) => claims[name] !== value);
  const refreshed = async (as: oauth.AuthorizationServer, refreshToken: string, http: Http) => {
    const request = () => oauth.refreshTokenGrantRequest(as, client, authenticate, refreshToken, http());
    // An answer that was lost on its way may have rotated the token. Providers take the one before again for a moment
    // only (Cognito's RetryGracePeriodSeconds: at most 60), so the next renewal would come too late: once more, at once.
    return request().catch((error: unknown) => {
      if (error instanceof IdentityProviderError) throw error;
      return request();
    });
  };

  return {
    name: options.name ?? new URL(issuer).host,
    async start({ state, nonce, codeVerifier }, redirectUri) {
      const { authorization_endpoint: endpoint } = await discovered(requests()).catch((error) => {
        throw signInFailure(error);
      });
      if (endpoint === undefined)
        throw new IdentityProviderError('idp.no_authorization_endpoint', { transient: false });
      const url = new URL(endpoint);
      for (const [name, value] of Object.entries({
        ...extra,
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: codeChallengeOf(codeVerifier),
        code_challenge_method: 'S256',
        ...(offline && { prompt: 'consent' }),
      })) {
        url.searchParams.set(name, value);
      }
      return url.href;
    },
    async finish(query, { state, nonce, codeVerifier }, redirectUri) {
      const http = requests();
      try {
        const as = await discovered(http);
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
        const claims = await validated(as, answer, tokens, http);
        if (claims === undefined || claims.sub === '')
          throw new IdentityProviderError('idp.no_subject', { transient: false });
        if (lacksClaim(claims)) throw new IdentityProviderError('idp.other_claims', { transient: false });
        const identity = { issuer: claims.iss, subject: claims.sub };
        const { refresh_token: refreshToken } = tokens;
        return {
          identity,
          ...personOf(claims),
          ...accessTokenOf(tokens),
          ...(refreshToken !== undefined && { session: providerSession(claims.iss, { refreshToken }) }),
        };
      } catch (error) {
        throw signInFailure(error);
      }
    },
    async renew(session, identity) {
      const http = requests();
      let renewed: string | undefined;
      try {
        const { refreshToken = '' } = readProviderSession(session, identity.issuer, ['refreshToken']);
        const as = await discovered(http);
        // The configuration names another provider by now: this token is none of its business.
        if (as.issuer !== identity.issuer)
          throw new IdentityProviderError('idp.session.other_issuer', { transient: true });
        const answer = await refreshed(as, refreshToken, http);
        // Before anything of the answer can be found wanting: the token that was sent may be spent by now (RFC 6749 §6;
        // where none comes back, it goes on).
        renewed = await rotated(as, answer);
        const tokens = await oauth.processRefreshTokenResponse(as, client, answer);
        const claims = await validated(as, answer, tokens, http);
        if (claims !== undefined) {
          // Core §12.2: of the same issuer, and about the same person.
          if (claims.sub !== identity.subject || claims.iss !== identity.issuer)
            throw new IdentityProviderError('idp.renew.other_person', { transient: false });
          if (lacksClaim(claims)) throw new IdentityProviderError('idp.renew.other_claims', { transient: false });
          return { ...personOf(claims), ...accessTokenOf(tokens), session: renewed ?? session };
        }
        // Core §12.2 lets a provider leave the id_token out. A token is answer enough then, except about claims.
        const asksForEmail = scope.split(' ').includes('email') && as.userinfo_endpoint !== undefined;
        if (groupsClaim === undefined && options.requiredClaims === undefined && !asksForEmail)
          return { groups: [], ...accessTokenOf(tokens), session: renewed ?? session };
        const said = await userInfo(as, tokens.access_token, identity.subject, http);
        if (lacksClaim(said)) throw new IdentityProviderError('idp.renew.other_claims', { transient: false });
        return { ...personOf(said), ...accessTokenOf(tokens), session: renewed ?? session };
      } catch (error) {
        throw renewalFailure(error, renewed);
      }
    },
    ...(options.revokes !== false && { end }),
  };

  async function end(session: string): Promise<void> {
    const http = requests();
    try {
      const as = await discovered(http);
      const { refreshToken = '' } = readProviderSession(session, as.issuer, ['refreshToken']);
      if (as.revocation_endpoint === undefined) return;
      const answer = await oauth.revocationRequest(as, client, authenticate, refreshToken, http());
      await oauth.processRevocationResponse(answer);
    } catch (error) {
      // RFC 7009 §2.2 answers 200 for a token that is gone; Google answers this.
      if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_token') return;
      throw signInFailure(error);
    }
  }

  async function userInfo(as: oauth.AuthorizationServer, accessToken: string, subject: string, http: Http) {
    if (as.userinfo_endpoint === undefined) throw new IdentityProviderError('idp.renew.no_groups', { transient: true });
    const answer = await oauth.userInfoRequest(as, client, accessToken, http());
    const said = await oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, answer);
    // Core §5.3.2: compared before anything of it is used.
    if (said.sub !== subject) throw new IdentityProviderError('idp.renew.other_person', { transient: false });
    return said;
  }
}

/** One that is bound to a key (RFC 9449) would be of no use to whoever it is passed on to. */
function accessTokenOf({ access_token: token, token_type: type, expires_in: expiresIn }: oauth.TokenEndpointResponse): {
  readonly accessToken?: ProviderToken;
} {
  if (type !== 'bearer' || !isToken(token)) return {};
  return { accessToken: { token, ...(expiresIn !== undefined && { expiresIn }) } };
}

/** The session with the refresh token that came back; undefined: none did. */
async function rotated(as: oauth.AuthorizationServer, answer: Response): Promise<string | undefined> {
  if (answer.status !== 200) return undefined;
  const body: unknown = await answer
    .clone()
    .json()
    .catch(() => undefined);
  const refreshToken: unknown =
    typeof body === 'object' && body !== null ? Reflect.get(body, 'refresh_token') : undefined;
  return typeof refreshToken === 'string' ? providerSession(as.issuer, { refreshToken }) : undefined;
}

function isLoopbackHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && isLoopbackHost(hostname);
}
