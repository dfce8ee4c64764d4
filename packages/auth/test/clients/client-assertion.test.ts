/** `private_key_jwt`: RFC 7523 §2.2 and §3, RFC 7521 §4.2, RFC 8725. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Records } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/authorization-server/clients/client.ts';
import { OAuthError } from '../../src/oauth/error.ts';
import { issuer, parsed, refusal } from '../harness.ts';
import {
  assertionType,
  type Claims,
  clientClaims,
  forged,
  jwt,
  newKey,
  type Server,
  type ServerRecords,
  serverKinds,
  startServer,
} from './server.ts';

const key = newKey();
const secret = 'a client secret of thirty-two bytes, or more'.replaceAll(' ', '-');
const machine = { grantTypes: ['client_credentials'], scope: ['read'] };
const clients = [
  { id: 'machine', jwks: { keys: [key.jwk] }, ...machine },
  { id: 'other-machine', jwks: { keys: [newKey('ES256', 'key-2').jwk] }, ...machine },
  { id: 'secret-machine', secret, ...machine },
];
const unauthenticated = (reason: string) => [401, 'invalid_client', reason];

function ask(
  server: Server,
  assertion: string | undefined,
  fields: Record<string, string | undefined> = {},
  headers = {},
) {
  return server.token(
    {
      grant_type: 'client_credentials',
      client_assertion_type: assertionType,
      client_assertion: assertion,
      ...fields,
    },
    headers,
  );
}

/** A good assertion with claims and header changed. */
const made = (server: Server, changes: Claims = {}, header: Claims = {}) =>
  jwt(key, clientClaims('machine', server, changes), header);

describe('accepted', () => {
  it.each(['ES256', 'RS256', 'PS256', 'EdDSA'] as const)('%s', async (algorithm) => {
    const own = newKey(algorithm);
    const server = startServer({ clients: [{ id: 'machine', jwks: { keys: [own.jwk] }, ...machine }] });
    const reply = await ask(server, await jwt(own, clientClaims('machine', server)));
    expect(reply?.status).toBe(200);
    expect(parsed(reply)).toHaveProperty('access_token');
  });

  it.each<[string, Claims, Claims]>([
    ['the audience as a list of one', { aud: [issuer] }, {}],
    ['no iat', { iat: undefined }, {}],
    ['five minutes ahead', { exp: 1_800_000_300 }, {}],
    ['five minutes ahead by a clock that is fast', { exp: 1_800_000_330, iat: 1_800_000_030 }, {}],
    ['just expired by a clock that is slow', { exp: 1_800_000_000 - 29, iat: 1_799_999_900 }, {}],
    ['an nbf that is now', { nbf: 1_800_000_000 }, {}],
    ['typ JWT', {}, { typ: 'JWT' }],
    ['the explicit typ', {}, { typ: 'client-authentication+jwt' }],
    ['the explicit typ as a whole media type', {}, { typ: 'application/client-authentication+jwt' }],
    ['no kid', {}, { kid: undefined }],
    ['a jti of 256 characters', { jti: 'x'.repeat(256) }, {}],
    ['claims nobody knows', { htm: 'POST', __proto__: null }, {}],
  ])('%s', async (_, changes, header) => {
    const server = startServer({ clients });
    expect((await ask(server, await made(server, changes, header)))?.status).toBe(200);
  });

  it('client_id beside the assertion, if it is the same', async () => {
    const server = startServer({ clients });
    expect((await ask(server, await made(server), { client_id: 'machine' }))?.status).toBe(200);
  });

  it('without a kid, whichever of several keys it was', async () => {
    const keys = [newKey('ES256', 'a'), newKey('ES256', 'b'), newKey('RS256', 'c')];
    const server = startServer({
      clients: [{ id: 'machine', jwks: { keys: keys.map(({ jwk }) => jwk) }, ...machine }],
    });
    for (const one of keys) {
      const text = await jwt(one, clientClaims('machine', server), { kid: undefined });
      expect((await ask(server, text))?.status).toBe(200);
    }
  });
});

