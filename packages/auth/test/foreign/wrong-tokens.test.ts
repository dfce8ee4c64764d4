/** Every wrong token at a real issuer's verifier: refused, for the reason that it should be (SEC-06, RFC 8725). */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import {
  claims,
  ec,
  ed,
  encoded,
  header,
  jwk,
  type LoopbackIssuer,
  resource,
  rsa,
  signed,
  start,
  startIssuer,
  startVerifier,
  tokenOf,
  verdict,
} from './loopback-issuer.ts';

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

it('a good token comes to an access token', async () => {
  const idp = await startIssuer();
  const { judge } = startVerifier([{ issuer: idp.issuer, permissionsFrom: 'permissions' }]);
  expect(await judge(tokenOf(idp, { claims: { permissions: ['read:a', 'read:a', 7, ''] } }))).toEqual({
    subject: subjectOf({ issuer: idp.issuer, subject: 'person-1' }),
    identity: { issuer: idp.issuer, subject: 'person-1' },
    clientId: 'client-1',
    scope: ['read', 'write'],
    audience: resource,
    issuer: idp.issuer,
    issuedAt: start,
    expiresAt: start + 900,
    tokenId: 'token-1',
    permissions: ['read:a'],
  });
  expect(idp.requests).toEqual(['/.well-known/openid-configuration', '/jwks']);
});

it('a token without an id is named by its digest', async () => {
  const idp = await startIssuer();
  const token = tokenOf(idp, { claims: { jti: undefined } });
  expect(await startVerifier([idp]).judge(token)).toMatchObject({
    tokenId: createHash('sha256').update(token).digest('base64url'),
  });
});

