/** Servers whose metadata is wrong: the resource's, and the authorization server's. */
import {
  answers,
  at,
  type Broken,
  headers,
  members,
  metadataRoutes,
  missing,
  namesHere,
  publicly,
  resourceRoutes,
} from './broken.ts';
import { type Change, type GoodServer, page } from './good-server.ts';

const resource = (changes: Readonly<Record<string, unknown>>) => at(resourceRoutes, members(changes));
const server = (changes: Readonly<Record<string, unknown>>) => at(metadataRoutes, members(changes));

const both =
  (...changes: readonly Change[]): Change =>
  (reply, asked, of) =>
    changes.map((change) => change(reply, asked, of)).find((changed) => changed !== undefined);

const challengeWithout = (pattern: RegExp) =>
  at(['initialize', 'discover', 'stream'], (reply) => ({
    ...reply,
    headers: { ...reply.headers, 'www-authenticate': String(reply.headers['www-authenticate']).replace(pattern, '') },
  }));

export const resourceCases: readonly Broken[] = [
  { is: 'no metadata at all', change: missing(...resourceRoutes, ...metadataRoutes), finds: ['resource.missing'] },
  { is: 'its own authorization server', change: missing(...resourceRoutes), finds: ['resource.legacy'] },
  { is: 'a challenge that leads nowhere', change: missing('resource-path'), finds: ['resource.challenge-url-dead'] },
  {
    is: 'metadata at the root only',
    change: both(missing('resource-path'), challengeToRoot),
    finds: ['resource.path-missing'],
  },
  { is: 'no metadata at the root', change: missing('resource-root'), finds: ['resource.root-missing'] },
  {
    is: 'a web page at the root',
    change: at('resource-root', () => page(200, 'Welcome')),
    finds: ['resource.web-page'],
  },
  { is: 'metadata for the few', change: at('resource-root', answers(401)), finds: ['resource.guarded'] },
  {
    is: 'metadata as text',
    change: at('resource-path', headers({ 'content-type': 'text/plain' })),
    finds: ['resource.content-type'],
  },
  {
    is: 'metadata behind a redirect',
    change: at('resource-root', (_, __, { origin }) => ({
      status: 302,
      headers: { location: `${origin}/.well-known/oauth-protected-resource/mcp` },
      body: '',
    })),
    finds: ['resource.redirected'],
  },
  { is: 'metadata of nobody', change: resource({ resource: undefined }), finds: ['resource.no-resource'] },
  {
    is: 'metadata of another server',
    change: resource({ resource: 'http://other.example.test/mcp' }),
    finds: ['authorize.refused', 'resource.mismatch'],
  },
  {
    is: 'a resource with a slash',
    change: at(resourceRoutes, (reply, asked, { origin }) =>
      members({ resource: `${origin}/mcp/` })(reply, asked, {} as GoodServer),
    ),
    finds: ['authorize.refused', 'resource.mismatch'],
  },
  {
    is: 'a resource that is the whole host',
    change: at(resourceRoutes, (reply, asked, of) => members({ resource: of.origin })(reply, asked, of)),
    finds: ['authorize.refused', 'resource.parent'],
  },
  {
    is: 'a resource without a server',
    change: resource({ authorization_servers: [] }),
    finds: ['resource.no-servers'],
  },
  {
    is: 'a resource with two servers',
    change: at(resourceRoutes, (reply, asked, of) =>
      members({ authorization_servers: [of.origin, of.origin] })(reply, asked, of),
    ),
    finds: ['resource.several-servers'],
  },
  {
    is: 'offline_access of the resource',
    change: resource({ scopes_supported: ['read', 'offline_access'] }),
    finds: ['resource.offline-access'],
  },
  {
    is: 'no scope anywhere',
    change: both(resource({ scopes_supported: undefined }), challengeWithout(/scope="read", /)),
    finds: ['challenge.no-scope', 'resource.no-scopes'],
  },
  {
    is: 'two truths',
    change: at('resource-root', members({ authorization_servers: ['https://old.example.test'] })),
    finds: ['resource.documents-differ'],
  },
];

function challengeToRoot(...[reply, asked]: Parameters<Change>): ReturnType<Change> {
  const value = reply.headers['www-authenticate'];
  if (typeof value !== 'string' || asked.route === 'other') return undefined;
  return {
    ...reply,
    headers: {
      ...reply.headers,
      'www-authenticate': value.replace('oauth-protected-resource/mcp', 'oauth-protected-resource'),
    },
  };
}

const endpoint =
  (name: string, url: (origin: string) => string): Change =>
  (reply, asked, of) =>
    at(metadataRoutes, members({ [name]: url(of.origin) }))(reply, asked, of);

const withPath = (of: GoodServer) => {
  of.issuerPath = '/tenant';
};

