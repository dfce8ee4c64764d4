/** The token endpoint, authorization code grant: OAuth 2.1 §4.1.3, RFC 7636 §4.6, RFC 8707 §2.2. */
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import {
  authorized,
  form,
  type Harness,
  issuer,
  parsed,
  pkce,
  redirectUri,
  refusal,
  registerClient,
  request,
  resource,
  secondInstance,
  startHarness,
  type TokenAnswer,
  withCode,
} from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = startHarness();
  // The keys are made at first use; the tests below compare records before and after.
  await harness.server.handle(request('/.well-known/jwks.json'));
});

const invalidGrant = (reason: string) => [400, 'invalid_grant', reason];
/** Status of a call to the resource with this token. */
async function guarded(token: unknown): Promise<number> {
  const result = await harness.server.guard(resource)({ authorization: `Bearer ${token}` });
  return isReply(result) ? result.status : 200;
}

describe('what is answered', () => {
  it('tokens, as RFC 6749 §5.1 has it', async () => {
    const { redeem } = await withCode(harness);
    const reply = await redeem();
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' },
    });
    expect(parsed(reply)).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^ghr_k1\.[A-Za-z0-9_-]{22}\.1\.[A-Za-z0-9_-]{43}$/),
      scope: 'read write',
    });
  });

  it('an access token as RFC 9068 has it', async () => {
    const { redeem, client, code } = await withCode(harness);
    const { access_token: token } = parsed(await redeem()) as unknown as TokenAnswer;
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    expect(decodeJwt(token)).toEqual({
      iss: issuer,
      aud: resource,
      sub: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      client_id: client.client_id,
      scope: 'read write',
      iat: harness.clock.seconds,
      exp: harness.clock.seconds + 900,
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{16}$/),
      grant_id: code.split('.')[1],
      sub_id: { format: 'iss_sub', iss: 'https://idp.example', sub: 'person-1' },
    });
  });

  it('no refresh token to a client that did not register for one', async () => {
    const { redeem, client } = await withCode(harness, { grant_types: ['authorization_code'] });
    const answer = parsed(await redeem());
    expect(answer).not.toHaveProperty('refresh_token');
    const refresh = form('/token', { grant_type: 'refresh_token', refresh_token: 'x', client_id: client.client_id });
    const reply = await harness.server.handle(refresh);
    expect(refusal(harness, reply)).toEqual([400, 'unauthorized_client', 'token.grant_type_unregistered']);
    // Its grant is needed for as long as the access token lives, though there is nothing to refresh.
    harness.clock.seconds += 899;
    expect(await guarded(answer.access_token)).toBe(200);
  });

  it.each<[string, Record<string, string | undefined>]>([
    ['no redirect URI (OAuth 2.1 §10.2)', { redirect_uri: undefined }],
    ['no resource', { resource: undefined }],
    ['a resource with its host in capitals', { resource: 'https://AUTH.example/mcp' }],
    ['parameters nobody knows', { audience: 'x', foo: 'bar' }],
  ])('with %s', async (_, changes) => {
    const { redeem } = await withCode(harness);
    expect((await redeem(changes))?.status).toBe(200);
  });

  it('the whole scope, where only unknown ones are asked for, as at /authorize', async () => {
    const { redeem } = await withCode(harness);
    expect(parsed(await redeem({ scope: 'openid email profile' })).scope).toBe('read write');
  });

  it('the scope that was asked for here, where it is less', async () => {
    const { redeem } = await withCode(harness);
    const answer = parsed(await redeem({ scope: 'write admin' }));
    expect(answer.scope).toBe('write');
    expect(decodeJwt(String(answer.access_token)).scope).toBe('write');
  });
});