describe('refused', () => {
  const hs256WithThePublicKey = (idp: LoopbackIssuer) =>
    tokenOf(idp, {
      header: { alg: 'HS256' },
      key: rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    });
  const cases: ReadonlyArray<[name: string, reason: string, make: (idp: LoopbackIssuer) => string]> = [
    ['the signature of another key', 'token.signature', (idp) => tokenOf(idp, { key: stranger.privateKey })],
    [
      'changed claims',
      'token.signature',
      (idp) => {
        const [head, , signature] = tokenOf(idp).split('.');
        return `${head}.${encoded({ ...claims, iss: idp.issuer, sub: 'admin' })}.${signature}`;
      },
    ],
    [
      'a changed header',
      'token.signature',
      (idp) => {
        const [, body, signature] = tokenOf(idp).split('.');
        return `${encoded({ ...header, x: 1 })}.${body}.${signature}`;
      },
    ],
    ['another spelling of the signature', 'token.signature', (idp) => `${tokenOf(idp)}=`],
    [
      'a key in the token',
      'token.signature',
      (idp) => tokenOf(idp, { header: { jwk: jwk(stranger.publicKey) }, key: stranger.privateKey }),
    ],
    [
      'a key set named by the token',
      'token.key_unknown',
      (idp) =>
        tokenOf(idp, {
          header: { kid: 'x', jku: `${idp.issuer}/evil`, x5u: `${idp.issuer}/evil` },
          key: stranger.privateKey,
        }),
    ],
    ['alg none', 'token.algorithm', (idp) => tokenOf(idp, { header: { alg: 'none' } })],
    [
      'alg none, unsigned',
      'token.form',
      (idp) => `${encoded({ ...header, alg: 'none' })}.${encoded({ ...claims, iss: idp.issuer })}.`,
    ],
    ['alg NONE', 'token.algorithm', (idp) => tokenOf(idp, { header: { alg: 'nOnE' } })],
    ['no alg', 'token.algorithm', (idp) => tokenOf(idp, { header: { alg: undefined } })],
    ['alg in a list', 'token.algorithm', (idp) => tokenOf(idp, { header: { alg: ['RS256'] } })],
    ['HS256 with the public key', 'token.algorithm', hs256WithThePublicKey],
    [
      'another algorithm than that of its key',
      'token.algorithm',
      (idp) => tokenOf(idp, { header: { alg: 'ES256' }, key: ec.privateKey }),
    ],
    ['an algorithm we do not verify', 'token.algorithm', (idp) => tokenOf(idp, { header: { alg: 'RS512' } })],
    ['crit', 'token.critical_header', (idp) => tokenOf(idp, { header: { crit: ['exp'] } })],
    ['b64', 'token.critical_header', (idp) => tokenOf(idp, { header: { b64: false } })],
    ['no kid', 'token.key_id', (idp) => tokenOf(idp, { header: { kid: undefined } })],
    ['a kid that is no text', 'token.key_id', (idp) => tokenOf(idp, { header: { kid: { toString: 'key-1' } } })],
    ['a huge kid', 'token.key_id', (idp) => tokenOf(idp, { header: { kid: 'k'.repeat(257) } })],
    ['an unknown kid', 'token.key_unknown', (idp) => tokenOf(idp, { header: { kid: 'key-2' } })],
    ['a kid that every object has', 'token.key_unknown', (idp) => tokenOf(idp, { header: { kid: '__proto__' } })],
    ['typ JWT where at+jwt is expected', 'token.type', (idp) => tokenOf(idp, { header: { typ: 'JWT' } })],
    ['no typ', 'token.type', (idp) => tokenOf(idp, { header: { typ: undefined } })],
    ['typ of a logout token', 'token.type', (idp) => tokenOf(idp, { header: { typ: 'logout+jwt' } })],
    ['typ of a DPoP proof', 'token.type', (idp) => tokenOf(idp, { header: { typ: 'dpop+jwt' } })],
    ['the issuer with a slash', 'token.issuer', (idp) => tokenOf(idp, { claims: { iss: `${idp.issuer}/` } })],
    ['the issuer in capitals', 'token.issuer', (idp) => tokenOf(idp, { claims: { iss: idp.issuer.toUpperCase() } })],
    ['the issuer in a list', 'token.issuer', (idp) => tokenOf(idp, { claims: { iss: [idp.issuer] } })],
    ['no issuer', 'token.issuer', (idp) => tokenOf(idp, { claims: { iss: undefined } })],
    ['another issuer', 'token.issuer', (idp) => tokenOf(idp, { claims: { iss: 'https://evil.example' } })],
    ['another audience', 'token.audience', (idp) => tokenOf(idp, { claims: { aud: 'https://other.example' } })],
    ['no audience', 'token.audience', (idp) => tokenOf(idp, { claims: { aud: undefined } })],
    ['the audience with a slash', 'token.audience', (idp) => tokenOf(idp, { claims: { aud: `${resource}/` } })],
    ['an empty list of audiences', 'token.audience', (idp) => tokenOf(idp, { claims: { aud: [] } })],
    [
      'an audience within another',
      'token.audience',
      (idp) => tokenOf(idp, { claims: { aud: [[resource], `x${resource}`] } }),
    ],
    ['azp of another client', 'token.client', (idp) => tokenOf(idp, { claims: { azp: 'client-2' } })],
    ['no client', 'token.claims', (idp) => tokenOf(idp, { claims: { client_id: undefined } })],
    ['a client that is no text', 'token.claims', (idp) => tokenOf(idp, { claims: { client_id: ['client-1'] } })],
    ['no subject', 'token.claims', (idp) => tokenOf(idp, { claims: { sub: undefined } })],
    ['an empty subject', 'token.claims', (idp) => tokenOf(idp, { claims: { sub: '' } })],
    ['expired', 'token.expired', (idp) => tokenOf(idp, { claims: { exp: start - 30 } })],
    ['no expiry', 'token.expired', (idp) => tokenOf(idp, { claims: { exp: undefined } })],
    ['an expiry in text', 'token.expired', (idp) => tokenOf(idp, { claims: { exp: `${start + 900}` } })],
    ['not yet valid', 'token.not_yet', (idp) => tokenOf(idp, { claims: { nbf: start + 31 } })],
    ['nbf in text', 'token.not_yet', (idp) => tokenOf(idp, { claims: { nbf: '0' } })],
    ['issued in the future', 'token.not_yet', (idp) => tokenOf(idp, { claims: { iat: start + 31 } })],
    ['no time of issue', 'token.not_yet', (idp) => tokenOf(idp, { claims: { iat: undefined } })],
    ['an id token of Cognito', 'token.use', (idp) => tokenOf(idp, { claims: { token_use: 'id' } })],
    ['a refresh token of Keycloak', 'token.use', (idp) => tokenOf(idp, { claims: { typ: 'Refresh' } })],
    [
      'a member twice in the header',
      'token.form',
      (idp) =>
        signed(JSON.stringify(header).replace('{', '{"kid":"x",'), { ...claims, iss: idp.issuer }, rsa.privateKey),
    ],
    [
      'a member twice in the claims',
      'token.form',
      (idp) =>
        signed(header, JSON.stringify({ ...claims, iss: idp.issuer }).replace('{', '{"sub":"admin",'), rsa.privateKey),
    ],
    [
      'a member twice, once escaped',
      'token.form',
      (idp) =>
        signed(
          header,
          JSON.stringify({ ...claims, iss: idp.issuer }).replace('{', '{"\\u0073ub":"admin",'),
          rsa.privateKey,
        ),
    ],
    [
      'a member twice deep inside',
      'token.form',
      (idp) =>
        signed(
          header,
          JSON.stringify({ ...claims, iss: idp.issuer }).replace('{', '{"x":[{"a":1,"a":2}],'),
          rsa.privateKey,
        ),
    ],
    ['claims that are a list', 'token.form', () => signed(header, [claims], rsa.privateKey)],
    ['claims that are null', 'token.form', () => signed(header, 'null', rsa.privateKey)],
    ['claims that are no JSON', 'token.form', () => signed(header, '{', rsa.privateKey)],
    [
      'claims that are no UTF-8',
      'token.form',
      () => `${encoded(header)}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.AAAA`,
    ],
    [
      'another spelling of the claims',
      'token.form',
      (idp) => {
        const [head, body, signature] = tokenOf(idp).split('.');
        return `${head}.${body}=.${signature}`;
      },
    ],
    ['an encrypted token', 'token.form', (idp) => `${tokenOf(idp)}.AAAA.AAAA`],
    ['a million dots', 'token.too_long', () => '.'.repeat(1_000_000)],
    ['one letter too many', 'token.too_long', () => 'a'.repeat(8193)],
    ['no token', 'token.form', () => ''],
    ['thousands of brackets', 'token.form', () => signed(header, '['.repeat(4000), rsa.privateKey)],
  ];
  it.each(cases)('%s: %s', async (_, reason, make) => {
    const idp = await startIssuer();
    const { judge } = startVerifier([idp]);
    expect(verdict(await judge(make(idp)))).toBe(reason);
    // The refusal was the token's fault and not the verifier's.
    expect(verdict(await judge(tokenOf(idp)))).toBe('accepted');
  });
});

