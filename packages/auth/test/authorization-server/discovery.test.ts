/** Discovery over `handle`: every document at every place and form, CORS, methods, and spellings that are not ours. */
import { describe, expect, it } from 'vitest';
import {
  authorized,
  issuer,
  parsed,
  pkce,
  refusal,
  registerClient,
  request,
  resource,
  startHarness,
} from '../harness.ts';

const scopes = { read: 'read your things' };
const get = (harness: ReturnType<typeof startHarness>, path: string) => harness.server.handle(request(path));

describe('root issuer, one resource', () => {
  const harness = startHarness();

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])('%s', async (path) => {
    const reply = await get(harness, path);
    expect(reply).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(parsed(reply)).toMatchObject({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      protected_resources: [resource],
    });
  });

  it.each(['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])(
    '%s',
    async (path) => {
      const reply = await get(harness, path);
      expect(reply).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
      expect(parsed(reply)).toEqual({
        resource,
        authorization_servers: [issuer],
        scopes_supported: ['read'],
        bearer_methods_supported: ['header'],
        resource_name: 'Example tools',
      });
    },
  );

  it('the signing keys', async () => {
    const reply = await get(harness, '/.well-known/jwks.json');
    expect(reply?.status).toBe(200);
    const keys = parsed(reply).keys as Array<Record<string, unknown>>;
    expect(keys).toHaveLength(1);
    expect(keys[0]).not.toHaveProperty('d');
  });
});

describe('issuer with a path', () => {
  const tenant = 'https://auth.example/tenant1';
  const harness = startHarness({ issuer: tenant });

  it.each([
    '/.well-known/oauth-authorization-server/tenant1',
    '/.well-known/openid-configuration/tenant1',
    '/tenant1/.well-known/openid-configuration',
    '/tenant1/.well-known/oauth-authorization-server',
  ])('%s', async (path) => {
    expect(parsed(await get(harness, path))).toMatchObject({
      issuer: tenant,
      token_endpoint: `${tenant}/token`,
      jwks_uri: `${tenant}/.well-known/jwks.json`,
    });
  });

  it.each([
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/tenant1/',
    '/.well-known/oauth-authorization-server/tenant2',
    '/token',
    '/.well-known/jwks.json',
  ])('%s is another issuer’s', async (path) => {
    expect(await get(harness, path)).toBeUndefined();
  });

  it('names itself in the resource’s metadata, and its callback is below it', async () => {
    expect(parsed(await get(harness, '/.well-known/oauth-protected-resource/mcp'))).toMatchObject({
      resource,
      authorization_servers: [tenant],
    });
    expect(harness.server.callbackUrl).toBe(`${tenant}/callback`);
  });
});

describe('several resources', () => {
  const harness = startHarness({
    resources: [
      { uri: 'https://auth.example/one', scopes: { ...scopes, admin: 'everything' }, defaultScope: ['read'] },
      { uri: 'https://auth.example/two/mcp', scopes: { 'two:use': 'use two' } },
      { uri: 'https://three.example', scopes },
    ],
  });

  it.each([
    ['/.well-known/oauth-protected-resource/one', 'https://auth.example/one', ['read']],
    ['/.well-known/oauth-protected-resource/two/mcp', 'https://auth.example/two/mcp', ['two:use']],
  ])('%s', async (path, uri, supported) => {
    expect(parsed(await get(harness, path))).toMatchObject({ resource: uri, scopes_supported: supported });
  });

  it('the root document is the first resource’s, where none is an origin', async () => {
    const uris = ['https://auth.example/one', 'https://auth.example/two'];
    const two = startHarness({ resources: uris.map((uri) => ({ uri, scopes })) });
    expect(parsed(await get(two, '/.well-known/oauth-protected-resource')).resource).toBe(uris[0]);
  });

  it('a resource that is an origin has the root document to itself', async () => {
    const root = parsed(await get(harness, '/.well-known/oauth-protected-resource'));
    expect(root.resource).toBe('https://three.example');
  });

  it('all of them and their scopes are in the authorization server’s metadata', async () => {
    expect(parsed(await get(harness, '/.well-known/oauth-authorization-server'))).toMatchObject({
      protected_resources: ['https://auth.example/one', 'https://auth.example/two/mcp', 'https://three.example'],
      scopes_supported: ['read', 'admin', 'two:use', 'offline_access'],
    });
  });
});

