/** The guard: which tokens are refused, how, and before what work (SEC-06; RFC 6750, RFC 8725, RFC 9068 §4). */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guard, insufficientScope, isReply } from '../../src/resource-server/guard.ts';
import { issuer, parsed, resource } from '../harness.ts';
import { claims, countedKey, encoded, header, privateKey, publicKey, start, startGuard, token } from './tokens.ts';

const metadataUrl = 'https://auth.example/.well-known/oauth-protected-resource/mcp';
const invalid = (reason: string) => ({ status: 401, error: 'invalid_token', reason });

describe('a good token', () => {
  it('is given as data', async () => {
    expect(await startGuard().check({ authorization: `Bearer ${token()}` })).toEqual({
      subject: 'person',
      clientId: 'client',
      scope: ['read', 'write'],
      audience: resource,
      issuer,
      expiresAt: start + 900,
      issuedAt: start,
      tokenId: 'token-1',
      grantId: 'grant-1',
      identity: { issuer: 'https://idp.example', subject: 'somebody' },
    });
  });

  it.each([
    ['no scope', { scope: undefined }, { scope: [] }],
    ['an empty scope', { scope: '' }, { scope: [] }],
    ['no identity', { sub_id: undefined }, {}],
    ['an identity that is null', { sub_id: null }, {}],
    ['claims nobody knows', { admin: true, roles: ['x'] }, {}],
  ])('with %s', async (_, changes, expected) => {
    const result = await startGuard().check({ authorization: `Bearer ${token({ claims: changes })}` });
    expect(result).toMatchObject({ subject: 'person', ...expected });
    expect(result).not.toHaveProperty('admin');
  });

  it.each(['bearer', 'BEARER', 'Bearer  '])('after the word %j', async (word) => {
    expect((await startGuard().judge(`${word} ${token()}`)).status).toBe(200);
  });

  it('is checked once, and then remembered', async () => {
    const { bearer, key } = startGuard();
    const good = token();
    for (let i = 0; i < 10; i++) expect((await bearer(good)).status).toBe(200);
    expect(key.checks).toBe(1);
  });

  it('is forgotten when its key is revoked', async () => {
    const { bearer, revoked } = startGuard();
    const good = token();
    expect((await bearer(good)).status).toBe(200);
    revoked.add('key-1');
    expect(await bearer(good)).toMatchObject({ status: 401, reason: 'token.key_unknown' });
  });
});

describe('no credentials', () => {
  it.each([undefined, '', 'Basic dXNlcjpwYXNz', 'DPoP abc', 'Bearertoken', 'Negotiate x', token()])(
    '%j: 401 with scope and metadata, in header and body, and no error (RFC 6750 §3.1)',
    async (authorization) => {
      const reply = await startGuard().check({ authorization });
      if (!isReply(reply)) throw new Error('accepted');
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toBe(`Bearer scope="read", resource_metadata="${metadataUrl}"`);
      expect(reply.headers['cache-control']).toBe('no-store');
      expect(parsed(reply)).toMatchObject({ error: 'unauthorized', scope: 'read', resource_metadata: metadataUrl });
    },
  );

  it('a token anywhere but in the header is none', async () => {
    const { check } = startGuard();
    const elsewhere = {
      'x-access-token': token(),
      cookie: `access_token=${token()}`,
      'proxy-authorization': `Bearer ${token()}`,
    };
    expect(isReply(await check(elsewhere))).toBe(true);
  });

  it('the resource without default scope asks for none', async () => {
    const { check } = startGuard({ resource: { uri: resource, scopes: {} } });
    const reply = await check({});
    expect(isReply(reply) && reply.headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadataUrl}"`);
    expect(isReply(reply) && parsed(reply)).not.toHaveProperty('scope');
  });
});

describe('malformed: 400', () => {
  it.each([
    'Bearer',
    'Bearer ',
    'Bearer\t',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a, Bearer b',
    'Bearer =',
    'Bearer "a"',
    'Bearer é',
    'Bearer a\nb',
    'Bearer a=b',
    'bearer\tabc',
  ])('%j', async (authorization) => {
    expect(await startGuard().judge(authorization)).toEqual({
      status: 400,
      error: 'invalid_request',
      reason: 'token.header',
    });
  });
});

