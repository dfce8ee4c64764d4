/** The verdicts on the SDKs against the SDKs themselves: where one is said to come as far as the sign-in, it does, and nowhere else. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { judgeAll } from '../../src/doctor/personas/judge.ts';
import {
  answers,
  at,
  type Broken,
  doctor,
  headers,
  members,
  messages,
  metadataRoutes,
  missing,
  resourceRoutes,
} from './broken/broken.ts';
import { type GoodServer, mcpPath, page, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

/** A provider of either SDK that notes whether a browser would have been opened. */
function application() {
  const held = new Map<string, unknown>();
  const opened: string[] = [];
  const provider = {
    redirectUrl: 'http://127.0.0.1:33418/callback',
    clientMetadata: {
      client_name: 'An application with the SDK',
      redirect_uris: ['http://127.0.0.1:33418/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => held.get('client') as never,
    saveClientInformation: (client: unknown) => void held.set('client', client),
    tokens: () => undefined,
    saveTokens: () => {},
    redirectToAuthorization: (url: URL) => void opened.push(url.href),
    saveCodeVerifier: (verifier: string) => void held.set('verifier', verifier),
    codeVerifier: () => String(held.get('verifier')),
  };
  return { provider, opened };
}

const sdks = {
  async 'sdk-v1'(url: URL) {
    const { provider, opened } = application();
    const client = new ClientV1({ name: 'stranger', version: '1' });
    await client.connect(new TransportV1(url, { authProvider: provider }) as Transport).catch(() => {});
    return opened;
  },
  async 'sdk-v2'(url: URL) {
    const { provider, opened } = application();
    const client = new Client({ name: 'stranger', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider })).catch(() => {});
    return opened;
  },
};

const challenge = (value: string) => at(messages, headers({ 'www-authenticate': value }));
const issuer = (suffix: string) =>
  at(metadataRoutes, (reply, _, { origin }) => ({
    ...reply,
    body: { ...(reply.body as object), issuer: origin + suffix },
  }));
const resource = (of: (origin: string) => unknown) =>
  at(resourceRoutes, (reply, _, { origin }) => ({
    ...reply,
    body: { ...(reply.body as object), resource: of(origin) },
  }));

const cases: ReadonlyArray<readonly [is: string, change: NonNullable<Broken['change']>]> = [
  ['nothing wrong', () => undefined],
  ['no PKCE', at(metadataRoutes, members({ code_challenge_methods_supported: undefined }))],
  ['plain PKCE', at(metadataRoutes, members({ code_challenge_methods_supported: ['plain'] }))],
  ['an issuer with a slash more', issuer('/')],
  ['another issuer', issuer('/other')],
  ['a resource above', resource((origin) => origin)],
  ['a resource below', resource((origin) => `${origin}${mcpPath}/below`)],
  ['a resource with a slash more', resource((origin) => `${origin}${mcpPath}/`)],
  ['another resource', resource(() => 'https://other.example/mcp')],
  ['no resource', resource(() => undefined)],
  ['no metadata of the resource', missing(...resourceRoutes)],
  ['no metadata at the root', missing('resource-root')],
  ['no servers named', at(resourceRoutes, members({ authorization_servers: [] }))],
  ['no OAuth form', missing('server-oauth')],
  ['no response types', at(metadataRoutes, members({ response_types_supported: undefined }))],
  ['a page for the OAuth form', at('server-oauth', () => page(200, 'Home'))],
  ['a page for the OpenID form', at('server-openid', () => page(200, 'Home'))],
  ['a page for the metadata of the resource', at(resourceRoutes, () => page(200, 'Home'))],
  [
    'no registration',
    at(metadataRoutes, members({ registration_endpoint: undefined, client_id_metadata_document_supported: false })),
  ],
  ['no token endpoint', at(metadataRoutes, members({ token_endpoint: undefined }))],
  ['a relative authorization endpoint', at(metadataRoutes, members({ authorization_endpoint: '/authorize' }))],
  ['a refused registration', at('register', answers(400, { error: 'invalid_redirect_uri' }))],
  ['a registration that is not echoed', at('register', members({ redirect_uris: undefined }))],
  ['no challenge', at(messages, headers({ 'www-authenticate': undefined }))],
  ['a relative URL in the challenge', challenge('Bearer resource_metadata="/.well-known/oauth-protected-resource"')],
  ['403', at(messages, answers(403))],
  ['404', at([...messages, 'stream'], answers(404))],
  ['a login page', at(messages, () => page(200, 'Please sign in'))],
  [
    'a redirect',
    at(messages, (_, { path }) =>
      path === mcpPath ? { status: 302, headers: { location: '/x' }, body: '' } : undefined,
    ),
  ],
];

it.each(cases)('the verdict is the SDKs’ own: %s', async (_, change) => {
  const { facts } = await doctor(server, { change });
  for (const verdict of judgeAll(facts, ['sdk-v1', 'sdk-v2'])) {
    const opened = await sdks[verdict.client as keyof typeof sdks](new URL(server.origin + mcpPath));
    const said = `${verdict.client} ${verdict.outcome}: ${verdict.reasons.join(' ')}; opened ${opened.length}`;
    if (verdict.outcome === 'unknown') continue;
    // What a browser meets once it is open the SDK does not see.
    expect(opened.length > 0, said).toBe(verdict.outcome !== 'fails' || verdict.step === 'sign-in');
  }
});
