/** The authorization endpoint: who is shown a page, who is sent back, what is dropped, and that nothing is stored. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  authorized,
  authorizePath,
  consented,
  type Harness,
  issuer,
  pkce,
  redirectUri,
  refusal,
  registerClient,
  request,
  resource,
  startHarness,
} from '../harness.ts';

const { challenge } = pkce();
const remote = 'https://app.example/cb';
let harness: Harness;
let local: string;
let web: string;

beforeEach(async () => {
  harness = startHarness();
  local = (await registerClient(harness)).client_id;
  web = (await registerClient(harness, { redirect_uris: [remote] })).client_id;
});

const get = (path: string, on = harness) => on.server.handle(request(path));
type Changes = Readonly<Record<string, string | undefined>>;

/** What the consent that follows would grant. */
async function asked(changes: Changes, on = harness, client = local) {
  await consented(on, client, challenge, changes);
  const { items } = await on.records.list('authorizationRequest');
  return items[0]?.value;
}

describe('until client and redirect URI are known good, a page and no redirect', () => {
  it.each<[string, Changes, string, string]>([
    ['no client', { client_id: undefined }, 'invalid_request', 'authorize.client_missing'],
    ['an empty client', { client_id: '' }, 'invalid_request', 'authorize.client_missing'],
    ['an unknown client', { client_id: 'nobody' }, 'invalid_client', 'authorize.client_unknown'],
    ['a URL as client', { client_id: 'https://app.example/client.json' }, 'invalid_client', 'authorize.client_unknown'],
    [
      'a made-up id of ours',
      { client_id: `dcr_k1.${'A'.repeat(40)}.${'A'.repeat(43)}` },
      'invalid_client',
      'authorize.client_unknown',
    ],
    [
      'an id of 4,000 characters',
      { client_id: `dcr_k1.${'A'.repeat(3950)}.${'A'.repeat(43)}` },
      'invalid_client',
      'authorize.client_unknown',
    ],
    [
      'another redirect URI',
      { redirect_uri: 'https://evil.example/cb' },
      'invalid_request',
      'authorize.redirect_uri_unregistered',
    ],
    ['another path', { redirect_uri: `${redirectUri}/x` }, 'invalid_request', 'authorize.redirect_uri_unregistered'],
    [
      'another loopback host',
      { redirect_uri: 'http://localhost:7777/callback' },
      'invalid_request',
      'authorize.redirect_uri_unregistered',
    ],
    [
      'userinfo',
      { redirect_uri: 'http://127.0.0.1:7777@evil.example/callback' },
      'invalid_request',
      'authorize.redirect_uri_unregistered',
    ],
    [
      'a script',
      { redirect_uri: 'javascript:alert(document.domain)' },
      'invalid_request',
      'authorize.redirect_uri_unregistered',
    ],
    [
      'a wrong URI and wrong rest',
      { redirect_uri: 'https://evil.example', response_type: 'token' },
      'invalid_request',
      'authorize.redirect_uri_unregistered',
    ],
  ])('%s', async (_, changes, code, reason) => {
    const reply = await get(authorizePath(local, challenge, changes));
    expect(refusal(harness, reply)).toEqual([400, code, reason]);
    expect(reply?.headers).not.toHaveProperty('location');
    expect(reply?.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply?.body).not.toContain('<a ');
    expect(reply?.body).not.toMatch(/evil|alert/);
  });

  it.each([
    ['a repeated client', '&client_id=a', 'invalid_request', 'parameters.repeated'],
    ['a repeated redirect URI', '&redirect_uri=https://evil.example', 'invalid_request', 'parameters.repeated'],
    ['a repeated state', '&state=b', 'invalid_request', 'parameters.repeated'],
    ['two resources', '&resource=https://evil.example', 'invalid_target', 'resource.several'],
    ['bad UTF-8', '&x=%ff', 'invalid_request', 'parameters.encoding'],
    ['10,000 characters', `&x=${'y'.repeat(10_000)}`, 'invalid_request', 'parameters.too_long'],
    ['too many', '&a=1'.repeat(80), 'invalid_request', 'parameters.too_many'],
  ])('%s', async (_, more, code, reason) => {
    const reply = await get(authorizePath(local, challenge) + more);
    expect(refusal(harness, reply)).toEqual([400, code, reason]);
    expect(reply?.headers).not.toHaveProperty('location');
  });

  it('no redirect URI where there are several', async () => {
    const client = await registerClient(harness, { redirect_uris: [redirectUri, remote] });
    const reply = await get(authorizePath(client.client_id, challenge, { redirect_uri: undefined }));
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'authorize.redirect_uri_missing']);
  });
});