export const serverCases: readonly Broken[] = [
  { is: 'no authorization server', change: missing(...metadataRoutes), finds: ['server.missing'] },
  {
    is: 'a web page for the metadata',
    change: at('server-oauth', () => page(200, 'Welcome')),
    finds: ['server.only-openid', 'server.web-page'],
  },
  { is: 'OpenID alone', change: missing('server-oauth'), finds: ['server.only-openid'] },
  {
    is: 'OpenID alone, and not as OpenID has it',
    change: both(
      missing('server-oauth'),
      server({ subject_types_supported: undefined, id_token_signing_alg_values_supported: undefined }),
    ),
    finds: ['server.member-missing', 'server.only-openid'],
  },
  {
    is: 'OpenID alone, without keys',
    change: both(missing('server-oauth'), server({ jwks_uri: undefined })),
    finds: ['server.member-missing', 'server.only-openid'],
  },
  {
    is: 'no response types',
    change: server({ response_types_supported: undefined }),
    finds: ['server.member-missing'],
  },
  {
    is: 'both forms, and what only OpenID wants in neither',
    change: server({ jwks_uri: undefined, subject_types_supported: undefined }),
    finds: [],
  },
  { is: 'RFC 8414 alone', change: missing('server-openid'), finds: ['server.only-oauth'] },
  {
    is: 'OpenID below the path alone',
    prepare: withPath,
    change: (_, { path }) =>
      /^\/\.well-known\/(oauth-auth|openid)/.test(path) ? { status: 404, headers: {}, body: '' } : undefined,
    finds: ['server.only-appended'],
  },
  {
    is: 'metadata as text',
    change: at('server-oauth', headers({ 'content-type': 'text/plain' })),
    finds: ['server.content-type'],
  },
  {
    is: 'an issuer with a slash',
    change: at(metadataRoutes, (reply, asked, of) => members({ issuer: `${of.origin}/` })(reply, asked, of)),
    finds: ['authorize.iss', 'server.issuer'],
  },
  {
    is: 'two token endpoints',
    change: at('server-openid', members({ token_endpoint: 'https://old.example.test/token' })),
    finds: ['server.documents-differ'],
  },
  { is: 'no token endpoint', change: server({ token_endpoint: undefined }), finds: ['server.endpoint-missing'] },
  { is: 'a relative endpoint', change: server({ token_endpoint: '/token' }), finds: ['server.endpoint-form'] },
  {
    is: 'an endpoint without TLS',
    change: server({ revocation_endpoint: 'http://mcp.example.test/revoke' }),
    finds: ['server.endpoint-plain-http'],
  },
  {
    is: 'an endpoint by its inner name',
    prepare: publicly,
    options: { resolve: namesHere },
    change: (reply, asked, of) =>
      endpoint('token_endpoint', () => `http://localhost:${of.port}/token`)(reply, asked, of),
    finds: ['address.plain-http', 'server.endpoint-inner'],
  },
  { is: 'no PKCE', change: server({ code_challenge_methods_supported: undefined }), finds: ['server.no-pkce'] },
  {
    is: 'PKCE for show',
    change: server({ code_challenge_methods_supported: ['plain', 'S256'] }),
    finds: ['server.pkce-plain'],
  },
  {
    is: 'no iss',
    change: server({ authorization_response_iss_parameter_supported: undefined }),
    finds: ['server.no-iss'],
  },
  {
    is: 'tokens for machines only',
    change: server({ response_types_supported: ['token'] }),
    finds: ['server.no-code'],
  },
  {
    is: 'no refresh tokens',
    change: server({ grant_types_supported: ['authorization_code'] }),
    finds: ['server.no-refresh'],
  },
  {
    is: 'secrets for everybody',
    change: server({ token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
    finds: ['server.no-public-clients'],
  },
  {
    is: 'known clients only',
    change: server({ registration_endpoint: undefined, client_id_metadata_document_supported: false }),
    finds: ['server.no-registration'],
  },
  {
    is: 'no metadata documents',
    change: server({ client_id_metadata_document_supported: undefined }),
    finds: ['server.no-documents'],
  },
  {
    is: 'no registration',
    change: server({ registration_endpoint: undefined }),
    finds: ['server.no-dynamic-registration'],
  },
  { is: 'no offline_access', change: server({ scopes_supported: ['read'] }), finds: ['server.no-offline-access'] },
  {
    is: 'other scopes',
    change: server({ scopes_supported: ['write', 'offline_access'] }),
    finds: ['server.unknown-scope'],
  },
  { is: 'no keys', change: missing('jwks'), finds: ['server.jwks-dead'] },
  {
    is: 'the private key',
    change: at('jwks', answers(200, { keys: [{ kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', d: 'ZA' }] })),
    finds: ['server.jwks-secret'],
  },
  {
    is: 'a short key',
    change: at(
      'jwks',
      answers(200, { keys: [{ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 1).toString('base64url') }] }),
    ),
    finds: ['server.jwks-weak'],
  },
];
