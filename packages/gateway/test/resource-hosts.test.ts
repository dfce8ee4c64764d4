/** Resources on hosts of their own: each with its metadata, its challenge and its tokens, and the authorization server at its own host alone (RFC 9728 §3, RFC 8707 §2, RFC 8414 §3; SEC-11). */
import { endpointPaths } from '@mcp-gatehouse/auth';
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serve } from '../src/serve.ts';
import { gatewayConfig, redirectUri } from './harness.ts';
import { type Answer, ask, message } from './raw-http.ts';
import { type SettingsGateway, startSettingsGateway, type Tokens, walk } from './settings-gateway.ts';
import { startTarget, type Target } from './target.ts';

/** By who has it: the issuer's own host, the same computer by its address, and by its other address. */
const names = ['own', 'files', 'notes', 'second'] as const;
type Name = (typeof names)[number];

let gateway: SettingsGateway;
let targets: Record<Name, Target>;
let uris: Record<Name, string>;
let tokens: Record<Name, Tokens>;

const urisAt = (port: number): Record<Name, string> => ({
  own: `http://localhost:${port}/mcp`,
  files: `http://127.0.0.1:${port}/mcp`,
  notes: `http://[::1]:${port}/mcp`,
  second: `http://[::1]:${port}/second/mcp`,
});

beforeAll(async () => {
  const [own, files, notes, second] = await Promise.all([startTarget(), startTarget(), startTarget(), startTarget()]);
  targets = { own, files, notes, second };
  gateway = await startSettingsGateway((port) => {
    uris = urisAt(port);
    return {
      listen: { host: '::' },
      resources: names.map((name) => ({
        ...(name === 'own' ? { path: '/mcp' } : { url: uris[name] }),
        name: `the ${name} server`,
        target: `${targets[name].url}/inside`,
        scopes: { [`${name}:use`]: `use the ${name} server` },
        ...(name === 'files' && { open: [{ path: '/exports', target: `${files.url}/exports` }] }),
      })),
    };
  });
  tokens = {
    own: await gateway.tokens(uris.own, 'ada'),
    files: await gateway.tokens(uris.files, 'ada'),
    notes: await gateway.tokens(uris.notes, 'ada'),
    second: await gateway.tokens(uris.second, 'ada'),
  };
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all(Object.values(targets ?? {}).map((one) => one.close()));
});
beforeEach(() => {
  for (const { seen } of Object.values(targets)) seen.length = 0;
});

const post = (uri: string, token?: string) =>
  fetch(uri, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });
/** Always at the same address: only what the request says of its host differs. */
const askAs = (host: string, line: string, headers: ReadonlyArray<readonly [string, string]> = []): Promise<Answer> =>
  ask(gateway.port, message(line, [['Host', host], ...headers]));
const hostOf = (name: Name) => new URL(uris[name]).host;
const metadataPath = '/.well-known/oauth-protected-resource';

