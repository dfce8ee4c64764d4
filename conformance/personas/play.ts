/**
 * Plays a persona against a server, as a black box over HTTP: discovery the way that client does it, registration or
 * metadata document, consent, sign-in, callback, tokens, MCP, refresh, step-up where it does that, and revocation.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { expect } from 'vitest';
import { walkThrough } from '../harness/person.ts';
import { type Discovered, discover, initialize, originOf, preflight, type ServerMetadata } from './discover.ts';
import type { Persona } from './persona.ts';
import { authenticated, claimsOf, type Identified, refusalOf, type Tokens, tokensOf } from './token-request.ts';
import type { SigningKey, Vendors } from './vendors.ts';
import type { World } from './world.ts';

/** Where the person is and what the persona has: one run. */
export interface Run {
  readonly persona: Persona;
  readonly world: World;
  readonly found: Discovered;
  readonly client: Identified;
  /** With its port. */
  readonly redirectUri: string;
  readonly key?: SigningKey;
}

export interface RunOptions {
  readonly redirectUri?: string;
  /** Where documents are served; left out, its document's own URL is its id, and nobody serves it. */
  readonly vendors?: Vendors;
  readonly key?: SigningKey;
}

/** The whole story. */
export async function play(persona: Persona, world: World, options: RunOptions = {}): Promise<void> {
  const run = await begin(persona, world, options);
  const first = await signIn(run);
  await useMcp(run, first);
  expect((await callTool(run, first, 'read_notes')).status).toBe(200);

  const second = await refresh(run, first);
  expect((await callTool(run, second, 'read_notes')).status).toBe(200);
  const held = persona.onInsufficientScope ? await reachBeyond(run, second) : second;
  await disconnect(run, held);
}

/** Discovery, and an identity at the server found. */
export async function begin(persona: Persona, world: World, options: RunOptions = {}): Promise<Run> {
  const port = String(randomInt(3335, 49_150)); // mcp-remote's range; the others take what is free
  const withPort = (uri: string) => uri.replace('{port}', port);
  const found = await discover(persona, world.mcp);
  const client = await identify(persona, found.server, withPort, options.vendors);
  const redirectUri = withPort(options.redirectUri ?? persona.redirectUris[0] ?? '');
  const key = options.key ?? options.vendors?.key;
  return { persona, world, found, client, redirectUri, ...(key && { key }) };
}

async function identify(
  { identity, discovery, tokenAuth }: Persona,
  server: ServerMetadata,
  withPort: (uri: string) => string,
  vendors: Vendors | undefined,
): Promise<Identified> {
  const { token_endpoint_auth_methods_supported: methods } = server;
  if (identity.by === 'document') {
    // Claude takes its document only where both are advertised, and ChatGPT its key only where that method is.
    expect(server.client_id_metadata_document_supported).toBe(true);
    expect(methods).toEqual(expect.arrayContaining(['none', 'private_key_jwt']));
    return { clientId: vendors ? vendors.publish(identity.document) : identity.document.client_id };
  }
  const body: Record<string, unknown> = {
    ...identity.body,
    redirect_uris: identity.body.redirect_uris.map(withPort),
  };
  await preflight(server.registration_endpoint, 'POST', ['content-type'], discovery);
  const response = await fetch(server.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...originOf(discovery) },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  expect(response.status, text).toBe(201);
  const registered = JSON.parse(text) as Record<string, unknown> & { client_id: string; client_secret?: string };
  expect(registered.redirect_uris).toEqual(body.redirect_uris);
  expect(registered.client_name).toBe(body.client_name);
  // RFC 7591 §3.2.1: what was registered is echoed; what the server does not have is left out and not refused.
  expect(registered.grant_types).toEqual(['authorization_code', 'refresh_token']);
  expect(registered.token_endpoint_auth_method).toBe(body.token_endpoint_auth_method ?? 'none');
  expect(registered.client_secret === undefined).toBe(tokenAuth === 'none');
  const { client_id: clientId, client_secret: clientSecret } = registered;
  return { clientId, ...(clientSecret !== undefined && { clientSecret }) };
}

