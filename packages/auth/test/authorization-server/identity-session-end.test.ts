/** The session's beginning and end: never without its code, never after its grant, and ended at the provider as well. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultLifetimes } from '../../src/gatehouse.ts';
import { consented, form, parsed, pkce, refusal, registerClient, request, withCode } from '../harness.ts';
import {
  passing,
  type SessionHarness,
  startRefreshing,
  startWithSessions,
  timers,
} from './identity-session-harness.ts';

const { accessTokenSeconds, codeSeconds, identityCheckSeconds, refreshIdleSeconds, grantSeconds } = defaultLifetimes;

let harness: SessionHarness;
beforeEach(() => {
  harness = startWithSessions();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Consented and back from the provider, the answer still to come. */
async function atCallback() {
  const { client_id } = await registerClient(harness);
  const { person, state } = await consented(harness, client_id, pkce().challenge);
  harness.records.calls.length = 0;
  return () => person.send(request(`/callback?code=idp-code&state=${state}`));
}

describe('the sign-in', () => {
  it('stores the session before the grant', async () => {
    const back = await atCallback();
    expect(new URL(String((await back()).headers.location)).searchParams.has('code')).toBe(true);
    const { calls } = harness.records;
    expect(calls).toContain('create identitySession');
    expect(calls.indexOf('create identitySession')).toBeLessThan(calls.indexOf('create grant'));
    const [grant, session] = [await harness.grant(), await harness.session()];
    expect(session?.id).toBe(grant?.id);
    expect(grant?.value.sessionDueAt).toBe(harness.clock.seconds + identityCheckSeconds);
  });

  it('leaves nothing if the code is never redeemed', async () => {
    await (await atCallback())();
    harness.clock.seconds += codeSeconds + 300;
    expect([await harness.grant(), await harness.session()]).toEqual([undefined, undefined]);
  });

  it.each(['identitySession', 'grant'])(
    'without a database for the %s there is no code, and no session',
    async (kind) => {
      const back = await atCallback();
      harness.records.interfere = (verb, of) => (verb === 'create' && of === kind ? 'away' : undefined);
      const location = new URL(String((await back()).headers.location));
      expect(location.searchParams.get('error')).toBe('temporarily_unavailable');
      expect(location.searchParams.has('code')).toBe(false);
      expect(harness.identityProvider.ended).toEqual(harness.identityProvider.texts);
      harness.clock.seconds += codeSeconds + 300;
      expect([await harness.grant(), await harness.session()]).toEqual([undefined, undefined]);
    },
  );

  it('keeps no session that it could not use', async () => {
    harness.identityProvider.session = 'x'.repeat(32 * 1024 + 1);
    await (await atCallback())();
    expect(await harness.session()).toBeUndefined();
    expect((await harness.grant())?.value).not.toHaveProperty('sessionDueAt');
    expect(harness.names()).toContain('session.unusable');
    expect(harness.identityProvider.ended).toHaveLength(1);
  });
});