describe('a resource on a host of its own', () => {
  it.each(names)('%s: is described at its own host, and challenges with that address', async (name) => {
    const { origin, pathname } = new URL(uris[name]);
    const address = `${origin}${metadataPath}${pathname}`;
    const challenged = await post(uris[name]);
    expect(challenged.status).toBe(401);
    expect(challenged.headers.get('www-authenticate')).toContain(`resource_metadata="${address}"`);
    expect(challenged.headers.get('www-authenticate')).toContain(`scope="${name}:use"`);
    expect(await (await fetch(address)).json()).toMatchObject({
      resource: uris[name],
      resource_name: `the ${name} server`,
      authorization_servers: [gateway.issuer],
      scopes_supported: [`${name}:use`],
    });
  });

  it('the root of a host describes its first one, and no host describes another’s', async () => {
    for (const name of ['own', 'files', 'notes'] as const) {
      const root = await fetch(`${new URL(uris[name]).origin}${metadataPath}`);
      expect(await root.json()).toMatchObject({ resource: uris[name] });
    }
    for (const name of ['own', 'files'] as const) {
      expect((await askAs(hostOf(name), `GET ${metadataPath}/second/mcp`)).status, name).toBe(404);
      expect((await askAs(hostOf(name), 'POST /second/mcp')).status, name).toBe(404);
    }
  });

  it('it is the Host that tells them apart, in any case, and not the address somebody connected to', async () => {
    for (const name of ['own', 'files', 'notes'] as const) {
      const described = await askAs(hostOf(name).toUpperCase(), `GET ${metadataPath}/mcp`);
      expect([described.status, described.json().resource]).toEqual([200, uris[name]]);
    }
  });

  it.each(names)('%s: takes the tokens that are for it and no others; its target alone hears of it', async (name) => {
    for (const other of names) {
      const answer = await post(uris[name], tokens[other].accessToken);
      expect(answer.status, `a token for ${other}`).toBe(other === name ? 200 : 401);
    }
    for (const other of names) expect(targets[other].seen, other).toHaveLength(other === name ? 1 : 0);
    const [seen] = targets[name].seen;
    expect(seen?.url).toBe('/inside');
    expect(seen?.headers['x-forwarded-host']).toBe(hostOf(name));
    expect(readIdentityHeaders(seen?.headers ?? {})).toMatchObject({ scope: [`${name}:use`] });
  });

  it('a refreshed token is for the same one', async () => {
    const { access_token: next } = (await (await gateway.refresh(tokens.files)).json()) as { access_token: string };
    expect((await post(uris.files, next)).status).toBe(200);
    expect((await post(uris.own, next)).status).toBe(401);
  });

  it('an open path is open at its own host alone', async () => {
    expect((await askAs(hostOf('files'), 'GET /exports/a.txt')).status).toBe(200);
    expect(targets.files.seen.map(({ url }) => url)).toEqual(['/exports/a.txt']);
    for (const name of ['own', 'notes'] as const) {
      expect((await askAs(hostOf(name), 'GET /exports/a.txt')).status).toBe(404);
    }
  });

  it('may be called by pages of its own origin, and not by others', async () => {
    const asked = (origin: string) => askAs(hostOf('files'), 'OPTIONS /mcp', [['Origin', origin]]);
    expect((await asked(`http://${hostOf('files')}`)).status).toBe(204);
    expect((await asked('https://evil.example')).status).toBe(403);
  });
});

describe('the authorization server', () => {
  it('is at the host of its issuer, and every path of it is nothing elsewhere', async () => {
    const paths = new Set([...Object.values(endpointPaths(gateway.issuer)), '/.well-known/oauth-authorization-server']);
    expect(paths.size).toBeGreaterThan(8);
    for (const path of paths) {
      for (const method of ['GET', 'POST']) {
        const here = await askAs(hostOf('own'), `${method} ${path}`);
        expect(here.status, `${method} ${path}`).not.toBe(404);
        for (const name of ['files', 'notes'] as const) {
          const there = await askAs(hostOf(name), `${method} ${path}`);
          expect([there.status, there.header('set-cookie')], `${method} ${path} at ${name}`).toEqual([404, undefined]);
        }
      }
    }
  });

  it('neither is its front page, and the probes of load balancers are everywhere', async () => {
    expect((await askAs(hostOf('own'), 'GET /')).status).toBe(200);
    expect((await askAs(hostOf('files'), 'GET /')).status).toBe(404);
    for (const host of [hostOf('files'), '10.0.0.7:8080']) expect((await askAs(host, 'GET /healthz')).status).toBe(200);
  });

  it('gives no code for a resource that there is not, however alike its address', async () => {
    for (const resource of [uris.files.replace('127.0.0.1', '127.0.0.2'), `${uris.files}/`, `${uris.files}x`]) {
      const { parameters } = await gateway.signIn(resource, 'ada');
      expect([parameters.get('error'), parameters.get('state')], resource).toEqual(['invalid_target', 'the-state']);
    }
  });
});

it.each(['evil.example', 'localhost.evil.example', '127.0.0.2', '127.0.0.1.evil.example', '[::2]', '0.0.0.0'])(
  'whoever calls us %s is refused at every path, token or not',
  async (name) => {
    for (const host of [name, `${name}:${gateway.port}`]) {
      for (const line of ['POST /mcp', 'GET /authorize', `GET ${metadataPath}/mcp`, 'GET /exports/a.txt']) {
        const answer = await askAs(host, line, [['Authorization', `Bearer ${tokens.own.accessToken}`]]);
        expect([answer.status, answer.json().error], `${line} at ${host}`).toEqual([403, 'forbidden']);
      }
    }
    for (const { seen } of Object.values(targets)) expect(seen).toEqual([]);
  },
);

