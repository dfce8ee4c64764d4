/** A refresh asks the identity provider again: when, what comes of each answer, and what of none (RFC 9700 §4.14.2). */
import { beforeEach, describe, expect, it } from 'vitest';
import { defaultLifetimes, IdentityProviderError } from '../../src/gatehouse.ts';
import { parsed, refusal } from '../harness.ts';
import {
  away,
  no,
  type SessionHarness,
  startRefreshing,
  startWithSessions,
  textOf,
  tokensOf,
} from './identity-session-harness.ts';

const { identityCheckSeconds, identityStaleSeconds, accessTokenSeconds, unconfirmedSeconds, grantSeconds } =
  defaultLifetimes;
const day = 24 * 3600;

let harness: SessionHarness;
beforeEach(() => {
  harness = startWithSessions();
});

describe('when', () => {
  it('a refresh that is not due costs not one operation more than one that never is', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds - 1;
    await harness.server.ready(); // the signer looks at its keys now and then
    harness.records.calls.length = 0;
    expect((await next()).status).toBe(200);
    expect(harness.records.calls).toEqual(['get grant', 'replace grant']);
    expect(harness.identityProvider.asked).toEqual([]);
  });

  it('one that is due asks once, under a lease', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    await harness.server.ready(); // the signer looks at its keys now and then
    harness.records.calls.length = 0;
    expect((await next()).status).toBe(200);
    expect(harness.records.calls).toEqual([
      'get grant',
      'get identitySession',
      'replace identitySession',
      'get identitySession',
      'replace identitySession',
      'replace grant',
    ]);
    expect(harness.identityProvider.asked).toHaveLength(1);
    await next();
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('each time with what the last answer brought, for the whole year and not beyond', async () => {
    const { next } = await startRefreshing(harness);
    const start = harness.clock.seconds;
    for (let n = 1; n <= 18; n++) {
      harness.clock.seconds += 20 * day;
      expect((await next()).status).toBe(200);
    }
    expect(harness.identityProvider.asked).toEqual(harness.identityProvider.texts.slice(0, -1));
    harness.clock.seconds = start + grantSeconds - 100;
    const { reply, tokens } = await next();
    // Neither what the token says nor what the answer says outlives the grant.
    expect(parsed(reply).expires_in).toBe(100);
    expect(await harness.guarded(tokens.access_token)).toMatchObject({ expiresAt: start + grantSeconds });
    harness.clock.seconds += 100;
    expect((await next()).status).toBe(400);
  });

  it('a grace replay asks nobody', async () => {
    const { next, refresh } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds - 1;
    await next();
    harness.clock.seconds += 2;
    expect((await refresh())?.status).toBe(200);
    expect(harness.identityProvider.asked).toEqual([]);
  });

  it('a refused refresh asks nobody: wrong hands, wrong resource, forged', async () => {
    const { refresh, tokens } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    expect((await refresh({ resource: 'https://other.example' }))?.status).toBe(400);
    expect((await refresh({ refresh_token: `${tokens.refresh_token.slice(0, -2)}xx` }))?.status).toBe(400);
    expect(harness.identityProvider.asked).toEqual([]);
  });

  it('where it cannot be asked, the grant ends sooner, and its tokens with it', async () => {
    harness.identityProvider.session = undefined;
    const { next } = await startRefreshing(harness);
    expect(await harness.session()).toBeUndefined();
    harness.clock.seconds += unconfirmedSeconds - 20 * day;
    expect((await next()).status).toBe(200);
    harness.clock.seconds += 20 * day - 60;
    const { reply, tokens } = await next();
    expect(parsed(reply).expires_in).toBe(60);
    expect(await harness.guarded(tokens.access_token)).toMatchObject({ expiresAt: harness.clock.seconds + 60 });
    harness.clock.seconds += 60;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.unknown']);
  });

  it('a grant of before that is older than that is over, not half-written', async () => {
    harness.identityProvider.session = undefined;
    const { next } = await startRefreshing(harness);
    const stored = await harness.grant();
    if (!stored) throw new Error('no grant');
    await harness.records.replace('grant', stored, stored.value, harness.clock.seconds + grantSeconds);
    harness.clock.seconds += unconfirmedSeconds;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.expired']);
  });
});

describe('confirmed', () => {
  it('new groups are in the token that is issued now, lost ones are not', async () => {
    harness.identityProvider.groups = ['staff', 'choir'];
    const { next, tokens } = await startRefreshing(harness);
    expect(await harness.rolesOf(tokens.access_token)).toEqual(['editor']);
    harness.identityProvider.groups = ['choir', 'board'];
    harness.clock.seconds += identityCheckSeconds;
    expect(await harness.rolesOf((await next()).tokens.access_token)).toEqual(['chair']);
    expect(await harness.records.dump()).not.toContain('choir');
    harness.identityProvider.groups = [];
    harness.clock.seconds += identityCheckSeconds;
    expect(await harness.rolesOf((await next()).tokens.access_token)).toEqual([]);
    expect((await harness.grant())?.value).not.toHaveProperty('groups');
  });

  it('is noted, and clears what failed before', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    harness.identityProvider.instead = () => Promise.reject(away());
    await next();
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 60;
    await next();
    expect((await harness.session())?.value).toEqual({
      sealed: expect.any(String),
      groups: [],
      renewedAt: harness.clock.seconds,
      failures: 0,
    });
    expect(harness.names()).toEqual(expect.arrayContaining(['session.unanswered', 'session.renewed']));
  });
});