/** The authorize URL of this client, and what it keeps for the way back. */
export function authorizeUrl(run: Run, stepUp?: string, changes: Readonly<Record<string, string>> = {}) {
  const { persona, found, client, redirectUri } = run;
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const scope = requestedScope(run, stepUp);
  const resource = resourceSent(run);
  const prompt = persona.prompt ?? (asksForRefresh(run) ? 'consent' : undefined);
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.clientId,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    redirect_uri: redirectUri,
    state,
    scope,
    ...(resource !== undefined && { resource }),
    ...(prompt !== undefined && { prompt }),
    ...changes,
  });
  return { url: `${found.server.authorization_endpoint}?${query}`, verifier, state };
}

function asksForRefresh({ persona, found }: Run): boolean {
  return persona.asksForRefresh === true && found.server.scopes_supported.includes('offline_access');
}

function requestedScope(run: Run, stepUp?: string): string {
  const { persona, found } = run;
  const scope = stepUp ?? (persona.scope === 'challenge' ? found.challengeScope : persona.scope.sent);
  return asksForRefresh(run) ? `${scope} offline_access` : scope;
}

/** As this client writes it. */
function resourceSent({ persona, found }: Run): string | undefined {
  switch (persona.resource) {
    case 'absent':
      return undefined;
    case 'href':
      return new URL(found.resource).href;
    case 'upper-case-host':
      return found.resource.replace(/^[a-z]+:\/\/[^/]+/, (start) => start.toUpperCase());
    case 'listed':
      return found.resource;
  }
}

/** Through the pages to the first tokens. `stepUp` is the scope of a 403. */
export async function signIn(run: Run, stepUp?: string): Promise<Tokens> {
  const asked = authorizeUrl(run, stepUp);
  const { callback } = await walk(run, asked.url);
  const code = checkCallback(run, callback, asked.state);
  const response = await redeem(run, code, asked.verifier);
  const tokens = await tokensOf(response, stepUp ?? 'read');
  expect(claimsOf(tokens.access_token)).toMatchObject({
    iss: run.found.server.issuer,
    aud: run.found.resource,
    client_id: run.client.clientId,
    scope: stepUp ?? 'read',
  });
  return tokens;
}

