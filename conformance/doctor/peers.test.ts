/** The doctor at servers that nobody here wrote: what it finds is what is so, and each of it is looked at here a second way. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { startEverything } from '../public-servers/protect.ts';
import { clientsThat, doctor, found, type Peer, startPeer } from './peer.ts';

let peer: Peer | undefined;
afterEach(async () => {
  await peer?.stop();
  peer = undefined;
});

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function register(endpoint: string, redirectUris: readonly string[]) {
  const body = JSON.stringify({ redirect_uris: redirectUris, token_endpoint_auth_method: 'none' });
  const response = await fetch(endpoint, { method: 'POST', headers: json, body });
  return { status: response.status, answer: (await response.json()) as Readonly<Record<string, unknown>> };
}

/** An authorization request as no client sends it: without PKCE. */
function withoutPkce(endpoint: string, clientId: unknown, redirectUri: string): Promise<Response> {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: String(clientId),
    redirect_uri: redirectUri,
    state: 'the-state',
  });
  return fetch(`${endpoint}?${query}`, { redirect: 'manual' });
}

const loopback = 'http://127.0.0.1:33418/callback';

/** The whole way as a client goes it, where nobody is asked: to the answer to `initialize`. */
async function signedIn(url: string): Promise<Response> {
  const { origin } = new URL(url);
  const { answer } = await register(`${origin}/register`, [loopback]);
  const verifier = 'a-verifier-of-forty-three-characters-or-more';
  const common = { client_id: String(answer.client_id), redirect_uri: loopback, resource: url };
  const query = new URLSearchParams({
    ...common,
    response_type: 'code',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'mcp:tools',
  });
  const back = await fetch(`${origin}/authorize?${query}`, { redirect: 'manual' });
  const code = new URL(back.headers.get('location') ?? '').searchParams.get('code') ?? '';
  const form = { ...common, grant_type: 'authorization_code', code, code_verifier: verifier };
  const token = await fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) });
  const { access_token: accessToken } = (await token.json()) as { readonly access_token?: string };
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'client', version: '1' } };
  return fetch(url, {
    method: 'POST',
    headers: { ...json, authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
}

it('fastmcp with its OAuth proxy', async () => {
  peer = await startPeer('fastmcp');
  const report = await doctor(peer.url);
  expect(report.code).toBe(0);
  expect(report.unfinished).toEqual([]);
  expect(found(report, 'fault', 'warning')).toEqual([
    'authorize.fixed-port',
    'authorize.framable',
    'authorize.pkce-optional',
    'browser.challenge-hidden',
    'registration.cursor',
    'registration.hosted',
    'registration.secret',
    'resource.parent',
    'server.no-iss',
    'server.no-public-clients',
  ]);
  expect(found(report, 'note')).toEqual(
    expect.arrayContaining(['server.pkce-plain', 'server.only-oauth', 'authorize.resource-ignored']),
  );
  expect(clientsThat(report, 'fails')).toEqual(['claude', 'cursor', 'gemini-cli']);
  expect(clientsThat(report, 'partly')).toEqual(['claude-code', 'vscode']);
  expect(clientsThat(report, 'works')).toEqual(
    expect.arrayContaining(['sdk-v1', 'sdk-v2', 'mcp-remote', 'inspector', 'python-sdk']),
  );

  const { origin } = new URL(peer.url);
  const described = (await (await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).json()) as object;
  expect(described).toMatchObject({ resource: origin });
  const first = await register(`${origin}/oauth/register`, [loopback]);
  expect(first.answer.client_secret).toBeTypeOf('string');
  expect((await register(`${origin}/oauth/register`, ['https://claude.ai/api/mcp/auth_callback'])).status).toBe(400);
  const page = await withoutPkce(`${origin}/oauth/authorize`, first.answer.client_id, loopback);
  expect([page.status, page.headers.get('x-frame-options'), page.headers.get('content-security-policy')]).toEqual([
    200,
    null,
    null,
  ]);
  const other = loopback.replace('33418', '50505');
  expect((await withoutPkce(`${origin}/oauth/authorize`, first.answer.client_id, other)).status).toBe(400);
});

describe('the SDK v1’s own authorization server', () => {
  it('with the provider of its examples lets anybody sign in, and fails on what is wrong', async () => {
    peer = await startPeer('sdk-v1', 'example');
    const report = await doctor(peer.url);
    expect(report.code).toBe(3);
    expect(found(report, 'fault')).toEqual(
      expect.arrayContaining(['authorize.no-sign-in', 'challenge.wrong-token-status', 'token.server-error']),
    );
    // What lets anybody in lets clients in.
    expect(clientsThat(report, 'fails')).toEqual([]);
    expect((await signedIn(peer.url)).status).toBe(200);

    const wrong = await fetch(peer.url, {
      method: 'POST',
      headers: { ...json, authorization: 'Bearer x' },
      body: '{}',
    });
    expect(wrong.status).toBe(500);
  });

  it('with a provider that asks and refuses', async () => {
    peer = await startPeer('sdk-v1');
    const report = await doctor(peer.url);
    expect(report.code).toBe(report.faults > 0 ? 3 : 0);
    expect(found(report, 'fault', 'warning')).toEqual([
      'authorize.state-in-errors',
      'browser.preflight-guarded',
      'server.no-iss',
      'token.cacheable',
    ]);
    expect(clientsThat(report, 'fails')).toEqual([]);
    expect(clientsThat(report, 'partly')).toEqual(['inspector']);

    const { origin } = new URL(peer.url);
    const { answer } = await register(`${origin}/register`, [loopback]);
    const refused = await withoutPkce(`${origin}/authorize`, answer.client_id, loopback);
    const back = new URL(refused.headers.get('location') ?? '');
    expect([back.searchParams.get('error'), back.searchParams.get('state')]).toEqual(['invalid_request', null]);
    const token = await fetch(`${origin}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x', client_id: 'nobody' }),
    });
    expect(token.headers.get('cache-control')).toBeNull();
    expect((await fetch(peer.url, { method: 'OPTIONS', headers: { origin: 'http://localhost:6274' } })).status).toBe(
      401,
    );
  });
});

it('a server on the SDK v1 behind oidc-provider', async () => {
  peer = await startPeer('oidc-provider');
  const report = await doctor(peer.url);
  expect(report.code).toBe(0);
  expect(found(report, 'fault', 'warning')).toEqual(['browser.preflight-guarded', 'registration.cursor']);
  expect(found(report, 'note')).toEqual([
    'address.not-public',
    'challenge.error-without-token',
    'resource.root-missing',
    'server.no-documents',
  ]);
  expect(clientsThat(report, 'fails')).toEqual(['cursor']);

  const issuer = new URL(peer.url);
  issuer.port = String(Number(issuer.port) + 1);
  const uris = ['cursor://anysphere.cursor-mcp/oauth/callback', 'http://localhost:8787/callback'];
  expect((await register(new URL('/reg', issuer).href, uris)).answer.error).toBe('invalid_redirect_uri');
});

it('Cloudflare’s workers-oauth-provider', async () => {
  peer = await startPeer('workers-oauth-provider');
  const report = await doctor(peer.url);
  expect(report.code).toBe(0);
  expect(found(report, 'fault', 'warning')).toEqual([]);
  expect(found(report, 'note')).toEqual([
    'address.not-public',
    'challenge.no-scope',
    'challenge.silent-body',
    'resource.no-scopes',
    'resource.root-missing',
    'server.no-documents',
    'server.no-offline-access',
    'server.only-oauth',
  ]);
  expect(clientsThat(report, 'unknown')).toEqual(['chatgpt', 'claude']);
  expect(clientsThat(report, 'works')).toHaveLength(report.clients.length - 2);

  const refused = await fetch(peer.url, { method: 'POST', headers: json, body: '{}' });
  expect([refused.status, await refused.text()]).toEqual([401, '']);
  expect(refused.headers.get('www-authenticate')).not.toContain('scope=');
});

it('server-everything, which has no sign-in', async () => {
  const everything = await startEverything('streamableHttp');
  try {
    const report = await doctor(everything.url);
    expect(report.code).toBe(0);
    expect(found(report)).toEqual(['address.not-public', 'challenge.open', 'session.only-legacy']);
    expect(clientsThat(report, 'unknown')).toEqual(['chatgpt', 'claude']);
    expect(clientsThat(report, 'works')).toHaveLength(report.clients.length - 2);
  } finally {
    await everything.stop();
  }
});
