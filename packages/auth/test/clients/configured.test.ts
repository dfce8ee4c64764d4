/** Clients of the operator's list: what they may be, how they authenticate, and that nobody takes their place. */
import { describe, expect, it } from 'vitest';
import {
  type ConfiguredClient,
  configuredClientFaults,
  configuredClients,
} from '../../src/authorization-server/clients/configured.ts';
import { authorized, parsed, pkce, redirectUri, refusal } from '../harness.ts';
import { decodedPart, newKey, startServer } from './server.ts';

const key = newKey();
const secret = 'a-client-secret-of-thirty-two-bytes';
const web: ConfiguredClient = { id: 'web', secret, redirectUris: ['https://app.example/cb'] };
const machine: ConfiguredClient = { id: 'machine', secret, grantTypes: ['client_credentials'], scope: ['read'] };
const basic = (id: string, text: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}`,
});

describe('the list', () => {
  it('without faults', () => {
    const list: ConfiguredClient[] = [
      web,
      machine,
      { ...web, id: 'A.b_c~d-9', name: 'Bücher', scope: ['read'], secret: [secret, `${secret}2`] },
      {
        id: 'keys',
        jwks: { keys: [key.jwk, newKey('RS256', 'b').jwk, newKey('EdDSA', 'c').jwk] },
        redirectUris: [redirectUri],
      },
      { id: 'cli', redirectUris: [redirectUri, 'cursor://cb'] },
      { id: 'x'.repeat(128), secret: '🔑'.repeat(0) + '+/='.repeat(11), redirectUris: ['https://app.example/cb'] },
      {
        ...machine,
        id: 'claims',
        claims: { connector_id: 'c-1', roles: ['admin'], 'https://example.com/x': { a: [1] } },
      },
    ];
    expect(configuredClientFaults(list)).toEqual([]);
    const fetched = [{ id: 'uri', jwksUri: 'https://app.example/jwks', redirectUris: [redirectUri] }];
    expect(configuredClientFaults(fetched, { fetchKeys: () => async () => [] })).toEqual([]);
  });

  it.each<[string, ConfiguredClient, string]>([
    ['an id of registration', { ...web, id: 'dcr_x' }, 'id: "dcr_x" looks like one that registration issues ("dcr_")'],
    [
      'a URL',
      { ...web, id: 'https://app.example/client' },
      'id: "https://app.example/client" must have 1 to 128 letters',
    ],
    ['an id with a colon', { ...web, id: 'a:b' }, 'id: "a:b" must have'],
    ['an id with a percent sign', { ...web, id: 'a%20' }, 'id: "a%20" must have'],
    ['an empty id', { ...web, id: '' }, 'id: "" must have'],
    ['129 characters', { ...web, id: 'x'.repeat(129) }, 'id: "xxx'],
    [
      'the form of a person’s subject',
      { ...machine, id: 'A'.repeat(43) },
      `id: "${'A'.repeat(43)}" has the form of a user's subject`,
    ],
    ['an empty name', { ...web, name: '' }, 'name: must have 1 to 200 characters'],
    ['a short secret', { ...web, secret: 'x'.repeat(31) }, 'secret: must have at least 32 bytes'],
    ['an empty secret', { ...web, secret: '' }, 'secret: must have at least 32 bytes'],
    ['no secret in the list', { ...web, secret: [] }, 'secret: at least one is needed'],
    ['a short one among them', { ...web, secret: [secret, 'x'] }, 'secret: must have at least 32 bytes'],
    ['a secret with %', { ...web, secret: `${secret}%41` }, 'secret: must be visible ASCII without "%"'],
    ['a secret with a space', { ...web, secret: `${secret} x` }, 'secret: must be visible ASCII without "%"'],
    [
      'secret and keys',
      { ...web, jwks: { keys: [key.jwk] } },
      'secret, jwks, jwksUri: a client authenticates in one way',
    ],
    ['no keys', { id: 'a', redirectUris: [redirectUri], jwks: { keys: [] } }, 'jwks.keys: at least one is needed'],
    [
      'a private key',
      { id: 'a', redirectUris: [redirectUri], jwks: { keys: [key.privateKey.export({ format: 'jwk' })] } },
      'jwks.keys[0]: is a private or shared key; list the public one',
    ],
    [
      'a shared key',
      { id: 'a', redirectUris: [redirectUri], jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } },
      'jwks.keys[0]: is a private or shared key',
    ],
    [
      'a point that is none',
      {
        id: 'a',
        redirectUris: [redirectUri],
        jwks: { keys: [key.jwk, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] },
      },
      'jwks.keys[1]: is no public key',
    ],
    [
      'fetched keys without a fetcher',
      { id: 'a', redirectUris: [redirectUri], jwksUri: 'https://a.example/jwks' },
      'jwksUri: nothing to fetch it with was given',
    ],
    [
      'keys over http',
      { id: 'a', redirectUris: [redirectUri], jwksUri: 'http://a.example/jwks' },
      'jwksUri: "http://a.example/jwks" is no https URL',
    ],
    ['no redirect URI', { id: 'a', secret }, 'redirectUris: authorization_code needs at least one'],
    [
      'a bad redirect URI',
      { ...web, redirectUris: ['http://app.example/cb'] },
      'redirectUris[0]: "http://app.example/cb" must use https',
    ],
    [
      'redirect URIs of a machine',
      { ...machine, redirectUris: [redirectUri] },
      'redirectUris: are of no use without authorization_code',
    ],
    [
      'an unknown grant type',
      { ...web, grantTypes: ['authorization_code', 'password'] },
      'grantTypes: "password" is not one of',
    ],
    ['no grant type', { id: 'a', secret, grantTypes: [] }, 'grantTypes: at least one is needed'],
    [
      'refresh alone',
      { id: 'a', secret, grantTypes: ['refresh_token'] },
      'grantTypes: refresh_token needs authorization_code',
    ],
    [
      'a public machine',
      { id: 'a', grantTypes: ['client_credentials'] },
      'grantTypes: client_credentials needs a secret, jwks or jwksUri',
    ],
    [
      'a public client with ID-JAG',
      { id: 'a', grantTypes: ['urn:ietf:params:oauth:grant-type:jwt-bearer'] },
      'grantTypes: urn:ietf:params:oauth:grant-type:jwt-bearer needs a secret, jwks or jwksUri',
    ],
    ['a scope that is none', { ...web, scope: ['a b'] }, 'scope: "a b" is no scope'],
    ['claims of a person’s client', { ...web, claims: { a: 1 } }, 'claims: are of no use without client_credentials'],
    [
      'a claim of ours',
      { ...machine, claims: { aud: 'x' } },
      'claims: "aud" has a meaning of its own and cannot be set',
    ],
    ['a claim without a value', { ...machine, claims: { a: undefined } }, 'claims: "a" has no JSON value'],
    ['claims that are no JSON', { ...machine, claims: { a: 1n } }, 'claims: they are not JSON'],
    [
      'too many claims',
      { ...machine, claims: { a: 'x'.repeat(2048) } },
      'claims: together they may have 2048 bytes of JSON',
    ],
  ])('%s', (_, client, fault) => {
    const faults = configuredClientFaults([web, client].slice(client.id === 'web' ? 1 : 0));
    const index = client.id === 'web' ? 0 : 1;
    expect(faults.map((one) => one.slice(0, `clients[${index}].${fault}`.length))).toContain(
      `clients[${index}].${fault}`,
    );
    expect(faults.join()).not.toContain(secret);
  });

  it('all faults of all clients at once', () => {
    const faults = configuredClientFaults([
      { id: 'a', secret: 'x', redirectUris: ['x:'] },
      { id: 'a', grantTypes: ['client_credentials'], claims: { sub: 1, iss: 2 } },
    ]);
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'clients[0].secret',
      'clients[0].redirectUris[0]',
      'clients[1].id',
      'clients[1].grantTypes',
      'clients[1].claims',
      'clients[1].claims',
    ]);
  });
});

