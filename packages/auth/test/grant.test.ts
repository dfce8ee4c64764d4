/** The grant's one transition as a table: every outcome, and every refusal by its private reason. */
import { describe, expect, it } from 'vitest';
import {
  confirm,
  endOf,
  type Grant,
  isDue,
  type Presented,
  present,
  type Standing,
  type TokenRequest,
} from '../src/authorization-server/grant.ts';
import { codeChallengeOf } from '../src/oauth/pkce.ts';

const now = 1_800_000_000;
const days = 86_400;
const policy = { graceSeconds: 60, graceReplays: 3, grantSeconds: 500 * days, unconfirmedSeconds: 400 * days };
const verifier = 'v'.repeat(43);

const unspent: Grant = {
  clientDigest: 'client',
  clientName: 'Client',
  subject: 'person',
  identity: { issuer: 'https://idp.example', subject: 'somebody' },
  scope: ['read', 'write'],
  resource: 'https://tools.example/mcp',
  redirectUri: 'https://app.example/cb',
  codeChallenge: codeChallengeOf(verifier),
  createdAt: now,
  codeExpiresAt: now + 60,
  generation: 0,
  advancedAt: now,
  graceReplays: 0,
};
/** Refreshed four times, the last time now. */
const refreshed: Grant = { ...unspent, generation: 5 };

const code: Presented = { kind: 'authorization-code', generation: 0 };
const token = (generation: number): Presented => ({ kind: 'refresh-token', generation });

const codeRequest: TokenRequest = {
  clientDigest: 'client',
  scope: [],
  codeVerifier: verifier,
  redirectUri: 'https://app.example/cb',
  resource: 'https://tools.example/mcp',
};
const refreshRequest: TokenRequest = { clientDigest: 'client', scope: [] };
const without = <K extends keyof TokenRequest>(request: TokenRequest, name: K): TokenRequest => {
  const { [name]: _, ...rest } = request;
  return rest as TokenRequest;
};

describe('refused, and nothing changes', () => {
  const ended = { endedAt: now - 1, endReason: 'revoked' } as const;
  it.each<[string, Grant, Presented, TokenRequest, number, string]>([
    ['code, other client', unspent, code, { ...codeRequest, clientDigest: 'other' }, now, 'grant.other_client'],
    ['token, other client', refreshed, token(5), { ...refreshRequest, clientDigest: 'x' }, now, 'grant.other_client'],
    ['spent code, other client', refreshed, code, { ...codeRequest, clientDigest: 'x' }, now, 'grant.other_client'],
    [
      'old token, other client',
      refreshed,
      token(1),
      { ...refreshRequest, clientDigest: 'x' },
      now,
      'grant.other_client',
    ],
    ['code, ended', { ...unspent, ...ended }, code, codeRequest, now, 'grant.ended'],
    ['token, ended', { ...refreshed, ...ended }, token(5), refreshRequest, now, 'grant.ended'],
    ['token before, ended', { ...refreshed, ...ended }, token(4), refreshRequest, now, 'grant.ended'],
    ['old token, ended', { ...refreshed, ...ended }, token(1), refreshRequest, now, 'grant.ended'],
    [
      'code, other resource',
      unspent,
      code,
      { ...codeRequest, resource: 'https://x.example' },
      now,
      'grant.other_resource',
    ],
    [
      'token, other resource',
      refreshed,
      token(5),
      { ...refreshRequest, resource: 'https://tools.example' },
      now,
      'grant.other_resource',
    ],
    [
      'old token, other resource',
      refreshed,
      token(1),
      { ...refreshRequest, resource: 'x' },
      now,
      'grant.other_resource',
    ],
    ['code, no verifier', unspent, code, without(codeRequest, 'codeVerifier'), now, 'code.verifier_missing'],
    ['code, wrong verifier', unspent, code, { ...codeRequest, codeVerifier: 'w'.repeat(43) }, now, 'code.verifier'],
    [
      'code, the challenge as verifier',
      unspent,
      code,
      { ...codeRequest, codeVerifier: unspent.codeChallenge },
      now,
      'code.verifier',
    ],
    [
      'spent code, wrong verifier',
      refreshed,
      code,
      { ...codeRequest, codeVerifier: 'w'.repeat(43) },
      now,
      'code.verifier',
    ],
    ['spent code, no verifier', refreshed, code, without(codeRequest, 'codeVerifier'), now, 'code.verifier_missing'],
    [
      'code, other redirect URI',
      unspent,
      code,
      { ...codeRequest, redirectUri: 'https://app.example/cb/' },
      now,
      'code.redirect_uri',
    ],
    [
      'spent code, other redirect URI',
      refreshed,
      code,
      { ...codeRequest, redirectUri: 'https://x.example' },
      now,
      'code.redirect_uri',
    ],
    ['code, in its last second over', unspent, code, codeRequest, now + 60, 'code.expired'],
    ['code, long over', unspent, code, codeRequest, now + 600, 'code.expired'],
    ['code, a scope that was not granted', unspent, code, { ...codeRequest, scope: ['admin'] }, now, 'grant.scope'],
    [
      'token, a scope that was not granted',
      refreshed,
      token(5),
      { ...refreshRequest, scope: ['admin'] },
      now,
      'grant.scope',
    ],
    [
      'old token, a scope that was not granted',
      refreshed,
      token(1),
      { ...refreshRequest, scope: ['x'] },
      now,
      'grant.scope',
    ],
    ['token of a generation that never was', refreshed, token(6), refreshRequest, now, 'grant.generation'],
    ['token after its time, no one to ask', refreshed, token(5), refreshRequest, now + 400 * days, 'grant.expired'],
    [
      'token after its time',
      { ...refreshed, sessionDueAt: now },
      token(5),
      refreshRequest,
      now + 500 * days,
      'grant.expired',
    ],
    ['old token after its time', refreshed, token(1), refreshRequest, now + 400 * days, 'grant.expired'],
    ['token before the code was redeemed', unspent, token(1), refreshRequest, now, 'grant.generation'],
  ])('%s', (_, grant, presented, request, at, reason) => {
    expect(present(grant, presented, request, policy, at)).toEqual({ outcome: 'refuse', reason });
  });

  it('a wrong request is told by what is wrong first: hands, then grant, then target, then proof', () => {
    const wrong: TokenRequest = {
      clientDigest: 'x',
      scope: ['admin'],
      resource: 'x',
      codeVerifier: 'x',
      redirectUri: 'x',
    };
    const endedGrant = { ...unspent, ...ended };
    const reasons = [
      present(endedGrant, code, wrong, policy, now + 99),
      present(endedGrant, code, { ...wrong, clientDigest: 'client' }, policy, now + 99),
      present(unspent, code, { ...wrong, clientDigest: 'client' }, policy, now + 99),
      present(unspent, code, { ...without(wrong, 'resource'), clientDigest: 'client' }, policy, now + 99),
    ].map((decision) => decision.outcome === 'refuse' && decision.reason);
    expect(reasons).toEqual(['grant.other_client', 'grant.ended', 'grant.other_resource', 'code.verifier']);
  });
});