it('on names that are not this computer’s, it answers to those of the configuration and to no others', async () => {
  const target = await startTarget();
  const resources = [
    { path: '/mcp', target: target.url },
    { url: 'https://files.example.com/mcp', target: target.url },
    { url: 'https://notes.example.com:8443/mcp', target: target.url },
  ];
  const changes = { issuer: 'https://auth.example.com', listen: { port: 0 } };
  const running = await serve(gatewayConfig(0, resources, changes), { log: () => {} });
  const challengedAt = async (host: string) => {
    const answer = await ask(running.port, message('POST /mcp', [['Host', host]]));
    const [, address] = /resource_metadata="([^"]+)"/.exec(answer.header('www-authenticate') ?? '') ?? [];
    return address ?? answer.status;
  };
  for (const [host, origin] of [
    ['auth.example.com', 'https://auth.example.com'],
    ['auth.example.com:443', 'https://auth.example.com'],
    ['files.example.com', 'https://files.example.com'],
    ['FILES.example.com:443', 'https://files.example.com'],
    ['notes.example.com:8443', 'https://notes.example.com:8443'],
  ] as const) {
    expect(await challengedAt(host), host).toBe(`${origin}${metadataPath}/mcp`);
  }
  const others = ['files.example.com.', 'files.example.com:80', 'notes.example.com', 'notes.example.com:443'];
  for (const host of [...others, 'localhost', `127.0.0.1:${running.port}`, 'example.com', 'a.files.example.com']) {
    expect(await challengedAt(host), host).toBe(403);
  }
  expect(target.requests).toBe(0);
  await running.close();
  await target.close();
});

it('a target in the form of a whole address does not choose the host', async () => {
  const authorization: [string, string] = ['Authorization', `Bearer ${tokens.files.accessToken}`];
  const answer = await askAs(hostOf('own'), `POST ${uris.files}`, [authorization]);
  expect(answer.status).toBe(404);
  expect(targets.files.seen).toEqual([]);
});

it('listening on every IPv4 address serves both names too', async () => {
  const [one, two] = await Promise.all([startTarget(), startTarget()]);
  const other = await startSettingsGateway((port) => ({
    listen: { host: '0.0.0.0' },
    resources: [
      { path: '/mcp', target: one.url },
      { url: `http://127.0.0.1:${port}/mcp`, target: two.url },
    ],
  }));
  const uri = `http://127.0.0.1:${other.port}/mcp`;
  const { accessToken } = await other.tokens(uri, 'bob');
  expect((await post(uri, accessToken)).status).toBe(200);
  expect((await post(`${other.issuer}/mcp`, accessToken)).status).toBe(401);
  expect([one.seen.length, two.seen.length]).toEqual([0, 1]);
  await other.close();
  await Promise.all([one.close(), two.close()]);
});

it('the SDK finds everything from the address of the resource alone', async () => {
  const { files } = targets;
  const noted = files.answer;
  files.answer = async (req, res) => {
    const server = new McpServer({ name: 'files', version: '1' });
    server.registerTool('list', {}, () => ({
      content: [{ type: 'text', text: `at ${req.headers['x-forwarded-host']}` }],
    }));
    const transport = new StreamableHTTPServerTransport({});
    await server.connect(transport);
    await transport.handleRequest(req, res);
  };
  const url = new URL(uris.files);
  const { provider, opened } = remembering();
  const before = new StreamableHTTPClientTransport(url, { authProvider: provider });
  await expect(new Client({ name: 'sdk', version: '2' }).connect(before)).rejects.toThrow('Unauthorized');
  expect(opened.map(({ origin }) => origin)).toEqual([gateway.issuer]);
  expect(opened[0]?.searchParams.get('resource')).toBe(uris.files);
  await before.finishAuth((await walk(opened[0] as URL, 'ada', redirectUri)).searchParams);
  const client = new Client({ name: 'sdk', version: '2' });
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }));
  const { content } = await client.callTool({ name: 'list', arguments: {} });
  expect(content).toEqual([{ type: 'text', text: `at ${hostOf('files')}` }]);
  await client.close();
  files.answer = noted;
});

/** What an application keeps between opening the browser and having its tokens. */
function remembering(): { readonly provider: OAuthClientProvider; readonly opened: URL[] } {
  const opened: URL[] = [];
  const kept: Record<string, unknown> = {};
  const keep = (name: string) => (value: unknown) => {
    kept[name] = value;
  };
  const provider = {
    redirectUrl: redirectUri,
    clientMetadata: { client_name: 'SDK', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
    clientInformation: () => kept.client,
    saveClientInformation: keep('client'),
    tokens: () => kept.tokens,
    saveTokens: keep('tokens'),
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: keep('verifier'),
    discoveryState: () => kept.discovery,
    saveDiscoveryState: keep('discovery'),
    redirectToAuthorization: (url: URL) => void opened.push(url),
  };
  return { provider: provider as unknown as OAuthClientProvider, opened };
}
