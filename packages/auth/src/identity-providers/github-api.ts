/** What we ask GitHub, over HTTP: its OAuth endpoint and its REST API, and what their refusals mean. Nothing is kept here. */
import { type BoundedRequest, boundedFetch } from './bounded-fetch.ts';
import { isOverloaded, tag } from './failures.ts';
import { boundedGroups } from './groups.ts';
import { IdentityProviderError } from './identity-provider.ts';
import { isToken } from './provider-session.ts';

export interface GithubCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
  /** `https://github.com`, or GitHub Enterprise's. */
  readonly issuer: string;
  /** The REST API's address. */
  readonly api: string;
  /** For each request, of the call it belongs to. */
  readonly signal: () => AbortSignal;
}

export interface GithubTokens {
  readonly accessToken: string;
  readonly scope: readonly string[];
  /** Of GitHub Apps whose tokens expire. */
  readonly refreshToken?: string;
  /** Seconds from now. */
  readonly expiresIn?: number;
}

/** `error` of a token request that was answered; the caller knows whom it is about. */
export class GithubRefusal extends Error {
  readonly error: string;

  constructor(error: string) {
    super(`GitHub refused the token request: ${error}`);
    this.error = error;
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined where it was no JSON. */
  readonly body: unknown;
}

/**
 * `POST /login/oauth/access_token`. Throws `GithubRefusal` where the answer names an error, which comes with status 200
 * ("Troubleshooting OAuth app access token request errors"), else `IdentityProviderError`.
 */
export async function requestTokens(
  github: GithubCredentials,
  parameters: Readonly<Record<string, string>>,
): Promise<GithubTokens> {
  const { clientId: client_id, clientSecret: client_secret } = github;
  const answer = await send(github, `${github.issuer}/login/oauth/access_token`, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({ client_id, client_secret, ...parameters }),
  });
  const body = members(answer.body);
  if (typeof body.error === 'string' && body.error !== '' && !isOverloaded(answer.status))
    throw new GithubRefusal(tag(body.error));
  if (answer.status !== 200) throw unexpected('token', answer);
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken, expires_in: expiresIn } = body;
  const usable =
    isToken(accessToken) &&
    typeof type === 'string' &&
    type.toLowerCase() === 'bearer' &&
    (refreshToken === undefined || isToken(refreshToken)) &&
    (expiresIn === undefined || (typeof expiresIn === 'number' && Number.isSafeInteger(expiresIn) && expiresIn > 0));
  if (!usable) throw new IdentityProviderError('idp.github.token.malformed', { transient: false });
  return {
    accessToken,
    scope: typeof body.scope === 'string' ? body.scope.split(/[ ,]+/) : [],
    ...(refreshToken !== undefined && { refreshToken }),
    ...(expiresIn !== undefined && { expiresIn: expiresIn as number }),
  };
}

/** `GET /user`: the number that never changes, as text; undefined: the token is not, or no longer, anybody's. */
export async function requestSubject(github: GithubCredentials, accessToken: string): Promise<string | undefined> {
  const answer = await get(github, '/user', accessToken);
  if (answer.status === 401) return undefined;
  if (answer.status !== 200) throw unexpected('user', answer);
  const { id } = members(answer.body);
  // Never the login: names are given away, and given to others ("Changing your username").
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0)
    throw new IdentityProviderError('idp.github.user.malformed', { transient: false });
  return String(id);
}

/** `org` and `org/team`: "List organizations for the authenticated user", "List teams for the authenticated user". */
export async function requestGroups(github: GithubCredentials, accessToken: string): Promise<readonly string[]> {
  const organisations = await list(github, '/user/orgs', accessToken);
  const teams = await list(github, '/user/teams', accessToken);
  return boundedGroups([
    ...organisations.map(({ login }) => login),
    ...teams.map(({ slug, organization }) => {
      const { login } = members(organization);
      return typeof login === 'string' && typeof slug === 'string' && slug !== '' ? `${login}/${slug}` : undefined;
    }),
  ]);
}

/** "Delete an app token"; true also for one that is gone. */
export async function deleteToken(github: GithubCredentials, accessToken: string): Promise<void> {
  const { clientId, clientSecret } = github;
  const answer = await send(github, `${github.api}/applications/${encodeURIComponent(clientId)}/token`, {
    method: 'DELETE',
    headers: {
      ...apiHeaders,
      authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ access_token: accessToken }),
  });
  if (answer.status !== 204 && answer.status !== 404) throw unexpected('delete', answer);
}

const apiHeaders = {
  accept: 'application/vnd.github+json',
  'x-github-api-version': '2022-11-28',
  // "Getting started with the REST API": requests without one are refused.
  'user-agent': 'gatehouse',
};

const get = (github: GithubCredentials, path: string, accessToken: string) =>
  send(github, github.api + path, { headers: { ...apiHeaders, authorization: `Bearer ${accessToken}` } });

/** At most two full pages: more groups than anybody is given by us. */
async function list(github: GithubCredentials, path: string, accessToken: string) {
  const found: Array<Readonly<Record<string, unknown>>> = [];
  for (const page of [1, 2]) {
    const answer = await get(github, `${path}?per_page=100&page=${page}`, accessToken);
    if (answer.status !== 200) throw unexpected('groups', answer);
    if (!Array.isArray(answer.body))
      throw new IdentityProviderError('idp.github.groups.malformed', { transient: false });
    found.push(...answer.body.slice(0, 100).map(members));
    if (answer.body.length < 100) break;
  }
  return found;
}

/** Rejects with `IdentityProviderError` and nothing else. */
async function send(github: GithubCredentials, url: string, init: BoundedRequest): Promise<Answer> {
  const response = await boundedFetch(url, { ...init, signal: github.signal() }).catch((error: unknown) => {
    if (error instanceof IdentityProviderError) throw error;
    throw new IdentityProviderError('idp.unreachable', { transient: true, cause: error });
  });
  return {
    status: response.status,
    headers: response.headers,
    body: await response.json().catch(() => undefined), // its error would quote the answer
  };
}

/** A status nobody asked for: overloaded, limited, or simply wrong. */
function unexpected(what: string, { status, headers }: Answer): IdentityProviderError {
  // "Rate limits for the REST API": 403 or 429, for the secondary limits with retry-after alone.
  const limited =
    status === 429 ||
    (status === 403 && (headers.get('x-ratelimit-remaining') === '0' || headers.get('retry-after') !== null));
  if (limited) return new IdentityProviderError('idp.github.rate_limited', { transient: true });
  return new IdentityProviderError(`idp.github.${what}.status_${status}`, { transient: isOverloaded(status) });
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
