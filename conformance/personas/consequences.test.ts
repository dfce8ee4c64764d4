/** What follows from the personas, one test or more for each of the fourteen consequences of the reference (section 8.3). */
import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vendorDocuments } from '../../packages/auth/src/authorization-server/clients/metadata-document/pinned.ts';
import { walkThrough } from '../harness/person.ts';
import { persona } from './cast.ts';
import { preflight, readableFromAnywhere, resourceMetadataUrl, serverMetadataUrl } from './discover.ts';
import type { Persona } from './persona.ts';
import { authorizeUrl, begin, callTool, checkCallback, play, redeem, refreshRequest, signIn, walk } from './play.ts';
import { claimsOf, refusalOf, type Tokens } from './token-request.ts';
import { startVendors, type Vendors } from './vendors.ts';
import { startWorld, type World } from './world.ts';

let vendors: Vendors;
let world: World;
/** Its issuer has a path. */
let tenant: World;
const started: World[] = [];
async function another(options: Parameters<typeof startWorld>[0]): Promise<World> {
  const one = await startWorld(options);
  started.push(one);
  return one;
}

beforeAll(async () => {
  vendors = await startVendors();
  const options = { metadataDocuments: vendors.reached };
  [world, tenant] = await Promise.all([another({ options }), another({ issuerPath: '/tenant1', options })]);
});
afterAll(async () => {
  await Promise.all(started.map((one) => one.close()));
  await vendors?.close();
});

const places = ['oauth', 'openid', 'openid-appended'] as const;
const getJson = async (url: string) => (await (await fetch(url)).json()) as Record<string, unknown>;

describe('1: the issuer is one string', () => {
  it.each(['at the root', 'with a path'])('%s, in every document, answer and token', async (where) => {
    const here = where === 'at the root' ? world : tenant;
    const { issuer } = here;
    expect(issuer.endsWith('/')).toBe(false);
    for (const place of places) expect((await getJson(serverMetadataUrl(place, issuer))).issuer).toBe(issuer);
    const ofResource = await getJson(resourceMetadataUrl('path', here.mcp) ?? '');
    expect(ofResource.authorization_servers).toEqual([issuer]);
    // ChatGPT signs its assertions for that string, compares `iss` with it, and the token has it.
    await play(persona('ChatGPT with its key'), here, { vendors });
  });
});

describe('2: iss comes with every answer, and is advertised', () => {
  it('with a code, with a no, and with an error of the request', async () => {
    const run = await begin(persona('Gemini CLI'), world);
    expect(run.found.server.authorization_response_iss_parameter_supported).toBe(true);
    const asked = authorizeUrl(run);
    const said = [
      (await walk(run, asked.url)).callback,
      (await walk(run, asked.url, 'deny')).callback,
      (await walkThrough(authorizeUrl(run, undefined, { response_type: 'token' }).url, world.pages)).callback,
    ];
    expect(said.map(({ searchParams }) => searchParams.get('error'))).toEqual([
      null,
      'access_denied',
      'unsupported_response_type',
    ]);
    expect(said.map(({ searchParams }) => searchParams.get('iss'))).toEqual(said.map(() => world.issuer));
    expect(said.every(({ searchParams }) => searchParams.has('state'))).toBe(true);
  });
});

describe('3: ways to authenticate', () => {
  it('all four are listed, and the algorithms with them', async () => {
    const document = await getJson(serverMetadataUrl('oauth', world.issuer));
    expect(document.token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']),
    );
    expect(document.token_endpoint_auth_signing_alg_values_supported).toContain('RS256');
  });

  it('a document that lists several is taken by any of them, one after the other', async () => {
    const keyed = await begin(persona('ChatGPT with its key'), world, { vendors });
    const first = await signIn(keyed);
    const bare = { ...keyed, persona: persona('ChatGPT without its key') };
    const second = (await (await refreshRequest(bare, first.refresh_token)).json()) as Tokens;
    expect((await refreshRequest(keyed, second.refresh_token)).status).toBe(200);
    expect(vendors.requests()).toContain('chatgpt.com/oauth/jwks.json');
  });
});