describe('refused for its form', () => {
  it.each<[string, Record<string, string | undefined>, readonly unknown[]]>([
    ['no grant type', { grant_type: undefined }, [400, 'invalid_request', 'token.grant_type_missing']],
    ['the password grant', { grant_type: 'password' }, [400, 'unsupported_grant_type', 'token.grant_type']],
    ['client credentials', { grant_type: 'client_credentials' }, [400, 'unsupported_grant_type', 'token.grant_type']],
    ['a property name', { grant_type: '__proto__' }, [400, 'unsupported_grant_type', 'token.grant_type']],
    ['no code', { code: undefined }, [400, 'invalid_request', 'code.missing']],
    ['10,000 characters', { code: 'x'.repeat(10_000) }, [400, 'invalid_request', 'parameters.too_long']],
  ])('%s', async (_, changes, expected) => {
    const { redeem } = await withCode(harness);
    const reply = await redeem(changes);
    expect(refusal(harness, reply)).toEqual(expected);
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' });
    expect((await redeem())?.status).toBe(200);
  });

  it('a code twice in one request', async () => {
    const { redeem, fields, code } = await withCode(harness);
    const sent = form('/token', fields);
    const reply = await harness.server.handle({
      ...sent,
      body: Buffer.concat([sent.body, Buffer.from(`&code=${code}`)]),
    });
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'parameters.repeated']);
    expect((await redeem())?.status).toBe(200);
  });

  it('JSON', async () => {
    const { fields } = await withCode(harness);
    const headers = { 'content-type': 'application/json' };
    const reply = await harness.server.handle(
      request('/token', { method: 'POST', headers, body: JSON.stringify(fields) }),
    );
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'parameters.content_type']);
  });
});

describe('a code in the wrong hands or with the wrong proof is refused, and the right ones succeed afterwards', () => {
  it.each<[string, Record<string, string | undefined>, readonly unknown[]]>([
    ['a wrong verifier', { code_verifier: pkce().verifier }, invalidGrant('code.verifier')],
    ['no verifier', { code_verifier: undefined }, invalidGrant('code.verifier_missing')],
    ['an empty verifier', { code_verifier: '' }, invalidGrant('code.verifier_missing')],
    ['a verifier of one character', { code_verifier: 'a' }, invalidGrant('code.verifier')],
    ['another redirect URI', { redirect_uri: `${redirectUri}/` }, invalidGrant('code.redirect_uri')],
    ['another loopback port', { redirect_uri: redirectUri.replace('7777', '7778') }, invalidGrant('code.redirect_uri')],
    ['another resource', { resource: 'https://other.example' }, [400, 'invalid_target', 'grant.other_resource']],
    ['a wider resource', { resource: issuer }, [400, 'invalid_target', 'grant.other_resource']],
  ])('%s', async (_, changes, expected) => {
    const { redeem } = await withCode(harness);
    const before = await harness.records.dump();
    expect(refusal(harness, await redeem(changes))).toEqual(expected);
    expect(await harness.records.dump()).toBe(before);
    expect((await redeem())?.status).toBe(200);
  });

  it('another client', async () => {
    const { redeem } = await withCode(harness);
    const other = await registerClient(harness);
    expect(refusal(harness, await redeem({ client_id: other.client_id }))).toEqual(invalidGrant('grant.other_client'));
    expect((await redeem())?.status).toBe(200);
  });

  it('the challenge as verifier', async () => {
    const client = await registerClient(harness);
    const { challenge } = pkce();
    const code = (await authorized(harness, client.client_id, challenge)).searchParams.get('code') ?? '';
    const fields = { grant_type: 'authorization_code', client_id: client.client_id, code, code_verifier: challenge };
    expect(refusal(harness, await harness.server.handle(form('/token', fields)))).toEqual(
      invalidGrant('code.verifier'),
    );
  });
});

