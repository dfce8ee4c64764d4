/** The official SDKs, and the programs built on them that nobody sees: mcp-remote and the Inspector in its three forms. */
import { discoveryOfTheSpecification, type Persona } from './persona.ts';

const codeAndRefresh = ['authorization_code', 'refresh_token'];

const sdkV2: Persona = {
  name: 'SDK v2',
  source: 'recorded',
  identity: {
    by: 'registration',
    body: {
      client_name: 'An application with the SDK',
      redirect_uris: ['http://127.0.0.1:{port}/callback'],
      grant_types: codeAndRefresh,
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'read',
    },
  },
  redirectUris: ['http://127.0.0.1:{port}/callback'],
  // The header, else the root; never the path by itself.
  discovery: {
    resourceMetadata: ['challenge', 'root'],
    serverMetadata: ['oauth', 'openid', 'openid-appended'],
    protocolVersion: '2026-07-28',
  },
  scope: 'challenge',
  asksForRefresh: true,
  resource: 'href',
  tokenAuth: 'none',
  onInsufficientScope: 'asks-for-the-union',
};

const sdkV1: Persona = {
  name: 'SDK v1',
  source: 'recorded',
  identity: {
    by: 'registration',
    body: {
      client_name: 'An application with the old SDK',
      redirect_uris: ['http://localhost:{port}/callback'],
      grant_types: codeAndRefresh,
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  },
  redirectUris: ['http://localhost:{port}/callback'],
  discovery: { ...sdkV2.discovery, protocolVersion: '2025-11-25' },
  scope: 'challenge',
  resource: 'href',
  tokenAuth: 'none',
  opensStream: 'after-initialize',
  onInsufficientScope: 'refreshes',
};

/** The same SDK in a program that registers for a secret: what follows from its raw Basic credentials. */
const confidential = (of: Persona): Persona['identity'] =>
  of.identity.by === 'registration'
    ? { by: 'registration', body: { ...of.identity.body, token_endpoint_auth_method: 'client_secret_basic' } }
    : of.identity;

const inspector: Persona = {
  name: 'Inspector CLI',
  source: 'recorded',
  identity: {
    by: 'registration',
    body: {
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      redirect_uris: ['http://127.0.0.1:6276/oauth/callback'],
      grant_types: codeAndRefresh,
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'mcp offline_access',
    },
  },
  redirectUris: ['http://127.0.0.1:6276/oauth/callback'],
  discovery: sdkV2.discovery,
  scope: { sent: 'mcp offline_access' },
  prompt: 'consent',
  resource: 'href',
  tokenAuth: 'none',
};

export const sdkPersonas: readonly Persona[] = [
  sdkV2,
  { ...sdkV2, name: 'SDK v2 at a resource that is a bare origin', meets: { originResource: true } },
  { ...sdkV2, name: 'SDK v2 with a secret', identity: confidential(sdkV2), tokenAuth: 'basic-raw' },
  sdkV1,
  { ...sdkV1, name: 'SDK v1 at a resource that is a bare origin', meets: { originResource: true } },
  { ...sdkV1, name: 'SDK v1 with a secret', identity: confidential(sdkV1), tokenAuth: 'basic-raw' },
  {
    ...sdkV1,
    name: 'mcp-remote 0.15.1',
    identity: {
      by: 'registration',
      body: {
        client_name: 'MCP CLI Proxy',
        client_uri: 'https://github.com/modelcontextprotocol/mcp-cli',
        redirect_uris: ['http://localhost:{port}/oauth/callback'],
        grant_types: codeAndRefresh,
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
        software_version: '0.15.1',
        scope: 'openid email profile',
      },
    },
    redirectUris: ['http://localhost:{port}/oauth/callback'],
    scope: { sent: 'openid email profile' },
    repeatsScope: true,
    opensStream: 'before-sign-in',
  },
  {
    ...sdkV1,
    name: 'mcp-remote --disable-resource-parameter',
    resource: 'absent',
    scope: { sent: 'openid email profile' },
    opensStream: 'before-sign-in',
  },
  inspector,
  { ...inspector, name: 'Inspector TUI' },
  {
    ...inspector,
    name: 'Inspector web',
    source: 'documented', // the CLI was recorded; this is the same code on another page
    identity: {
      by: 'registration',
      body: {
        client_name: 'MCP Inspector',
        redirect_uris: ['http://localhost:6274/oauth/callback'],
        grant_types: codeAndRefresh,
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    },
    redirectUris: ['http://localhost:6274/oauth/callback'],
    discovery: { ...discoveryOfTheSpecification, browserOrigin: 'http://localhost:6274' },
  },
];
