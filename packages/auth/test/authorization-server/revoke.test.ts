/** Revocation (RFC 7009): what a client gives back is over everywhere, and nobody gives back what is another's (SEC-16). */
import { beforeEach, describe, expect, it } from 'vitest';
import { authorizationCode, refreshToken } from '../../src/authorization-server/credential.ts';
import { isReply } from '../../src/gatehouse.ts';
import { grantStates } from '../../src/resource-server/grant-states.ts';
import {
  form,
  issuer,
  parsed,
  refusal,
  registerClient,
  resource,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';
import { asHarness, type Composition, compose, configuredClient } from './composition.ts';

let all: Composition;
let signed: Awaited<ReturnType<typeof withTokens>>;

beforeEach(async () => {
  all = compose();
  signed = await withTokens(asHarness(all));
  all.events.length = 0;
});

const revoke = (token: string | undefined, changes: Readonly<Record<string, string | undefined>> = {}) =>
  all.server.handle(form('/revoke', { token, client_id: signed.client.client_id, ...changes }));
const grant = async () => (await all.records.list('grant')).items[0];
const refused = (reply: Awaited<ReturnType<typeof revoke>>) => refusal(asHarness(all), reply);
const through = async (guard: Composition['guards']['here'], token = signed.tokens.access_token) => {
  const result = await guard({ authorization: `Bearer ${token}` });
  return isReply(result) ? result.status : 'let in';
};

describe('what is given back is over', () => {
  it.each([
    ['the refresh token', () => signed.tokens.refresh_token],
    ['the access token', () => signed.tokens.access_token],
  ])('%s ends the grant', async (_, token) => {
    const reply = await revoke(token());
    expect(reply).toMatchObject({ status: 200, body: '', headers: { 'cache-control': 'no-store' } });
    expect((await grant())?.value).toMatchObject({ endedAt: all.clock.seconds, endReason: 'revoked' });
    // Kept for as long as an access token of it could be shown to a guard.
    expect((await grant())?.expiresAt).toBe(all.clock.seconds + 900 + 300);
    expect(all.events).toMatchObject([{ event: 'grant.revoked', by: 'client' }]);
    expect(refused(await signed.refresh())).toEqual([400, 'invalid_grant', 'grant.ended']);
  });

  it('at once on this instance and after five seconds on every other', async () => {
    expect(await through(all.guards.here)).toBe('let in');
    expect(await through(all.guards.elsewhere)).toBe('let in');
    await revoke(signed.tokens.refresh_token);
    expect(await through(all.guards.here)).toBe(401);
    all.clock.seconds += 4;
    expect(await through(all.guards.elsewhere)).toBe('let in');
    all.clock.seconds += 1;
    expect(await through(all.guards.elsewhere)).toBe(401);
  });

  it('a refresh token of any generation', async () => {
    const next = parsed(await signed.refresh()).refresh_token as string;
    expect((await revoke(signed.tokens.refresh_token))?.status).toBe(200);
    expect(refused(await signed.refresh({ refresh_token: next }))[1]).toBe('invalid_grant');
  });

  it('whatever the hint says', async () => {
    for (const token_type_hint of ['access_token', 'nonsense']) {
      expect((await revoke(signed.tokens.refresh_token, { token_type_hint }))?.status).toBe(200);
    }
    expect((await grant())?.value.endReason).toBe('revoked');
  });

  it('twice is as good as once', async () => {
    await revoke(signed.tokens.refresh_token);
    const before = await grant();
    all.clock.seconds += 60;
    expect((await revoke(signed.tokens.refresh_token))?.status).toBe(200);
    expect(await grant()).toEqual(before);
    expect(all.events.filter(({ event }) => event === 'grant.revoked')).toHaveLength(1);
  });

  it('while the client refreshes: whoever comes first, the end stands', async () => {
    const [, ...refreshes] = await Promise.all([
      revoke(signed.tokens.refresh_token),
      ...Array.from({ length: 6 }, () => signed.refresh()),
    ]);
    expect((await grant())?.value.endReason).toBe('revoked');
    for (const reply of refreshes) {
      expect(reply?.status === 200 || parsed(reply).error === 'invalid_grant').toBe(true);
      const token = parsed(reply).refresh_token as string | undefined;
      if (token) expect((await signed.refresh({ refresh_token: token }))?.status).toBe(400);
    }
  });

  it('a confidential client authenticates', async () => {
    const { client, tokens } = await withTokens(asHarness(all), { token_endpoint_auth_method: 'client_secret_basic' });
    const id = { client_id: client.client_id };
    expect(refused(await revoke(tokens.refresh_token, id))).toEqual([401, 'invalid_client', 'client.secret_missing']);
    const wrong = { ...id, client_secret: 'wrong' };
    expect(refused(await revoke(tokens.refresh_token, wrong))).toEqual([401, 'invalid_client', 'client.secret_wrong']);
    const right = { ...id, client_secret: client.client_secret as string };
    expect((await revoke(tokens.refresh_token, right))?.status).toBe(200);
    expect(all.events.at(-1)).toMatchObject({ event: 'grant.revoked' });
  });
});

describe('nothing changes', () => {
  const alive = async () => expect((await signed.refresh())?.status).toBe(200);

  it.each([
    ['the refresh token', () => signed.tokens.refresh_token],
    ['the access token', () => signed.tokens.access_token],
  ])('%s of another client is refused', async (_, token) => {
    const other = await registerClient(asHarness(all));
    const reply = await revoke(token(), { client_id: other.client_id });
    expect(refused(reply)).toEqual([400, 'invalid_grant', 'revoke.other_client']);
    await alive();
  });

  const forged = [
    ['text', () => 'nonsense'],
    ['a refresh token with another MAC', () => `${signed.tokens.refresh_token.slice(0, -1)}!`],
    ['a refresh token of no grant', () => refreshToken(all.keyring, 'A'.repeat(22), 1)],
    [
      'an access token with another signature',
      () => signed.tokens.access_token.replace(/\.[^.]*$/, `.${'A'.repeat(86)}`),
    ],
    ['half an access token', () => signed.tokens.access_token.split('.').slice(0, 2).join('.')],
    ['an access token of no algorithm', () => `e30.${signed.tokens.access_token.split('.')[1]}.`],
    ['dots', () => '...'],
    ['four thousand characters', () => 'A'.repeat(4000)],
    ['odd characters', () => 'a.\u0000"<\u{1f4da}.b'],
  ] as const;
  it.each(forged)('for %s, which is answered as done', async (_, token) => {
    expect((await revoke(token()))?.status).toBe(200);
    await alive();
  });

  it('for an access token that has expired', async () => {
    all.clock.seconds += 900;
    expect((await revoke(signed.tokens.access_token))?.status).toBe(200);
    expect(all.events.at(-1)).toMatchObject({ event: 'revoke.unknown_token' });
    await alive();
  });

  it('for a code: it is no token', async () => {
    const { code, client, redeem } = await withCode(asHarness(all));
    expect((await revoke(code, { client_id: client.client_id }))?.status).toBe(200);
    expect((await redeem())?.status).toBe(200);
  });

  it('for a code dressed as a refresh token', async () => {
    const id = (await grant())?.id ?? '';
    await revoke(authorizationCode(all.keyring, id).replace('ghc_', 'ghr_'));
    await alive();
  });

  it.each([
    ['no token', { token: undefined }, 400, 'invalid_request', 'revoke.token_missing'],
    ['no client', { client_id: undefined }, 401, 'invalid_client', 'client.missing'],
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client', 'client.unknown'],
    ['a public client with a secret', { client_secret: 'x' }, 401, 'invalid_client', 'client.public_with_secret'],
  ])('for a request with %s', async (_, changes, status, code, reason) => {
    expect(refused(await revoke(signed.tokens.refresh_token, changes))).toEqual([status, code, reason]);
    await alive();
  });

  it('without a look into the records for what is not genuine', async () => {
    all.records.interfere = (_, kind) => (kind === 'grant' ? 'away' : undefined);
    for (const [, token] of forged) if (!token().startsWith('ghr_')) expect((await revoke(token()))?.status).toBe(200);
  });
});

it('a token without a grant is not said to be revoked, and is its client’s alone', async () => {
  all = compose({ clients: ['machine', 'other'].map((id) => configuredClient(id)) });
  const token = await all.signer.sign('at+jwt', {
    ...{ iss: issuer, aud: resource, sub: 'machine', client_id: 'machine', scope: 'read', jti: 'j' },
    ...{ iat: all.clock.seconds, exp: all.clock.seconds + 60 },
  });
  const by = (id: string) => revoke(token, { client_id: id, client_secret: `${id}-secret` });
  const reply = await by('machine');
  expect([reply?.status, parsed(reply).error]).toEqual([400, 'unsupported_token_type']);
  expect(refused(await by('other'))).toEqual([400, 'invalid_grant', 'revoke.other_client']);
});

describe('what cannot be done is not called done (CVE-2020-15223)', () => {
  it.each([
    ['cannot be read', 'get', 'away', 'records.unavailable'],
    ['cannot be written', 'replace', 'away', 'records.unavailable'],
    ['lose every race', 'replace', 'contended', 'grant.contention'],
  ] as const)('503 while the records %s, and it works afterwards', async (_, verb, what, reason) => {
    all.records.interfere = (called, kind) => (called === verb && kind === 'grant' ? what : undefined);
    const reply = await revoke(signed.tokens.refresh_token);
    expect(refused(reply)).toEqual([503, 'temporarily_unavailable', reason]);
    expect(reply?.headers).toMatchObject({ 'retry-after': expect.stringMatching(/^\d+$/) });
    expect(await through(all.guards.here)).toBe(what === 'away' && verb === 'get' ? 503 : 'let in');
    all.records.interfere = undefined;
    expect((await revoke(signed.tokens.refresh_token))?.status).toBe(200);
    expect((await signed.refresh())?.status).toBe(400);
  });

  it('503 while the signing keys cannot be read', async () => {
    all.records.interfere = (_, kind) => (kind === 'keySet' ? 'away' : undefined);
    const reply = await revoke(signed.tokens.access_token);
    expect(refused(reply)).toEqual([503, 'temporarily_unavailable', 'issued_token.keys']);
  });
});

describe('the cascade to the identity provider', () => {
  it('comes after the end, and again when asked again', async () => {
    const told: unknown[] = [];
    all = compose({
      endSession: async (grantId) => {
        told.push([grantId, (await all.records.get('grant', grantId))?.value.endReason]);
      },
    });
    signed = await withTokens(asHarness(all));
    const id = (await grant())?.id;
    expect((await revoke(signed.tokens.refresh_token))?.status).toBe(200);
    await revoke(signed.tokens.refresh_token);
    expect(told).toEqual([
      [id, 'revoked'],
      [id, 'revoked'],
    ]);
  });
});

describe('the memory of the guards', () => {
  const options = { now: () => 0, freshSeconds: 5, staleSeconds: 60, size: 10 };

  it('an end that is told while a read is under way stands', async () => {
    let answer: (alive: boolean) => void = () => {};
    const read = () =>
      new Promise<boolean>((resolve) => {
        answer = resolve;
      });
    const states = grantStates({ ...options, read });
    const asked = states('a');
    states.ended('a');
    answer(true);
    expect(await asked).toBe(false);
    expect(await states('a')).toBe(false);
  });

  it('an end that is told while a read fails stands', async () => {
    let fail: (error: Error) => void = () => {};
    const read = () =>
      new Promise<boolean>((_, reject) => {
        fail = reject;
      });
    const states = grantStates({ ...options, read });
    const asked = states('a');
    states.ended('a');
    fail(new Error('away'));
    expect(await asked).toBe(false);
  });

  it('is one for all guards that are given it', () => {
    const states = grantStates({ ...options, read: async () => true });
    expect(grantStates({ ...options, read: states })).toBe(states);
  });

  it('stays bounded however many ends are told', async () => {
    let reads = 0;
    const read = async () => {
      reads += 1;
      return false;
    };
    const states = grantStates({ ...options, read });
    for (let i = 0; i < 100; i++) states.ended(`grant-${i}`);
    await states('grant-0');
    await states('grant-99');
    expect(reads).toBe(1);
  });
});

it('a token that has ended by this clock, and may live by another’s, still ends its grant', async () => {
  const harness = startHarness();
  const { tokens, client } = await withTokens(harness);
  harness.clock.seconds += tokens.expires_in + 200;
  const reply = await harness.server.handle(
    form('/revoke', { token: tokens.access_token, client_id: client.client_id }),
  );
  expect(reply?.status).toBe(200);
  expect((await harness.records.list('grant')).items.map(({ value }) => value.endReason)).toEqual(['revoked']);
});
