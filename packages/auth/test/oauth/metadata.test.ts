/** Discovery documents and their places: RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4, RFC 9728 §3.1. */
import { describe, expect, it } from 'vitest';
import {
  authorizationServerMetadata,
  authorizationServerMetadataPaths,
  endpointPaths,
  protectedResourceMetadata,
  protectedResourceMetadataUrl,
} from '../../src/oauth/metadata.ts';

const tools = {
  uri: 'https://tools.example/mcp',
  name: 'Tools',
  scopes: { read: 'read', write: 'write' },
  defaultScope: ['read'],
};

/** A server with nothing switched on. */
const bare = {
  signingAlgorithms: ['ES256'],
  assertionAlgorithms: ['ES256'],
  furtherGrantTypes: [],
  grantProfiles: [],
  metadataDocuments: false,
  registration: true,
  introspection: false,
};

describe('where the documents stand', () => {
  it('root issuer: the two root documents', () => {
    expect(authorizationServerMetadataPaths('https://auth.example')).toEqual([
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
    ]);
  });

  it('issuer with a path: inserted and appended', () => {
    expect(authorizationServerMetadataPaths('https://auth.example/tenant1')).toEqual([
      '/.well-known/oauth-authorization-server/tenant1',
      '/.well-known/openid-configuration/tenant1',
      '/tenant1/.well-known/openid-configuration',
      '/tenant1/.well-known/oauth-authorization-server',
    ]);
  });

  it.each([
    ['https://tools.example', 'https://tools.example/.well-known/oauth-protected-resource'],
    ['https://tools.example/', 'https://tools.example/.well-known/oauth-protected-resource'],
    ['https://tools.example/mcp', 'https://tools.example/.well-known/oauth-protected-resource/mcp'],
    ['https://tools.example:8443/a/b', 'https://tools.example:8443/.well-known/oauth-protected-resource/a/b'],
    ['http://localhost:8000/mcp', 'http://localhost:8000/.well-known/oauth-protected-resource/mcp'],
  ])('resource %s', (resource, url) => {
    expect(protectedResourceMetadataUrl(resource)).toBe(url);
  });

  it('every endpoint is below the issuer', () => {
    expect(
      Object.values(endpointPaths('https://auth.example/tenant1')).every((path) => path.startsWith('/tenant1/')),
    ).toBe(true);
    expect(endpointPaths('https://auth.example').token).toBe('/token');
  });
});

describe('what they say', () => {
  // Clients compare byte for byte (RFC 8414 §3.3), so nothing may be normalised on the way.
  it.each([
    'https://auth.example',
    'https://auth.example/tenant1',
    'http://localhost:9000',
    'https://auth.example/A%2Fb',
  ])('issuer %s byte for byte', (issuer) => {
    const document = authorizationServerMetadata({ ...bare, issuer, resources: [tools] });
    expect(document.issuer).toBe(issuer);
    expect(document.token_endpoint).toBe(`${issuer}/token`);
    expect(document.authorization_endpoint).toBe(`${issuer}/authorize`);
    expect(document.registration_endpoint).toBe(`${issuer}/register`);
    expect(document.jwks_uri).toBe(`${issuer}/.well-known/jwks.json`);
    expect(protectedResourceMetadata(tools, issuer).authorization_servers).toEqual([issuer]);
  });

  it('the authorization server offers what clients look for, and no more', () => {
    const other = { uri: 'https://other.example', scopes: { read: 'read', admin: 'admin' } };
    const facts = { ...bare, issuer: 'https://auth.example', resources: [tools, other] };
    expect(authorizationServerMetadata(facts)).toMatchObject({
      scopes_supported: ['read', 'write', 'admin', 'offline_access'],
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      protected_resources: ['https://tools.example/mcp', 'https://other.example'],
    });
  });

  it('the resource announces its minimal scope and never offline_access', () => {
    expect(protectedResourceMetadata(tools, 'https://auth.example')).toEqual({
      resource: 'https://tools.example/mcp',
      authorization_servers: ['https://auth.example'],
      scopes_supported: ['read'],
      bearer_methods_supported: ['header'],
      resource_name: 'Tools',
    });
    expect(protectedResourceMetadata({ uri: 'https://tools.example', scopes: {} }, 'https://auth.example')).toEqual({
      resource: 'https://tools.example',
      authorization_servers: ['https://auth.example'],
      scopes_supported: [],
      bearer_methods_supported: ['header'],
    });
  });
});
