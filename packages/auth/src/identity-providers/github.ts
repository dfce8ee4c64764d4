/**
 * GitHub, which is OAuth 2 without OpenID Connect: no id_token and no nonce, so who somebody is comes from `GET /user`
 * with the token that was just issued to us. GitHub Docs: "Authorizing OAuth apps", "Refreshing user access tokens".
 *
 * Mix-up (RFC 9700 §4.4): GitHub's answer names no issuer. It is told from another provider's by there being one provider
 * behind our callback, with endpoints that are fixed here; and what we accept is an access token for our own client.
 */
import { timingSafeEqual } from 'node:crypto';
import { codeChallengeOf } from '../oauth/pkce.ts';
import { isLoopbackHost } from '../oauth/redirect-uri.ts';
import { requestSignals } from './bounded-fetch.ts';
import { tag } from './failures.ts';
import {
  deleteToken,
  type GithubCredentials,
  GithubRefusal,
  type GithubTokens,
  requestGroups,
  requestSubject,
  requestTokens,
} from './github-api.ts';
import { type IdentityProvider, IdentityProviderError } from './identity-provider.ts';
import { providerSession, readProviderSession } from './provider-session.ts';

export interface GithubOptions {
  /** Of an OAuth app, or of a GitHub App. */
  readonly clientId: string;
  /** GitHub has no public clients in this flow. */
  readonly clientSecret: string;
  /**
   * Left out, nothing but the public profile. With `read:org`, organisations (`acme`) and teams (`acme/platform`) are the
   * groups; these names are GitHub's and can change hands when an organisation is renamed. GitHub Apps have no scopes,
   * and so no groups here.
   */
  readonly scope?: readonly string[];
  /** GitHub Enterprise: `https://github.example.com` (Server) or `https://example.ghe.com` (data residency). */
  readonly baseUrl?: string;
  readonly name?: string;
  /** Seconds for one answer of GitHub; 10, and below 15. A sign-in or a renewal takes at most twice as long. */
  readonly timeoutSeconds?: number;
  /** Whole seconds since the epoch; the clock hook of the tests. */
  readonly now?: () => number;
}

/**
 * Throws a `TypeError` for a `baseUrl` that is none. Nothing is said of e-mail: addresses need a scope of their own, and stand
 * behind an endpoint that is not asked. Lists of people go by user or group here.
 */
