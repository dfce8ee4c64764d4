/**
 * A GitHub Enterprise Server on a loopback port, as GitHub's documentation describes it: the web application flow with
 * PKCE, user access tokens that expire and rotate, `GET /user`, `/user/orgs`, `/user/teams`, "Delete an app token".
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Answer, callbackUrl, client, json, listen, type Running } from './servers.ts';

export interface GithubState {
  /** Who presses "Authorize". */
  user: { id: unknown; login: string };
  /** What they grant; undefined: what was asked for. */
  granted: string | undefined;
  /** GitHub App: tokens live this many seconds and come with a refresh token. */
  expiresIn: number | undefined;
  orgs: readonly unknown[];
  teams: readonly unknown[];
  /** In the place of the answer, by method and path without its query; undefined goes on as ever. */
  readonly instead: Record<string, () => Answer | 'silent' | undefined | Promise<Answer>>;
  readonly tokens: Map<string, { readonly refresh: string | undefined; readonly scope: string }>;
  readonly requests: Array<{
    readonly what: string;
    readonly query: string;
    readonly headers: IncomingMessage['headers'];
  }>;
}

const path = { token: '/login/oauth/access_token', user: '/api/v3/user' };

export async function startGithub(): Promise<
  Running & { github: GithubState; authorize(url: string): URLSearchParams }
> {
  const codes = new Map<string, { challenge: string; scope: string }>();
  const github: GithubState = {
    user: { id: 583231, login: 'octocat' },
    granted: undefined,
    expiresIn: undefined,
    orgs: [],
    teams: [],
    instead: {},
    tokens: new Map(),
    requests: [],
  };

  /** The person with the browser: agrees, and comes back. */
  function authorize(text: string): URLSearchParams {
    const { origin, pathname, searchParams } = new URL(text);
    const [id, to, method] = ['client_id', 'redirect_uri', 'code_challenge_method'].map((name) =>
      searchParams.get(name),
    );
    if (origin !== running.issuer || pathname !== '/login/oauth/authorize' || id !== client.id || to !== callbackUrl)
      throw new Error(`GitHub would show an error: ${text}`);
    if (method !== 'S256') throw new Error('only S256');
    const code = randomBytes(10).toString('hex');
    codes.set(code, {
      challenge: searchParams.get('code_challenge') ?? '',
      scope: github.granted ?? (searchParams.get('scope') ?? '').replaceAll(' ', ','),
    });
    return new URLSearchParams({ code, state: searchParams.get('state') ?? '' });
  }

  const refusal = (error: string) =>
    json({ error, error_description: 'In words.', error_uri: '/apps/troubleshooting' });
  function issue(scope: string): Answer {
    const token = `gho_${randomBytes(18).toString('hex')}`;
    const refresh = github.expiresIn === undefined ? undefined : `ghr_${randomBytes(18).toString('hex')}`;
    github.tokens.set(token, { refresh, scope });
    const expiring = { expires_in: github.expiresIn, refresh_token: refresh, refresh_token_expires_in: 15_897_600 };
    return json({ access_token: token, token_type: 'bearer', scope, ...(refresh !== undefined && expiring) });
  }

  function exchange(form: URLSearchParams): Answer {
    if (form.get('client_id') !== client.id || form.get('client_secret') !== client.secret)
      return refusal('incorrect_client_credentials');
    if (form.get('grant_type') === 'refresh_token') {
      const found = [...github.tokens].find(([, { refresh }]) => refresh === form.get('refresh_token'));
      if (!found) return refusal('bad_refresh_token');
      github.tokens.delete(found[0]);
      return issue(found[1].scope);
    }
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const computed = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!code || code.challenge !== computed) return refusal('bad_verification_code');
    return form.get('redirect_uri') === callbackUrl ? issue(code.scope) : refusal('redirect_uri_mismatch');
  }

  function api(what: string, query: URLSearchParams, headers: IncomingMessage['headers'], body: string): Answer {
    if (headers['user-agent'] === undefined) return json({ message: 'administrative rules' }, 403);
    if (what === `DELETE /api/v3/applications/${client.id}/token`) {
      const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
      if (headers.authorization !== basic) return json({ message: 'Bad credentials' }, 401);
      return github.tokens.delete(JSON.parse(body).access_token)
        ? { status: 204, body: '' }
        : json({ message: 'Not Found' }, 404);
    }
    const token = github.tokens.get(headers.authorization?.replace(/^Bearer /, '') ?? '');
    if (!token) return json({ message: 'Bad credentials' }, 401);
    if (what === `GET ${path.user}`) return json(github.user);
    const lists = { 'GET /api/v3/user/orgs': github.orgs, 'GET /api/v3/user/teams': github.teams };
    const list = Object.entries(lists).find(([name]) => name === what)?.[1];
    if (!list) return json({ message: 'Not Found' }, 404);
    if (!token.scope.includes('read:org')) return json({ message: 'You need at least read:org scope' }, 403);
    const [size, page] = [Number(query.get('per_page') ?? 30), Number(query.get('page') ?? 1)];
    return json(list.slice(size * (page - 1), size * page));
  }

  const running = await listen((origin) => async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const { pathname, search, searchParams } = new URL(req.url ?? '/', origin);
    const what = `${req.method} ${pathname}`;
    github.requests.push({ what, query: search, headers: req.headers });
    const body = Buffer.concat(chunks).toString();
    const instead = await github.instead[what]?.();
    if (instead === 'silent') return;
    const answer =
      instead ??
      (what === `POST ${path.token}`
        ? exchange(new URLSearchParams(body))
        : api(what, searchParams, req.headers, body));
    res.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
  });
  return { ...running, github, authorize };
}
