/** ID-JAG: RFC 7523 §2.1 and §3, draft-ietf-oauth-identity-assertion-authz-grant, the MCP extension. */
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Records } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/authorization-server/clients/client.ts';
import { assertionIssuerFaults } from '../../src/authorization-server/grant-types/jwt-bearer.ts';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import { OAuthError } from '../../src/oauth/error.ts';
import {
  assertionType,
  type Claims,
  clientClaims,
  decodedPart,
  forged,
  jwt,
  jwtBearer,
  newKey,
  type Server,
  type ServerOptions,
  type ServerRecords,
  serverKinds,
  startServer,
  tools,
} from '../clients/server.ts';
import { issuer, parsed, refusal, resource } from '../harness.ts';

const idp = 'https://idp.corp.example';
const key = newKey('RS256', 'idp-1');
const otherIdp = { issuer: 'https://other-idp.example', key: newKey('ES256', 'idp-1') };
const secret = 'a-client-secret-of-thirty-two-bytes';
const app = { id: 'app', secret, grantTypes: [jwtBearer] };
const clients = [
  app,
  { ...app, id: 'app-2' },
  { ...app, id: 'limited', scope: ['read'] },
  { id: 'web', secret, redirectUris: ['https://app.example/cb'] },
];
const assertionIssuers = [
  { issuer: idp, keys: { keys: [key.jwk] } },
  { issuer: otherIdp.issuer, keys: async () => [otherIdp.key.jwk] },
];
const other = { uri: 'https://auth.example/other', scopes: { look: 'look' } };
const start = (options: ServerOptions = {}) => startServer({ clients, assertionIssuers, ...options });

function claimsOf({ clock }: Pick<Server, 'clock'>, changes: Claims = {}): Claims {
  return {
    iss: idp,
    sub: 'person-1',
    aud: issuer,
    client_id: 'app',
    jti: randomUUID(),
    exp: clock.seconds + 300,
    iat: clock.seconds,
    resource,
    scope: 'read write',
    ...changes,
  };
}

const made = (server: Server, changes: Claims = {}, header: Claims = {}) =>
  jwt(key, claimsOf(server, changes), { typ: 'oauth-id-jag+jwt', ...header });

const ask = (server: Server, assertion: string | undefined, fields: Record<string, string | undefined> = {}) =>
  server.token({ grant_type: jwtBearer, assertion, client_id: 'app', client_secret: secret, ...fields });

describe('the token', () => {
  it('is the person’s, for this resource and client, and nothing refreshes it', async () => {
    const server = start();
    const reply = await ask(server, await made(server));
    expect(parsed(reply)).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'read write',
    });
    const { access_token: token } = parsed(reply);
    const subject = subjectOf({ issuer: idp, subject: 'person-1' });
    expect(decodedPart(token, 1)).toEqual({
      iss: issuer,
      aud: resource,
      sub: subject,
      sub_id: { format: 'iss_sub', iss: idp, sub: 'person-1' },
      client_id: 'app',
      scope: 'read write',
      iat: server.clock.seconds,
      exp: server.clock.seconds + 900,
      jti: expect.any(String),
    });
    expect(await server.guard({ authorization: `Bearer ${token}` })).toMatchObject({
      subject,
      clientId: 'app',
      identity: { issuer: idp, subject: 'person-1' },
    });
    expect(server.events).toMatchObject([{ event: 'token.issued', grantType: jwtBearer, identityIssuer: idp }]);
    expect(JSON.stringify(server.events)).not.toMatch(/person-1|eyJ/);
  });

  it('people of two identity providers with one subject are two people', async () => {
    const server = start();
    const first = await ask(server, await made(server));
    const theirs = claimsOf(server, { iss: otherIdp.issuer });
    const second = await ask(server, await jwt(otherIdp.key, theirs, { typ: 'oauth-id-jag+jwt' }));
    expect(second?.status).toBe(200);
    const [a, b] = [first, second].map((reply) => decodedPart(parsed(reply).access_token, 1).sub);
    expect(a).not.toBe(b);
  });

  it('of a client that proves itself with a key, as its metadata document says', async () => {
    const own = newKey();
    const client: Client = {
      id: 'https://app.example/client.json',
      source: 'metadata-document',
      redirectUris: ['https://app.example/cb'],
      grantTypes: [jwtBearer],
      authMethods: ['none', 'private_key_jwt'],
      proven: true,
      keys: async () => [own.jwk],
    };
    const server = start({ otherClients: async (id) => (id === client.id ? client : undefined) });
    const assertion = await made(server, { client_id: client.id });
    const bare = { client_id: client.id, client_secret: undefined };
    // It may authenticate with nothing, but then it may not do this.
    expect(refusal(server, await ask(server, assertion, bare))).toEqual([
      400,
      'unauthorized_client',
      'id_jag.public_client',
    ]);
    const proof = await jwt(own, clientClaims(client.id, server));
    const reply = await ask(server, assertion, {
      ...bare,
      client_assertion: proof,
      client_assertion_type: assertionType,
    });
    expect(decodedPart(parsed(reply).access_token, 1)).toMatchObject({ client_id: client.id });
  });
});

