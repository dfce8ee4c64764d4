/**
 * Every kind of wrong token at the guard of a whole server, in one table: its status, its challenge in every parameter,
 * and the private reason (SEC-06; RFC 6750 §3, RFC 8725, RFC 9068 §4, RFC 9728 §5.1). The forms a parser meets are in
 * guard.test.ts; here each token is as good as its maker could make it.
 */
import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { API, startPool } from '../../../local-cognito/test/support/pool.ts';
import { isReply } from '../../src/gatehouse.ts';
import { signEs256 } from '../../src/oauth/jws.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { localSigner } from '../../src/signers/local.ts';
import type { Signer } from '../../src/signers/signer.ts';
import { form, issuer, parsed, resource, secret, signedIn, startHarness, withCode } from '../harness.ts';
import { idToken, providerKey } from '../identity-providers/servers.ts';
import { claims as plainClaims, header as plainHeader, privateKey, startGuard } from './tokens.ts';

const otherResource = 'https://auth.example/other';
const metadataUrl = 'https://auth.example/.well-known/oauth-protected-resource/mcp';
const resources = [
  { uri: resource, scopes: { read: 'read', write: 'write' }, defaultScope: ['read'] },
  { uri: otherResource, scopes: { read: 'read' } },
];
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });

type Part = Readonly<Record<string, unknown>> | string;
interface Scene {
  readonly harness: ReturnType<typeof startHarness>;
  readonly signer: Signer;
  /** A token as the server gave it, apart, and the credentials that came with it. */
  readonly token: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly refreshToken: string;
  readonly code: string;
  readonly otherToken: string;
  readonly publicJwk: JsonWebKey;
}
let scene: Scene;

beforeAll(async () => {
  const harness = startHarness({ resources });
  const { tokens, code } = await signedIn(harness);
  const elsewhere = await withCode(harness, {}, { resource: otherResource, scope: 'read' });
  const redeemed = parsed(await elsewhere.redeem({ resource: otherResource }));
  // The server's own keys, so that every claim can be signed as if the server had.
  const signer = localSigner({
    records: harness.records,
    keyring: keyring(issuer, [secret]),
    now: () => harness.clock.seconds,
  });
  const [publicJwk = {}] = (await signer.jwks()).keys;
  scene = {
    harness,
    signer,
    token: tokens.access_token,
    header: decodeProtectedHeader(tokens.access_token),
    claims: decodeJwt(tokens.access_token),
    refreshToken: tokens.refresh_token,
    code,
    otherToken: String(redeemed.access_token),
    publicJwk,
  };
});

const encoded = (part: Part) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
const parts = () => scene.token.split('.') as [string, string, string];

/** Header and claims with changes, under a signature of the server's own key where its signer makes one. */
const ours = (changes: Readonly<Record<string, unknown>>, type = 'at+jwt') =>
  scene.signer.sign(type, { ...scene.claims, ...changes });

