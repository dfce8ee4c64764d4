/** `client_credentials`: RFC 6749 §4.4 and the MCP extension; the claims of a machine's token. */
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/authorization-server/clients/client.ts';
import { clientCredentialsGrant } from '../../src/authorization-server/grant-types/client-credentials.ts';
import { claimsFaults, issueAccessToken } from '../../src/authorization-server/token-issuer.ts';
import { isReply } from '../../src/resource-server/guard.ts';
import { decodedPart, startServer, tools } from '../clients/server.ts';
import { issuer, parsed, refusal, resource } from '../harness.ts';

const secret = 'a-client-secret-of-thirty-two-bytes';
const machine = { id: 'machine', secret, grantTypes: ['client_credentials'] };
const limited = { ...machine, id: 'limited', scope: ['read', 'admin'] };
const nothing = { ...machine, id: 'nothing', scope: ['admin'] };
const claimed = { ...machine, id: 'claimed', claims: { connector_id: 'c-1', roles: ['reader'] } };
const web = { id: 'web', secret, redirectUris: ['https://app.example/cb'] };
const clients = [machine, limited, nothing, claimed, web];
const other = { uri: 'https://auth.example/other', scopes: { look: 'look' } };
const bare = { uri: 'https://auth.example/bare', scopes: {} };

const ask = (server: ReturnType<typeof startServer>, id: string, fields: Record<string, string> = {}) =>
  server.token({ grant_type: 'client_credentials', client_id: id, client_secret: secret, ...fields });

describe('the token', () => {
  it('is the machine’s own, for minutes, and nothing refreshes it', async () => {
    const server = startServer({ clients });
    const reply = await ask(server, 'machine');
    expect(parsed(reply)).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'read',
    });
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store' });
    const { access_token: token } = parsed(reply);
    expect(decodedPart(token, 0)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' });
    expect(decodedPart(token, 1)).toEqual({
      iss: issuer,
      aud: resource,
      sub: 'machine',
      client_id: 'machine',
      scope: 'read',
      iat: server.clock.seconds,
      exp: server.clock.seconds + 900,
      jti: expect.any(String),
    });
    expect((await server.records.list('grant')).items).toEqual([]);
    const passed = await server.guard({ authorization: `Bearer ${token}` });
    expect(passed).toMatchObject({ subject: 'machine', clientId: 'machine', scope: ['read'] });
    expect(passed).not.toHaveProperty('grantId');
    server.clock.seconds += 906;
    const late = await server.guard({ authorization: `Bearer ${token}` });
    expect(isReply(late) && late.status).toBe(401);
  });

  it('is told to the log without a credential', async () => {
    const server = startServer({ clients });
    await ask(server, 'machine');
    expect(server.events).toEqual([
      {
        event: 'token.issued',
        client: expect.stringMatching(/^[A-Za-z0-9_-]{8}$/),
        subject: expect.stringMatching(/^[A-Za-z0-9_-]{8}$/),
        authenticatedBy: 'client_secret_post',
        grantType: 'client_credentials',
        resource,
        scope: 'read',
      },
    ]);
  });

  it('carries the claims of its client', async () => {
    const server = startServer({ clients });
    const { access_token: token } = parsed(await ask(server, 'claimed'));
    expect(decodedPart(token, 1)).toMatchObject({ connector_id: 'c-1', roles: ['reader'], sub: 'claimed' });
  });

  it('whatever claims are asked for, ours stay ours', async () => {
    const standard = 'iss sub aud exp nbf iat jti client_id scope grant_id sub_id cnf act typ azp'.split(' ');
    for (const name of standard) expect(claimsFaults({ [name]: 'x' })).toHaveLength(1);
    const signed: Array<Record<string, unknown>> = [];
    const signer = { sign: async (_: string, claims: Record<string, unknown>) => String(signed.push(claims)) } as never;
    const claims = Object.fromEntries([...standard, 'kept'].map((name) => [name, 'evil']));
    const authorization = { subject: 'machine', clientId: 'machine', resource, scope: ['read'], claims };
    await issueAccessToken({ issuer, signer, accessTokenSeconds: 900 }, authorization, 1000);
    expect(signed).toEqual([
      {
        iss: issuer,
        aud: resource,
        sub: 'machine',
        client_id: 'machine',
        scope: 'read',
        iat: 1000,
        exp: 1900,
        jti: expect.not.stringMatching('evil'),
        kept: 'evil',
      },
    ]);
  });
});