describe('scope and resource', () => {
  const server = start({ resources: [tools, other] });
  it.each<[string, Claims, Record<string, string>, object]>([
    ['the scope of the assertion', { scope: 'write' }, {}, { scope: 'write' }],
    ['what of it the resource knows', { scope: 'openid write admin' }, {}, { scope: 'write' }],
    ['what of it is asked for', {}, { scope: 'read' }, { scope: 'read' }],
    ['what of it the client may have', { client_id: 'limited' }, { client_id: 'limited' }, { scope: 'read' }],
    ['the least, if the assertion says nothing', { scope: undefined }, {}, { scope: 'read' }],
    ['the audience as a list of one', { aud: [issuer] }, {}, { scope: 'read write' }],
    ['the resource as a list of one', { resource: [resource] }, {}, { scope: 'read write' }],
    [
      'one of two resources',
      { resource: [resource, other.uri], scope: 'look read' },
      { resource: other.uri },
      { scope: 'look' },
    ],
    ['the resource named again', {}, { resource }, { scope: 'read write' }],
  ])('%s', async (_, claims, fields, expected) => {
    expect(parsed(await ask(server, await made(server, claims), fields))).toMatchObject(expected);
  });

  it.each<[string, Claims, Record<string, string>, string, string]>([
    ['a resource that is not ours', { resource: 'https://evil.example/mcp' }, {}, 'invalid_grant', 'id_jag.resource'],
    ['no resource', { resource: undefined }, {}, 'invalid_grant', 'id_jag.resource'],
    ['an empty list', { resource: [] }, {}, 'invalid_grant', 'id_jag.resource'],
    ['ours and another', { resource: [resource, 'https://evil.example/mcp'] }, {}, 'invalid_grant', 'id_jag.resource'],
    ['a thousand', { resource: Array(1000).fill(0) }, {}, 'invalid_grant', 'id_jag.resource'],
    ['an object', { resource: { uri: resource } }, {}, 'invalid_grant', 'id_jag.resource'],
    ['two and no word which', { resource: [resource, other.uri] }, {}, 'invalid_target', 'resource.missing'],
    ['another than the assertion names', {}, { resource: other.uri }, 'invalid_target', 'resource.unknown'],
    ['a scope that the assertion lacks', { scope: 'read' }, { scope: 'write' }, 'invalid_scope', 'scope.none'],
    ['a scope that nobody knows', { scope: 'admin' }, {}, 'invalid_scope', 'scope.none'],
    ['an empty scope', { scope: '' }, {}, 'invalid_scope', 'scope.none'],
    ['a scope that is a list', { scope: ['read'] }, {}, 'invalid_grant', 'id_jag.scope'],
    [
      'nothing of it for this client',
      { client_id: 'limited', scope: 'write' },
      { client_id: 'limited' },
      'invalid_scope',
      'scope.none',
    ],
  ])('refused: %s', async (_, claims, fields, code, reason) => {
    expect(refusal(server, await ask(server, await made(server, claims), fields))).toEqual([400, code, reason]);
  });
});