describe('4: the port of a loopback redirect is whatever was free', () => {
  it.each(['127.0.0.1', '[::1]', 'localhost'])('%s', async (host) => {
    const redirect_uris = [`http://${host}/callback`];
    const claudeCode = persona('Claude Code by registration');
    const portless: Persona = {
      ...claudeCode,
      identity: { by: 'registration', body: { client_name: 'Claude Code', redirect_uris } },
    };
    for (const redirectUri of [`http://${host}:{port}/callback`, `http://${host}/callback`]) {
      await signIn(await begin(portless, world, { redirectUri }));
    }
  });
});

describe('5: a scheme of one’s own, behind the operator’s switch', () => {
  // Cursor itself is in personas.test.ts; without its scheme, and with schemes that never are, in refusals.test.ts.
  it('another editor’s, once it is listed', async () => {
    const redirectUri = 'trae://trae.mcp/oauth/callback';
    const identity = { by: 'registration', body: { client_name: 'Trae', redirect_uris: [redirectUri] } } as const;
    const editor: Persona = { ...persona('Cursor'), identity, redirectUris: [redirectUri] };
    await expect(begin(editor, world)).rejects.toThrow('trae:');
    await signIn(await begin(editor, await another({ options: { privateUseSchemes: ['trae'] } })));
  });
});

describe('6: the vendor refuses us, the reviewed copy stands in', () => {
  /** The copies that ship, under the port their vendors have here. */
  const copies = () =>
    vendorDocuments.map((copy) => ({
      ...copy,
      document: { ...copy.document, client_id: vendors.at(copy.document.client_id) },
    }));

  it('Claude’s server says 403 to data centres, and Claude signs in', async () => {
    const options = { metadataDocuments: { ...vendors.reached, pinnedDocuments: copies() } };
    const here = await another({ options });
    vendors.status = 403;
    try {
      await play(persona('Claude.ai and Claude Desktop'), here, { vendors });
      await play(persona('Claude Code'), here, { vendors });
    } finally {
      vendors.status = undefined;
    }
    expect(here.events).toContainEqual(
      expect.objectContaining({ event: 'client.document_fallback', reason: 'fetch.status' }),
    );
  });

  it('a copy gives no more than was reviewed, and what the vendor says itself comes first', async () => {
    const claude = persona('Claude.ai and Claude Desktop');
    if (claude.identity.by !== 'document') throw new Error('no document');
    const moved = 'https://claude.com/api/mcp/auth_callback';
    const identity = { ...claude.identity, document: { ...claude.identity.document, redirect_uris: [moved] } };
    const newer: Persona = { ...claude, identity, redirectUris: [moved] };
    const metadataDocuments = { ...vendors.reached, pinnedDocuments: copies() };

    vendors.status = 403;
    try {
      const away = await another({ options: { metadataDocuments } });
      const run = await begin(newer, away, { vendors });
      expect((await fetch(authorizeUrl(run).url, { redirect: 'manual' })).status).toBe(400);
    } finally {
      vendors.status = undefined;
    }
    const there = await another({ options: { metadataDocuments } });
    await signIn(await begin(newer, there, { vendors }));
    const before = await begin(newer, there, { vendors });
    const old = { redirect_uri: claude.redirectUris[0] ?? '' };
    expect((await fetch(authorizeUrl(before, undefined, old).url, { redirect: 'manual' })).status).toBe(400);
  });
});

describe('7: registration stays, within limits', () => {
  const register = (here: World, body: Readonly<Record<string, unknown>>) =>
    fetch(`${here.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('grant types that are not ours are left out and not refused, and what was registered is said', async () => {
    const codeAndRefresh = ['authorization_code', 'refresh_token'];
    for (const foreign of ['device_code', 'jwt-bearer']) {
      const grant_types = [...codeAndRefresh, `urn:ietf:params:oauth:grant-type:${foreign}`];
      const response = await register(world, { redirect_uris: ['http://127.0.0.1/'], grant_types });
      expect(response.status).toBe(201);
      expect(((await response.json()) as { grant_types: unknown }).grant_types).toEqual(codeAndRefresh);
    }
  });

  it('where registrations are stored, a flood meets 429 and a time to come again', async () => {
    const here = await another({ options: { registration: 'stored' } });
    const statuses: number[] = [];
    for (let n = 0; n < 500 && statuses.at(-1) !== 429; n++) {
      const response = await register(here, { client_name: `${n}`, redirect_uris: [`http://127.0.0.1/${n}`] });
      statuses.push(response.status);
      if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      await response.body?.cancel();
    }
    expect(statuses[0]).toBe(201);
    expect(statuses.at(-1)).toBe(429);
  });
});