describe('refused for what it says', () => {
  const now = 1_800_000_000;
  it.each<[string, Claims, Claims, string]>([
    ['no audience', { aud: undefined }, {}, 'client.assertion_audience'],
    ['the token endpoint as audience', { aud: `${issuer}/token` }, {}, 'client.assertion_audience'],
    ['the issuer with a slash', { aud: `${issuer}/` }, {}, 'client.assertion_audience'],
    ['the issuer in capitals', { aud: issuer.toUpperCase() }, {}, 'client.assertion_audience'],
    ['another server', { aud: 'https://evil.example' }, {}, 'client.assertion_audience'],
    ['the issuer and another', { aud: [issuer, 'https://evil.example'] }, {}, 'client.assertion_audience'],
    ['another and the issuer', { aud: ['https://evil.example', issuer] }, {}, 'client.assertion_audience'],
    ['the issuer and the token endpoint', { aud: [issuer, `${issuer}/token`] }, {}, 'client.assertion_audience'],
    ['the issuer twice', { aud: [issuer, issuer] }, {}, 'client.assertion_audience'],
    ['a list in a list', { aud: [[issuer]] }, {}, 'client.assertion_audience'],
    ['no audience in the list', { aud: [] }, {}, 'client.assertion_audience'],
    ['an object as audience', { aud: { 0: issuer, length: 1 } }, {}, 'client.assertion_audience'],
    ['a list as audience text', { aud: `${issuer} https://evil.example` }, {}, 'client.assertion_audience'],
    ['no exp', { exp: undefined }, {}, 'client.assertion_expiry'],
    ['exp as text', { exp: '1800000060' }, {}, 'client.assertion_expiry'],
    ['exp null', { exp: null }, {}, 'client.assertion_expiry'],
    ['expired', { exp: now - 30, iat: now - 90 }, {}, 'client.assertion_expired'],
    ['an hour ahead', { exp: now + 3600 }, {}, 'client.assertion_lifetime'],
    ['for ever', { exp: 1e300 }, {}, 'client.assertion_lifetime'],
    ['five minutes and 31 seconds ahead', { exp: now + 331 }, {}, 'client.assertion_lifetime'],
    ['not yet', { nbf: now + 31 }, {}, 'client.assertion_not_yet'],
    ['nbf as text', { nbf: 'now' }, {}, 'client.assertion_not_yet'],
    ['made in the future', { iat: now + 31 }, {}, 'client.assertion_issued_at'],
    ['iat as text', { iat: '1800000000' }, {}, 'client.assertion_issued_at'],
    ['made after it expired', { iat: now + 20, exp: now + 10 }, {}, 'client.assertion_issued_at'],
    ['no jti', { jti: undefined }, {}, 'client.assertion_id'],
    ['an empty jti', { jti: '' }, {}, 'client.assertion_id'],
    ['a number as jti', { jti: 1 }, {}, 'client.assertion_id'],
    ['a jti of 257 characters', { jti: 'x'.repeat(257) }, {}, 'client.assertion_id'],
    ['no iss', { iss: undefined }, {}, 'client.assertion_issuer'],
    ['iss as a list', { iss: ['machine'] }, {}, 'client.assertion_issuer'],
    ['no sub', { sub: undefined }, {}, 'client.assertion_subject'],
    ['another sub', { sub: 'other-machine' }, {}, 'client.assertion_iss_sub'],
    ['another iss', { iss: 'other-machine' }, {}, 'client.assertion_iss_sub'],
    ['an unknown client', { iss: 'nobody', sub: 'nobody' }, {}, 'client.unknown'],
    [
      'another client, signed with our key',
      { iss: 'other-machine', sub: 'other-machine' },
      {},
      'client.assertion_signature',
    ],
    ['a client with a secret', { iss: 'secret-machine', sub: 'secret-machine' }, {}, 'client.other_method'],
    ['an ID-JAG', {}, { typ: 'oauth-id-jag+jwt' }, 'client.assertion_header_type'],
    ['an access token', {}, { typ: 'at+jwt' }, 'client.assertion_header_type'],
    ['typ that is a number', {}, { typ: 1 }, 'client.assertion_header_type'],
    ['a wrong kid', {}, { kid: 'key-2' }, 'client.assertion_signature'],
    ['kid that is a number', {}, { kid: 1 }, 'client.assertion_key_id'],
    ['kid of 257 characters', {}, { kid: 'x'.repeat(257) }, 'client.assertion_key_id'],
  ])('%s', async (_, changes, header, reason) => {
    const server = startServer({ clients });
    const reply = await ask(server, await made(server, changes, header));
    expect(refusal(server, reply)).toEqual(unauthenticated(reason));
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store' });
    // Nothing was spent: the records hold no jti.
    expect((await server.records.list('spentAssertion')).items).toEqual([]);
  });
});

