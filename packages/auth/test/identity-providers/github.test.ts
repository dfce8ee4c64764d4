/** GitHub as an identity provider, against a server made from its documentation that behaves, and does not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GithubOptions, github } from '../../src/identity-providers/github.ts';
import { codeChallengeOf } from '../../src/oauth/pkce.ts';
import { failureOf } from './failure.ts';
import { startGithub } from './github-server.ts';
import { type Answer, binding, callbackUrl, client, json } from './servers.ts';

let server: Awaited<ReturnType<typeof startGithub>>;
let now: number;
beforeEach(async () => {
  server = await startGithub();
  now = 1_800_000_000;
});
afterEach(() => server.close());

const tokenRequest = 'POST /login/oauth/access_token';
const userRequest = 'GET /api/v3/user';
const deleteRequest = `DELETE /api/v3/applications/${client.id}/token`;

const connect = (options: Partial<GithubOptions> = {}) => {
  const ours = github({
    clientId: client.id,
    clientSecret: client.secret,
    baseUrl: server.issuer,
    timeoutSeconds: 2,
    now: () => now,
    ...options,
  });
  if (!ours.renew || !ours.end) throw new Error('a GitHub that cannot renew or end');
  return { ...ours, renew: ours.renew, end: ours.end };
};

async function finish(options: Partial<GithubOptions> = {}) {
  const ours = connect(options);
  const bound = binding();
  return ours.finish(server.authorize(await ours.start(bound, callbackUrl)), bound, callbackUrl);
}
async function signIn(options: Partial<GithubOptions> = {}) {
  const { session = '', ...rest } = await finish(options);
  return { session, ...rest };
}
const asked = (what: string) => server.github.requests.filter((request) => request.what === what);
const secrets = () =>
  [
    client.secret,
    ...server.github.tokens.keys(),
    ...[...server.github.tokens.values()].map(({ refresh }) => refresh ?? ''),
  ].filter(Boolean);
const failed = (call: Promise<unknown>) => failureOf(call, secrets());

describe('the way there', () => {
  it('asks for a code with state and PKCE, and for no scope unless told', async () => {
    const bound = binding();
    const url = new URL(await github({ clientId: 'c', clientSecret: 's' }).start(bound, callbackUrl));
    expect(url.origin + url.pathname).toBe('https://github.com/login/oauth/authorize');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'c',
      redirect_uri: callbackUrl,
      state: bound.state,
      code_challenge: codeChallengeOf(bound.codeVerifier),
      code_challenge_method: 'S256',
    });
    const scope = ['read:user', 'read:org'];
    const asking = await github({ clientId: 'c', clientSecret: 's', scope }).start(bound, callbackUrl);
    expect(new URL(asking).searchParams.get('scope')).toBe('read:user read:org');
  });

  it('is called GitHub, or by its host', () => {
    expect(github({ clientId: 'c', clientSecret: 's' }).name).toBe('GitHub');
    expect(connect().name).toBe(new URL(server.issuer).host);
    expect(connect({ name: 'Work' }).name).toBe('Work');
  });

  it.each([
    'http://github.example.com',
    'github.example.com',
    'https://github.example.com/api',
    'https://u@github.example.com',
    '',
  ])('the address %j is refused at start', (baseUrl) => {
    expect(() => connect({ baseUrl })).toThrow(/^baseUrl: /);
  });
});

describe('a sign-in', () => {
  it('says who by number, and asks as GitHub wants to be asked', async () => {
    const { session, ...rest } = await signIn();
    const { accessToken: token } = JSON.parse(session) as { accessToken: string };
    // Tokens of OAuth apps do not end.
    expect(rest).toEqual({
      identity: { issuer: server.issuer, subject: '583231' },
      groups: [],
      accessToken: { token },
    });
    expect(JSON.parse(session)).toEqual({ issuer: server.issuer, accessToken: expect.stringMatching(/^gho_/) });
    expect(server.github.requests.map(({ what }) => what)).toEqual([tokenRequest, userRequest]);
    expect(asked(tokenRequest)[0]?.headers.accept).toBe('application/json');
    expect(asked(userRequest)[0]?.headers).toMatchObject({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      'user-agent': 'gatehouse',
    });
  });

  it('takes organisations and teams for groups where read:org is asked for', async () => {
    server.github.orgs = [{ login: 'acme' }, { login: 7 }, null, {}];
    server.github.teams = [
      { slug: 'platform', organization: { login: 'acme' } },
      { slug: '', organization: { login: 'acme' } },
      { slug: 'lost', organization: null },
      'x',
    ];
    expect((await signIn({ scope: ['read:org'] })).groups).toEqual(['acme', 'acme/platform']);
    expect((await signIn({ scope: ['read:user'] })).groups).toEqual([]);
  });

  it('reads two pages of each at most, and keeps 200 names', async () => {
    server.github.orgs = Array.from({ length: 150 }, (_, i) => ({ login: `org${i}` }));
    server.github.teams = Array.from({ length: 500 }, (_, i) => ({ slug: `t${i}`, organization: { login: 'org0' } }));
    const { groups } = await signIn({ scope: ['read:org'] });
    expect(groups).toHaveLength(200);
    expect(groups.slice(149, 151)).toEqual(['org149', 'org0/t0']);
    expect(asked('GET /api/v3/user/orgs').map(({ query }) => query)).toEqual([
      '?per_page=100&page=1',
      '?per_page=100&page=2',
    ]);
    expect(asked('GET /api/v3/user/teams')).toHaveLength(2);
  });

  it('is none where somebody did not grant what groups need', async () => {
    server.github.granted = '';
    expect(await failed(finish({ scope: ['read:org'] }))).toMatchObject({
      reason: 'idp.github.scope_not_granted',
      transient: false,
    });
  });

  it.each<[string, (query: URLSearchParams) => void, string]>([
    ['another state', (query) => query.set('state', binding().state), 'idp.invalid.state'],
    ['no state', (query) => query.delete('state'), 'idp.invalid.state'],
    ['two states', (query) => query.append('state', 'x'), 'idp.invalid.state'],
    [
      'another state and an error',
      (query) => {
        query.set('state', 'x');
        query.set('error', 'access_denied');
      },
      'idp.invalid.state',
    ],
    ['no code', (query) => query.delete('code'), 'idp.invalid.code'],
    ['two codes', (query) => query.append('code', 'x'), 'idp.invalid.code'],
    ['a refusal', (query) => query.set('error', 'access_denied'), 'idp.answered.access_denied'],
  ])('with %s: no, and no request is made', async (_, change, reason) => {
    const ours = connect();
    const bound = binding();
    const query = server.authorize(await ours.start(bound, callbackUrl));
    change(query);
    expect(await failed(ours.finish(query, bound, callbackUrl))).toMatchObject({ reason, transient: false });
    expect(server.github.requests).toEqual([]);
  });

  it('with another verifier, with a code that was used: no, though the status is 200', async () => {
    const ours = connect();
    const bound = binding();
    const query = server.authorize(await ours.start(bound, callbackUrl));
    const wrong = { ...bound, codeVerifier: binding().codeVerifier };
    const refused = { reason: 'idp.token.bad_verification_code', transient: false };
    expect(await failed(ours.finish(query, wrong, callbackUrl))).toMatchObject(refused);
    expect(await failed(ours.finish(query, bound, callbackUrl))).toMatchObject(refused);
  });

  it('with a wrong secret: no', async () => {
    expect(await failed(finish({ clientSecret: 'typo' }))).toMatchObject({
      reason: 'idp.token.incorrect_client_credentials',
      transient: false,
    });
  });

  const token = (members: Readonly<Record<string, unknown>>) =>
    json({ access_token: 'gho_secret0token', token_type: 'bearer', scope: '', ...members });
  it.each<[string, string, Answer | 'silent', string, boolean]>([
    ['no access token', tokenRequest, token({ access_token: undefined }), 'idp.github.token.malformed', false],
    [
      'a token with a line break',
      tokenRequest,
      token({ access_token: 'gho_secret0token\r\nx: y' }),
      'idp.github.token.malformed',
      false,
    ],
    ['another kind of token', tokenRequest, token({ token_type: 'mac' }), 'idp.github.token.malformed', false],
    [
      'a refresh token that is a number',
      tokenRequest,
      token({ refresh_token: 1 }),
      'idp.github.token.malformed',
      false,
    ],
    ['an end that is no number', tokenRequest, token({ expires_in: 'soon' }), 'idp.github.token.malformed', false],
    [
      'a token request without JSON',
      tokenRequest,
      { status: 200, body: 'access_token=gho_secret0token' },
      'idp.github.token.malformed',
      false,
    ],
    [
      'a token endpoint that is not there',
      tokenRequest,
      { status: 404, body: '<html>' },
      'idp.github.token.status_404',
      false,
    ],
    [
      'a redirect',
      tokenRequest,
      { status: 302, body: '', headers: { location: '/x' } },
      'idp.github.token.status_302',
      false,
    ],
    ['an outage', tokenRequest, { status: 502, body: '<html>' }, 'idp.github.token.status_502', true],
    [
      'an outage with an error',
      tokenRequest,
      json({ error: 'bad_verification_code' }, 503),
      'idp.github.token.status_503',
      true,
    ],
    ['silence', tokenRequest, 'silent', 'idp.unreachable', true],
    [
      'an answer without end',
      userRequest,
      { status: 200, body: ' '.repeat(1024 * 1024 + 1) },
      'idp.response_too_large',
      false,
    ],
    ['an outage of the API', userRequest, { status: 500, body: '' }, 'idp.github.user.status_500', true],
    ['a refusal', userRequest, json({}, 403), 'idp.github.user.status_403', false],
    [
      'a limit',
      userRequest,
      { ...json({}, 403), headers: { 'x-ratelimit-remaining': '0' } },
      'idp.github.rate_limited',
      true,
    ],
    [
      'a secondary limit',
      userRequest,
      { ...json({}, 403), headers: { 'retry-after': '60' } },
      'idp.github.rate_limited',
      true,
    ],
    ['429', userRequest, json({}, 429), 'idp.github.rate_limited', true],
    ['401', userRequest, json({}, 401), 'idp.github.user.status_401', false],
    ['no JSON', userRequest, { status: 200, body: '{' }, 'idp.github.user.malformed', false],
    ['null', userRequest, json(null), 'idp.github.user.malformed', false],
    ['no id', userRequest, json({ login: 'octocat' }), 'idp.github.user.malformed', false],
    ['an id that is text', userRequest, json({ id: '583231' }), 'idp.github.user.malformed', false],
    [
      'an id beyond what a number holds',
      userRequest,
      { status: 200, body: '{"id":9007199254740993}' },
      'idp.github.user.malformed',
      false,
    ],
    ['an id of zero', userRequest, json({ id: 0 }), 'idp.github.user.malformed', false],
    ['half an id', userRequest, json({ id: 1.5 }), 'idp.github.user.malformed', false],
    ['groups that are no list', 'GET /api/v3/user/orgs', json({ login: 'acme' }), 'idp.github.groups.malformed', false],
    ['groups that are away', 'GET /api/v3/user/teams', { status: 503, body: '' }, 'idp.github.groups.status_503', true],
  ])('with %s: %s', async (_, what, answer, reason, transient) => {
    server.github.instead[what] = () => answer;
    const timeoutSeconds = answer === 'silent' ? 0.2 : 2;
    const result = await failureOf(finish({ scope: ['read:org'], timeoutSeconds }), ['gho_secret0token', ...secrets()]);
    expect(result).toEqual({ reason, transient, session: undefined });
  });
});

describe('a renewal', () => {
  it('asks for the person and their groups again', async () => {
    const ours = connect({ scope: ['read:org'] });
    server.github.orgs = [{ login: 'acme' }];
    const { session, identity } = await signIn({ scope: ['read:org'] });
    server.github.orgs = [];
    expect(await ours.renew(session, identity)).toMatchObject({ groups: [], session });
  });

  it('a token that was revoked is a definite no', async () => {
    const { session, identity } = await signIn();
    server.github.tokens.clear();
    expect(await failed(connect().renew(session, identity))).toEqual({
      reason: 'idp.renew.refused.unauthorized',
      transient: false,
      session: undefined,
    });
  });

  it('another person is a definite no', async () => {
    const { session, identity } = await signIn();
    server.github.user.id = 583232;
    expect(await failed(connect().renew(session, identity))).toMatchObject({
      reason: 'idp.renew.other_person',
      transient: false,
    });
  });

  it.each<[string, Answer | 'silent', string]>([
    ['an outage', { status: 503, body: '' }, 'idp.github.user.status_503'],
    ['a limit', { ...json({}, 403), headers: { 'x-ratelimit-remaining': '0' } }, 'idp.github.rate_limited'],
    ['a refusal that may be about anything', json({}, 403), 'idp.github.user.status_403'],
    ['not found', json({}, 404), 'idp.github.user.status_404'],
    ['garbage', { status: 200, body: '<html>' }, 'idp.github.user.malformed'],
    ['silence', 'silent', 'idp.unreachable'],
  ])('%s: nobody knows', async (_, answer, reason) => {
    const { session, identity } = await signIn();
    server.github.instead[userRequest] = () => answer;
    const ours = connect({ timeoutSeconds: answer === 'silent' ? 0.2 : 2 });
    expect(await failed(ours.renew(session, identity))).toEqual({ reason, transient: true, session: undefined });
  });

  it('takes no longer than twice the time of one answer, however many there are', async () => {
    const { session, identity } = await signIn({ scope: ['read:org'] });
    const slowly = async (answer: Answer) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return answer;
    };
    server.github.instead[userRequest] = () => slowly(json(server.github.user));
    server.github.instead['GET /api/v3/user/orgs'] = () => slowly(json([]));
    server.github.instead['GET /api/v3/user/teams'] = () => slowly(json([]));
    const ours = connect({ scope: ['read:org'], timeoutSeconds: 0.4 });
    expect(await failed(ours.renew(session, identity))).toMatchObject({ reason: 'idp.unreachable', transient: true });
  });

  it.each<[string, (issuer: string) => string, string]>([
    ['another GitHub’s', () => '{"issuer":"https://github.com","accessToken":"gho_x"}', 'other_issuer'],
    ['an OpenID provider’s', (issuer) => JSON.stringify({ issuer, refreshToken: 'x' }), 'unreadable'],
    ['no JSON', () => 'gho_x', 'unreadable'],
  ])('of a session that is %s: no request is made, and nobody knows', async (_, make, reason) => {
    const ours = connect();
    const text = make(server.issuer);
    const expected = { reason: `idp.session.${reason}`, transient: true };
    expect(await failureOf(ours.renew(text, { issuer: server.issuer, subject: '1' }), ['gho_x'])).toMatchObject(
      expected,
    );
    expect(await failureOf(ours.end(text), ['gho_x'])).toMatchObject(expected);
    expect(server.github.requests).toEqual([]);
  });
});

describe('tokens that expire (GitHub Apps)', () => {
  beforeEach(() => {
    server.github.expiresIn = 28_800;
  });

  it('are used while they last, and refreshed after', async () => {
    const ours = connect();
    const { session, identity } = await signIn();
    expect(JSON.parse(session)).toMatchObject({ refreshToken: expect.any(String), expiresAt: String(now + 28_800) });
    now += 28_739;
    const before = await ours.renew(session, identity);
    expect(before.session).toBe(session);
    expect(before.accessToken).toEqual({ token: JSON.parse(session).accessToken, expiresIn: 61 });
    // A minute before the end: whoever is given the token needs it for as long as a request takes.
    now += 1;
    const renewed = await ours.renew(session, identity);
    expect(renewed.session).not.toBe(session);
    expect(renewed.accessToken).toEqual({ token: JSON.parse(renewed.session).accessToken, expiresIn: 28_800 });
    expect(asked(tokenRequest)).toHaveLength(2);
    expect((await ours.renew(renewed.session, identity)).session).toBe(renewed.session);
  });

  it('are refreshed where GitHub’s clock is ahead of ours', async () => {
    const { session, identity } = await signIn();
    let first = true;
    server.github.instead[userRequest] = () => {
      const answer = first ? json({ message: 'Bad credentials' }, 401) : undefined;
      first = false;
      return answer;
    };
    expect((await connect().renew(session, identity)).session).not.toBe(session);
  });

  it('with a refresh token that is spent: a definite no', async () => {
    const { session, identity } = await signIn();
    server.github.tokens.clear();
    expect(await failed(connect().renew(session, identity))).toMatchObject({
      reason: 'idp.renew.refused.bad_refresh_token',
      transient: false,
    });
  });

  it('with a wrong secret of ours: nobody knows, and nothing is lost', async () => {
    const { session, identity } = await signIn();
    now += 28_800;
    expect(await failed(connect({ clientSecret: 'typo' }).renew(session, identity))).toEqual({
      reason: 'idp.renew.misconfigured.incorrect_client_credentials',
      transient: true,
      session: undefined,
    });
    expect(await connect().renew(session, identity)).toHaveProperty('session');
  });

  it('refreshed, and then the API is away: the new tokens come with the error', async () => {
    const ours = connect();
    const { session, identity } = await signIn();
    now += 28_800;
    server.github.instead[userRequest] = () => ({ status: 503, body: '' });
    const { session: next = '', ...failure } = await failed(ours.renew(session, identity));
    expect(failure).toEqual({ reason: 'idp.github.user.status_503', transient: true });
    delete server.github.instead[userRequest];
    expect(await failed(ours.renew(session, identity))).toMatchObject({
      reason: 'idp.renew.refused.bad_refresh_token',
    });
    expect(await ours.renew(next, identity)).toMatchObject({ groups: [], session: next });
  });

  it('are refreshed to be ended, for an expired one cannot be deleted', async () => {
    const ours = connect();
    const { session } = await signIn();
    now += 28_800;
    await ours.end(session);
    expect(server.github.tokens.size).toBe(0);
    await ours.end(session);
    expect(asked(deleteRequest)).toHaveLength(1);
  });
});

describe('the end', () => {
  it('deletes the token with our own credentials; twice is once', async () => {
    const ours = connect();
    const { session } = await signIn();
    await ours.end(session);
    expect(server.github.tokens.size).toBe(0);
    await ours.end(session);
  });

  it.each<[Answer | 'silent', string, boolean]>([
    [json({}, 401), 'idp.github.delete.status_401', false],
    [json({}, 422), 'idp.github.delete.status_422', false],
    [json({}, 429), 'idp.github.rate_limited', true],
    [{ status: 500, body: '' }, 'idp.github.delete.status_500', true],
    ['silent', 'idp.unreachable', true],
  ])('that GitHub answers with %j: %s', async (answer, reason, transient) => {
    const { session } = await signIn();
    server.github.instead[deleteRequest] = () => answer;
    const ours = connect({ timeoutSeconds: answer === 'silent' ? 0.2 : 2 });
    expect(await failed(ours.end(session))).toMatchObject({ reason, transient });
  });
});
