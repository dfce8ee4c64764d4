/** Clients by metadata document, from a real HTTPS origin: resolving, caching, bad days, keys, logos, pinned documents. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { vendorDocuments } from '../../src/authorization-server/clients/metadata-document/pinned.ts';
import {
  type MetadataDocumentOptions,
  metadataDocumentClients,
  provesRedirect,
} from '../../src/authorization-server/clients/metadata-document.ts';
import type { LogEvent } from '../../src/authorization-server/parts.ts';
import { OAuthError } from '../../src/oauth/error.ts';
import { type Answer, type Certificate, certificate, json, type Origin, startOrigin } from '../net/servers.ts';

let tls: Certificate;
let origin: Origin;
/** By path; what is not here is 404. */
let site: Record<string, Answer>;

beforeAll(async () => {
  tls = certificate('client.example', '*.client.example', 'vscode.dev');
  origin = await startOrigin(tls);
});
afterAll(() => origin.close());
beforeEach(() => {
  site = {};
  origin.requests.length = 0;
  origin.answer = (request, response) => {
    const answer = site[request.url ?? ''];
    if (answer) answer(request, response);
    else response.writeHead(404).end();
  };
});

const base = () => `https://client.example:${origin.port}`;
const fetched = (path: string) => origin.requests.filter((request) => request.path === path).length;
const status =
  (code: number): Answer =>
  (_, response) =>
    response.writeHead(code).end();

function publish(
  changes: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): string {
  const client_id = `${base()}/client.json`;
  const document = { client_id, client_name: 'Example', redirect_uris: [`${base()}/callback`], ...changes };
  site['/client.json'] = json(document, headers);
  return client_id;
}

function world(options: MetadataDocumentOptions = {}) {
  const clock = { seconds: 1_800_000_000 };
  const events: LogEvent[] = [];
  const resolve = metadataDocumentClients({
    resolveHost: async () => ['127.0.0.1'],
    dangerouslyAllowLoopback: true,
    extraCertificates: [tls.cert],
    log: (event) => events.push(event),
    now: () => clock.seconds,
    ...options,
  });
  return { resolve, clock, events };
}

async function refusal(resolving: Promise<unknown>): Promise<readonly [string, number, string]> {
  try {
    await resolving;
    return ['resolved', 0, ''];
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return [error.code, error.status, error.reason];
  }
}