export function github(options: GithubOptions): IdentityProvider {
  const { clientId, clientSecret, scope = [], timeoutSeconds = 10 } = options;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { issuer, api } = placesOf(options.baseUrl ?? 'https://github.com');
  /** For the requests of one call. */
  const requests = (): GithubCredentials => ({
    clientId,
    clientSecret,
    issuer,
    api,
    signal: requestSignals(timeoutSeconds),
  });
  const wantsGroups = scope.includes('read:org');
  const groupsOf = (at: GithubCredentials, accessToken: string) => (wantsGroups ? requestGroups(at, accessToken) : []);

  /** Access tokens of OAuth apps stay valid until they are revoked; those of GitHub Apps come with a refresh token. */
  const sessionOf = ({ accessToken, refreshToken, expiresIn }: GithubTokens) =>
    providerSession(issuer, {
      accessToken,
      ...(refreshToken !== undefined && { refreshToken }),
      ...(expiresIn !== undefined && { expiresAt: String(now() + expiresIn) }),
    });
  const read = (session: string) => {
    const { accessToken = '', refreshToken, expiresAt } = readProviderSession(session, issuer, ['accessToken']);
    const expiresIn = expiresAt === undefined ? undefined : Number(expiresAt) - now();
    return { accessToken, refreshToken, expiresIn, expired: expiresIn !== undefined && expiresIn <= 0 };
  };
  /** What is passed on, where it is: the token that the session holds in any case. */
  const accessTokenOf = (session: string) => {
    const { accessToken: token, expiresIn } = read(session);
    return { accessToken: { token, ...(expiresIn !== undefined && { expiresIn }) } };
  };
  const refresh = (at: GithubCredentials, refreshToken: string) =>
    requestTokens(at, { grant_type: 'refresh_token', refresh_token: refreshToken });

  return {
    name: options.name ?? (issuer === 'https://github.com' ? 'GitHub' : new URL(issuer).host),
    async start({ state, codeVerifier }, redirectUri) {
      const url = new URL(`${issuer}/login/oauth/authorize`);
      for (const [name, value] of Object.entries({
        client_id: clientId,
        redirect_uri: redirectUri,
        ...(scope.length > 0 && { scope: scope.join(' ') }),
        state,
        code_challenge: codeChallengeOf(codeVerifier),
        code_challenge_method: 'S256',
      })) {
        url.searchParams.set(name, value);
      }
      return url.href;
    },
    async finish(query, { state, codeVerifier }, redirectUri) {
      // RFC 6749 §10.12, before anything of the answer is believed.
      const [answered, ...more] = query.getAll('state');
      if (answered === undefined || more.length > 0 || !same(answered, state))
        throw new IdentityProviderError('idp.invalid.state', { transient: false });
      const error = query.get('error');
      if (error !== null) throw new IdentityProviderError(`idp.answered.${tag(error)}`, { transient: false });
      const [code, ...codes] = query.getAll('code');
      if (code === undefined || code === '' || codes.length > 0)
        throw new IdentityProviderError('idp.invalid.code', { transient: false });

      const at = requests();
      const tokens = await requestTokens(at, { code, redirect_uri: redirectUri, code_verifier: codeVerifier })
        // All of them final: `bad_verification_code`, `redirect_uri_mismatch`, `incorrect_client_credentials`, …
        .catch((refusal: unknown) => {
          if (!(refusal instanceof GithubRefusal)) throw refusal;
          throw new IdentityProviderError(`idp.token.${refusal.error}`, { transient: false });
        });
      // "Requested scopes and granted scopes": somebody may grant less, and would look like a member of nothing.
      if (wantsGroups && !tokens.scope.some((granted) => /^(read|write|admin):org$/.test(granted)))
        throw new IdentityProviderError('idp.github.scope_not_granted', { transient: false });
      const subject = await requestSubject(at, tokens.accessToken);
      if (subject === undefined) throw new IdentityProviderError('idp.github.user.status_401', { transient: false });
      const groups = await groupsOf(at, tokens.accessToken);
      const session = sessionOf(tokens);
      return { identity: { issuer, subject }, groups, ...accessTokenOf(session), session };
    },
    async renew(session, identity) {
      const at = requests();
      let current = session;
      const replaced = async (refreshToken: string) => {
        const tokens = await refresh(at, refreshToken);
        current = sessionOf(tokens); // the ones before are worth nothing from now on
        return tokens.accessToken;
      };
      try {
        if (identity.issuer !== issuer)
          throw new IdentityProviderError('idp.session.other_issuer', { transient: true });
        let { accessToken, refreshToken, expiresIn = Infinity } = read(session);
        // A little early, for whoever passes it on: it must live for as long as a request may take.
        if (expiresIn <= renewBeforeSeconds && refreshToken !== undefined) accessToken = await replaced(refreshToken);
        let subject = await requestSubject(at, accessToken);
        // By GitHub's clock it may have expired before it did by ours.
        if (subject === undefined && current === session && refreshToken !== undefined) {
          accessToken = await replaced(refreshToken);
          subject = await requestSubject(at, accessToken);
        }
        if (subject === undefined) throw definitely('idp.renew.refused.unauthorized');
        if (subject !== identity.subject) throw definitely('idp.renew.other_person');
        return { groups: await groupsOf(at, accessToken), ...accessTokenOf(current), session: current };
      } catch (error) {
        throw renewalFailure(error, current === session ? undefined : current);
      }
    },
    async end(session) {
      const at = requests();
      const { accessToken, refreshToken, expired } = read(session);
      // An expired token cannot be deleted, and its refresh token would live on for half a year.
      if (!expired || refreshToken === undefined) return deleteToken(at, accessToken);
      const tokens = await refresh(at, refreshToken).catch((error: unknown) => {
        if (!(error instanceof GithubRefusal)) throw error;
        if (error.error !== 'bad_refresh_token')
          throw new IdentityProviderError(`idp.token.${error.error}`, { transient: false });
      });
      if (tokens) await deleteToken(at, tokens.accessToken);
    },
  };
}

const renewBeforeSeconds = 60;

const definitely = (reason: string) => new IdentityProviderError(reason, { transient: false });

/** Final only where it is about the person: a 403, a strange answer or a wrong secret of ours is nobody's end. */
function renewalFailure(error: unknown, session: string | undefined): IdentityProviderError {
  if (error instanceof GithubRefusal) {
    if (error.error === 'bad_refresh_token') return definitely('idp.renew.refused.bad_refresh_token');
    return new IdentityProviderError(`idp.renew.misconfigured.${error.error}`, { transient: true, session });
  }
  if (!(error instanceof IdentityProviderError))
    return new IdentityProviderError('idp.unreachable', { transient: true, cause: error, session });
  if (error.reason.startsWith('idp.renew.')) return error;
  return new IdentityProviderError(error.reason, { transient: true, cause: error.cause, session });
}

/** Where GitHub is, and where its API is: "Getting started with the REST API", for Enterprise Server and for ghe.com. */
function placesOf(baseUrl: string): { issuer: string; api: string } {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
  if (!url || !secure || (url.href !== `${url.origin}/` && url.href !== url.origin))
    throw new TypeError(`baseUrl: "${baseUrl}" is not an https origin such as https://github.example.com`);
  const { origin, host } = url;
  if (host === 'github.com' || host.endsWith('.ghe.com')) return { issuer: origin, api: `https://api.${host}` };
  return { issuer: origin, api: `${origin}/api/v3` };
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