const wrong: ReadonlyArray<[string, Changes, string, string]> = [
  ['no response type', { response_type: undefined }, 'invalid_request', 'authorize.response_type'],
  ['the implicit flow', { response_type: 'token' }, 'unsupported_response_type', 'authorize.response_type'],
  ['the hybrid flow', { response_type: 'code id_token' }, 'unsupported_response_type', 'authorize.response_type'],
  ['another response mode', { response_mode: 'fragment' }, 'invalid_request', 'authorize.response_mode'],
  ['a state that is not ASCII (RFC 6749 appendix A.5)', { state: 'é' }, 'invalid_request', 'authorize.state'],
  ['a state with a line feed', { state: 'a\nb' }, 'invalid_request', 'authorize.state'],
  ['a state with NUL', { state: '\u0000' }, 'invalid_request', 'authorize.state'],
  ['no challenge', { code_challenge: undefined }, 'invalid_request', 'authorize.challenge_missing'],
  ['an empty challenge', { code_challenge: '' }, 'invalid_request', 'authorize.challenge_missing'],
  [
    'no challenge and no method',
    { code_challenge: undefined, code_challenge_method: undefined },
    'invalid_request',
    'authorize.challenge_missing',
  ],
  ['plain', { code_challenge_method: 'plain' }, 'invalid_request', 'authorize.challenge_method'],
  [
    'no method, which means plain',
    { code_challenge_method: undefined },
    'invalid_request',
    'authorize.challenge_method',
  ],
  ['a method in small letters', { code_challenge_method: 's256' }, 'invalid_request', 'authorize.challenge_method'],
  [
    'a challenge that is too short',
    { code_challenge: challenge.slice(1) },
    'invalid_request',
    'authorize.challenge_form',
  ],
  ['a challenge with padding', { code_challenge: `${challenge}=` }, 'invalid_request', 'authorize.challenge_form'],
  ['another resource', { resource: 'https://evil.example/mcp' }, 'invalid_target', 'authorize.resource_unknown'],
  [
    'a resource with a slash after its path',
    { resource: `${resource}/` },
    'invalid_target',
    'authorize.resource_unknown',
  ],
  ['the issuer as resource', { resource: issuer }, 'invalid_target', 'authorize.resource_unknown'],
  ['a resource with a fragment', { resource: `${resource}#x` }, 'invalid_target', 'authorize.resource_unknown'],
];

describe('after that: straight back to the person’s own computer', () => {
  it.each(wrong)('%s', async (_, changes, code, reason) => {
    const reply = await get(authorizePath(local, challenge, changes));
    expect(refusal(harness, reply)).toEqual([303, code, reason]);
    const back = new URL(String(reply?.headers.location));
    expect(back.origin + back.pathname).toBe(redirectUri);
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: code,
      error_description: expect.any(String),
      state: changes.state ?? 'client-state',
      iss: issuer,
    });
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  });

  it('with the port of this time, and without a state where none came', async () => {
    const changes = { redirect_uri: 'http://127.0.0.1:50123/callback', response_type: 'x', state: undefined };
    const reply = await get(authorizePath(local, challenge, changes));
    const back = new URL(String(reply?.headers.location));
    expect(back.port).toBe('50123');
    expect(back.searchParams.has('state')).toBe(false);
  });
});

describe('and to others only by the person’s own click (RFC 9700 §4.11.2)', () => {
  it.each(wrong)('%s', async (_, changes, code, reason) => {
    const reply = await get(authorizePath(web, challenge, { redirect_uri: remote, ...changes }));
    expect(refusal(harness, reply)).toEqual([400, code, reason]);
    expect(reply?.headers).not.toHaveProperty('location');
    const [, href = '', text] = /<a [^>]*href="([^"]*)"[^>]*>([^<]*)</.exec(reply?.body ?? '') ?? [];
    expect(text).toBe('Return to app.example');
    const back = new URL(href.replaceAll('&#38;', '&'));
    expect(back.origin + back.pathname).toBe(remote);
    expect(Object.fromEntries(back.searchParams)).toMatchObject({
      error: code,
      state: changes.state ?? 'client-state',
      iss: issuer,
    });
  });
});