describe('a definite no', () => {
  it('ends the grant, its tokens and its session', async () => {
    const { next, tokens } = await startRefreshing(harness);
    harness.identityProvider.disabled = true;
    harness.clock.seconds += identityCheckSeconds;
    const before = await next(); // the access token of the sign-in is long gone
    expect(refusal(harness, before.reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
    expect(harness.events).toContainEqual(
      expect.objectContaining({ event: 'grant.identity_ended', reason: 'idp.renew.refused.invalid_grant' }),
    );
    expect(before.reply?.body).not.toContain('idp');
    expect((await harness.grant())?.value).toMatchObject({ endReason: 'identity_ended', generation: 1 });
    expect(await harness.session()).toBeUndefined();
    expect(harness.identityProvider.ended).toHaveLength(1);
    expect(harness.names()).not.toContain('session.lost_attempt');
    expect(await harness.rolesOf(tokens.access_token)).toBe(401);
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.ended']);
  });

  it.each([0, 1, 1799, 3599, 3600, 5000, 7199])('%i s after a sign-in: out within the promised time', async (at) => {
    const { next, tokens } = await startRefreshing(harness);
    const disabledAt = harness.clock.seconds + at;
    let lastExpiry = harness.clock.seconds + tokens.expires_in;
    for (let n = 0; n < 100; n++) {
      harness.clock.seconds += 7 * 60;
      harness.identityProvider.disabled = harness.clock.seconds >= disabledAt;
      const { reply, status } = await next();
      if (status !== 200) break;
      lastExpiry = harness.clock.seconds + tokensOf(reply).expires_in;
    }
    expect(lastExpiry).toBeLessThan(disabledAt + identityCheckSeconds + accessTokenSeconds);
    expect(lastExpiry).toBeGreaterThanOrEqual(disabledAt);
  });
});

describe('no answer', () => {
  it('goes on, with growing pauses', async () => {
    const { next } = await startRefreshing(harness);
    harness.identityProvider.instead = () => Promise.reject(away());
    harness.clock.seconds += identityCheckSeconds;
    const start = harness.clock.seconds;
    const askedAt: number[] = [];
    for (; harness.clock.seconds <= start + 3600; harness.clock.seconds += 10) {
      const { length } = harness.identityProvider.asked;
      expect((await next()).status).toBe(200);
      if (harness.identityProvider.asked.length > length) askedAt.push(harness.clock.seconds - start);
    }
    expect(askedAt).toEqual([0, 60, 180, 420, 900, 1800, 2700, 3600]);
  });

  it('while it pauses, a refresh costs nothing more', async () => {
    const { next } = await startRefreshing(harness);
    harness.identityProvider.instead = () => Promise.reject(away());
    harness.clock.seconds += identityCheckSeconds;
    await next();
    await harness.server.ready(); // the signer looks at its keys now and then
    harness.records.calls.length = 0;
    await next();
    expect(harness.records.calls).toEqual(['get grant', 'replace grant']);
  });

  it('for too long: 503 until it comes, and the same token works then', async () => {
    const { next } = await startRefreshing(harness);
    const start = harness.clock.seconds;
    harness.identityProvider.instead = () => Promise.reject(away());
    for (; harness.clock.seconds < start + identityStaleSeconds - 600; harness.clock.seconds += 600) await next();
    harness.clock.seconds = start + identityStaleSeconds - 1;
    expect((await next()).status).toBe(200);
    harness.clock.seconds += 1;
    for (let n = 0; n < 3; n++) {
      const { reply } = await next();
      expect(refusal(harness, reply)).toEqual([503, 'temporarily_unavailable', 'session.stale']);
      expect(Number(reply?.headers['retry-after'])).toBeGreaterThanOrEqual(2);
      expect(Number(reply?.headers['retry-after'])).toBeLessThanOrEqual(900);
    }
    const { length } = harness.identityProvider.asked;
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 900;
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(length + 1);
  });

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a text', () => 'yes'],
    ['no groups', () => ({ session: textOf() })],
    ['groups that are none', () => ({ session: textOf(), groups: [{}] })],
    ['groups as text', () => ({ session: textOf(), groups: 'staff' })],
    ['no session', () => ({ groups: [] })],
    ['an empty session', () => ({ groups: [], session: '' })],
    ['a session without end', () => ({ groups: [], session: 'x'.repeat(32 * 1024 + 1) })],
    ['a fault', () => Promise.reject(new TypeError('undefined is no function'))],
    ['a thrown text', () => Promise.reject('no')],
    [
      'a fault at once',
      () => {
        throw new Error('at once');
      },
    ],
  ])('%s is no answer, and takes nothing from anybody', async (_, instead) => {
    harness.identityProvider.groups = ['staff'];
    const { next } = await startRefreshing(harness);
    harness.identityProvider.instead = instead;
    harness.clock.seconds += identityCheckSeconds;
    const { status, tokens } = await next();
    expect(status).toBe(200);
    expect(await harness.rolesOf(tokens.access_token)).toEqual(['editor']);
    expect(harness.events).toContainEqual(
      expect.objectContaining({ event: 'session.unanswered', reason: 'session.fault' }),
    );
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 60;
    expect((await next()).status).toBe(200);
    expect(harness.names()).toContain('session.renewed');
  });

  it('a session that was rotated before it failed takes the place of the one that is spent', async () => {
    const { next } = await startRefreshing(harness);
    const rotated = textOf();
    harness.identityProvider.instead = () => {
      harness.identityProvider.session = rotated;
      throw new IdentityProviderError('idp.invalid.response', { transient: true, session: rotated });
    };
    harness.clock.seconds += identityCheckSeconds;
    expect((await next()).status).toBe(200);
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 60;
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked.at(-1)).toBe(rotated);
  });

  it('then a no is still a no', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    harness.identityProvider.instead = () => Promise.reject(away());
    await next();
    harness.identityProvider.instead = () => Promise.reject(no());
    harness.clock.seconds += 60;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
  });
});