describe('8: scopes nobody has are dropped', () => {
  it.each([
    [' offline_access', 'read'],
    ['  read   offline_access ', 'read'],
    ['openid email profile', 'read'],
    ['openid  write', 'write'],
    ['mcp read read write', 'read write'],
    ['', 'read'],
  ])('"%s" is "%s"', async (sent, granted) => {
    const run = await begin({ ...persona('SDK v1'), scope: { sent } }, world);
    const { url, state, verifier } = authorizeUrl(run);
    const { callback } = await walk(run, url);
    const response = await redeem(run, checkCallback(run, callback, state), verifier);
    expect(((await response.json()) as Tokens).scope).toBe(granted);
  });

  it('offline_access is listed by the server, and by the resource it is not', async () => {
    expect((await getJson(serverMetadataUrl('oauth', world.issuer))).scopes_supported).toContain('offline_access');
    expect((await getJson(resourceMetadataUrl('path', world.mcp) ?? '')).scopes_supported).toEqual(['read']);
    const challenge = (await fetch(world.mcp, { method: 'POST' })).headers.get('www-authenticate');
    expect(challenge).toContain('scope="read"');
  });
});

describe('9: everybody finds the way', () => {
  it.each(['at the root', 'with a path'])(
    '%s: every place has the one document, for pages of other sites too',
    async (where) => {
      const here = where === 'at the root' ? world : tenant;
      const ofServer = places.map((place) => serverMetadataUrl(place, here.issuer));
      const ofResource = (['path', 'root'] as const).map((place) => resourceMetadataUrl(place, here.mcp) ?? '');
      for (const urls of [ofServer, ofResource]) {
        const texts = new Set<string>();
        for (const url of urls) {
          await preflight(url, 'GET', ['mcp-protocol-version'], { browserOrigin: 'https://inspector.example' });
          const response = await fetch(url, { headers: { 'mcp-protocol-version': '2026-07-28' } });
          expect(response.status, url).toBe(200);
          readableFromAnywhere(response);
          texts.add(await response.text());
        }
        expect(texts.size).toBe(1);
      }
    },
  );

  it('whoever comes without a token gets 401, whatever the request; whoever asks with OPTIONS never', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'PUT']) {
      const response = await fetch(world.mcp, { method, ...(method === 'POST' && { body: '{}' }) });
      expect(response.status, method).toBe(401);
      expect(response.headers.get('www-authenticate')).toContain(
        `resource_metadata="${resourceMetadataUrl('path', world.mcp)}"`,
      );
    }
    for (const path of ['/mcp', '/token', '/register', '/revoke', '/.well-known/jwks.json']) {
      const response = await fetch(world.origin + path, { method: 'OPTIONS' });
      expect([path, response.status]).toEqual([path, 204]);
    }
  });

  it.each(['SDK v2', 'Inspector web', 'VS Code'])('%s goes the whole way to an issuer with a path', async (name) => {
    await play(persona(name), tenant, { vendors });
  });

  it('the endpoints stand where VS Code looks for them if it has read no metadata', async () => {
    expect(await getJson(serverMetadataUrl('oauth', world.issuer))).toMatchObject({
      authorization_endpoint: `${world.origin}/authorize`,
      token_endpoint: `${world.origin}/token`,
      registration_endpoint: `${world.origin}/register`,
    });
  });

  it('the authorize page is a page: nobody’s script may read it', async () => {
    const run = await begin(persona('Inspector web'), world);
    const response = await fetch(authorizeUrl(run).url, { headers: { origin: 'http://localhost:6274' } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('10: the resource is what people type', () => {
  it('a Host header changes nothing of it', async () => {
    const { origin, pathname } = new URL(resourceMetadataUrl('path', world.mcp) ?? '');
    const sent = request(origin + pathname, { headers: { host: 'evil.example' }, setHost: false });
    sent.end();
    const [answer] = await once(sent, 'response');
    let text = '';
    for await (const chunk of answer) text += chunk;
    expect(JSON.parse(text)).toMatchObject({ resource: world.mcp, authorization_servers: [world.issuer] });
  });

  it.each<[Persona['resource']]>([['upper-case-host'], ['absent'], ['href'], ['listed']])(
    'sent as: %s',
    async (resource) => {
      await play({ ...persona('SDK v1'), resource }, world);
    },
  );

  it.each(['/mcp/', '/MCP', '/mcp?x=1', '/', '/other'])('%s is another resource', async (path) => {
    const run = await begin(persona('SDK v1'), world);
    const { url } = authorizeUrl(run, undefined, { resource: world.origin + path });
    const { callback } = await walkThrough(url, world.pages);
    expect(callback.searchParams.get('error')).toBe('invalid_target');
    // At the token endpoint as well, and what the client holds is as good as before.
    const tokens = await signIn(run);
    const elsewhere = { ...run, found: { ...run.found, resource: world.origin + path } };
    expect(await refusalOf(await refreshRequest(elsewhere, tokens.refresh_token))).toEqual([400, 'invalid_target']);
    expect((await refreshRequest(run, tokens.refresh_token)).status).toBe(200);
  });
});

describe('11: clients heal themselves on two answers', () => {
  it('invalid_grant, 400, for a refresh token that is dead, made up or cut short', async () => {
    const run = await begin(persona('SDK v2'), world);
    const tokens = await signIn(run);
    for (const text of ['x', tokens.refresh_token.slice(0, -1), tokens.access_token]) {
      expect(await refusalOf(await refreshRequest(run, text))).toEqual([400, 'invalid_grant']);
    }
    expect((await refreshRequest(run, tokens.refresh_token)).status).toBe(200);
  });

  it('invalid_client, 401, for a client that is gone; it registers again and works', async () => {
    const run = await begin(persona('SDK v2'), world);
    const tokens = await signIn(run);
    const gone = { ...run, client: { clientId: 'gone-with-the-last-database' } };
    expect(await refusalOf(await refreshRequest(gone, tokens.refresh_token))).toEqual([401, 'invalid_client']);
    await signIn(await begin(persona('SDK v2'), world));
  });
});

describe('12: several windows of one client refresh at once', () => {
  it('all get the same next token; one of before that is a replay and ends the grant', async () => {
    const run = await begin(persona('Claude Code'), world, { vendors });
    const first = await signIn(run);
    const answers = await Promise.all(Array.from({ length: 5 }, () => refreshRequest(run, first.refresh_token)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const next = await Promise.all(answers.map(async (answer) => (await answer.json()) as Tokens));
    expect(new Set(next.map((tokens) => tokens.refresh_token)).size).toBe(1);
    for (const tokens of next) expect((await callTool(run, tokens, 'read_notes')).status).toBe(200);

    const [second] = next as [Tokens];
    const third = (await (await refreshRequest(run, second.refresh_token)).json()) as Tokens;
    expect(await refusalOf(await refreshRequest(run, first.refresh_token))).toEqual([400, 'invalid_grant']);
    expect(await refusalOf(await refreshRequest(run, third.refresh_token))).toEqual([400, 'invalid_grant']);
    expect((await callTool(run, third, 'read_notes')).status).toBe(401);
  });
});

describe('13: a token answer waits for nobody else', () => {
  it('code and refresh token are taken while the identity provider is away', async () => {
    const here = await another({});
    const run = await begin(persona('Claude.ai with a secret'), here);
    const { url, state, verifier } = authorizeUrl(run);
    const { callback } = await walk(run, url);
    await here.closePool();
    const tokens = (await (await redeem(run, checkCallback(run, callback, state), verifier)).json()) as Tokens;
    expect(claimsOf(tokens.access_token).iss).toBe(here.issuer);
    expect((await refreshRequest(run, tokens.refresh_token)).status).toBe(200);
  });
});

describe('14: Basic credentials, raw or percent-encoded', () => {
  it.each(['basic-raw', 'basic-encoded'] as const)('%s', async (tokenAuth) => {
    const run = await begin({ ...persona('SDK v2 with a secret'), tokenAuth }, world);
    // Nothing that the two forms would write differently.
    expect(run.client.clientId).toMatch(/^[A-Za-z0-9._~-]+$/);
    expect(run.client.clientSecret).toMatch(/^[A-Za-z0-9._~-]+$/);
    await signIn(run);
  });
});