describe('the edges of time', () => {
  it.each([
    [{ exp: start - 29 }, 'accepted'],
    [{ nbf: start + 30 }, 'accepted'],
    [{ iat: start + 30 }, 'accepted'],
    [{ exp: Number.MAX_VALUE }, 'accepted'],
  ])('%o is %s', async (changes, expected) => {
    const idp = await startIssuer();
    expect(verdict(await startVerifier([idp]).judge(tokenOf(idp, { claims: changes })))).toBe(expected);
  });

  it('a token that was accepted expires all the same', async () => {
    const idp = await startIssuer();
    const { judge, clock } = startVerifier([idp], { skewSeconds: 0 });
    expect(verdict(await judge(tokenOf(idp)))).toBe('accepted');
    clock.seconds = start + 900;
    expect(verdict(await judge(tokenOf(idp)))).toBe('token.expired');
  });
});

describe('several issuers', () => {
  it('share key ids and not keys', async () => {
    const [a, b] = [await startIssuer('same'), await startIssuer('same')];
    b.keys = [jwk(stranger.publicKey, { kid: 'same', alg: 'RS256' })];
    const { judge } = startVerifier([a, b]);
    const kid = { kid: 'same' };
    const ofA = await judge(tokenOf(a, { header: kid }));
    const ofB = await judge(tokenOf(b, { header: kid, key: stranger.privateKey }));
    expect([ofA, ofB].map(verdict)).toEqual(['accepted', 'accepted']);
    // The same `sub` at two issuers is two people.
    expect((ofA as { subject: string }).subject).not.toBe((ofB as { subject: string }).subject);
    expect(verdict(await judge(tokenOf(a, { header: kid, key: stranger.privateKey })))).toBe('token.signature');
    expect(verdict(await judge(tokenOf(b, { header: kid })))).toBe('token.signature');
  });

  it('the key id of one is unknown at the other', async () => {
    const [a, b] = [await startIssuer('a'), await startIssuer('b')];
    const { judge } = startVerifier([a, b]);
    expect(verdict(await judge(tokenOf(b, { header: { kid: 'b' } })))).toBe('accepted');
    expect(verdict(await judge(tokenOf(a, { header: { kid: 'b' } })))).toBe('token.key_unknown');
  });

  it('an unconfigured issuer is never asked for anything', async () => {
    const [a, evil] = [await startIssuer(), await startIssuer()];
    expect(verdict(await startVerifier([a]).judge(tokenOf(evil)))).toBe('token.issuer');
    expect([...a.requests, ...evil.requests]).toEqual([]);
  });
});