describe('refused for what it says', () => {
  const now = 1_800_000_000;
  it.each<[string, Claims, Claims, string]>([
    ['no type', {}, { typ: undefined }, 'id_jag.type'],
    ['typ JWT', {}, { typ: 'JWT' }, 'id_jag.type'],
    ['a client assertion', {}, { typ: 'client-authentication+jwt' }, 'id_jag.type'],
    ['another audience', { aud: 'https://evil.example' }, {}, 'id_jag.audience'],
    ['the token endpoint', { aud: `${issuer}/token` }, {}, 'id_jag.audience'],
    ['ours and another', { aud: [issuer, 'https://evil.example'] }, {}, 'id_jag.audience'],
    ['no audience', { aud: undefined }, {}, 'id_jag.audience'],
    ['an unknown identity provider', { iss: 'https://evil.example' }, {}, 'id_jag.issuer_unknown'],
    ['ourselves', { iss: issuer }, {}, 'id_jag.issuer_unknown'],
    ['a slash more', { iss: `${idp}/` }, {}, 'id_jag.issuer_unknown'],
    ['another that is trusted, with this key', { iss: otherIdp.issuer }, {}, 'id_jag.signature'],
    ['no iss', { iss: undefined }, {}, 'id_jag.issuer'],
    ['no sub', { sub: undefined }, {}, 'id_jag.subject'],
    ['an empty sub', { sub: '' }, {}, 'id_jag.subject'],
    ['a number as sub', { sub: 1 }, {}, 'id_jag.subject'],
    ['no jti', { jti: undefined }, {}, 'id_jag.id'],
    ['no exp', { exp: undefined }, {}, 'id_jag.expiry'],
    ['expired', { exp: now - 30 }, {}, 'id_jag.expired'],
    ['a day ahead', { exp: now + 86_400 }, {}, 'id_jag.lifetime'],
    ['no iat', { iat: undefined }, {}, 'id_jag.issued_at'],
    ['made in the future', { iat: now + 31 }, {}, 'id_jag.issued_at'],
    ['not yet', { nbf: now + 31 }, {}, 'id_jag.not_yet'],
    ['another client', { client_id: 'app-2' }, {}, 'id_jag.other_client'],
    ['no client', { client_id: undefined }, {}, 'id_jag.other_client'],
    ['a list with the client', { client_id: ['app'] }, {}, 'id_jag.other_client'],
    ['bound to a key', { cnf: { jkt: 'x' } }, {}, 'id_jag.confirmation'],
    ['bound to nothing', { cnf: null }, {}, 'id_jag.confirmation'],
    ['a wrong kid', {}, { kid: 'idp-2' }, 'id_jag.signature'],
  ])('%s', async (_, claims, header, reason) => {
    const server = start();
    const reply = await ask(server, await made(server, claims, header));
    expect(refusal(server, reply)).toEqual([400, 'invalid_grant', reason]);
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect((await server.records.list('spentAssertion')).items).toEqual([]);
  });

  const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
  const attacker = newKey('RS256', 'idp-1');
  const typ = 'oauth-id-jag+jwt';
  it.each<[string, (server: Server) => string | Promise<string>, string]>([
    ['none', (s) => forged({ typ, alg: 'none' }, claimsOf(s), () => Buffer.from('x')), 'id_jag.algorithm'],
    [
      'HS256 with the public key',
      (s) =>
        forged({ typ, alg: 'HS256', kid: 'idp-1' }, claimsOf(s), (input) =>
          createHmac('sha256', pem).update(input).digest(),
        ),
      'id_jag.algorithm',
    ],
    ['somebody else’s key', (s) => jwt(attacker, claimsOf(s), { typ }), 'id_jag.signature'],
    ['the key in the header', (s) => jwt(attacker, claimsOf(s), { typ, jwk: attacker.jwk }), 'id_jag.signature'],
    ['no JWT', () => 'x', 'id_jag.form'],
  ])('%s', async (_, make, reason) => {
    const server = start();
    expect(refusal(server, await ask(server, await make(server)))).toEqual([400, 'invalid_grant', reason]);
  });

  it('one of our own access tokens', async () => {
    const server = start();
    const { access_token: token } = parsed(await ask(server, await made(server)));
    expect(refusal(server, await ask(server, token as string))).toEqual([400, 'invalid_grant', 'id_jag.type']);
  });

  it.each<[string, Record<string, string | undefined>, unknown[]]>([
    ['no assertion', { assertion: undefined }, [400, 'invalid_request', 'id_jag.missing']],
    ['a wrong secret', { client_secret: 'x' }, [401, 'invalid_client', 'client.secret_wrong']],
    ['no secret', { client_secret: undefined }, [401, 'invalid_client', 'client.secret_missing']],
    ['a client of people', { client_id: 'web' }, [400, 'unauthorized_client', 'token.grant_type_unregistered']],
  ])('the client: %s', async (_, fields, expected) => {
    const server = start();
    expect(refusal(server, await ask(server, await made(server), fields))).toEqual(expected);
  });

  it('without a trusted identity provider the grant type does not exist', async () => {
    const server = start({ assertionIssuers: [] });
    const reply = await ask(server, await made(server));
    expect(refusal(server, reply)).toEqual([400, 'unsupported_grant_type', 'token.grant_type']);
  });

  it('keys that cannot be fetched are no refusal', async () => {
    const away = async () => {
      throw new OAuthError('temporarily_unavailable', 'later', { reason: 'idp.keys_away' });
    };
    const server = start({ assertionIssuers: [{ issuer: idp, keys: away }] });
    expect(refusal(server, await ask(server, await made(server)))).toEqual([
      503,
      'temporarily_unavailable',
      'idp.keys_away',
    ]);
  });
});