describe('redeeming', () => {
  it('the session then lives as long as the grant can without looking at it', async () => {
    const start = harness.clock.seconds;
    const { next } = await startRefreshing(harness);
    expect((await harness.session())?.expiresAt).toBe(start + identityCheckSeconds + refreshIdleSeconds + 300);
    harness.clock.seconds += identityCheckSeconds - 1;
    await next();
    expect((await harness.grant())?.expiresAt).toBeLessThan((await harness.session())?.expiresAt ?? 0);
    // Not used until the last moment, and both are still there.
    harness.clock.seconds += refreshIdleSeconds - 1;
    expect((await next()).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('and never longer than a grant', async () => {
    const start = harness.clock.seconds;
    const { next } = await startRefreshing(harness);
    for (let n = 0; n < 18; n++) {
      harness.clock.seconds += 20 * 24 * 3600;
      await next();
    }
    expect((await harness.session())?.expiresAt).toBe(start + grantSeconds + 300);
  });

  it('a client that does not refresh keeps it as long as its grant', async () => {
    await startRefreshing(harness, { grant_types: ['authorization_code'] });
    expect((await harness.session())?.expiresAt).toBe(harness.clock.seconds + accessTokenSeconds + 300);
  });

  it.each(['get', 'replace'] as const)('the database is away at %s: 503, and the code is good', async (verb) => {
    const { redeem } = await withCode(harness);
    harness.records.interfere = (called, kind) => (called === verb && kind === 'identitySession' ? 'away' : undefined);
    expect((await redeem())?.status).toBe(503);
    harness.records.interfere = undefined;
    expect((await redeem())?.status).toBe(200);
  });

  it('of eight at once one is answered, and the session is ended with the grant', async () => {
    const { redeem } = await withCode(harness);
    const replies = await Promise.all(Array.from({ length: 8 }, () => redeem()));
    expect(replies.filter((reply) => reply?.status === 200)).toHaveLength(1);
    expect(harness.identityProvider.ended).toEqual(harness.identityProvider.texts);
    expect(await harness.session()).toBeUndefined();
  });
});

describe('ended with the grant, at the provider as well', () => {
  const endedOnce = async () => {
    expect(harness.identityProvider.ended).toEqual(harness.identityProvider.texts.slice(-1));
    expect(await harness.session()).toBeUndefined();
  };
  const revoke = (token: string, client_id: string) => harness.server.handle(form('/revoke', { token, client_id }));

  it('by the client', async () => {
    const { client, tokens } = await startRefreshing(harness);
    expect((await revoke(tokens.refresh_token, client.client_id))?.status).toBe(200);
    await endedOnce();
    expect((await revoke(tokens.refresh_token, client.client_id))?.status).toBe(200);
    await endedOnce();
  });

  it('by a code that came back', async () => {
    const { redeem } = await startRefreshing(harness);
    expect(refusal(harness, await redeem())).toEqual([400, 'invalid_grant', 'grant.code_replayed']);
    await endedOnce();
  });

  it('by a refresh token that came back', async () => {
    const { next, refresh } = await startRefreshing(harness);
    harness.clock.seconds += identityCheckSeconds; // the session that is ended is the one that is current
    await next();
    harness.clock.seconds += 61;
    expect(refusal(harness, await refresh())).toEqual([400, 'invalid_grant', 'grant.refresh_token_replayed']);
    await endedOnce();
  });

  it('what the provider does not do brings no grant back, and is tried again', async () => {
    const { client, tokens, next } = await startRefreshing(harness);
    harness.identityProvider.endFails = new Error('away');
    expect((await revoke(tokens.refresh_token, client.client_id))?.status).toBe(200);
    expect(harness.names()).toEqual(expect.arrayContaining(['grant.revoked', 'session.left']));
    expect((await next()).status).toBe(400);
    harness.identityProvider.endFails = undefined;
    expect((await revoke(tokens.refresh_token, client.client_id))?.status).toBe(200);
    expect(harness.identityProvider.ended).toHaveLength(2);
    expect(await harness.session()).toBeUndefined();
  });

  it('or it goes by itself, soon', async () => {
    const { client, tokens } = await startRefreshing(harness);
    harness.identityProvider.endFails = new Error('away');
    await revoke(tokens.refresh_token, client.client_id);
    harness.clock.seconds += accessTokenSeconds + 300;
    expect(await harness.session()).toBeUndefined();
  });

  it.each(['get', 'take'] as const)('the database is away at %s: the grant has ended all the same', async (verb) => {
    const { redeem, next } = await startRefreshing(harness);
    harness.records.interfere = (called, kind) => (called === verb && kind === 'identitySession' ? 'away' : undefined);
    expect(refusal(harness, await redeem())).toEqual([400, 'invalid_grant', 'grant.code_replayed']);
    expect(harness.names()).toContain('session.left');
    expect((await next()).status).toBe(400);
  });

  it('a provider that hangs holds up no revocation', async () => {
    vi.useFakeTimers(timers);
    const { client, tokens } = await startRefreshing(harness);
    harness.identityProvider.end = () => new Promise(() => {});
    const reply = await passing(3, revoke(tokens.refresh_token, client.client_id));
    expect([reply?.status, (await harness.grant())?.value.endReason]).toEqual([200, 'revoked']);
  });

  it('where it has no way to, it is only forgotten', async () => {
    const { client, tokens } = await startRefreshing(harness);
    Object.assign(harness.identityProvider, { end: undefined });
    expect((await revoke(tokens.refresh_token, client.client_id))?.status).toBe(200);
    expect(await harness.session()).toBeUndefined();
  });
});

it('a token that lives out its grant says so, and so does the answer', async () => {
  harness = startWithSessions({
    lifetimes: { unconfirmedSeconds: 1000, grantSeconds: 2000, refreshIdleSeconds: 1500 },
  });
  harness.identityProvider.session = undefined;
  const { redeem } = await withCode(harness);
  harness.clock.seconds += 50;
  const answer = parsed(await redeem());
  expect(answer.expires_in).toBe(900);
  expect(await harness.guarded(String(answer.access_token))).toMatchObject({ expiresAt: harness.clock.seconds + 900 });
});
