/** Resources on several hosts behind one process: each document on its own host, the authorization server on its own alone. */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchHandler, isReply, nodeHandler } from '../../src/gatehouse.ts';
import { issuer, parsed, request, startHarness } from '../harness.ts';

const scopes = { use: 'use it' };
const uris = [
  'https://files.example.com/mcp',
  'https://mail.example.com/mcp',
  'https://files.example.com/other',
  'https://auth.example/mcp',
  'https://ports.example.com:8443/mcp',
] as const;
const { server } = startHarness({ resources: uris.map((uri) => ({ uri, scopes })) });

const rootPath = '/.well-known/oauth-protected-resource';
const insertedPath = `${rootPath}/mcp`;
const asMetadata = '/.well-known/oauth-authorization-server';

/** The resource that the document at a path describes, on a host. */
const described = async (path: string, host: string | undefined) =>
  parsed(await server.handle(request(path, { headers: { host } })))?.resource;

describe('protected-resource metadata', () => {
  it.each([
    ['files.example.com', 'https://files.example.com/mcp', 'https://files.example.com/mcp'],
    ['mail.example.com', 'https://mail.example.com/mcp', 'https://mail.example.com/mcp'],
    ['auth.example', 'https://auth.example/mcp', 'https://auth.example/mcp'],
    ['ports.example.com:8443', 'https://ports.example.com:8443/mcp', 'https://ports.example.com:8443/mcp'],
    ['FILES.example.COM', 'https://files.example.com/mcp', 'https://files.example.com/mcp'],
    ['files.example.com:443', 'https://files.example.com/mcp', 'https://files.example.com/mcp'],
  ])('on %s is that of its resource, and at the root of its first', async (host, inserted, root) => {
    expect(await described(insertedPath, host)).toBe(inserted);
    expect(await described(rootPath, host)).toBe(root);
    for (const path of [insertedPath, rootPath]) expect(server.owns(path, host)).toBe(true);
  });

  it('of another path of the same host is its own', async () => {
    expect(await described(`${rootPath}/other`, 'files.example.com')).toBe('https://files.example.com/other');
    expect(server.owns(`${rootPath}/other`, 'mail.example.com')).toBe(false);
    expect(
      await server.handle(request(`${rootPath}/other`, { headers: { host: 'mail.example.com' } })),
    ).toBeUndefined();
  });

  it.each([
    'example.com',
    'evil.example',
    'files.example.com.',
    'files.example.com:8443',
    'ports.example.com',
    'files.example.com.evil.example',
    'files.example.com@evil.example',
    'files.example.com, mail.example.com',
    '',
    'x'.repeat(10_000),
  ])('is on no other host: %.40s', async (host) => {
    for (const path of [insertedPath, rootPath, asMetadata, '/token']) {
      expect(server.owns(path, host)).toBe(false);
      expect(await server.handle(request(path, { headers: { host } }))).toBeUndefined();
    }
  });

  it('is where the challenge of its guard says', async () => {
    for (const uri of uris) {
      const refused = await server.guard(uri)({});
      if (!isReply(refused)) throw new Error('let in');
      const said = /resource_metadata="([^"]+)"/.exec(String(refused.headers['www-authenticate']))?.[1] ?? '';
      const { origin, host, pathname } = new URL(said);
      expect(origin).toBe(new URL(uri).origin);
      expect(await described(pathname, host)).toBe(uri);
    }
  });
});

describe('the authorization server', () => {
  const paths = [
    asMetadata,
    '/.well-known/jwks.json',
    '/authorize',
    '/callback',
    '/connections',
    '/token',
    '/register',
  ];

  it('answers on the host of the issuer', () => {
    for (const path of paths) expect(server.owns(path, 'auth.example')).toBe(true);
    for (const path of paths) expect(server.owns(path, 'AUTH.example:443')).toBe(true);
  });

  it('is not on the hosts of the resources, whatever the method', async () => {
    for (const path of paths) {
      expect(server.owns(path, 'files.example.com')).toBe(false);
      for (const method of ['GET', 'POST', 'OPTIONS'])
        expect(await server.handle(request(path, { method, headers: { host: 'files.example.com' } }))).toBeUndefined();
    }
  });

  it('answers whoever says no host: HTTP/1.0 has none', async () => {
    expect(server.owns('/token')).toBe(true);
    expect(parsed(await server.handle(request(asMetadata))).issuer).toBe(issuer);
    expect(await described(insertedPath, undefined)).toBe('https://files.example.com/mcp');
  });
});

it('with one host for everything, whatever a request calls it will do: front doors rename it', async () => {
  const { server } = startHarness();
  for (const host of ['10.0.0.7:8080', 'internal', 'auth.example']) {
    expect(server.owns('/token', host)).toBe(true);
    expect(server.owns(insertedPath, host)).toBe(true);
    expect((await server.handle(request(rootPath, { headers: { host } })))?.status).toBe(200);
  }
});

describe('over the adapters', () => {
  const handle = nodeHandler(server);
  const web = fetchHandler(server);
  const listener = createServer((req, res) => {
    void handle(req, res).then((answered) => {
      if (!answered) res.writeHead(404).end();
    });
  });

  beforeAll(async () => {
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });
  afterAll(() => {
    listener.closeAllConnections();
    listener.close();
  });

  async function get(path: string, host: string): Promise<{ status: number; body: string }> {
    const { port } = listener.address() as AddressInfo;
    const sent = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }).end();
    const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
  }

  it('node:http answers by the Host header', async () => {
    expect(JSON.parse((await get(insertedPath, 'mail.example.com')).body).resource).toBe(uris[1]);
    expect((await get(asMetadata, 'mail.example.com')).status).toBe(404);
    expect((await get(asMetadata, 'auth.example')).status).toBe(200);
    expect((await get(insertedPath, 'evil.example')).status).toBe(404);
  });

  it('fetch answers by the address of the request', async () => {
    const at = async (url: string) => (await web(new Request(url)))?.json() as Promise<Record<string, unknown>>;
    expect((await at(`https://mail.example.com${insertedPath}`)).resource).toBe(uris[1]);
    expect((await at(`https://files.example.com${rootPath}`)).resource).toBe(uris[0]);
    expect(await web(new Request(`https://mail.example.com${asMetadata}`))).toBeUndefined();
    expect((await at(`https://auth.example${asMetadata}`)).issuer).toBe(issuer);
  });
});