describe('once', () => {
  it('and after a request that failed it is still good', async () => {
    const server = start();
    const text = await made(server);
    expect(refusal(server, await ask(server, text, { client_id: 'app-2' }))[2]).toBe('id_jag.other_client');
    expect(refusal(server, await ask(server, text, { resource: 'https://x.example' }))[2]).toBe('resource.unknown');
    expect((await ask(server, text))?.status).toBe(200);
    expect(refusal(server, await ask(server, text))).toEqual([400, 'invalid_grant', 'id_jag.replayed']);
    server.clock.seconds += 329;
    expect(refusal(server, await ask(server, text))).toEqual([400, 'invalid_grant', 'id_jag.replayed']);
    server.clock.seconds += 1;
    expect(refusal(server, await ask(server, text))).toEqual([400, 'invalid_grant', 'id_jag.expired']);
  });

  it('a jti of one identity provider is not spent by another’s', async () => {
    const server = start();
    expect((await ask(server, await made(server, { jti: 'same' })))?.status).toBe(200);
    const theirs = claimsOf(server, { iss: otherIdp.issuer, jti: 'same' });
    expect((await ask(server, await jwt(otherIdp.key, theirs, { typ: 'oauth-id-jag+jwt' })))?.status).toBe(200);
  });

  const race = async (records: () => Records<ServerRecords>) => {
    const instances = [start({ records: records() }), start({ records: records() })];
    const text = await made(instances[0] as Server);
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(instances[i % 2] as Server, text)));
    expect(replies.filter((reply) => reply?.status === 200)).toHaveLength(1);
    const reasons = instances.flatMap(({ events }) => events.map(({ reason }) => reason).filter(Boolean));
    expect(reasons).toEqual(Array(49).fill('id_jag.replayed'));
  };

  it('of fifty at once on two instances, in memory', async () => {
    const shared = memoryRecords<ServerRecords>({ kinds: serverKinds, now: () => 1_800_000_000 });
    await race(() => shared);
  });

  it('of fifty at once on two instances, in one SQLite file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    const open: Records<ServerRecords>[] = [];
    try {
      await race(() => {
        const file = join(folder, 'records.sqlite');
        const records = sqliteRecords<ServerRecords>({ kinds: serverKinds, file, now: () => 1_800_000_000 });
        open.push(records);
        return records;
      });
    } finally {
      await Promise.all(open.map((records) => records.close()));
      rmSync(folder, { recursive: true });
    }
  });
});

it('faults of the list of identity providers, all at once', () => {
  expect(assertionIssuerFaults(assertionIssuers)).toEqual([]);
  const bad = [
    { issuer: 'idp', keys: { keys: [] } },
    { issuer: 'idp', keys: async () => [] },
  ];
  expect(assertionIssuerFaults(bad)).toEqual([
    'assertionIssuers[0].issuer: "idp" is no URL',
    'assertionIssuers[0].keys: at least one is needed',
    'assertionIssuers[1].issuer: "idp" is no URL',
    'assertionIssuers[1].issuer: "idp" stands twice',
  ]);
});