describe('issued', () => {
  const scope = ['read', 'write'];
  it.each<[string, Grant, Presented, TokenRequest, number, object]>([
    [
      'a code',
      unspent,
      code,
      codeRequest,
      now + 59,
      { scope, replay: false, next: { ...unspent, generation: 1, advancedAt: now + 59 } },
    ],
    ['a code without redirect URI', unspent, code, without(codeRequest, 'redirectUri'), now, { scope }],
    ['a code without resource', unspent, code, without(codeRequest, 'resource'), now, { scope }],
    [
      'a resource with a host in capitals',
      unspent,
      code,
      { ...codeRequest, resource: 'https://TOOLS.example/mcp' },
      now,
      { scope },
    ],
    [
      'a part of the scope',
      unspent,
      code,
      { ...codeRequest, scope: ['write'] },
      now,
      { scope: ['write'], next: { ...unspent, generation: 1 } },
    ],
    [
      'a part of the scope and more',
      unspent,
      code,
      { ...codeRequest, scope: ['write', 'admin'] },
      now,
      { scope: ['write'] },
    ],
    ['a grant of no scope', { ...unspent, scope: [] }, code, { ...codeRequest, scope: ['any'] }, now, { scope: [] }],
    [
      'the current token',
      refreshed,
      token(5),
      refreshRequest,
      now + 9,
      { scope, replay: false, next: { ...refreshed, generation: 6, advancedAt: now + 9 } },
    ],
    ['the current token, a year on', refreshed, token(5), refreshRequest, now + 365 * 86_400, { scope, replay: false }],
    [
      'the current token after replays',
      { ...refreshed, graceReplays: 3 },
      token(5),
      refreshRequest,
      now,
      { replay: false, next: { ...refreshed, generation: 6 } },
    ],
    [
      'the token before, at once',
      refreshed,
      token(4),
      refreshRequest,
      now,
      { scope, replay: true, next: { ...refreshed, graceReplays: 1 } },
    ],
    ['the token before, in the last second', refreshed, token(4), refreshRequest, now + 60, { replay: true }],
    ['the token before, by a slow clock', refreshed, token(4), refreshRequest, now - 300, { replay: true }],
    [
      'the token before, for the last time',
      { ...refreshed, graceReplays: 2 },
      token(4),
      refreshRequest,
      now,
      { replay: true, next: { ...refreshed, graceReplays: 3 } },
    ],
    [
      'the token before, for a part',
      refreshed,
      token(4),
      { ...refreshRequest, scope: ['read'] },
      now,
      { scope: ['read'], replay: true },
    ],
  ])('%s', (_, grant, presented, request, at, expected) => {
    expect(present(grant, presented, request, policy, at)).toMatchObject({ outcome: 'issue', ...expected });
  });
});