describe('refused for how it is signed', () => {
  const server = startServer({ clients });
  const attacker = newKey('ES256', 'key-1');
  const claims = () => clientClaims('machine', server);
  const hmac = (secretBytes: string | Buffer) => (input: string) =>
    createHmac('sha256', secretBytes).update(input).digest();
  const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
  const der = key.publicKey.export({ type: 'spki', format: 'der' });
  const header = { typ: 'JWT', kid: 'key-1' };
  it.each<[string, () => string | Promise<string>, string]>([
    ['none', () => forged({ ...header, alg: 'none' }, claims(), () => Buffer.from('x')), 'client.assertion_algorithm'],
    ['none without a signature', () => forged({ ...header, alg: 'none' }, claims()), 'client.assertion_form'],
    ['nOnE', () => forged({ ...header, alg: 'nOnE' }, claims(), () => Buffer.from('x')), 'client.assertion_algorithm'],
    [
      'HS256 with the public PEM',
      () => forged({ ...header, alg: 'HS256' }, claims(), hmac(pem)),
      'client.assertion_algorithm',
    ],
    [
      'HS256 with the public DER',
      () => forged({ ...header, alg: 'HS256' }, claims(), hmac(der)),
      'client.assertion_algorithm',
    ],
    [
      'HS256 with the public JWK',
      () => forged({ ...header, alg: 'HS256' }, claims(), hmac(JSON.stringify(key.jwk))),
      'client.assertion_algorithm',
    ],
    ['no algorithm', () => forged(header, claims(), () => Buffer.from('x')), 'client.assertion_algorithm'],
    [
      'a list of algorithms',
      () => forged({ ...header, alg: ['ES256'] }, claims(), () => Buffer.from('x')),
      'client.assertion_algorithm',
    ],
    [
      'RS256 for a key of P-256',
      () => forged({ ...header, alg: 'RS256' }, claims(), hmac(pem)),
      'client.assertion_signature',
    ],
    [
      '64 zero bytes',
      () => forged({ ...header, alg: 'ES256' }, claims(), () => Buffer.alloc(64)),
      'client.assertion_signature',
    ],
    ['somebody else’s key', () => jwt(attacker, claims()), 'client.assertion_signature'],
    ['the key in the header', () => jwt(attacker, claims(), { jwk: attacker.jwk }), 'client.assertion_signature'],
    [
      'the key in the header, without kid',
      () => jwt(attacker, claims(), { jwk: attacker.jwk, kid: undefined }),
      'client.assertion_signature',
    ],
    [
      'a jku of the attacker',
      () => jwt(attacker, claims(), { jku: 'http://169.254.169.254/' }),
      'client.assertion_signature',
    ],
    [
      'crit',
      () => forged({ ...header, alg: 'ES256', crit: ['exp'] }, claims(), () => Buffer.alloc(64)),
      'client.assertion_critical_header',
    ],
    [
      'b64',
      () => forged({ ...header, alg: 'ES256', b64: false }, claims(), () => Buffer.alloc(64)),
      'client.assertion_critical_header',
    ],
    [
      'a list as claims',
      () => forged({ ...header, alg: 'ES256' }, [] as never, () => Buffer.alloc(64)),
      'client.assertion_form',
    ],
    ['two parts', () => 'e30.e30', 'client.assertion_form'],
    ['an encrypted JWT', () => 'e30.e30.e30.e30.e30', 'client.assertion_form'],
    ['no base64url', () => 'e30.e3+0.AAAA', 'client.assertion_form'],
    [
      'no UTF-8',
      () => `${Buffer.from('{"alg":"\xff"}', 'latin1').toString('base64url')}.e30.AAAA`,
      'client.assertion_form',
    ],
    [
      'a changed claim',
      async () =>
        (await jwt(key, claims())).replace(/\.[^.]+\./, (part) => {
          const text = Buffer.from(part.slice(1, -1), 'base64url')
            .toString()
            .replace('"exp":1800000060', '"exp":1800000061');
          return `.${Buffer.from(text).toString('base64url')}.`;
        }),
      'client.assertion_signature',
    ],
  ])('%s', async (_, make, reason) => {
    expect(refusal(server, await ask(server, await make()))).toEqual(unauthenticated(reason));
  });

  it('8,193 characters', async () => {
    expect(refusal(server, await ask(server, `a.b.${'c'.repeat(8189)}`))).toEqual([
      400,
      'invalid_request',
      'parameters.too_long',
    ]);
  });

  it('a key set that holds no usable key proves nothing', async () => {
    const sets = [
      [],
      [{}],
      [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'key-1' }],
      [{ kty: 'oct', k: 'AAAA', kid: 'key-1' }],
      [null],
    ];
    for (const set of sets) {
      const client: Client = {
        id: 'fetched',
        source: 'metadata-document',
        redirectUris: [],
        grantTypes: ['client_credentials'],
        authMethods: ['private_key_jwt'],
        proven: true,
        keys: async () => set as never,
      };
      const own = startServer({ otherClients: async () => client });
      const reply = await ask(own, await jwt(key, clientClaims('fetched', own)));
      expect(refusal(own, reply)).toEqual(unauthenticated('client.assertion_signature'));
    }
  });
});