/** The person's way: the consent page says who asks and where the answer goes, then the pool's own sign-in. */
export async function walk(run: Run, url: string, decision: 'allow' | 'deny' = 'allow') {
  const { world, persona, redirectUri } = run;
  const journey = await walkThrough(url, world.pages, { ...world.person, decision });
  const [consent = ''] = journey.pages;
  const { identity } = persona;
  const name = identity.by === 'document' ? identity.document.client_name : identity.body.client_name;
  expect(consent).toContain(`<bdi>${name}</bdi> wants to use Notes`);
  const { protocol, host } = new URL(redirectUri);
  expect(consent).toContain(`<dd>${protocol.startsWith('http') ? '' : `${protocol}//`}${host}</dd>`);
  return journey;
}

/** What a client checks on the way back: it is its own redirect URI, its own `state`, and the issuer it asked. */
export function checkCallback({ persona, found, redirectUri }: Run, callback: URL, state: string): string {
  expect(callback.href.split('?')[0]).toBe(redirectUri);
  expect(callback.searchParams.get('error')).toBeNull();
  expect(callback.searchParams.getAll('state')).toEqual([state]);
  const iss = callback.searchParams.get('iss');
  // RFC 9207 §2.4: needed where it is advertised, and compared whenever it is there.
  if (persona.needsIss || found.server.authorization_response_iss_parameter_supported) expect(iss).not.toBeNull();
  if (iss !== null) expect(iss).toBe(found.server.issuer);
  return callback.searchParams.get('code') ?? '';
}

export async function redeem(
  run: Run,
  code: string,
  verifier: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<Response> {
  return tokenRequest(run, {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: run.redirectUri,
    ...changes,
  });
}

/** One refresh request, unchecked. */
export async function refreshRequest(run: Run, refreshToken: string): Promise<Response> {
  return tokenRequest(run, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

async function tokenRequest(run: Run, fields: Readonly<Record<string, string | undefined>>): Promise<Response> {
  const { persona, found, client, key } = run;
  const { server } = found;
  const { tokenAuth, discovery } = persona;
  const scope = persona.repeatsScope ? requestedScope(run) : undefined;
  const all = { resource: resourceSent(run), scope, ...fields };
  // A form is a simple request to a browser; credentials in a header are not.
  if (tokenAuth.startsWith('basic')) await preflight(server.token_endpoint, 'POST', ['authorization'], discovery);
  const as = { tokenAuth, client, ...(key && { key }) };
  return authenticated(server.token_endpoint, all, server, as, originOf(discovery));
}

async function refresh(run: Run, before: Tokens): Promise<Tokens> {
  const after = await tokensOf(await refreshRequest(run, before.refresh_token), before.scope);
  expect(after.refresh_token).not.toBe(before.refresh_token);
  expect(after.access_token).not.toBe(before.access_token);
  return after;
}

/** The first calls of a session: `initialize`, the list of tools, and the stream of those that open one. */
async function useMcp(run: Run, tokens: Tokens): Promise<void> {
  const { persona, world } = run;
  const initialized = await message(run, tokens, initialize);
  expect(initialized.status).toBe(200);
  expect(await initialized.text()).toContain('"serverInfo"');
  if (persona.opensStream === 'after-initialize') {
    const stream = await fetch(world.mcp, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${tokens.access_token}` },
    });
    // No stream here, which it takes for an answer; a 401 would make it sign in again.
    expect(stream.status).toBe(405);
    await stream.body?.cancel();
  }
  const listed = await message(run, tokens, { jsonrpc: '2.0', id: 2, method: 'tools/list' });
  expect(listed.status).toBe(200);
  expect(await listed.text()).toContain('write_notes');
}

export async function callTool(run: Run, tokens: Tokens, name: string): Promise<Response> {
  const response = await message(run, tokens, { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name } });
  await response.clone().text();
  return response;
}

async function message({ world, persona }: Run, tokens: Tokens, body: unknown): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${tokens.access_token}`,
    'mcp-protocol-version': '2025-06-18',
  };
  await preflight(world.mcp, 'POST', Object.keys(headers), persona.discovery);
  return fetch(world.mcp, {
    method: 'POST',
    headers: { ...headers, ...originOf(persona.discovery) },
    body: JSON.stringify(body),
  });
}

/** A tool that needs more than was granted: 403 with everything to ask for, and what this client makes of it. */
async function reachBeyond(run: Run, tokens: Tokens): Promise<Tokens> {
  const denied = await callTool(run, tokens, 'write_notes');
  expect(denied.status).toBe(403);
  const header = denied.headers.get('www-authenticate') ?? '';
  expect(header).toContain('error="insufficient_scope"');
  const union = /\bscope="([^"]*)"/.exec(header)?.[1];
  expect(union).toBe('read write');
  if (run.persona.onInsufficientScope === 'refreshes') {
    // To no avail, and no harm: what it holds afterwards is as good as before.
    const same = await refresh(run, tokens);
    expect((await callTool(run, same, 'write_notes')).status).toBe(403);
    return same;
  }
  const wider = await signIn(run, union);
  expect((await callTool(run, wider, 'write_notes')).status).toBe(200);
  return wider;
}

/** None is recorded to revoke, and any may (RFC 7009): a person who disconnects is out at once, and a client learns it. */
async function disconnect(run: Run, tokens: Tokens): Promise<void> {
  const { persona, found, client, key } = run;
  const { tokenAuth, discovery } = persona;
  const response = await authenticated(
    found.server.revocation_endpoint,
    { token: tokens.refresh_token, token_type_hint: 'refresh_token' },
    found.server,
    { tokenAuth, client, ...(key && { key }) },
    originOf(discovery),
  );
  expect(response.status, await response.text()).toBe(200);
  expect((await callTool(run, tokens, 'read_notes')).status).toBe(401);
  expect(await refusalOf(await refreshRequest(run, tokens.refresh_token))).toEqual([400, 'invalid_grant']);
}