describe('refused: 401', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const [h, c, s] = token().split('.') as [string, string, string];
  const jwk = publicKey.export({ format: 'jwk' });

  it.each<[string, string, string]>([
    ['one part', 'abc', 'token.form'],
    ['two parts', `${h}.${c}`, 'token.form'],
    ['four parts', `${h}.${c}.${s}.${s}`, 'token.form'],
    ['five parts, as encrypted ones have', `${h}.${c}.${s}.${s}.${s}`, 'token.form'],
    ['no header', `.${c}.${s}`, 'token.form'],
    ['no claims', `${h}..${s}`, 'token.form'],
    ['no signature', `${h}.${c}.`, 'token.form'],
    ['dots alone', '...', 'token.form'],
    ['8,000 dots', '.'.repeat(8000), 'token.form'],
    ['more than 8,192 characters', `${h}.${encoded('x'.repeat(8000))}.${s}`, 'token.too_long'],
    ['a megabyte', 'a'.repeat(1_000_000), 'token.too_long'],
    ['a header that is no JSON', `${encoded('{')}.${c}.${s}`, 'token.form'],
    ['a header that is text', `${encoded('"at+jwt"')}.${c}.${s}`, 'token.form'],
    ['a header that is null', `${encoded('null')}.${c}.${s}`, 'token.form'],
    ['a header that is a list', `${encoded('[]')}.${c}.${s}`, 'token.type'],
    ['a header of 5,000 brackets', `${encoded('['.repeat(5000))}.${c}.${s}`, 'token.form'],
    ['no type', token({ header: { typ: undefined } }), 'token.type'],
    ['the type of an id_token', token({ header: { typ: 'JWT' } }), 'token.type'],
    ['the long type', token({ header: { typ: 'application/at+jwt' } }), 'token.type'],
    ['a type in capitals', token({ header: { typ: 'AT+JWT' } }), 'token.type'],
    ['a DPoP proof', token({ header: { typ: 'dpop+jwt' } }), 'token.type'],
    ['critical headers', token({ header: { crit: ['exp'] } }), 'token.critical_header'],
    ['no critical headers, in a list', token({ header: { crit: [] } }), 'token.critical_header'],
    ['an unencoded payload', token({ header: { b64: false, crit: ['b64'] } }), 'token.critical_header'],
    ['b64 alone', token({ header: { b64: true } }), 'token.critical_header'],
    ['no key id', token({ header: { kid: undefined } }), 'token.key_id'],
    ['a key id that is a number', token({ header: { kid: 1 } }), 'token.key_id'],
    ['a key id that is a list', token({ header: { kid: ['key-1'] } }), 'token.key_id'],
    ['a key id of 65 characters', token({ header: { kid: 'k'.repeat(65) } }), 'token.key_id'],
    ['an unknown key', token({ header: { kid: 'key-2' } }), 'token.key_unknown'],
    ['a path as key id', token({ header: { kid: '../../dev/null' } }), 'token.key_unknown'],
    ['a property name as key id', token({ header: { kid: '__proto__' } }), 'token.key_unknown'],
    ['alg none', `${encoded({ ...header, alg: 'none' })}.${c}.x`, 'token.algorithm'],
    ['alg nOnE', `${encoded({ ...header, alg: 'nOnE' })}.${c}.${s}`, 'token.algorithm'],
    ['no alg', token({ header: { alg: undefined } }), 'token.algorithm'],
    ['alg RS256', token({ header: { alg: 'RS256' } }), 'token.algorithm'],
    ['alg ES384', token({ header: { alg: 'ES384' } }), 'token.algorithm'],
    ['alg in small letters', token({ header: { alg: 'es256' } }), 'token.algorithm'],
    ['a list of algs', token({ header: { alg: ['ES256'] } }), 'token.algorithm'],
    ['another key’s signature', token({ key: other }), 'token.signature'],
    ['another token’s signature', `${h}.${c}.${token({ claims: { jti: '2' } }).split('.')[2]}`, 'token.signature'],
    ['a signature cut short', `${h}.${c}.${s.slice(0, -2)}`, 'token.signature'],
    ['a signature of zeros', `${h}.${c}.${Buffer.alloc(64).toString('base64url')}`, 'token.signature'],
    ['a signature with padding', `${h}.${c}.${s}==`, 'token.signature'],
    ['other claims under the signature', `${h}.${encoded({ ...claims, sub: 'root' })}.${s}`, 'token.signature'],
    ['another header over the signature', `${encoded({ ...header, x: 1 })}.${c}.${s}`, 'token.signature'],
    ['another issuer', token({ claims: { iss: 'https://other.example' } }), 'token.issuer'],
    ['the issuer with a slash', token({ claims: { iss: `${issuer}/` } }), 'token.issuer'],
    ['the issuer in a list', token({ claims: { iss: [issuer] } }), 'token.issuer'],
    ['no issuer', token({ claims: { iss: undefined } }), 'token.issuer'],
    ['another audience', token({ claims: { aud: 'https://other.example' } }), 'token.audience'],
    ['the audience with a slash', token({ claims: { aud: `${resource}/` } }), 'token.audience'],
    ['the issuer as audience', token({ claims: { aud: issuer } }), 'token.audience'],
    ['several audiences', token({ claims: { aud: [resource, 'https://other.example'] } }), 'token.audience'],
    ['no audience', token({ claims: { aud: undefined } }), 'token.audience'],
    ['no expiry', token({ claims: { exp: undefined } }), 'token.expired'],
    ['an expiry as text', token({ claims: { exp: String(start + 900) } }), 'token.expired'],
    ['an expiry that is null', token({ claims: { exp: null } }), 'token.expired'],
    ['a time before which it is not good', token({ claims: { nbf: start + 6 } }), 'token.not_yet'],
    ['one that is text', token({ claims: { nbf: String(start) } }), 'token.not_yet'],
    ['one that is null', token({ claims: { nbf: null } }), 'token.not_yet'],
    ['no subject', token({ claims: { sub: undefined } }), 'token.claims'],
    ['an empty subject', token({ claims: { sub: '' } }), 'token.claims'],
    ['a subject that is a number', token({ claims: { sub: 1 } }), 'token.claims'],
    ['no client', token({ claims: { client_id: undefined } }), 'token.claims'],
    ['no token id', token({ claims: { jti: undefined } }), 'token.claims'],
  ])('%s', async (_, text, reason) => {
    expect(await startGuard().bearer(text)).toEqual(invalid(reason));
  });

  it('HS256 with the public key as secret, in every form that key has', async () => {
    const data = `${encoded({ ...header, alg: 'HS256' })}.${c}`;
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    for (const key of [pem, publicKey.export({ format: 'der', type: 'spki' }), JSON.stringify(jwk), String(jwk.x)]) {
      const signature = createHmac('sha256', key).update(data).digest('base64url');
      expect(await startGuard().bearer(`${data}.${signature}`)).toEqual(invalid('token.algorithm'));
    }
  });

  it('a key that comes with the token is not used', async () => {
    const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const own = mine.publicKey.export({ format: 'jwk' });
    for (const extra of [
      { jwk: own },
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example/x5' },
      { x5c: ['MII'] },
    ]) {
      expect(await startGuard().bearer(token({ header: extra, key: mine.privateKey }))).toEqual(
        invalid('token.signature'),
      );
      // And where the signature is good, it changes nothing.
      expect((await startGuard().bearer(token({ header: extra }))).status).toBe(200);
    }
  });

  it('a second spelling of the signature', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const respelled = s.slice(0, -1) + (alphabet[alphabet.indexOf(s.at(-1) as string) ^ 1] as string);
    expect(Buffer.from(respelled, 'base64url').equals(Buffer.from(s, 'base64url'))).toBe(true);
    const { bearer } = startGuard();
    expect((await bearer(`${h}.${c}.${s}`)).status).toBe(200);
    expect(await bearer(`${h}.${c}.${respelled}`)).toEqual(invalid('token.signature'));
  });

  it('every changed character', async () => {
    const good = token();
    const { bearer } = startGuard();
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...'Aa0_-'), async (at, character) => {
        const changed = good.slice(0, at) + character + good.slice(at + 1);
        if (changed !== good) expect((await bearer(changed)).status).toBe(401);
      }),
      { numRuns: 1000 },
    );
  });

  it('what is no token of ours costs no look at a key', async () => {
    const { bearer, reads } = startGuard();
    for (const text of [
      'abc',
      '.'.repeat(8000),
      token({ header: { typ: 'JWT' } }),
      token({ header: { crit: [] } }),
      'a'.repeat(9000),
    ]) {
      await bearer(text);
    }
    expect(reads).toEqual([]);
  });

  it('all are one answer, which says nothing of the token', async () => {
    const { check } = startGuard();
    const bad = [
      'a.b.c',
      token({ key: other }),
      token({ claims: { exp: 1 } }),
      token({ claims: { aud: 'x' } }),
      token({ header: { kid: 'x' } }),
    ];
    const replies = await Promise.all(bad.map((text) => check({ authorization: `Bearer ${text}` })));
    expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
    expect(isReply(replies[0] as never) && (replies[0] as { headers: object }).headers).toMatchObject({
      'www-authenticate': `Bearer error="invalid_token", error_description="The access token is expired, revoked or not for this resource.", scope="read", resource_metadata="${metadataUrl}"`,
    });
  });
});

