/** The lease and everything that can come between: other instances, a slow provider, a database that is away, clocks, keys. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultLifetimes, IdentityProviderError, isReply } from '../../src/gatehouse.ts';
import { form, refusal, secret } from '../harness.ts';
import {
  away,
  passing,
  type SessionHarness,
  startRefreshing,
  startWithSessions,
  textOf,
  timers,
  tokensOf,
} from './identity-session-harness.ts';

const { identityCheckSeconds, identityStaleSeconds, refreshIdleSeconds } = defaultLifetimes;
const never = new Promise<void>(() => {});

let harness: SessionHarness;
beforeEach(() => {
  harness = startWithSessions();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a lease', () => {
  it('of fifty refreshes at once on two instances one asks', async () => {
    harness = startWithSessions({ lifetimes: { graceReplays: 100 } });
    const { refresh } = await startRefreshing(harness);
    const other = harness.another({ lifetimes: { graceReplays: 100 } });
    harness.clock.seconds += identityCheckSeconds;
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) => refresh({}, n % 2 ? other : harness.server)),
    );
    expect(replies.map((reply) => reply?.status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map((reply) => tokensOf(reply).refresh_token)).size).toBe(1);
    expect(harness.identityProvider.asked).toHaveLength(1);
    const last = await refresh({ refresh_token: tokensOf(replies[0]).refresh_token }, other);
    expect(last?.status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect((await harness.grant())?.value.sessionDueAt).toBe(harness.clock.seconds + identityCheckSeconds);
  });

  it('of fifty refreshes of one who is gone none is answered after the no', async () => {
    harness = startWithSessions({ lifetimes: { graceReplays: 100 } });
    const { refresh } = await startRefreshing(harness);
    const other = harness.another({ lifetimes: { graceReplays: 100 } });
    harness.identityProvider.disabled = true;
    harness.clock.seconds += identityCheckSeconds;
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) => refresh({}, n % 2 ? other : harness.server)),
    );
    expect(replies.some((reply) => reply?.status === 400)).toBe(true);
    expect((await harness.grant())?.value.endReason).toBe('identity_ended');
    for (const reply of replies.filter((one) => one?.status === 200)) {
      expect(isReply(await harness.guarded(tokensOf(reply).access_token))).toBe(true);
    }
    expect(harness.names().filter((name) => name === 'grant.identity_ended')).toHaveLength(1);
  });

  it('who comes second goes on at once, and takes over what the first has learnt', async () => {
    const { next, refresh } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    let release = () => {};
    harness.identityProvider.hold = new Promise((resolve) => {
      release = resolve;
    });
    harness.identityProvider.groups = ['board'];
    const first = refresh();
    await vi.waitFor(() => expect(harness.identityProvider.asked).toHaveLength(1));
    const second = await next(harness.another());
    expect(await harness.rolesOf(second.tokens.access_token)).toEqual([]);
    release();
    expect(await harness.rolesOf(tokensOf(await first).access_token)).toEqual(['chair']);
    harness.clock.seconds += 61;
    expect(await harness.rolesOf((await next()).tokens.access_token)).toEqual(['chair']);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('of a process that ended: over after six minutes; the no that follows is told apart, and is a no', async () => {
    vi.useFakeTimers(timers);
    const { refresh, next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    harness.identityProvider.hold = never; // rotated there, and never heard of here
    expect((await passing(3, next())).status).toBe(200);
    harness.identityProvider.hold = undefined;
    harness.clock.seconds += 359;
    const other = harness.another();
    expect((await next(other)).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
    harness.clock.seconds += 1;
    expect(refusal(harness, (await next(other)).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
    expect(harness.names()).toContain('session.lost_attempt');
    expect((await refresh())?.status).toBe(400);
  });

  it('keeps the session for as long as the grant that goes on without an answer', async () => {
    vi.useFakeTimers(timers);
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += refreshIdleSeconds - 1;
    harness.identityProvider.instead = () => never;
    // Too long ago to go on without an answer; a shorter silence is what the others are about.
    const patient = harness.another({ lifetimes: { identityStaleSeconds: 40 * 86_400 } });
    expect((await passing(3, next(patient))).status).toBe(200);
    expect((await harness.session())?.expiresAt).toBeGreaterThan((await harness.grant())?.expiresAt ?? Infinity);
  });

  it('an answer that comes after another attempt has had one does not take its place', async () => {
    vi.useFakeTimers(timers);
    const { next } = await startRefreshing(harness);
    let late: (answer: unknown) => void = () => {};
    harness.identityProvider.instead = () =>
      new Promise((resolve) => {
        late = resolve;
      });
    harness.clock.seconds += identityCheckSeconds;
    await passing(3, next());
    const [first, second] = [textOf(), textOf()];
    harness.identityProvider.instead = async () => ({ groups: [], session: second });
    harness.clock.seconds += 360;
    await next();
    late({ groups: [], session: first });
    await vi.waitFor(() => expect(harness.names()).toContain('session.overtaken'));
    harness.clock.seconds += identityCheckSeconds;
    await next();
    expect(harness.identityProvider.asked.at(-1)).toBe(second);
  });

  it('is no trap: with a provider that never answers each refresh goes on, and it is asked ever more rarely', async () => {
    vi.useFakeTimers(timers);
    const { next } = await startRefreshing(harness);
    harness.identityProvider.instead = () => never;
    harness.clock.seconds += identityCheckSeconds;
    for (let n = 0; n < 60; n++) {
      expect((await passing(3, next())).status).toBe(200);
      harness.clock.seconds += 60;
    }
    // At 0, 360, 720, 1080, 1440, 1920 and 2820 s.
    expect(harness.identityProvider.asked).toHaveLength(7);
  });
});

describe('a slow provider', () => {
  /** Due, asked, and answered to the client without it; `release` lets the provider answer. */
  async function answeredWithout() {
    vi.useFakeTimers(timers);
    const refreshing = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    let release = () => {};
    harness.identityProvider.hold = new Promise((resolve) => {
      release = resolve;
    });
    const { status, tokens } = await passing(3, refreshing.next());
    expect(status).toBe(200);
    return { ...refreshing, tokens, release };
  }

  it('keeps nobody waiting longer than 3 s, and what it says later counts', async () => {
    harness.identityProvider.groups = ['board'];
    const { next, release, tokens } = await answeredWithout();
    expect(await harness.rolesOf(tokens.access_token)).toEqual(['chair']);
    expect(harness.names()).toContain('session.slow');
    release();
    await vi.waitFor(() => expect(harness.names()).toContain('session.renewed'));
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect((await harness.grant())?.value.sessionDueAt).toBe(harness.clock.seconds + identityCheckSeconds);
  });

  it('its late no ends what was given meanwhile', async () => {
    harness.identityProvider.disabled = true;
    const { next, release, tokens } = await answeredWithout();
    expect(await harness.rolesOf(tokens.access_token)).toEqual([]);
    release();
    await vi.waitFor(() => expect(harness.names()).toContain('grant.identity_ended'));
    expect(await harness.rolesOf(tokens.access_token)).toBe(401);
    expect((await next()).status).toBe(400);
    await vi.waitFor(async () => expect(await harness.session()).toBeUndefined());
  });

  it('revoked meanwhile: the session that came of it is ended too, and none is left', async () => {
    const { client, tokens, release } = await answeredWithout();
    await harness.server.handle(form('/revoke', { token: tokens.refresh_token, client_id: client.client_id }));
    release();
    await vi.waitFor(() => expect(harness.identityProvider.ended).toEqual(harness.identityProvider.texts));
    expect(await harness.session()).toBeUndefined();
  });

  it('its answer is stored although the database is away for a while', async () => {
    const { next, release } = await answeredWithout();
    harness.records.interfere = () => 'away';
    release();
    await vi.advanceTimersByTimeAsync(5000);
    harness.records.interfere = undefined;
    await vi.advanceTimersByTimeAsync(9000);
    expect(harness.names()).toContain('session.renewed');
    harness.clock.seconds += identityCheckSeconds;
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(2);
  });
});