describe('resolving', () => {
  it('a document is a client', async () => {
    const id = publish({ grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'] });
    const { resolve, events } = world();
    expect(await resolve(id)).toEqual({
      id,
      source: 'metadata-document',
      name: 'Example',
      redirectUris: [`${base()}/callback`],
      grantTypes: ['authorization_code'],
      authMethods: ['none'],
      documentDigest: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      proven: true,
    });
    expect(events).toEqual([{ event: 'client.document_fetched', client: expect.stringMatching(/^.{8}$/) }]);
  });

  it.each(['dcr_k1.abc.def', 'my-client', '', 'ftp://client.example/a', 'urn:x'])(
    '"%s" is somebody else',
    async (id) => {
      expect(await world().resolve(id)).toBeUndefined();
    },
  );

  it('a URL that is no client id is refused, and nothing is fetched', async () => {
    const { resolve } = world();
    for (const path of ['', '/', '/a/../client.json', '/client.json?a', '/client.json#a']) {
      expect(await refusal(resolve(base() + path)), path).toEqual(['invalid_client', 400, 'cimd.url']);
    }
    expect(origin.requests).toEqual([]);
  });

  it('switched to loopback it is not, unless it says so', async () => {
    const id = publish();
    const { resolve } = world({ dangerouslyAllowLoopback: false });
    expect(await refusal(resolve(id))).toEqual(['temporarily_unavailable', 503, 'cimd.fetch.special_use']);
    expect(origin.requests).toEqual([]);
  });

  it('a private address and a server that is down look alike from outside (SEC-13)', async () => {
    const id = publish();
    const said = async (options: MetadataDocumentOptions) => {
      const error = await world(options)
        .resolve(id)
        .catch((thrown: OAuthError) => thrown);
      return error instanceof OAuthError && [error.toJSON(), error.status, error.headers];
    };
    const hidden = await said({ resolveHost: async () => ['10.0.0.1'] });
    const nowhere = await said({ resolveHost: async () => [] });
    expect(hidden).toEqual(nowhere);
    expect(hidden).toMatchObject([{ error: 'temporarily_unavailable' }, 503, { 'retry-after': '2' }]);
  });

  it.each<[string, Answer, readonly [string, number, string]]>([
    ['not found', status(404), ['invalid_client', 400, 'cimd.fetch.gone']],
    ['forbidden', status(403), ['temporarily_unavailable', 503, 'cimd.fetch.status']],
    [
      'a redirect',
      (_, r) => r.writeHead(302, { location: '/x' }).end(),
      ['temporarily_unavailable', 503, 'cimd.fetch.redirected'],
    ],
    ['HTML', json('<p>', { 'content-type': 'text/html' }), ['temporarily_unavailable', 503, 'cimd.fetch.content_type']],
    ['6 KB', json({ x: 'x'.repeat(6000) }), ['invalid_client', 400, 'cimd.fetch.too_large']],
    ['no JSON', json('{'), ['invalid_client', 400, 'cimd.document.json']],
    [
      'another client',
      json({ client_id: 'https://other.example/a' }),
      ['invalid_client', 400, 'cimd.document.client_id'],
    ],
  ])('%s is refused, and asked for anew next time', async (_, answer, expected) => {
    const id = publish();
    const { resolve } = world();
    const good = site['/client.json'] as Answer;
    site['/client.json'] = answer;
    expect(await refusal(resolve(id))).toEqual(expected);
    site['/client.json'] = good;
    expect(await resolve(id)).toMatchObject({ id });
    expect(fetched('/client.json')).toBe(2);
  });

  it('domains: denied and not allowed are not fetched', async () => {
    const id = publish();
    for (const domains of [
      { deny: ['client.example'] },
      { allow: ['other.example'] },
      { allow: ['*.client.example'] },
    ]) {
      expect(await refusal(world({ domains }).resolve(id))).toEqual(['invalid_client', 400, 'cimd.domain']);
    }
    expect(origin.requests).toEqual([]);
    expect(await world({ domains: { allow: ['client.example'] } }).resolve(id)).toBeDefined();
  });
});

describe('proof', () => {
  it.each<[string, readonly string[], boolean]>([
    ['its own origin', ['/callback'], true],
    ['another origin', ['https://other.example/callback'], false],
    ['another port', ['https://client.example/callback'], false],
    ['a host below', ['https://a.client.example/callback'], false],
    ['loopback', ['http://127.0.0.1/callback', 'http://localhost/callback'], false],
    ['its own origin and loopback', ['/callback', 'http://127.0.0.1/callback'], false],
    ['a private-use scheme', ['cursor://anysphere.cursor-mcp/oauth/callback'], false],
  ])('%s', async (_, uris, proven) => {
    const redirect_uris = uris.map((uri) => (uri.startsWith('/') ? base() + uri : uri));
    const client = await world().resolve(publish({ redirect_uris }));
    expect(client?.proven).toBe(proven);
  });

  it('is per redirect URI where a client has several', async () => {
    const redirect_uris = [`${base()}/callback`, 'http://127.0.0.1/callback'];
    const client = await world().resolve(publish({ redirect_uris }));
    if (!client) throw new Error('not resolved');
    expect(redirect_uris.map((uri) => provesRedirect(client, uri))).toEqual([true, false]);
    expect(provesRedirect({ ...client, source: 'registered' }, redirect_uris[0] ?? '')).toBe(false);
  });

  it('a client that always authenticates is proven at any https, never on loopback', () => {
    const client = {
      id: 'https://client.example/a',
      source: 'metadata-document',
      authMethods: ['private_key_jwt'],
    } as const;
    expect(provesRedirect(client, 'https://other.example/callback')).toBe(true);
    expect(provesRedirect(client, 'http://127.0.0.1/callback')).toBe(false);
    expect(provesRedirect({ ...client, authMethods: ['none', 'private_key_jwt'] }, 'https://other.example/')).toBe(
      false,
    );
  });
});

describe('the digest', () => {
  it('is of what we use: another order is the same, another redirect URI is not', async () => {
    const digestOf = async (changes: Readonly<Record<string, unknown>>) =>
      (await world().resolve(publish(changes)))?.documentDigest;
    const plain = await digestOf({});
    expect(await digestOf({ tos_uri: 'https://client.example/tos', grant_types: undefined })).toBe(plain);
    expect(await digestOf({ client_name: 'Other' })).not.toBe(plain);
    expect(await digestOf({ redirect_uris: [`${base()}/callback`, `${base()}/other`] })).not.toBe(plain);
  });
});

describe('caching', () => {
  it('100 at once are one request; fresh as long as the origin says', async () => {
    const id = publish({}, { 'cache-control': 'max-age=600' });
    const { resolve, clock } = world();
    await Promise.all(Array.from({ length: 100 }, () => resolve(id)));
    clock.seconds += 599;
    await resolve(id);
    expect(fetched('/client.json')).toBe(1);
    clock.seconds += 1;
    await resolve(id);
    expect(fetched('/client.json')).toBe(2);
  });

  it('the last good copy serves for seven days while the origin is away', async () => {
    const id = publish();
    const { resolve, clock, events } = world();
    await resolve(id);
    site['/client.json'] = status(500);
    clock.seconds += 6 * 86_400;
    expect(await resolve(id)).toMatchObject({ id });
    expect(events.at(-1)).toMatchObject({ event: 'client.document_last_good', reason: 'fetch.status' });
    clock.seconds += 2 * 86_400;
    expect(await refusal(resolve(id))).toEqual(['temporarily_unavailable', 503, 'cimd.fetch.status']);
  });

  it('a redirect URI that was taken out is out, and a document taken away is no client', async () => {
    const uris = [`${base()}/callback`, `${base()}/old`];
    const id = publish({ redirect_uris: uris });
    const { resolve, clock } = world();
    await resolve(id);
    publish();
    clock.seconds += 86_400;
    expect((await resolve(id))?.redirectUris).toEqual([`${base()}/callback`]);
    delete site['/client.json'];
    clock.seconds += 86_400;
    expect(await refusal(resolve(id))).toEqual(['invalid_client', 400, 'cimd.fetch.gone']);
  });

  it('beyond the budget: 503, and known clients go on', async () => {
    const id = publish();
    const { resolve } = world({ budget: { perMinutePerOrigin: 3 } });
    await resolve(id);
    const refusals = [];
    for (let i = 0; i < 4; i += 1) refusals.push((await refusal(resolve(`${base()}/${i}.json`)))[2]);
    expect(refusals).toEqual(['cimd.fetch.gone', 'cimd.fetch.gone', 'cimd.fetch.budget', 'cimd.fetch.budget']);
    expect(await resolve(id)).toBeDefined();
  });
});

describe('keys', () => {
  const key = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid });
  const signed = () => publish({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${base()}/jwks.json` });

  it('of the document itself', async () => {
    const keys = [key('a'), key('b')];
    const client = await world().resolve(publish({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }));
    expect(client?.authMethods).toEqual(['private_key_jwt']);
    expect(await client?.keys?.('b')).toMatchObject([{ kid: 'b' }]);
    expect(await client?.keys?.(undefined)).toHaveLength(2);
    expect(await client?.keys?.('c')).toEqual([]);
    expect(await world().resolve(publish())).not.toHaveProperty('keys');
  });

  it('of its jwks_uri: fetched when asked for, kept, and again for a new kid once a minute', async () => {
    const keys = [key('a')];
    site['/jwks.json'] = (request, response) => json({ keys }, { 'cache-control': 'max-age=3600' })(request, response);
    const { resolve, clock } = world();
    const client = await resolve(signed());
    expect(fetched('/jwks.json')).toBe(0);
    expect(await client?.keys?.('a')).toMatchObject([{ kid: 'a' }]);
    keys.push(key('b'));
    for (let i = 0; i < 5; i += 1) expect(await client?.keys?.('b')).toEqual([]);
    expect(fetched('/jwks.json')).toBe(1);
    clock.seconds += 61;
    expect(await client?.keys?.('b')).toMatchObject([{ kid: 'b' }]);
    for (let i = 0; i < 5; i += 1) expect(await client?.keys?.(`made-up-${i}`)).toEqual([]);
    expect(fetched('/jwks.json')).toBe(2);
  });

  it.each<[string, Answer, string]>([
    ['away', status(500), 'cimd.jwks.fetch.status'],
    ['no JSON', json('x'), 'cimd.jwks.invalid'],
    ['a secret in it', json({ keys: [{ kty: 'oct', k: 'AA' }] }), 'cimd.jwks.invalid'],
    ['too large', json({ keys: [], x: 'x'.repeat(17_000) }), 'cimd.jwks.fetch.too_large'],
    ['elsewhere', (_, r) => r.writeHead(302, { location: '/other.json' }).end(), 'cimd.jwks.fetch.redirected'],
  ])('%s: 503, and never a client thrown away', async (_, answer, reason) => {
    site['/jwks.json'] = answer;
    const client = await world().resolve(signed());
    expect(await refusal(client?.keys?.('a') ?? Promise.resolve())).toEqual(['temporarily_unavailable', 503, reason]);
  });

  it('the last good set serves for a day', async () => {
    site['/jwks.json'] = json({ keys: [key('a')] });
    const { resolve, clock } = world();
    const client = await resolve(signed());
    await client?.keys?.('a');
    site['/jwks.json'] = status(503);
    clock.seconds += 80_000;
    expect(await client?.keys?.('a')).toHaveLength(1);
    clock.seconds += 10_000;
    expect(await refusal(client?.keys?.('a') ?? Promise.resolve())).toEqual([
      'temporarily_unavailable',
      503,
      'cimd.jwks.fetch.status',
    ]);
  });
});

describe('logos', () => {
  const png = Buffer.alloc(100);
  png.write('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');
  png.writeUInt32BE(64, 16);
  png.writeUInt32BE(64, 20);
  const image =
    (bytes: Buffer): Answer =>
    (_, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end(bytes);
  const withLogo = () => publish({ logo_uri: `${base()}/logo.png` });

  it('are fetched when they are asked for, once, and come as bytes', async () => {
    site['/logo.png'] = image(png);
    const client = await world().resolve(withLogo());
    expect(fetched('/logo.png')).toBe(0);
    const logos = await Promise.all([client?.fetchLogo?.(), client?.fetchLogo?.()]);
    expect(logos[0]).toEqual({ type: 'image/png', base64: png.toString('base64') });
    expect(logos[1]).toEqual(logos[0]);
    expect(fetched('/logo.png')).toBe(1);
  });

  it.each<[string, Answer | undefined]>([
    ['absent', undefined],
    ['away', status(500)],
    ['SVG', image(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'))],
    ['too large', image(Buffer.concat([png, Buffer.alloc(65_536)]))],
    ['elsewhere', (_, response) => response.writeHead(302, { location: 'https://other.example/' }).end()],
  ])('%s: the client is none the worse, and nobody waits for it again soon', async (_, answer) => {
    if (answer) site['/logo.png'] = answer;
    const { resolve, clock } = world();
    const client = await resolve(withLogo());
    expect(client?.name).toBe('Example');
    expect(await client?.fetchLogo?.()).toBeUndefined();
    expect(await client?.fetchLogo?.()).toBeUndefined();
    expect(fetched('/logo.png')).toBe(1);
    clock.seconds += 300;
    site['/logo.png'] = image(png);
    expect(await client?.fetchLogo?.()).toBeDefined();
  });

  it('at a private address or a denied host are not fetched', async () => {
    const id = publish({ logo_uri: 'https://10.0.0.1/logo.png' });
    expect(await (await world().resolve(id))?.fetchLogo?.()).toBeUndefined();
    const other = publish({ logo_uri: 'https://denied.example/logo.png' });
    expect(await world({ domains: { deny: ['denied.example'] } }).resolve(other)).not.toHaveProperty('fetchLogo');
    expect(await world().resolve(publish())).not.toHaveProperty('fetchLogo');
  });
});

describe('pinned documents', () => {
  it('say where they are from, and none claims to have been compared', () => {
    for (const { source, comparedWithLive, reviewed } of vendorDocuments) {
      expect(source.length).toBeGreaterThan(20);
      expect(comparedWithLive).toBe(false);
      expect(reviewed).toMatch(/^20\d\d-\d\d-\d\d$/);
    }
  });

  it('stand in, exactly as reviewed, while the vendor cannot be reached', async () => {
    const { resolve } = world({ resolveHost: async () => [] });
    const redirects: Record<string, readonly string[] | undefined> = {};
    for (const { document } of vendorDocuments) {
      const client = await resolve(document.client_id);
      redirects[`${client?.name} ${client?.proven}`] = client?.redirectUris;
      expect(client).toMatchObject({ id: document.client_id, name: document.client_name });
    }
    expect(redirects).toEqual({
      'ChatGPT true': ['https://chatgpt.com/connector_platform_oauth_redirect'],
      'Claude true': ['https://claude.ai/api/mcp/auth_callback'],
      'Claude Code false': ['http://localhost/callback', 'http://127.0.0.1/callback'],
      'opencode false': ['http://127.0.0.1/callback', 'http://localhost/callback'],
      'Visual Studio Code false': [
        'http://127.0.0.1:33418/',
        'http://127.0.0.1/',
        'https://vscode.dev/redirect',
        'https://insiders.vscode.dev/redirect',
      ],
      'Zed false': ['http://127.0.0.1/callback'],
    });
  });

  it('never add a redirect URI to a document that was fetched, nor outlive it', async () => {
    const id = publish();
    const pinned = { client_id: id, client_name: 'Pinned', redirect_uris: [`${base()}/pinned`] };
    const { resolve, clock } = world({
      pinnedDocuments: [{ source: 'test', comparedWithLive: false, reviewed: '2026-11-20', document: pinned }],
    });
    const good = site['/client.json'] as Answer;
    site['/client.json'] = status(403);
    expect((await resolve(id))?.redirectUris).toEqual([`${base()}/pinned`]);
    site['/client.json'] = good;
    clock.seconds += 60;
    expect((await resolve(id))?.redirectUris).toEqual([`${base()}/callback`]);
    site['/client.json'] = status(403);
    clock.seconds += 8 * 86_400;
    expect(await refusal(resolve(id))).toEqual(['temporarily_unavailable', 503, 'cimd.fetch.status']);
  });

  it('one that is wrong stops the start', () => {
    const document = { client_id: 'https://client.example/a', client_name: 'x', redirect_uris: ['javascript:x'] };
    const pinned = { source: 'test', comparedWithLive: false, reviewed: '2026-11-20', document };
    expect(() => metadataDocumentClients({ pinnedDocuments: [pinned] })).toThrow(TypeError);
  });

  it('can be left out, and obey the domain policy', async () => {
    const [first] = vendorDocuments;
    const id = first?.document.client_id ?? '';
    const away = { resolveHost: async () => [] };
    expect((await refusal(world({ ...away, pinnedDocuments: [] }).resolve(id)))[0]).toBe('temporarily_unavailable');
    const denied = world({ ...away, domains: { deny: [new URL(id).hostname] } });
    expect((await refusal(denied.resolve(id)))[2]).toBe('cimd.domain');
  });
});