describe('time', () => {
  it('good until five seconds after its end, and not a second longer, remembered or not', async () => {
    const remembered = startGuard();
    const good = token();
    expect((await remembered.bearer(good)).status).toBe(200);
    for (const [seconds, status] of [
      [899, 200],
      [900, 200],
      [904, 200],
      [905, 401],
      [10_000, 401],
    ] as const) {
      remembered.clock.seconds = start + seconds;
      const fresh = startGuard();
      fresh.clock.seconds = start + seconds;
      expect((await remembered.bearer(good)).status).toBe(status);
      expect((await fresh.bearer(good)).status).toBe(status);
      if (status === 401) expect((await remembered.bearer(good)).reason).toBe('token.expired');
    }
  });

  it('not before its time, less five seconds', async () => {
    const { clock, bearer } = startGuard();
    const later = token({ claims: { nbf: start + 100 } });
    clock.seconds = start + 94;
    expect((await bearer(later)).reason).toBe('token.not_yet');
    clock.seconds = start + 95;
    expect((await bearer(later)).status).toBe(200);
  });

  it('the tolerance can be set to none', async () => {
    const { clock, bearer } = startGuard({ skewSeconds: 0 });
    clock.seconds = start + 899;
    expect((await bearer(token())).status).toBe(200);
    clock.seconds = start + 900;
    expect((await bearer(token())).reason).toBe('token.expired');
  });
});