/** Under a stranger's key: whatever the header says, nothing of ours signed it. */
function strangers(header: Readonly<Record<string, unknown>>, claims: Part = scene.claims): string {
  const data = `${encoded({ ...scene.header, ...header })}.${encoded(claims)}`;
  const key = { key: stranger.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${data}.${sign('sha256', Buffer.from(data), key).toString('base64url')}`;
}

/** HS256 with what everybody knows as the secret. */
function hs256(key: string | Buffer): string {
  const data = `${encoded({ ...scene.header, alg: 'HS256' })}.${parts()[1]}`;
  return `${data}.${createHmac('sha256', key).update(data).digest('base64url')}`;
}

/** A person's token of a real pool: signed by it, for a resource of its own. */
const cognitos = (kind: string) => async () =>
  String((await (await startPool()).tokens({ scope: `openid ${API}/read` }))[kind]);

const publicKey = () => createPublicKey({ key: scene.publicJwk, format: 'jwk' });
const mine = () => stranger.publicKey.export({ format: 'jwk' });
const hour = 3600;
const now = () => scene.harness.clock.seconds;

const table: ReadonlyArray<readonly [kind: string, reason: string, make: () => string | Promise<string>]> = [
  // Signatures.
  ['a signature by a stranger who names our key', 'token.signature', () => strangers({})],
  ['a signature by a stranger who names their own', 'token.key_unknown', () => strangers({ kid: 'mine' })],
  [
    'the signature of another token of ours',
    'token.signature',
    () => [...parts().slice(0, 2), scene.otherToken.split('.')[2]].join('.'),
  ],
  [
    'other claims under our signature',
    'token.signature',
    () => [parts()[0], encoded({ ...scene.claims, scope: 'read write admin' }), parts()[2]].join('.'),
  ],
  ['alg none, no signature', 'token.form', () => `${encoded({ ...scene.header, alg: 'none' })}.${parts()[1]}.`],
  [
    'alg none, our signature',
    'token.algorithm',
    () => `${encoded({ ...scene.header, alg: 'none' })}.${parts()[1]}.${parts()[2]}`,
  ],
  [
    'HS256 with our public key as PEM',
    'token.algorithm',
    () => hs256(publicKey().export({ format: 'pem', type: 'spki' })),
  ],
  [
    'HS256 with our public key as DER',
    'token.algorithm',
    () => hs256(publicKey().export({ format: 'der', type: 'spki' })),
  ],
  ['HS256 with our public JWK', 'token.algorithm', () => hs256(JSON.stringify(scene.publicJwk))],
  ['HS256 with the x of our JWK', 'token.algorithm', () => hs256(Buffer.from(String(scene.publicJwk.x), 'base64url'))],
  ['another algorithm than the key’s', 'token.algorithm', () => strangers({ alg: 'ES512' })],
  [
    'an ECDSA signature of zeros (CVE-2022-21449)',
    'token.signature',
    () => [...parts().slice(0, 2), Buffer.alloc(64).toString('base64url')].join('.'),
  ],
  [
    'our signature as DER',
    'token.signature',
    () =>
      [
        ...parts().slice(0, 2),
        Buffer.concat([Buffer.from([0x30, 68]), Buffer.from(parts()[2], 'base64url')]).toString('base64url'),
      ].join('.'),
  ],
  // Header parameters that tell a verifier where to look.
  ['jwk: the key in the token', 'token.signature', () => strangers({ jwk: mine() })],
  ['jwk and a kid of its own', 'token.key_unknown', () => strangers({ jwk: { ...mine(), kid: 'mine' }, kid: 'mine' })],
  ['jku: the address of a key set', 'token.signature', () => strangers({ jku: 'https://evil.example/jwks.json' })],
  ['x5u: the address of a certificate', 'token.signature', () => strangers({ x5u: 'https://evil.example/cert.pem' })],
  [
    'x5c: the certificate itself',
    'token.signature',
    () => strangers({ x5c: [stranger.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] }),
  ],
  ['kid: a path', 'token.key_unknown', () => strangers({ kid: '../../../../dev/null' })],
  ['kid: a query', 'token.key_unknown', () => strangers({ kid: "x' UNION SELECT 'key'--" })],
  ['kid: a member of every object', 'token.key_unknown', () => strangers({ kid: 'constructor' })],
  ['kid: our key’s with a space', 'token.key_unknown', () => strangers({ kid: `${scene.header.kid} ` })],
  ['kid: none', 'token.key_id', () => strangers({ kid: undefined })],
  ['crit: a parameter we do not know', 'token.critical_header', () => strangers({ crit: ['exp'], exp: 1 })],
  ['crit and b64: an unencoded payload', 'token.critical_header', () => strangers({ crit: ['b64'], b64: false })],
  ['b64 without crit', 'token.critical_header', () => strangers({ b64: false })],
  [
    'zip: compressed claims',
    'token.form',
    () => {
      const data = `${encoded({ ...scene.header, zip: 'DEF' })}.${deflateRawSync(JSON.stringify(scene.claims)).toString('base64url')}`;
      return `${data}.${parts()[2]}`;
    },
  ],
  [
    'an encrypted token',
    'token.form',
    () => [encoded({ alg: 'dir', enc: 'A256GCM', typ: 'at+jwt' }), '', 'iv', 'text', 'tag'].join('.'),
  ],
  [
    'compressed and encrypted, small on the wire',
    'token.form',
    () =>
      [
        encoded({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }),
        'k',
        'iv',
        deflateRawSync(Buffer.alloc(100_000)).toString('base64url'),
        'tag',
      ].join('.'),
  ],
  ['oversized', 'token.too_long', () => ours({ padding: 'x'.repeat(8192) })],
  // Other types, by our own key: RFC 8725 §3.11.
  ['no typ', 'token.type', () => strangers({ typ: undefined })],
  ['typ JWT, by our own key', 'token.type', () => ours({}, 'JWT')],
  ['typ logout+jwt, by our own key', 'token.type', () => ours({}, 'logout+jwt')],
  ['typ oauth-id-jag+jwt, by our own key', 'token.type', () => ours({}, 'oauth-id-jag+jwt')],
  ['typ application/at+jwt, by our own key', 'token.type', () => ours({}, 'application/at+jwt')],
  // Claims, by our own key.
  ['another issuer', 'token.issuer', () => ours({ iss: 'https://evil.example' })],
  ['the issuer with a slash', 'token.issuer', () => ours({ iss: `${issuer}/` })],
  ['the issuer in capitals', 'token.issuer', () => ours({ iss: 'https://AUTH.example' })],
  ['no issuer', 'token.issuer', () => ours({ iss: undefined })],
  ['a token for our other resource', 'token.audience', () => scene.otherToken],
  ['the audience of a stranger', 'token.audience', () => ours({ aud: 'https://evil.example/mcp' })],
  ['our origin as the audience', 'token.audience', () => ours({ aud: issuer })],
  ['the audience below ours', 'token.audience', () => ours({ aud: `${resource}/admin` })],
  ['the audience as an array of ours alone', 'token.audience', () => ours({ aud: [resource] })],
  ['the audience as an array of both', 'token.audience', () => ours({ aud: [resource, otherResource] })],
  ['no audience', 'token.audience', () => ours({ aud: undefined })],
  ['expired', 'token.expired', () => ours({ exp: now() - 5 })],
  ['an expiry that is no number', 'token.expired', () => ours({ exp: '9999999999' })],
  ['an expiry that never comes', 'token.expired', () => ours({ exp: null })],
  ['not yet valid', 'token.not_yet', () => ours({ nbf: now() + hour })],
  ['no subject', 'token.claims', () => ours({ sub: undefined })],
  ['no client', 'token.claims', () => ours({ client_id: undefined })],
  ['a client that is an array', 'token.claims', () => ours({ client_id: ['client'] })],
  ['no token id', 'token.claims', () => ours({ jti: undefined })],
  ['a grant there is none of', 'token.grant_ended', () => ours({ grant_id: 'made-up' })],
  // Other people's tokens, and our own that are none.
  [
    'an id token of our identity provider',
    'token.type',
    () => idToken('https://idp.example', { aud: 'gatehouse' }, providerKey.privateKey),
  ],
  ['an access token of Cognito', 'token.type', cognitos('access_token')],
  ['an id token of Cognito', 'token.type', cognitos('id_token')],
  ['a refresh token of ours', 'token.form', () => scene.refreshToken],
  ['an authorization code of ours', 'token.form', () => scene.code],
  ['a client id of ours', 'token.form', () => String(scene.claims.client_id)],
];

/** What the guard answers, and the event it leaves. */
async function judged(token: string) {
  const { server, events } = scene.harness;
  const from = events.length;
  const reply = await server.guard(resource)({ authorization: `Bearer ${token}` });
  return { reply, events: events.slice(from) };
}

const refusal = (reason: string) => [{ event: 'guard.refused', resource, status: 401, reason, cause: undefined }];
const words = 'The access token is expired, revoked or not for this resource.';
/** One answer to all of them: which check failed is nobody's business (SEC-13). */
const invalid = {
  status: 401,
  headers: {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'www-authenticate': `Bearer error="invalid_token", error_description="${words}", scope="read", resource_metadata="${metadataUrl}"`,
  },
  body: { error: 'invalid_token', error_description: words, resource_metadata: metadataUrl, scope: 'read' },
};

describe('a wrong token', () => {
  it('the right one, and one that our signer made of it, are good: the table can fail', async () => {
    expect(isReply((await judged(scene.token)).reply as never)).toBe(false);
    expect(isReply((await judged(await ours({ jti: 'another' }))).reply as never)).toBe(false);
  });

  it.each(table)('%s: %s', async (_, reason, make) => {
    const { reply, events } = await judged(await make());
    if (!isReply(reply)) throw new Error('accepted');
    expect({ ...reply, body: parsed(reply) }).toEqual(invalid);
    expect(events).toEqual(refusal(reason));
  });

  // What two parsers could read differently is read once, by us, and the last member counts: of a token that only we can
  // have signed. A wrong one in that place is as wrong as it is alone.
  it.each<[string, string, object, object]>([
    ['a second audience', 'token.audience', {}, { aud: otherResource }],
    ['a second issuer', 'token.issuer', {}, { iss: 'https://evil.example' }],
    ['a second, earlier expiry', 'token.expired', {}, { exp: 1 }],
    ['a second algorithm', 'token.algorithm', { alg: 'none' }, {}],
    ['a second type', 'token.type', { typ: 'JWT' }, {}],
    ['a second key id', 'token.key_unknown', { kid: 'mine' }, {}],
  ])('duplicate members, %s: %s', async (_, reason, header, claims) => {
    const twice = (first: object, more: object) =>
      `${JSON.stringify(first).slice(0, -1)}${JSON.stringify(more).replace('{', Object.keys(more).length > 0 ? ',' : '')}`;
    const data = `${encoded(twice(plainHeader, header))}.${encoded(twice(plainClaims, claims))}`;
    const good = `${encoded(twice(plainHeader, {}))}.${encoded(twice(plainClaims, {}))}`;
    const { bearer } = startGuard();
    expect((await bearer(`${good}.${signEs256(good, privateKey)}`)).status).toBe(200);
    expect(await bearer(`${data}.${signEs256(data, privateKey)}`)).toEqual({
      status: 401,
      error: 'invalid_token',
      reason,
    });
  });
});

describe('a token that was good', () => {
  it('is refused when its grant is revoked, at once where it was revoked and though it was remembered', async () => {
    const { harness } = scene;
    const { client, tokens } = await signedIn(harness);
    expect(isReply((await judged(tokens.access_token)).reply as never)).toBe(false);
    const fields = { client_id: client.client_id, token: tokens.refresh_token };
    expect((await harness.server.handle(form('/revoke', fields)))?.status).toBe(200);
    const { reply, events } = await judged(tokens.access_token);
    if (!isReply(reply)) throw new Error('accepted');
    expect({ ...reply, body: parsed(reply) }).toEqual(invalid);
    expect(events).toEqual(refusal('token.grant_ended'));
  });

  it('is refused when its time has come, remembered or not', async () => {
    const { harness } = scene;
    const { tokens } = await signedIn(harness);
    expect(isReply((await judged(tokens.access_token)).reply as never)).toBe(false);
    const before = harness.clock.seconds;
    harness.clock.seconds += tokens.expires_in + 5;
    const { reply, events } = await judged(tokens.access_token);
    harness.clock.seconds = before;
    expect(isReply(reply as never)).toBe(true);
    expect(events).toEqual(refusal('token.expired'));
  });
});
