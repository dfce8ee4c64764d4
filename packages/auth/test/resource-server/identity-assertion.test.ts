/** Signed assertions of the caller's identity: checked by a stranger's library with the published keys, and good for nothing else. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessToken, isReply, nodeHandler, type Signer } from '../../src/gatehouse.ts';
import {
  type IdentityAssertions,
  identityAssertions,
  identityAssertionType,
  readIdentityAssertion,
} from '../../src/resource-server/identity-assertion.ts';
import { form, type Harness, issuer, parsed, startHarness, resource as uri, withTokens } from '../harness.ts';

const audience = 'https://target.internal/identity';
const roles = { everyone: ['member'], roles: { member: ['read:things'] } };
const asker = { id: 'asker', secret: 'a-secret-of-the-asker-that-is-long-enough', grantTypes: ['client_credentials'] };

let listener: Server;
/** Where the gateway really listens; its public name is the issuer. */
let base = '';
let harness: Harness;

beforeAll(async () => {
  listener = createServer((req, res) => {
    void nodeHandler(harness.server)(req, res).then((answered) => {
      if (!answered) res.writeHead(404).end();
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  base = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  harness = startHarness({
    resources: [{ uri, scopes: { read: 'read', write: 'write' }, assertionAudience: audience }],
    roles,
    clients: [{ ...asker, introspects: [uri] }],
  });
});

afterAll(() => {
  listener.closeAllConnections();
  listener.close();
});

async function caller() {
  const { tokens, client } = await withTokens(harness);
  const token = await harness.server.guard(uri)({ authorization: `Bearer ${tokens.access_token}` });
  if (isReply(token)) throw new Error(token.body);
  return { token, client, accessToken: tokens.access_token };
}

const jwks = () => createRemoteJWKSet(new URL(`${base}/.well-known/jwks.json`));
const today = () => new Date(harness.clock.seconds * 1000);
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

describe('an assertion', () => {
  it('is verified by jose with the published keys, and says who calls', async () => {
    const { token, accessToken } = await caller();
    const text = await harness.server.identityAssertions(uri)(token);
    const { payload, protectedHeader } = await jwtVerify(text, jwks(), {
      issuer,
      audience,
      typ: identityAssertionType,
      algorithms: ['ES256'],
      currentDate: today(),
    });
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'gatehouse-identity+jwt', kid: expect.any(String) });
    expect(payload).toEqual({
      iss: issuer,
      aud: audience,
      sub: token.subject,
      client_id: token.clientId,
      scope: 'read write',
      roles: ['member'],
      permissions: ['read:things'],
      sub_id: { format: 'iss_sub', iss: 'https://idp.example', sub: 'person-1' },
      iat: harness.clock.seconds,
      exp: harness.clock.seconds + 60,
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{16}$/),
    });
    expect(payload.jti).not.toBe(decodeJwt(accessToken).jti);
    expect(text).not.toContain(accessToken.split('.')[2]);
  });

  it('is no access token: not at the guard, not at introspection, not at revocation', async () => {
    const { token, client, accessToken } = await caller();
    const text = await harness.server.identityAssertions(uri)(token);
    const refused = await harness.server.guard(uri)(bearer(text));
    expect(isReply(refused) && refused.status).toBe(401);
    expect(harness.events.at(-1)).toMatchObject({ event: 'guard.refused', reason: 'token.type' });
    const credentials = { client_id: asker.id, client_secret: asker.secret };
    const asked = async (about: string) =>
      parsed(await harness.server.handle(form('/introspect', { ...credentials, token: about }))).active;
    expect(await asked(accessToken)).toBe(true);
    expect(await asked(text)).toBe(false);
    const revoked = await harness.server.handle(form('/revoke', { client_id: client.client_id, token: text }));
    expect(revoked?.status).toBe(200);
    expect(harness.events.at(-1)).toMatchObject({ event: 'revoke.unknown_token' });
    expect(isReply(await harness.server.guard(uri)(bearer(accessToken)))).toBe(false);
  });

  it('would be no access token even if it were for the resource', async () => {
    const { token } = await caller();
    const signer: Pick<Signer, 'sign'> = { sign: async (type, claims) => (await signerOf(harness)).sign(type, claims) };
    const forged = identityAssertions({ signer, issuer, audience: uri, now: () => harness.clock.seconds });
    const refused = await harness.server.guard(uri)(bearer(await forged(token)));
    expect(isReply(refused) && refused.status).toBe(401);
  });

  it('is reused for half a minute for one access token, and never for another', async () => {
    const make = harness.server.identityAssertions(uri);
    const { token } = await caller();
    const other = (await caller()).token;
    const first = await make(token);
    expect(await make(other)).not.toBe(first);
    harness.clock.seconds += 29;
    expect(await make(token)).toBe(first);
    harness.clock.seconds += 1;
    const second = await make(token);
    expect(second).not.toBe(first);
    expect(decodeJwt(second).exp).toBe(harness.clock.seconds + 60);
    // Set back: what is left of it is of an unknown age.
    harness.clock.seconds -= 3600;
    expect(decodeJwt(await make(token)).exp).toBe(harness.clock.seconds + 60);
    harness.clock.seconds += 3600;
  });

  it('is signed once for many requests at once, and again after a signer that failed', async () => {
    let calls = 0;
    let fails = true;
    const signer = {
      async sign() {
        calls += 1;
        if (fails) throw new Error('away');
        return `signed ${calls}`;
      },
    };
    const make: IdentityAssertions = identityAssertions({ signer, issuer, audience, now: () => 1000 });
    const token = { subject: 's', clientId: 'c', scope: [] } as unknown as AccessToken;
    await expect(make(token)).rejects.toThrow('away');
    fails = false;
    expect(await Promise.all([make(token), make(token), make(token)])).toEqual(Array(3).fill('signed 2'));
    expect(calls).toBe(2);
  });

  it('carries an operator’s further claims, and lets none of them take a place of ours', async () => {
    const said: Array<Readonly<Record<string, unknown>>> = [];
    const signer = {
      async sign(_: string, claims: Readonly<Record<string, unknown>>) {
        said.push(claims);
        return 'text';
      },
    };
    const claims = {
      connector_id: 7,
      act: { sub: 'x' },
      iss: 'evil',
      aud: 'evil',
      exp: 9e9,
      sub: 'evil',
      scope: 'all',
    };
    const token = { subject: 's', clientId: 'c', scope: ['a'], claims } as unknown as AccessToken;
    await identityAssertions({ signer, issuer, audience, now: () => 1000 })(token);
    expect(said).toEqual([
      {
        connector_id: 7,
        iss: issuer,
        aud: audience,
        sub: 's',
        client_id: 'c',
        scope: 'a',
        iat: 1000,
        exp: 1060,
        jti: expect.any(String),
      },
    ]);
  });
});

describe('a target in TypeScript', () => {
  /** Its name leads to the gateway: what a DNS would do. */
  const fetch: typeof globalThis.fetch = (url, init) => globalThis.fetch(String(url).replace(issuer, base), init);
  const reader = (changes: Partial<Parameters<typeof readIdentityAssertion>[0]> = {}) =>
    readIdentityAssertion({ issuer, audience, fetch, now: () => harness.clock.seconds, ...changes });

  it('reads who calls', async () => {
    const { token } = await caller();
    const text = await harness.server.identityAssertions(uri)(token);
    expect(await reader()(bearer(text))).toEqual({
      subject: token.subject,
      clientId: token.clientId,
      scope: ['read', 'write'],
      identityIssuer: 'https://idp.example',
      identitySubject: 'person-1',
      roles: ['member'],
      permissions: ['read:things'],
    });
    const elsewhere = readIdentityAssertion({
      issuer,
      audience,
      jwksUri: `${base}/.well-known/jwks.json`,
      now: () => harness.clock.seconds,
    });
    expect(await elsewhere(bearer(text))).toMatchObject({ subject: token.subject });
  });

  it('believes nothing else', async () => {
    const { token, accessToken } = await caller();
    const text = await harness.server.identityAssertions(uri)(token);
    const read = reader();
    const [head = '', body = '', signature = ''] = text.split('.');
    const changed = Buffer.from(JSON.stringify({ ...decodeJwt(text), sub: 'somebody else' })).toString('base64url');
    const none = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(text), alg: 'none' })).toString('base64url');
    for (const wrong of [
      accessToken,
      `${head}.${changed}.${signature}`,
      `${none}.${body}.`,
      `${head}.${body}`,
      'x',
      '',
    ])
      expect(await read(bearer(wrong))).toBeUndefined();
    for (const headers of [{}, { authorization: `Basic ${text}` }, { authorization: text }, { authorization: [text] }])
      expect(await read(headers)).toBeUndefined();
    expect(await reader({ audience: 'https://other.internal' })(bearer(text))).toBeUndefined();
    expect(await reader({ issuer: 'http://127.0.0.1:1' })(bearer(text))).toBeUndefined();
    expect(await read(bearer(text))).toBeDefined();
    harness.clock.seconds += 66;
    expect(await read(bearer(text))).toBeUndefined();
    expect(() => reader({ audience: '' })).toThrow(/^audience: /);
  });

  it('is told that nothing is known while the keys cannot be had', async () => {
    const { token } = await caller();
    const text = await harness.server.identityAssertions(uri)(token);
    const read = reader({ fetch: async () => Promise.reject(new Error('away')) });
    await expect(read(bearer(text))).rejects.toMatchObject({ status: 503 });
  });
});