describe('faults', () => {
  it('keys that cannot be read: 503 with Retry-After and no challenge, and then they can', async () => {
    let broken = true;
    const keys = {
      async verificationKey() {
        if (broken) throw new Error('away');
        return countedKey();
      },
    };
    const { check, judge } = startGuard({ keys });
    const reply = await check({ authorization: `Bearer ${token()}` });
    if (!isReply(reply)) throw new Error('accepted');
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(reply.headers).not.toHaveProperty('www-authenticate');
    expect(reply.body).not.toContain('away');
    expect(await judge(`Bearer ${token()}`)).toMatchObject({ status: 503, reason: 'guard.fault' });
    broken = false;
    expect((await judge(`Bearer ${token()}`)).status).toBe(200);
  });

  it('two guards share nothing: a token one remembers is not good at the other', async () => {
    const here = startGuard();
    const there = startGuard({ resource: { uri: 'https://auth.example/other', scopes: {} } });
    const good = token();
    expect((await here.bearer(good)).status).toBe(200);
    expect((await there.bearer(good)).reason).toBe('token.audience');
  });

  it('no token is remembered that was refused', async () => {
    const { clock, bearer } = startGuard();
    const later = token({ claims: { nbf: start + 100, exp: start + 1000 } });
    for (let i = 0; i < 3; i++) expect((await bearer(later)).status).toBe(401);
    clock.seconds = start + 100;
    expect((await bearer(later)).status).toBe(200);
  });

  it('needs nothing but an issuer, a resource and keys', async () => {
    const now = Math.floor(Date.now() / 1000);
    const keys = { verificationKey: () => countedKey() };
    const plain = guard({ issuer, resource: { uri: resource, scopes: {} }, keys });
    const good = token({ claims: { exp: now + 600 }, key: privateKey });
    expect(isReply(await plain({ authorization: `Bearer ${good}` }))).toBe(false);
  });
});

it('a call beyond the token’s scope is 403 with all that is needed', () => {
  const reply = insufficientScope({ resourceMetadata: metadataUrl, scope: ['read', 'write'] });
  expect(reply.status).toBe(403);
  expect(reply.headers['www-authenticate']).toMatch(
    /^Bearer error="insufficient_scope", .*scope="read write", resource_metadata="/,
  );
  expect(parsed(reply)).toMatchObject({
    error: 'insufficient_scope',
    scope: 'read write',
    resource_metadata: metadataUrl,
  });
});

it('a challenge cannot be broken out of', () => {
  const hostile = 'https://x.example/"\r\nset-cookie: a=b\\é';
  const reply = insufficientScope({ resourceMetadata: hostile, scope: ['a"b'] });
  expect(reply.headers['www-authenticate']).toMatch(/^[\x20-\x7e]*$/);
  expect(String(reply.headers['www-authenticate']).match(/"/g)).toHaveLength(8);
});