describe('revoked', () => {
  it.each<[string, Grant, Presented, number, string]>([
    ['the code a second time', { ...unspent, generation: 1 }, code, now, 'code_replayed'],
    ['the code within the grace of refresh tokens', { ...unspent, generation: 1 }, code, now + 1, 'code_replayed'],
    ['the code after it expired', { ...unspent, generation: 1 }, code, now + 600, 'code_replayed'],
    ['the code of a grant that was refreshed', refreshed, code, now, 'code_replayed'],
    ['the token before, after the grace', refreshed, token(4), now + 61, 'refresh_token_replayed'],
    ['the token before, once too often', { ...refreshed, graceReplays: 3 }, token(4), now, 'refresh_token_replayed'],
    ['the token before that', refreshed, token(3), now, 'refresh_token_replayed'],
    ['the first token', refreshed, token(1), now, 'refresh_token_replayed'],
  ])('%s', (_, grant, presented, at, endReason) => {
    const request = presented.kind === 'authorization-code' ? codeRequest : refreshRequest;
    expect(present(grant, presented, request, policy, at)).toEqual({
      outcome: 'revoke',
      next: { ...grant, endedAt: at, endReason },
    });
  });

  it('without any grace the token before revokes at once', () => {
    const strict = { ...policy, graceSeconds: 0, graceReplays: 0 };
    expect(present(refreshed, token(4), refreshRequest, strict, now).outcome).toBe('revoke');
  });
});

it('the grant it was given is never touched', () => {
  const frozen = Object.freeze({ ...refreshed });
  for (const presented of [code, token(5), token(4), token(1)]) {
    present(frozen, presented, presented.kind === 'authorization-code' ? codeRequest : refreshRequest, policy, now);
  }
  expect(frozen).toEqual(refreshed);
});

describe('the person behind it', () => {
  const asked = { ...refreshed, groups: ['staff'], sessionDueAt: now };
  const issue = present(asked, token(5), refreshRequest, policy, now);
  const replay = present(asked, token(4), refreshRequest, policy, now);
  const next = { ...asked, generation: 6, advancedAt: now };
  it.each<[string, Standing, object]>([
    [
      'confirmed: groups and date move with the generation',
      { outcome: 'confirmed', groups: ['board'], dueAt: now + 3600 },
      { outcome: 'issue', next: { ...next, groups: ['board'], sessionDueAt: now + 3600 } },
    ],
    ['unknown, with a pause', { outcome: 'unknown', dueAt: now + 60 }, { next: { ...next, sessionDueAt: now + 60 } }],
    ['unknown', { outcome: 'unknown' }, { outcome: 'issue', next }],
    ['stale', { outcome: 'stale', retrySeconds: 9 }, { outcome: 'postpone', retrySeconds: 9 }],
    [
      'over: the generation stays where it was',
      { outcome: 'over', reason: 'x' },
      { outcome: 'revoke', next: { ...asked, endedAt: now, endReason: 'identity_ended' } },
    ],
  ])('%s', (_, standing, expected) => {
    expect(confirm(asked, issue, standing, now)).toMatchObject(expected);
  });

  it('no group left is no group kept', () => {
    const decision = confirm(asked, issue, { outcome: 'confirmed', groups: [], dueAt: now + 1 }, now);
    expect('next' in decision && 'groups' in decision.next).toBe(false);
  });

  it('a replay learns of the end as well', () => {
    expect(confirm(asked, replay, { outcome: 'over', reason: 'x' }, now).outcome).toBe('revoke');
  });

  it('what is refused stays refused', () => {
    const refused = present(asked, token(9), refreshRequest, policy, now);
    expect(confirm(asked, refused, { outcome: 'over', reason: 'x' }, now)).toBe(refused);
  });

  it.each<[string, number | undefined, boolean]>([
    ['it cannot be asked', undefined, false],
    ['it is time', now, true],
    ['it is not yet', now + 1, false],
    ['it was asked just now, by a clock that is a little ahead', now + 3600 + 60, false],
    ['the date is beyond the interval', now + 3600 + 61, true],
  ])('due: %s', (_, sessionDueAt, expected) => {
    const grant = sessionDueAt === undefined ? refreshed : { ...refreshed, sessionDueAt };
    expect(isDue(grant, 3600, now)).toBe(expected);
  });

  it('ends sooner where nobody can be asked, and never later than any grant', () => {
    expect(endOf(asked, policy)).toBe(now + 500 * days);
    expect(endOf(refreshed, policy)).toBe(now + 400 * days);
    expect(endOf(refreshed, { grantSeconds: 10, unconfirmedSeconds: 20 })).toBe(now + 10);
  });
});