describe('the client', () => {
  const resolve = (client: ConfiguredClient, id = client.id) => configuredClients([client])(id);

  it('is what was configured', async () => {
    expect(await resolve({ ...web, name: 'Web', scope: ['read'] })).toEqual({
      id: 'web',
      source: 'configured',
      name: 'Web',
      redirectUris: ['https://app.example/cb'],
      grantTypes: ['authorization_code', 'refresh_token'],
      authMethods: ['client_secret_basic', 'client_secret_post'],
      proven: true,
      verifySecret: expect.any(Function),
      scope: ['read'],
    });
  });

  it.each(['nobody', '', '__proto__', 'constructor', 'WEB', 'web '])('is not %j', async (id) => {
    expect(await resolve(web, id)).toBeUndefined();
  });

  it.each<[string, ConfiguredClient, boolean]>([
    ['a secret', { ...web, redirectUris: [redirectUri] }, true],
    ['keys', { id: 'a', jwks: { keys: [key.jwk] }, redirectUris: [redirectUri] }, true],
    ['public, at https', { id: 'a', redirectUris: ['https://app.example/cb'] }, true],
    ['public, at a loopback port that any program may open', { id: 'a', redirectUris: [redirectUri] }, false],
    [
      'public, at a scheme that any program may claim',
      { id: 'a', redirectUris: ['https://a.example/cb', 'cursor://cb'] },
      false,
    ],
  ])('proven: %s', async (_, client, proven) => {
    expect((await resolve(client))?.proven).toBe(proven);
  });

  it('knows each of its secrets and nothing else', async () => {
    const client = await resolve({ ...web, secret: [secret, 'another-secret-of-thirty-two-bytes'] });
    expect(client?.verifySecret?.(secret)).toBe(true);
    expect(client?.verifySecret?.('another-secret-of-thirty-two-bytes')).toBe(true);
    for (const wrong of ['', secret.slice(1), `${secret}x`, secret.toUpperCase()]) {
      expect(client?.verifySecret?.(wrong)).toBe(false);
    }
  });

  it('fetches its keys by the address that was configured', async () => {
    const asked: unknown[] = [];
    const fetchKeys = (uri: string) => async (kid: string | undefined) => {
      asked.push([uri, kid]);
      return [key.jwk];
    };
    const list = [{ id: 'a', jwksUri: 'https://a.example/jwks', redirectUris: [redirectUri] }];
    const client = await configuredClients(list, { fetchKeys })('a');
    expect(client?.authMethods).toEqual(['private_key_jwt']);
    expect(await client?.keys?.('kid-9')).toEqual([key.jwk]);
    expect(asked).toEqual([['https://a.example/jwks', 'kid-9']]);
  });
});

