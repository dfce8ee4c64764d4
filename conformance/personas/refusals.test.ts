/** The variants of each persona that must be refused, beside what it may: nobody becomes a client by looking like one. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { persona } from './cast.ts';
import type { Persona } from './persona.ts';
import { authorizeUrl, begin, checkCallback, play, type Run, redeem, refreshRequest, signIn, walk } from './play.ts';
import { authenticated, clientAssertion, refusalOf } from './token-request.ts';
import { nobodyReached, startVendors, type Vendors } from './vendors.ts';
import { startWorld, type World } from './world.ts';

let vendors: Vendors;
let world: World;
const started: World[] = [];
async function another(options: Parameters<typeof startWorld>[0]): Promise<World> {
  const one = await startWorld(options);
  started.push(one);
  return one;
}

beforeAll(async () => {
  vendors = await startVendors();
  world = await another({ options: { metadataDocuments: vendors.reached } });
});
afterAll(async () => {
  await Promise.all(started.map((one) => one.close()));
  await vendors?.close();
});

/** A page that says no, without a way to anywhere. */
async function refusedOnPage(url: string, status = 400): Promise<string> {
  const response = await fetch(url, { redirect: 'manual' });
  expect(response.status).toBe(status);
  expect(response.headers.get('location')).toBeNull();
  const page = await response.text();
  expect(page).not.toContain('<form');
  return page;
}

const lastReason = () => world.events.findLast(({ reason }) => reason !== undefined)?.reason;

function registered(body: Readonly<Record<string, unknown>>, at: World = world): Promise<Response> {
  return fetch(`${at.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** A code for this run, and what it is redeemed with. */
async function codeFor(run: Run) {
  const { url, state, verifier } = authorizeUrl(run);
  const { callback } = await walk(run, url);
  return { code: checkCallback(run, callback, state), verifier };
}

describe('redirect URIs: the port is forgiven on loopback, and nothing else', () => {
  it.each<[string, string]>([
    ['Claude Code', 'http://localhost:50123/other'],
    ['Claude Code', 'http://localhost:50123/callback/'],
    ['Claude Code', 'http://localhost:50123/callback?next=1'],
    ['Claude Code', 'http://LOCALHOST:50123/callback'],
    ['Claude Code', 'http://localhost.evil.example:50123/callback'],
    ['Claude Code', 'http://localhost@evil.example/callback'],
    ['Claude Code', 'https://localhost:50123/callback'],
    ['Claude Code', 'http://[::1]:50123/callback'],
    ['Zed', 'http://localhost:50123/callback'],
    ['Codex', 'http://127.0.0.2:50123/callback'],
    ['opencode', 'http://127.0.0.1:50123/'],
    ['VS Code', 'http://127.0.0.1:33418'],
    ['VS Code', 'http://localhost:33418/'],
    ['VS Code', 'https://vscode.dev/redirect?to=https://evil.example'],
    ['Gemini CLI', 'http://localhost:50123/oauth/callback/../../evil'],
    ['Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback2'],
    ['Cursor', 'cursor://evil/oauth/callback'],
    ['Cursor', 'https://www.cursor.com:444/agents/mcp/oauth/callback'],
    ['Claude.ai and Claude Desktop', 'https://claude.ai:444/api/mcp/auth_callback'],
    ['Claude.ai and Claude Desktop', 'https://claude.com/api/mcp/auth_callback'],
    ['ChatGPT with its key', 'https://chatgpt.com/connector/oauth/Kd83hT_2x'],
    ['ChatGPT, one connector', 'https://chatgpt.com/connector/oauth/somebody-else'],
    ['Grok', 'https://grok.com/connectors-oauth-exchange-code'],
    ['Antigravity', 'https://antigravity.google/oauth-callback#x'],
    ['Copilot', 'https://teams.microsoft.com/api/platform/v1.0/oauthredirect'],
  ])('%s does not answer at %s', async (name, redirectUri) => {
    const run = await begin(persona(name), world, { vendors });
    await refusedOnPage(authorizeUrl(run, undefined, { redirect_uri: redirectUri }).url);
    expect(lastReason()).toBe('authorize.redirect_uri_unregistered');
  });
});

describe('Cursor’s scheme', () => {
  const { identity } = persona('Cursor');
  const body = identity.by === 'registration' ? identity.body : { redirect_uris: [] };

  it('is refused where the operator does not allow it, with the two other redirect URIs good', async () => {
    const strict = await another({ options: { privateUseSchemes: [] } });
    expect(await refusalOf(await registered(body, strict))).toEqual([400, 'invalid_redirect_uri']);
    const rest = { ...body, redirect_uris: body.redirect_uris.slice(1) };
    expect((await registered(rest, strict)).status).toBe(201);
  });

  it('never is javascript and the like, allowed or not', async () => {
    const schemes = ['javascript', 'data', 'vbscript', 'file', 'blob', 'about'];
    const lax = await another({ options: { privateUseSchemes: ['cursor', ...schemes] } });
    for (const scheme of schemes) {
      const redirect_uris = [...body.redirect_uris, `${scheme}:alert(1)//oauth/callback`];
      expect(await refusalOf(await registered({ ...body, redirect_uris }, lax)), scheme).toEqual([
        400,
        'invalid_redirect_uri',
      ]);
    }
  });
});