describe('the options', () => {
  const at = (assertionAudience: string) => () =>
    startHarness({ resources: [{ uri: 'https://auth.example/mcp', scopes: { a: 'a' }, assertionAudience }] });

  it.each([
    ['https://auth.example/mcp', 'is the URI of a resource'],
    ['HTTPS://AUTH.example/mcp', 'is the URI of a resource'],
    ['https://auth.example', 'is the issuer'],
    ['https://auth.example/', 'is the issuer'],
    ['', 'must be 1 to 1024 visible ASCII characters'],
    ['two words', 'must be 1 to 1024 visible ASCII characters'],
    ['x'.repeat(1025), 'must be 1 to 1024 visible ASCII characters'],
  ])('refuse the audience “%s”', (text, words) => {
    expect(at(text)).toThrow(`resources[0].assertionAudience: "${text}" ${words}`);
  });

  it('make none for a resource that asks for none', () => {
    expect(at('files-target')).not.toThrow();
    expect(() => startHarness().server.identityAssertions('https://auth.example/mcp')).toThrow(/assertionAudience/);
  });
});

/** The house's own signer, for what the library itself would never sign. */
async function signerOf({ records, clock }: Harness): Promise<Signer> {
  const { localSigner } = await import('../../src/signers/local.ts');
  const { keyring } = await import('../../src/sealing/keyring.ts');
  const { secret } = await import('../harness.ts');
  return localSigner({ records, keyring: keyring(issuer, [secret]), now: () => clock.seconds });
}