describe('nothing is stored before consent', () => {
  it('however often it is asked', async () => {
    for (let i = 0; i < 200; i++) {
      await get(authorizePath(local, challenge, { state: `s${i}` }));
      await get(authorizePath(local, challenge, { response_type: 'token' }));
      await get(authorizePath('nobody', challenge));
    }
    expect(harness.records.calls).toEqual([]);
    expect(await harness.records.dump()).toBe('[]');
    expect(harness.identityProvider.started).toEqual([]);
  });

  it('and the page comes although the database is away', async () => {
    harness.records.interfere = () => 'away';
    expect((await get(authorizePath(local, challenge)))?.status).toBe(200);
  });
});

describe('what real clients send', () => {
  it.each<[string, Changes, readonly string[]]>([
    ['both scopes', {}, ['read', 'write']],
    ['one', { scope: 'write' }, ['write']],
    ['none: the default', { scope: undefined }, ['read']],
    ['an empty one: the default', { scope: '' }, ['read']],
    ['unknown ones beside', { scope: 'read mcp offline_access' }, ['read']],
    ['mcp-remote', { scope: 'openid email profile' }, ['read']],
    ['Claude', { scope: ' offline_access' }, ['read']],
    ['spaces everywhere', { scope: '  write   read ' }, ['read', 'write']],
    ['impossible characters', { scope: 'read "write" \\' }, ['read']],
  ])('scope: %s', async (_, changes, scope) => {
    expect((await asked(changes))?.scope).toEqual(scope);
  });

  it.each<[string, Changes]>([
    ['itself', {}],
    ['nothing, where there is one resource', { resource: undefined }],
    ['a scheme and host in capitals', { resource: 'HTTPS://AUTH.example/mcp' }],
  ])('resource: %s', async (_, changes) => {
    expect((await asked(changes))?.resource).toBe(resource);
  });

  it('resource: the same one twice', async () => {
    const reply = await get(`${authorizePath(local, challenge)}&resource=${encodeURIComponent(resource)}`);
    expect(reply?.status).toBe(200);
  });

  it('resource: a trailing slash on an origin, as the MCP SDK sends it', async () => {
    const on = startHarness({ resources: [{ uri: 'https://tools.example', scopes: { read: 'read' } }] });
    const client = await registerClient(on);
    const request = await asked({ resource: 'https://tools.example/' }, on, client.client_id);
    expect(request?.resource).toBe('https://tools.example');
  });

  it('resource: nothing, where there are two', async () => {
    const scopes = { read: 'read' };
    const on = startHarness({
      resources: [
        { uri: resource, scopes },
        { uri: `${resource}2`, scopes },
      ],
    });
    const client = await registerClient(on);
    const reply = await get(authorizePath(client.client_id, challenge, { resource: undefined }), on);
    expect(refusal(on, reply)).toEqual([303, 'invalid_target', 'authorize.resource_missing']);
    expect((await asked({ resource: `${resource}2`, scope: '' }, on, client.client_id))?.resource).toBe(`${resource}2`);
  });

  it('parameters nobody knows, and ones we do not act on', async () => {
    const changes = {
      prompt: 'consent',
      nonce: 'n',
      display: 'page',
      login_hint: 'a@b.example',
      request_uri: 'https://x.example',
      response_mode: 'query',
    };
    expect((await get(authorizePath(local, challenge, changes)))?.status).toBe(200);
  });

  it.each([
    ['http://127.0.0.1/callback', 'http://127.0.0.1:49152/callback'],
    ['http://localhost/callback', 'http://localhost:3118/callback'],
    ['http://[::1]/callback', 'http://[::1]:3118/callback'],
  ])('a loopback client registered as %s that listens on %s', async (registered, presented) => {
    const client = await registerClient(harness, { redirect_uris: [registered] });
    expect((await asked({ redirect_uri: presented }, harness, client.client_id))?.redirectUri).toBe(presented);
  });

  it('no redirect URI where there is one', async () => {
    expect((await asked({ redirect_uri: undefined }))?.redirectUri).toBe(redirectUri);
  });

  it.each(['', undefined])('a state of %j is no state', async (state) => {
    expect(await asked({ state })).not.toHaveProperty('sealedState');
    const back = await authorized(harness, local, challenge, { state });
    expect(back.searchParams.has('state')).toBe(false);
  });

  it.each([`x'"><script>&\\`, 'a b+c%20', '0', 'x'.repeat(4096)])('the state comes back as it was', async (state) => {
    expect((await authorized(harness, local, challenge, { state })).searchParams.get('state')).toBe(state);
  });
});