describe('ChatGPT’s key', () => {
  const chatgpt = persona('ChatGPT with its key');

  it('is its own: another under the same kid is nobody, and the code stays good', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const run = await begin(chatgpt, world, { vendors });
    const { code, verifier } = await codeFor(run);
    const forged = { ...run, key: { kid: vendors.key.kid, privateKey } };
    expect(await refusalOf(await redeem(forged, code, verifier))).toEqual([401, 'invalid_client']);
    expect(lastReason()).toBe('client.assertion_signature');
    expect((await redeem(run, code, verifier)).status).toBe(200);
  });

  it('under a kid that its set does not hold is nobody', async () => {
    const run = await begin(chatgpt, world, { vendors, key: { ...vendors.key, kid: 'chatgpt-2' } });
    const { code, verifier } = await codeFor(run);
    expect(await refusalOf(await redeem(run, code, verifier))).toEqual([401, 'invalid_client']);
    expect(lastReason()).toBe('client.assertion_signature');
  });

  it.each<[string, (issuer: string) => string]>([
    ['the token endpoint', (issuer) => `${issuer}/token`],
    ['the issuer with a slash', (issuer) => `${issuer}/`],
  ])('signs for the issuer, byte for byte: not for %s', async (_, audience) => {
    const run = await begin(chatgpt, world, { vendors });
    const { code, verifier } = await codeFor(run);
    const { server } = run.found;
    const elsewhere = { ...run, found: { ...run.found, server: { ...server, issuer: audience(server.issuer) } } };
    expect(await refusalOf(await redeem(elsewhere, code, verifier))).toEqual([401, 'invalid_client']);
    expect(lastReason()).toBe('client.assertion_audience');
  });

  it('signs each request anew: an assertion counts once', async () => {
    const run = await begin(chatgpt, world, { vendors });
    const tokens = await signIn(run);
    const assertion = await clientAssertion(vendors.key, run.client.clientId, world.issuer);
    const again = () =>
      fetch(`${world.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: tokens.refresh_token,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }),
      });
    expect((await again()).status).toBe(200);
    expect(await refusalOf(await again())).toEqual([401, 'invalid_client']);
    expect(lastReason()).toBe('client.assertion_replayed');
  });

  it('is needed where the document lists no other method', async () => {
    const { identity } = chatgpt;
    if (identity.by !== 'document') throw new Error('no document');
    const { token_endpoint_auth_methods_supported: _, ...strict } = identity.document;
    const document = {
      ...strict,
      redirect_uris: identity.document.redirect_uris,
      client_id: 'https://chatgpt.com/strict.json',
    };
    const keyed: Persona = { ...chatgpt, identity: { by: 'document', document, pinned: false } };
    const run = await begin(keyed, world, { vendors });
    const { code, verifier } = await codeFor(run);
    const bare: Run = { ...run, persona: { ...keyed, tokenAuth: 'none' } };
    expect(await refusalOf(await redeem(bare, code, verifier))).toEqual([401, 'invalid_client']);
    expect((await redeem(run, code, verifier)).status).toBe(200);
  });

  it('cannot be fetched for a while: come again, and never “register anew”', async () => {
    const shutIn = await another({ options: { metadataDocuments: nobodyReached } });
    const run = await begin(chatgpt, shutIn, { key: vendors.key });
    const { code, verifier } = await codeFor(run);
    const response = await redeem(run, code, verifier);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await refusalOf(response)).toEqual([503, 'temporarily_unavailable']);
    // The document lists `none` too; the code was not spent.
    const bare: Run = { ...run, persona: { ...chatgpt, tokenAuth: 'none' } };
    expect((await redeem(bare, code, verifier)).status).toBe(200);
  });
});

describe('secrets', () => {
  it.each(['Claude.ai with a secret', 'Copilot', 'SDK v2 with a secret', 'Cursor with a secret'])(
    '%s is nobody without its own',
    async (name) => {
      const run = await begin(persona(name), world, { vendors });
      const { code, verifier } = await codeFor(run);
      const { clientId, clientSecret = '' } = run.client;
      const bare: Run = { ...run, persona: { ...run.persona, tokenAuth: 'none' } };
      expect(await refusalOf(await redeem(bare, code, verifier))).toEqual([401, 'invalid_client']);
      const wrong = { ...run, client: { clientId, clientSecret: `${clientSecret.slice(0, -1)}~` } };
      expect(await refusalOf(await redeem(wrong, code, verifier))).toEqual([401, 'invalid_client']);
      expect((await redeem(run, code, verifier)).status).toBe(200);
    },
  );

  it('mcp-remote has none, so one that it sends was made up', async () => {
    const run = await begin(persona('mcp-remote 0.15.1'), world);
    const { code, verifier } = await codeFor(run);
    const made: Run = {
      ...run,
      persona: { ...run.persona, tokenAuth: 'post' },
      client: { ...run.client, clientSecret: 'made-up' },
    };
    expect(await refusalOf(await redeem(made, code, verifier))).toEqual([401, 'invalid_client']);
  });
});

describe('documents', () => {
  it('a copy at another address, of the same vendor even, is nobody’s', async () => {
    const { identity } = persona('Codex');
    if (identity.by !== 'document') throw new Error('no document');
    const run = await begin(persona('Codex'), world, { vendors });
    for (const url of ['https://chatgpt.com/oauth/other/client.json', 'https://zed.dev/oauth/codex/client.json']) {
      const client_id = vendors.publish(identity.document, url);
      await refusedOnPage(authorizeUrl(run, undefined, { client_id }).url);
      expect(lastReason()).toBe('cimd.document.client_id');
    }
  });

  it('without a reviewed copy is away with its vendor: come again', async () => {
    const shutIn = await another({ options: { metadataDocuments: nobodyReached } });
    const run = await begin(persona('Codex'), shutIn);
    const response = await fetch(authorizeUrl(run).url, { redirect: 'manual' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
  });

  it('are no clients where they are not switched on, and nobody says they are', async () => {
    const off = await another({});
    await expect(begin(persona('Zed'), off, { vendors })).rejects.toThrow();
    const run = await begin(persona('SDK v2'), off);
    expect(run.found.server.client_id_metadata_document_supported).toBeUndefined();
    const before = vendors.requests().length;
    const document = persona('Zed').identity;
    const client_id = document.by === 'document' ? vendors.publish(document.document) : '';
    await refusedOnPage(authorizeUrl(run, undefined, { client_id }).url);
    expect(vendors.requests()).toHaveLength(before);
  });
});

describe('tokens in other hands', () => {
  it('a code is worth nothing to another client, with another verifier, at another redirect URI', async () => {
    const run = await begin(persona('Gemini CLI'), world);
    const other = await begin(persona('SDK v1'), world);
    const { code, verifier } = await codeFor(run);
    const refused = [400, 'invalid_grant'];
    expect(await refusalOf(await redeem({ ...run, client: other.client }, code, verifier))).toEqual(refused);
    expect(
      await refusalOf(
        await redeem(
          run,
          code,
          verifier.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')),
        ),
      ),
    ).toEqual(refused);
    // Loopback or not: at the token endpoint it is the very string of before (OAuth 2.1 §4.1.3).
    const elsewhere = { redirect_uri: 'http://localhost:1/oauth/callback' };
    expect(await refusalOf(await redeem(run, code, verifier, elsewhere))).toEqual(refused);
    expect((await redeem(run, code, verifier)).status).toBe(200);
  });

  it('a client can neither use nor revoke what is another’s', async () => {
    const run = await begin(persona('Zed'), world, { vendors });
    const thief = await begin(persona('SDK v1'), world);
    const tokens = await signIn(run);
    const stolen = await refreshRequest(thief, tokens.refresh_token);
    expect(await refusalOf(stolen)).toEqual([400, 'invalid_grant']);
    const { server } = run.found;
    const as = { tokenAuth: 'none', client: thief.client } as const;
    const revoked = await authenticated(server.revocation_endpoint, { token: tokens.refresh_token }, server, as);
    expect(await refusalOf(revoked)).toEqual([400, 'invalid_grant']);
    expect((await refreshRequest(run, tokens.refresh_token)).status).toBe(200);
  });
});

describe('the player itself sees what the clients would', () => {
  it.each<[string, (callback: URL) => void]>([
    ['no iss', (callback) => callback.searchParams.delete('iss')],
    ['another iss', (callback) => callback.searchParams.set('iss', 'https://evil.example')],
    ['an iss with a slash', (callback) => callback.searchParams.set('iss', `${world.issuer}/`)],
    ['another state', (callback) => callback.searchParams.set('state', 'x')],
    ['a second state', (callback) => callback.searchParams.append('state', 'x')],
    ['an error', (callback) => callback.searchParams.set('error', 'access_denied')],
    ['another path', (callback) => Object.assign(callback, { pathname: '/elsewhere' })],
  ])('%s on the way back', async (_, change) => {
    const run = await begin(persona('Gemini CLI'), world);
    const { url, state } = authorizeUrl(run);
    const { callback } = await walk(run, url);
    expect(checkCallback(run, callback, state)).not.toBe('');
    change(callback);
    expect(() => checkCallback(run, callback, state)).toThrow();
  });

  it('another resource in the metadata', async () => {
    await expect(play(persona('VS Code'), { ...world, mcp: `${world.mcp}?x` }, { vendors })).rejects.toThrow();
  });
});