describe('one method a request', () => {
  const basic = (id: string, text: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}`,
  });
  it.each<[string, Record<string, string | undefined>, Record<string, string>, string]>([
    ['and a secret in the body', { client_id: 'machine', client_secret: secret }, {}, 'client.two_methods'],
    ['and Basic', {}, basic('machine', secret), 'client.two_methods'],
    ['and a bearer token', {}, { authorization: 'Bearer x' }, 'client.two_methods'],
    ['and another client_id', { client_id: 'other-machine' }, {}, 'client.two_ids'],
    ['without its type', { client_assertion_type: undefined }, {}, 'client.assertion_type'],
    [
      'of another type',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
      {},
      'client.assertion_type',
    ],
    ['its type alone', { client_assertion: undefined, client_id: 'machine' }, {}, 'client.assertion_missing'],
  ])('%s', async (_, fields, headers, reason) => {
    const server = startServer({ clients });
    const reply = await ask(server, await made(server), fields, headers);
    expect(refusal(server, reply)).toEqual(unauthenticated(reason));
  });

  it.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['its id alone', { client_id: 'machine' }, {}, 'client.assertion_missing'],
    ['a secret', { client_id: 'machine', client_secret: secret }, {}, 'client.other_method'],
    ['Basic', {}, basic('machine', secret), 'client.other_method'],
    ['Basic without a secret', {}, basic('machine', ''), 'client.assertion_missing'],
  ])('a client with keys must use them: %s', async (_, fields, headers, reason) => {
    const server = startServer({ clients });
    expect(
      refusal(server, await ask(server, undefined, { client_assertion_type: undefined, ...fields }, headers)),
    ).toEqual(unauthenticated(reason));
  });

  it('a document that lists none and private_key_jwt allows either, and none is not confidential (ChatGPT)', async () => {
    const client: Client = {
      id: 'https://app.example/client.json',
      source: 'metadata-document',
      redirectUris: ['https://app.example/cb'],
      grantTypes: ['refresh_token', 'client_credentials'],
      authMethods: ['none', 'private_key_jwt'],
      proven: true,
      keys: async () => [key.jwk],
    };
    const server = startServer({ otherClients: async (id) => (id === client.id ? client : undefined) });
    const fields = { grant_type: 'refresh_token', refresh_token: 'x' };
    const accepted = [400, 'invalid_grant', 'refresh.forged'];
    const signed = await jwt(key, clientClaims(client.id, server));
    expect(refusal(server, await ask(server, signed, fields))).toEqual(accepted);
    expect(refusal(server, await server.token({ ...fields, client_id: client.id }))).toEqual(accepted);
    // What is sent is checked, although nothing would have done as well.
    const wrong = await jwt(newKey(), clientClaims(client.id, server));
    expect(refusal(server, await ask(server, wrong, fields))).toEqual(unauthenticated('client.assertion_signature'));
    expect(refusal(server, await server.token({ ...fields, client_id: client.id, client_secret: secret }))).toEqual(
      unauthenticated('client.other_method'),
    );
    // The machine grant is for the operator's list alone (MCP client credentials extension).
    expect(refusal(server, await ask(server, await jwt(key, clientClaims(client.id, server))))).toEqual([
      400,
      'unauthorized_client',
      'client_credentials.not_configured',
    ]);
  });

  it('keys that cannot be fetched are no refusal', async () => {
    const client: Client = {
      id: 'fetched',
      source: 'metadata-document',
      redirectUris: [],
      grantTypes: ['refresh_token'],
      authMethods: ['private_key_jwt'],
      proven: true,
      keys: async () => {
        throw new OAuthError('temporarily_unavailable', 'later', { reason: 'client.keys_away' });
      },
    };
    const server = startServer({ otherClients: async () => client });
    expect(refusal(server, await ask(server, await jwt(key, clientClaims('fetched', server))))).toEqual([
      503,
      'temporarily_unavailable',
      'client.keys_away',
    ]);
  });
});

describe('once', () => {
  it('a second time it is refused, and another client’s same jti is its own', async () => {
    const pair = [newKey(), newKey()];
    const server = startServer({
      clients: pair.map(({ jwk }, i) => ({ id: `machine-${i}`, jwks: { keys: [jwk] }, ...machine })),
    });
    const [first, second] = await Promise.all(
      pair.map((one, i) => jwt(one, clientClaims(`machine-${i}`, server, { jti: 'same' }))),
    );
    expect((await ask(server, first))?.status).toBe(200);
    expect(refusal(server, await ask(server, first))).toEqual(unauthenticated('client.assertion_replayed'));
    expect((await ask(server, second))?.status).toBe(200);
  });

  it('until it has expired everywhere, by clocks that are five minutes apart', async () => {
    const ahead = startServer({ clients });
    const behind = startServer({ clients, records: ahead.records, clock: { seconds: 1_800_000_000 - 300 } });
    const text = await made(behind, { exp: behind.clock.seconds + 300, iat: behind.clock.seconds });
    expect((await ask(ahead, text))?.status).toBe(200);
    // The records' own clock runs ahead too: what it had swept would be accepted by the instance that is behind.
    ahead.clock.seconds += 300;
    behind.clock.seconds += 300;
    expect(refusal(behind, await ask(behind, text))).toEqual(unauthenticated('client.assertion_replayed'));
  });

  it('an assertion that was refused is still good', async () => {
    const server = startServer({ clients });
    const text = await made(server);
    const bad = `${text.slice(0, -4)}AAAA`;
    expect(refusal(server, await ask(server, bad))).toEqual(unauthenticated('client.assertion_signature'));
    expect((await ask(server, text))?.status).toBe(200);
  });

  it('the record that remembers it holds nothing that could be presented', async () => {
    const server = startServer({ clients });
    const text = await made(server, { jti: 'a-jti-to-look-for' });
    await ask(server, text);
    const { items } = await server.records.list('spentAssertion');
    expect(items).toMatchObject([
      { value: { spentAt: server.clock.seconds }, expiresAt: server.clock.seconds + 60 + 30 + 900 },
    ]);
    expect(JSON.stringify(items)).not.toMatch(/a-jti|machine/);
  });

  const race = async (records: () => Records<ServerRecords>) => {
    const instances = [startServer({ clients, records: records() }), startServer({ clients, records: records() })];
    const [one] = instances as [Server, Server];
    const text = await made(one);
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(instances[i % 2] as Server, text)));
    const statuses = replies.map((reply) => reply?.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(49);
    const reasons = instances.flatMap(({ events }) => events.map(({ reason }) => reason).filter(Boolean));
    expect(reasons).toEqual(Array(49).fill('client.assertion_replayed'));
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
        const records = sqliteRecords<ServerRecords>({
          kinds: serverKinds,
          file: join(folder, 'records.sqlite'),
          now: () => 1_800_000_000,
        });
        open.push(records);
        return records;
      });
    } finally {
      await Promise.all(open.map((records) => records.close()));
      rmSync(folder, { recursive: true });
    }
  });
});