describe('at the token endpoint', () => {
  const server = startServer({ clients: [web, machine] });
  const accepted = [400, 'invalid_grant', 'refresh.forged'];
  const fields = { grant_type: 'refresh_token', refresh_token: 'x' };

  it('a secret in the body, in raw Basic, in percent-encoded Basic', async () => {
    expect(refusal(server, await server.token({ ...fields, client_id: 'web', client_secret: secret }))).toEqual(
      accepted,
    );
    expect(refusal(server, await server.token(fields, basic('web', secret)))).toEqual(accepted);
    const percent = secret.replaceAll('-', '%2d');
    expect(refusal(server, await server.token(fields, basic('web', percent)))).toEqual(accepted);
  });

  it.each<[string, Record<string, string>, Record<string, string>, unknown[]]>([
    [
      'no secret: a refresh token alone is nothing (CVE-2026-53512)',
      { client_id: 'web' },
      {},
      [401, 'invalid_client', 'client.secret_missing'],
    ],
    ['a wrong secret', { client_id: 'web', client_secret: 'x' }, {}, [401, 'invalid_client', 'client.secret_wrong']],
    ['a wrong secret by Basic', {}, basic('web', 'x'), [401, 'invalid_client', 'client.secret_wrong']],
    ['two ways', { client_secret: secret }, basic('web', secret), [400, 'invalid_request', 'client.two_methods']],
    [
      'a grant type it has not',
      { client_id: 'machine', client_secret: secret },
      {},
      [400, 'unauthorized_client', 'token.grant_type_unregistered'],
    ],
  ])('%s', async (_, body, headers, expected) => {
    expect(refusal(server, await server.token({ ...fields, ...body }, headers))).toEqual(expected);
  });

  it('a person signs in to it, and the token is the client’s', async () => {
    const { verifier, challenge } = pkce();
    const changes = { redirect_uri: 'https://app.example/cb' };
    const harness = { ...server, identityProvider: undefined } as never;
    const back = await authorized(harness, 'web', challenge, changes);
    const reply = await server.token(
      {
        grant_type: 'authorization_code',
        code: back.searchParams.get('code') ?? '',
        code_verifier: verifier,
        ...changes,
      },
      basic('web', secret),
    );
    expect(reply?.status).toBe(200);
    expect(decodedPart(parsed(reply).access_token, 1)).toMatchObject({
      client_id: 'web',
      grant_id: expect.any(String),
    });
  });
});