describe('a code nobody issued', () => {
  it.each<[string, (code: string) => string]>([
    ['nonsense', () => 'x'],
    ['another MAC', (code) => code.slice(0, -43) + 'A'.repeat(43)],
    ['a MAC cut to 160 bits', (code) => code.slice(0, -16)],
    ['another grant', (code) => code.replace(/\.[^.]{22}\./, `.${'A'.repeat(22)}.`)],
    ['another generation', (code) => code.replace('.0.', '.1.')],
    ['a generation spelled otherwise', (code) => code.replace('.0.', '.00.')],
    ['an unknown key', (code) => code.replace('k1.', 'k2.')],
    ['the prefix of refresh tokens', (code) => code.replace('ghc_', 'ghr_')],
    ['capitals', (code) => code.toUpperCase()],
    ['a space after', (code) => `${code} `],
    ['a line feed after', (code) => `${code}\n`],
  ])('%s', async (_, forge) => {
    const { redeem, code } = await withCode(harness);
    const before = await harness.records.dump();
    expect(refusal(harness, await redeem({ code: forge(code) }))).toEqual(invalidGrant('code.forged'));
    expect(await harness.records.dump()).toBe(before);
    expect((await redeem())?.status).toBe(200);
  });

  it('a genuine one of another issuer with the same secret', async () => {
    const sibling = startHarness({ issuer: 'https://other.example' });
    const { code } = await withCode(harness);
    const client = await registerClient(sibling);
    const fields = {
      grant_type: 'authorization_code',
      code,
      client_id: client.client_id,
      code_verifier: 'v'.repeat(43),
    };
    expect(refusal(sibling, await sibling.server.handle(form('/token', fields)))).toEqual(invalidGrant('code.forged'));
  });

  it('a refresh token is no code, and a code no refresh token', async () => {
    const { redeem, client, code } = await withCode(harness);
    const fields = { grant_type: 'refresh_token', refresh_token: code, client_id: client.client_id };
    expect(refusal(harness, await harness.server.handle(form('/token', fields)))).toEqual(
      invalidGrant('refresh.forged'),
    );
    const { refresh_token: token } = parsed(await redeem()) as unknown as TokenAnswer;
    expect(refusal(harness, await redeem({ code: token }))).toEqual(invalidGrant('code.forged'));
  });

  it('all refusals of a code are one answer (SEC-13)', async () => {
    const { redeem, code } = await withCode(harness);
    const forged = await redeem({ code: code.slice(0, -1) });
    const wrong = await redeem({ code_verifier: pkce().verifier });
    harness.clock.seconds += 60;
    expect(new Set([forged, wrong, await redeem()].map((reply) => JSON.stringify(reply))).size).toBe(1);
  });
});

describe('time', () => {
  it('a code lives sixty seconds, less one', async () => {
    const { redeem } = await withCode(harness);
    harness.clock.seconds += 59;
    expect((await redeem())?.status).toBe(200);
  });

  it.each([
    [60, 'code.expired'],
    [359, 'code.expired'],
    [360, 'grant.unknown'],
  ])('and not after %i seconds', async (seconds, reason) => {
    const { redeem } = await withCode(harness);
    harness.clock.seconds += seconds;
    expect(refusal(harness, await redeem())).toEqual(invalidGrant(reason));
  });
});

describe('a code is used once', () => {
  it('a second time ends what the first gave: at once here, at another instance within seconds', async () => {
    const { redeem, client } = await withCode(harness);
    const tokens = parsed(await redeem()) as unknown as TokenAnswer;
    expect(await guarded(tokens.access_token)).toBe(200);
    const elsewhere = secondInstance(harness).server.guard(resource);
    const guardedElsewhere = async () => {
      const judged = await elsewhere({ authorization: `Bearer ${tokens.access_token}` });
      return isReply(judged) ? judged.status : 200;
    };
    expect(await guardedElsewhere()).toBe(200);
    const replay = await redeem();
    expect(refusal(harness, replay)).toEqual(invalidGrant('grant.code_replayed'));
    expect(harness.events.map(({ event }) => event)).toContain('grant.replayed');
    expect(await guarded(tokens.access_token)).toBe(401);
    harness.clock.seconds += 4;
    expect(await guardedElsewhere()).toBe(200);
    harness.clock.seconds += 1;
    expect(await guardedElsewhere()).toBe(401);
    const refresh = form('/token', {
      grant_type: 'refresh_token',
      client_id: client.client_id,
      refresh_token: tokens.refresh_token,
    });
    expect(refusal(harness, await harness.server.handle(refresh))).toEqual(invalidGrant('grant.ended'));
    expect(refusal(harness, await redeem())).toEqual(invalidGrant('grant.ended'));
    // For as long as the token would have lived.
    harness.clock.seconds += 894;
    expect(await guarded(tokens.access_token)).toBe(401);
  });

  it('a second time with a wrong verifier ends nothing', async () => {
    const { redeem } = await withCode(harness);
    const tokens = parsed(await redeem());
    expect(refusal(harness, await redeem({ code_verifier: pkce().verifier }))).toEqual(invalidGrant('code.verifier'));
    harness.clock.seconds += 10;
    expect(await guarded(tokens.access_token)).toBe(200);
  });

  it('of eight parallel redemptions on two instances one succeeds', async () => {
    const { fields } = await withCode(harness);
    const instances = [harness, secondInstance(harness)];
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, i) => instances[i % 2]?.server.handle(form('/token', fields))),
    );
    expect(replies.map((reply) => reply?.status).sort()).toEqual([200, 400, 400, 400, 400, 400, 400, 400]);
    expect(harness.events.filter(({ event }) => event === 'token.issued')).toHaveLength(1);
  });
});