it('issuer and iss are one text everywhere', async () => {
  const harness = startHarness();
  const client = await registerClient(harness);
  const back = await authorized(harness, client.client_id, pkce().challenge);
  expect(back.searchParams.get('iss')).toBe(
    parsed(await get(harness, '/.well-known/oauth-authorization-server')).issuer,
  );
  expect(back.searchParams.get('iss')).toBe(issuer);
});

describe('who may call from where', () => {
  const api: ReadonlyArray<[string, string]> = [
    ['/.well-known/oauth-authorization-server', 'GET'],
    ['/.well-known/openid-configuration', 'GET'],
    ['/.well-known/oauth-protected-resource', 'GET'],
    ['/.well-known/oauth-protected-resource/mcp', 'GET'],
    ['/.well-known/jwks.json', 'GET'],
    ['/register', 'POST'],
    ['/token', 'POST'],
  ];
  const pages: ReadonlyArray<[string, string]> = [
    ['/authorize', 'GET'],
    ['/consent', 'POST'],
    ['/callback', 'GET'],
  ];
  const harness = startHarness();

  it.each(api)('%s answers a preflight', async (path, method) => {
    const headers = { origin: 'https://inspector.example', 'access-control-request-headers': 'mcp-protocol-version' };
    const reply = await harness.server.handle(request(path, { method: 'OPTIONS', headers }));
    expect(reply).toMatchObject({
      status: 204,
      body: '',
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': `${method}, OPTIONS`,
        'access-control-allow-headers': expect.stringContaining('mcp-protocol-version'),
      },
    });
    expect(reply?.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it.each(api)('%s lets other origins read its answer, good or bad', async (path, method) => {
    for (const sent of [method, 'DELETE']) {
      const reply = await harness.server.handle(request(path, { method: sent }));
      expect(reply?.headers['access-control-allow-origin']).toBe('*');
      expect(reply?.headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  it.each(pages)('%s is for no other origin', async (path, method) => {
    for (const sent of [method, 'OPTIONS', 'DELETE']) {
      const reply = await harness.server.handle(
        request(path, { method: sent, headers: { origin: 'https://x.example' } }),
      );
      expect(reply?.status).toBeGreaterThanOrEqual(400);
      expect(Object.keys(reply?.headers ?? {}).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it.each([...api, ...pages])('%s by another method than %s', async (path, allowed) => {
    for (const method of [
      'PUT',
      'DELETE',
      'PATCH',
      'TRACE',
      allowed.toLowerCase(),
      allowed === 'GET' ? 'POST' : 'GET',
    ]) {
      const reply = await harness.server.handle(request(path, { method }));
      expect(reply?.headers.allow).toBe(allowed);
      expect(refusal(harness, reply).slice(0, 2)).toEqual([405, 'invalid_request']);
      if (!path.includes('protected-resource')) expect(harness.events.at(-1)?.reason).toBe('method');
    }
  });

  it('a method cannot be overridden', async () => {
    const headers = { 'x-http-method-override': 'POST', 'x-method-override': 'POST' };
    const reply = await harness.server.handle(request('/token?_method=POST', { headers }));
    expect(refusal(harness, reply)).toEqual([405, 'invalid_request', 'method']);
  });
});

describe('paths are ours in one spelling', () => {
  const { server } = startHarness();
  it.each([
    '/',
    '',
    '/token/',
    '//token',
    '/./token',
    '/x/../token',
    '/%74oken',
    '/TOKEN',
    '/token;x=1',
    '/token%00',
    'token',
    'https://auth.example/token',
    '/.well-known/oauth-authorization-server/',
    '/.well-known/oauth-authorization-server/mcp',
    '/.well-known/oauth-protected-resource/',
    '/.well-known/oauth-protected-resource/other',
    '/mcp',
    '__proto__',
    'constructor',
  ])('%j is not', async (path) => {
    expect(server.owns(path)).toBe(false);
    expect(await server.handle({ ...request('/'), path })).toBeUndefined();
  });

  it('and owns says yes to exactly what handle answers', async () => {
    for (const path of ['/token', '/authorize', '/consent', '/callback', '/register', '/.well-known/jwks.json']) {
      expect(server.owns(path)).toBe(true);
      expect(await server.handle(request(path))).toBeDefined();
    }
  });
});