describe('other algorithms and audiences', () => {
  it.each([
    ['ES256', 'ES256', ec],
    ['EdDSA', 'EdDSA', ed],
    ['Ed25519', 'Ed25519', ed],
    ['EdDSA', 'Ed25519', ed],
  ] as const)('a token with %s and a key for %s', async (alg, published, { publicKey, privateKey }) => {
    const idp = await startIssuer();
    idp.keys = [jwk(publicKey, { kid: 'key-1', alg: published })];
    expect(verdict(await startVerifier([idp]).judge(tokenOf(idp, { header: { alg }, key: privateKey })))).toBe(
      'accepted',
    );
    const only = startVerifier([{ issuer: idp.issuer, algorithms: ['RS256'] }]);
    expect(verdict(await only.judge(tokenOf(idp, { header: { alg }, key: privateKey })))).toBe('token.algorithm');
  });

  it('one audience of several, and typ in any spelling', async () => {
    const idp = await startIssuer();
    const { judge } = startVerifier([idp]);
    const token = tokenOf(idp, {
      header: { typ: 'application/AT+JWT' },
      claims: { aud: ['https://x.example', resource] },
    });
    expect(verdict(await judge(token))).toBe('accepted');
  });

  it('an audience and a list of clients are both checked', async () => {
    const idp = await startIssuer();
    const { judge } = startVerifier([{ issuer: idp.issuer, audience: resource, clientIds: ['client-1'] }]);
    expect(verdict(await judge(tokenOf(idp)))).toBe('accepted');
    expect(verdict(await judge(tokenOf(idp, { claims: { client_id: 'client-2' } })))).toBe('token.client');
    expect(verdict(await judge(tokenOf(idp, { claims: { aud: 'x' } })))).toBe('token.audience');
  });

  it('clients in place of an audience are for issuers that say what a token is for', async () => {
    const idp = await startIssuer();
    const { judge } = startVerifier([{ issuer: idp.issuer, clientIds: ['client-1'] }]);
    const none = { aud: undefined };
    expect(verdict(await judge(tokenOf(idp, { claims: { ...none, token_use: 'access' } })))).toBe('accepted');
    expect(verdict(await judge(tokenOf(idp, { claims: none })))).toBe('token.use');
  });
});