describe('scope and resource', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['without a limit, the least', 'machine', {}, 'read'],
    ['without a limit, what is asked for', 'machine', { scope: 'write read' }, 'read write'],
    ['within its limit, all of it', 'limited', {}, 'read'],
    ['within its limit, the part that is', 'limited', { scope: 'write read' }, 'read'],
    ['names nobody knows are dropped', 'machine', { scope: ' offline_access  openid' }, 'read'],
    ['the resource may be named', 'machine', { resource }, 'read'],
    ['in capitals', 'machine', { resource: 'HTTPS://AUTH.example/mcp' }, 'read'],
  ])('%s', async (_, id, fields, scope) => {
    const server = startServer({ clients });
    const reply = await ask(server, id, fields);
    expect(parsed(reply)).toMatchObject({ scope });
    expect(decodedPart(parsed(reply).access_token, 1)).toMatchObject({ scope, aud: resource });
  });

  it('one resource of several, and its token passes no other’s guard', async () => {
    const server = startServer({ clients, resources: [tools, other] });
    expect(refusal(server, await ask(server, 'machine'))).toEqual([400, 'invalid_target', 'resource.missing']);
    const reply = await ask(server, 'machine', { resource: other.uri });
    expect(parsed(reply)).toMatchObject({ scope: 'look' });
    const passed = await server.guard({ authorization: `Bearer ${parsed(reply).access_token}` });
    expect(isReply(passed) && passed.status).toBe(401);
  });

  it('a resource without scopes', async () => {
    const server = startServer({ clients, resources: [bare] });
    expect(parsed(await ask(server, 'machine', { scope: 'read' }))).toMatchObject({ scope: '' });
  });

  it.each<[string, string, Record<string, string>, unknown[]]>([
    [
      'another resource',
      'machine',
      { resource: 'https://evil.example/mcp' },
      [400, 'invalid_target', 'resource.unknown'],
    ],
    ['no URL', 'machine', { resource: 'mcp' }, [400, 'invalid_target', 'resource.unknown']],
    ['beyond its limit', 'limited', { scope: 'write' }, [400, 'invalid_scope', 'scope.none']],
    ['a limit of nothing', 'nothing', {}, [400, 'invalid_scope', 'scope.none']],
    ['a client of people', 'web', {}, [400, 'unauthorized_client', 'token.grant_type_unregistered']],
    ['a wrong secret', 'machine', { client_secret: 'x' }, [401, 'invalid_client', 'client.secret_wrong']],
    ['an unknown client', 'nobody', {}, [401, 'invalid_client', 'client.unknown']],
  ])('refused: %s', async (_, id, fields, expected) => {
    const server = startServer({ clients });
    expect(refusal(server, await ask(server, id, fields))).toEqual(expected);
  });
});

it.each<[string, Partial<Client>, string, string]>([
  ['a registered client', { source: 'registered' }, 'client_secret_post', 'client_credentials.not_configured'],
  ['a metadata document', { source: 'metadata-document' }, 'private_key_jwt', 'client_credentials.not_configured'],
  ['a client that proved nothing', {}, 'none', 'client_credentials.public_client'],
])('%s never, whatever grant types it has', async (_, changes, authenticatedBy, reason) => {
  const client = {
    id: 'x',
    source: 'configured',
    redirectUris: [],
    grantTypes: ['client_credentials'],
    authMethods: ['none'],
    proven: true,
    ...changes,
    authenticatedBy,
  } as never;
  await expect(
    clientCredentialsGrant({ resources: [tools] })(client, new Map(), 0, async () => 'token'),
  ).rejects.toMatchObject({
    code: 'unauthorized_client',
    reason,
  });
});
