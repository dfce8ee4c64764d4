/** How soon the guard sees a grant's end, and what it does while it cannot know (SEC-16, REL-02). */
import { describe, expect, it } from 'vitest';
import { grantStates } from '../../src/resource-server/grant-states.ts';
import { start, startGuard, token } from './tokens.ts';

/** A guard before grants that can end and records that can be away. */
function guarded() {
  const grants = { alive: true, away: false, reads: 0 };
  const on = startGuard({
    async grantAlive() {
      grants.reads += 1;
      if (grants.away) throw new Error('away');
      return grants.alive;
    },
  });
  return { ...on, grants, status: async () => (await on.bearer(token())).status };
}

describe('the end of a grant', () => {
  it('is seen after five seconds, and not before', async () => {
    const { clock, grants, status, bearer } = guarded();
    expect(await status()).toBe(200);
    grants.alive = false;
    clock.seconds = start + 4;
    expect(await status()).toBe(200);
    clock.seconds = start + 5;
    expect(await bearer(token())).toEqual({ status: 401, error: 'invalid_token', reason: 'token.grant_ended' });
  });

  it('is final, and asked for once', async () => {
    const { clock, grants, status } = guarded();
    grants.alive = false;
    for (let i = 0; i < 20; i++) {
      clock.seconds += 10;
      expect(await status()).toBe(401);
    }
    expect(grants.reads).toBe(1);
    grants.away = true;
    expect(await status()).toBe(401);
  });

  it('is seen by all tokens of the grant, and by no others', async () => {
    const ended = new Set(['grant-1']);
    const { bearer } = startGuard({ grantAlive: async (id) => !ended.has(id) });
    expect((await bearer(token({ claims: { jti: 'a' } }))).status).toBe(401);
    expect((await bearer(token({ claims: { jti: 'b' } }))).status).toBe(401);
    expect((await bearer(token({ claims: { grant_id: 'grant-2' } }))).status).toBe(200);
    expect((await bearer(token({ claims: { grant_id: undefined } }))).status).toBe(200);
  });
});

describe('while the records are away', () => {
  it('what was known is good for sixty seconds, then 503, and then it heals', async () => {
    const { clock, grants, status, bearer } = guarded();
    expect(await status()).toBe(200);
    grants.away = true;
    for (const [seconds, expected] of [
      [4, 200],
      [5, 200],
      [59, 200],
      [60, 503],
      [600, 503],
    ] as const) {
      clock.seconds = start + seconds;
      expect(await status()).toBe(expected);
    }
    expect(await bearer(token())).toMatchObject({ status: 503, reason: 'guard.fault' });
    grants.away = false;
    expect(await status()).toBe(200);
  });

  it('a grant that was never seen is not believed', async () => {
    const { grants, status } = guarded();
    grants.away = true;
    expect(await status()).toBe(503);
    grants.away = false;
    expect(await status()).toBe(200);
  });
});

describe('reads', () => {
  it('one in five seconds, however many requests', async () => {
    const { clock, grants, status } = guarded();
    for (let second = 0; second < 20; second++) {
      clock.seconds = start + second;
      await Promise.all(Array.from({ length: 10 }, status));
    }
    expect(grants.reads).toBe(4);
  });

  it('an answer is as old as its question', async () => {
    const clock = { seconds: start };
    let answer: (alive: boolean) => void = () => {};
    const asked: string[] = [];
    const alive = grantStates({
      read: (id) => {
        asked.push(id);
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
      now: () => clock.seconds,
      freshSeconds: 5,
      staleSeconds: 60,
      size: 10,
    });
    const first = alive('a');
    clock.seconds = start + 4;
    answer(true);
    expect(await first).toBe(true);
    clock.seconds = start + 5;
    const second = alive('a');
    expect(asked).toEqual(['a', 'a']);
    answer(false);
    expect(await second).toBe(false);
  });

  it('a bounded number of grants is remembered, the latest', async () => {
    const asked: string[] = [];
    const alive = grantStates({
      read: async (id) => asked.push(id) > 0,
      now: () => start,
      freshSeconds: 5,
      staleSeconds: 60,
      size: 3,
    });
    for (const id of ['a', 'b', 'c', 'd']) await alive(id);
    for (const id of ['b', 'c', 'd', 'a']) await alive(id);
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'a']);
  });
});