describe('the database is away', () => {
  it.each([0, 1, 2, 3, 4, 5])('at step %i of a refresh that is due: nobody loses anything', async (step) => {
    vi.useFakeTimers(timers);
    const { next, refresh } = await startRefreshing(harness);
    await harness.server.ready();
    harness.clock.seconds += identityCheckSeconds;
    await harness.server.ready();
    harness.records.calls.length = 0;
    let failing = true;
    harness.records.interfere = () => (failing && harness.records.calls.length > step ? 'away' : undefined);
    const reply = await passing(4, refresh());
    // What stands in the last lines of the refresh is the grant itself; nothing before it is worth an answer without it.
    expect(refusal(harness, reply).slice(0, 2)).toEqual([503, 'temporarily_unavailable']);
    failing = false;
    await vi.advanceTimersByTimeAsync(15_000);
    harness.clock.seconds += 31;
    expect((await next()).status).toBe(200);
    harness.clock.seconds += identityCheckSeconds;
    expect((await next()).status).toBe(200);
    expect(harness.names()).not.toContain('session.lost_attempt');
  });

  it.each([0, 1, 2, 3, 4, 5])('for one moment, at step %i of it: nobody loses anything either', async (step) => {
    vi.useFakeTimers(timers);
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    await harness.server.ready();
    harness.records.calls.length = 0;
    harness.records.interfere = () => (harness.records.calls.length === step + 1 ? 'away' : undefined);
    const { status } = await passing(4, next());
    // Storing the answer is tried again; the rest is for the client to try again.
    expect(status).toBe([503, 503, 503, 200, 200, 503][step]);
    harness.clock.seconds += 31;
    expect((await next()).status).toBe(200);
    harness.clock.seconds += identityCheckSeconds;
    expect((await next()).status).toBe(200);
    expect(harness.names()).not.toContain('session.lost_attempt');
  });

  it('when the end is to be stored: 503, and the end comes with the next try', async () => {
    const { next } = await startRefreshing(harness);
    harness.identityProvider.disabled = true;
    harness.clock.seconds += identityCheckSeconds;
    harness.records.interfere = (verb, kind) => (verb === 'replace' && kind === 'grant' ? 'away' : undefined);
    expect((await next()).status).toBe(503);
    harness.records.interfere = undefined;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('a race that is lost again and again asks the provider once', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    let lost = 0;
    harness.records.interfere = (verb, kind) =>
      verb === 'replace' && kind === 'grant' && lost++ < 5 ? 'contended' : undefined;
    expect((await next()).status).toBe(200);
    expect(lost).toBeGreaterThan(5);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('nor does a lost race let go of a no', async () => {
    const { next } = await startRefreshing(harness);
    harness.identityProvider.disabled = true;
    harness.clock.seconds += identityCheckSeconds;
    let lost = 0;
    harness.records.interfere = (verb, kind) =>
      verb === 'replace' && kind === 'grant' && lost++ < 2 ? 'contended' : undefined;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
    expect(lost).toBe(3);
  });

  it('a session that is gone ends its grant', async () => {
    const { next } = await startRefreshing(harness);
    await harness.records.take('identitySession', (await harness.grant())?.id ?? '');
    harness.clock.seconds += identityCheckSeconds;
    expect(refusal(harness, (await next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
    expect(harness.events).toContainEqual(
      expect.objectContaining({ event: 'grant.identity_ended', reason: 'session.missing' }),
    );
  });
});

describe('clocks', () => {
  it.each([
    ['a day back', -86_400],
    ['a year back', -365 * 86_400],
    ['a day ahead', 86_400],
  ])('set %s after an answer: asked once more, and then as ever', async (_, step) => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    await next();
    harness.clock.seconds += step;
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(2);
    expect((await harness.grant())?.value.sessionDueAt).toBe(harness.clock.seconds + identityCheckSeconds);
    await next();
    expect(harness.identityProvider.asked).toHaveLength(2);
  });

  it('set back while there was no answer: the pause does not grow with it', async () => {
    const { next } = await startRefreshing(harness);
    harness.identityProvider.instead = () => Promise.reject(away());
    harness.clock.seconds += identityCheckSeconds;
    await next();
    harness.clock.seconds -= 86_400;
    await next();
    expect(harness.identityProvider.asked).toHaveLength(2);
  });

  it('another instance that is a little behind asks no second time', async () => {
    const { next } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds;
    await next();
    const behind = harness.another({ now: () => harness.clock.seconds - 50 });
    expect((await next(behind)).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });
});

describe('keys', () => {
  const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
  const keyOf = async () => (await harness.session())?.value.sealed.split('.')[0];

  it('what the old key sealed still opens, and is sealed with the new one at the next answer', async () => {
    const { next } = await startRefreshing(harness);
    expect(await keyOf()).toBe('k1');
    const after = harness.another({ secrets: [fresh, secret] });
    expect((await next(after)).status).toBe(200);
    expect(await keyOf()).toBe('k1');
    harness.clock.seconds += identityCheckSeconds;
    expect((await next(after)).status).toBe(200);
    expect(await keyOf()).toBe('k2');
    harness.clock.seconds += identityCheckSeconds;
    expect((await next(after)).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(2);
  });

  it('another grant’s session does not open here: as if the key were gone', async () => {
    const one = await startRefreshing(harness);
    await startRefreshing(harness);
    const [first, second] = (await harness.records.list('identitySession')).items;
    if (!first || !second) throw new Error('two sessions are missing');
    await harness.records.replace('identitySession', first, { ...first.value, sealed: second.value.sealed });
    await harness.records.replace('identitySession', second, { ...second.value, sealed: first.value.sealed });
    const start = harness.clock.seconds;
    harness.clock.seconds += identityCheckSeconds;
    expect((await one.next()).status).toBe(200);
    expect(harness.identityProvider.asked).toEqual([]);
    expect(harness.events).toContainEqual(
      expect.objectContaining({ event: 'session.unaskable', reason: 'session.key_gone' }),
    );
    // There is time to bring the key back, and then nobody knows the person any more.
    harness.clock.seconds = start + identityStaleSeconds;
    expect(refusal(harness, (await one.next()).reply)).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
  });
});

it('neither the database nor the log ever holds a session', async () => {
  const { next } = await startRefreshing(harness);
  const { identityProvider, records, events, clock } = harness;
  const seen: string[] = [];
  const look = async () => seen.push(await records.dump(), JSON.stringify(events));
  await look();
  const failures = [
    undefined,
    (text: string) => new Error(`refused: ${text}`),
    (text: string) => new IdentityProviderError('idp.x', { transient: true, cause: new Error(text), session: text }),
    undefined,
    (text: string) => new IdentityProviderError('idp.x', { transient: false, cause: new Error(text) }),
  ];
  for (const failure of failures) {
    clock.seconds += identityCheckSeconds;
    identityProvider.instead = failure && (() => Promise.reject(failure(String(identityProvider.session))));
    identityProvider.endFails = new Error(`no end of ${identityProvider.session}`);
    await next();
    await look();
  }
  expect(harness.names()).toEqual(expect.arrayContaining(['session.left', 'grant.identity_ended']));
  expect(identityProvider.texts.length).toBeGreaterThan(2);
  for (const text of identityProvider.texts) for (const one of seen) expect(one).not.toContain(text);
});
