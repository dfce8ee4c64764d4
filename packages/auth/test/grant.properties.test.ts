/** The grant under any sequence of presentations: honest, stolen, wrong, late. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Grant, type Presented, present, type TokenRequest } from '../src/authorization-server/grant.ts';
import { codeChallengeOf } from '../src/oauth/pkce.ts';

const start = 1_800_000_000;
const policy = { graceSeconds: 60, graceReplays: 3, grantSeconds: 1e9, unconfirmedSeconds: 1e9 };
const verifier = 'v'.repeat(43);
const fresh: Grant = {
  clientDigest: 'client',
  subject: 'person',
  identity: { issuer: 'https://idp.example', subject: 'somebody' },
  scope: ['read', 'write'],
  resource: 'https://tools.example/mcp',
  redirectUri: 'https://app.example/cb',
  codeChallenge: codeChallengeOf(verifier),
  createdAt: start,
  codeExpiresAt: start + 60,
  generation: 0,
  advancedAt: start,
  graceReplays: 0,
};

/** Somebody presents a credential this many generations old, some seconds after the last, with or without a fault. */
interface Step {
  readonly back: number;
  readonly wait: number;
  readonly fault: 'none' | 'client' | 'verifier' | 'redirect' | 'resource' | 'scope';
}

const step = (faults: ReadonlyArray<Step['fault']>): fc.Arbitrary<Step> =>
  fc.record({
    // Mostly what is current, as clients do.
    back: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: -1, max: 6 }) },
    ),
    wait: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(59, 60, 61, 3600)),
    fault: fc.constantFrom(...faults),
  });
const anyStep = step(['none', 'none', 'none', 'client', 'verifier', 'redirect', 'resource', 'scope']);

function requestOf({ fault }: Step, kind: Presented['kind']): TokenRequest {
  return {
    clientDigest: fault === 'client' ? 'other' : 'client',
    scope: fault === 'scope' ? ['admin'] : [],
    resource: fault === 'resource' ? 'https://other.example' : fresh.resource,
    ...(kind === 'authorization-code' && {
      codeVerifier: fault === 'verifier' ? 'w'.repeat(43) : verifier,
      redirectUri: fault === 'redirect' ? 'https://other.example' : fresh.redirectUri,
    }),
  };
}

/** Plays the steps; every issued credential is genuine, so only those that exist are presented. */
function play(steps: readonly Step[]) {
  let grant = fresh;
  let now = start;
  return steps.map((taken) => {
    now += taken.wait;
    const generation = Math.max(0, grant.generation - taken.back);
    const presented: Presented = { kind: generation === 0 ? 'authorization-code' : 'refresh-token', generation };
    const before = grant;
    const decision = present(before, presented, requestOf(taken, presented.kind), policy, now);
    if ('next' in decision) grant = decision.next;
    return { taken, presented, before, after: grant, decision, now };
  });
}

const runs = { numRuns: 5000 };
const sequences = fc.array(anyStep, { maxLength: 40 });

describe('whatever is presented in whatever order', () => {
  it('one code is redeemed at most once', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        const redeemed = play(steps).filter(
          ({ presented, decision }) => presented.kind === 'authorization-code' && decision.outcome === 'issue',
        );
        expect(redeemed.length).toBeLessThanOrEqual(1);
      }),
      runs,
    );
  });

  it('one generation is live: who is issued to holds the current credential, and it is new but for a counted replay', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        const replays = new Map<number, number>();
        for (const { decision, before, presented } of play(steps)) {
          if (decision.outcome !== 'issue') continue;
          if (decision.replay) {
            expect(presented.generation).toBe(before.generation - 1);
            expect(decision.next.generation).toBe(before.generation);
            const count = (replays.get(before.generation) ?? 0) + 1;
            expect(count).toBeLessThanOrEqual(policy.graceReplays);
            replays.set(before.generation, count);
          } else {
            expect(presented.generation).toBe(before.generation);
            expect(decision.next.generation).toBe(before.generation + 1);
          }
        }
      }),
      runs,
    );
  });

  it('a credential in the wrong hands or with the wrong proof changes nothing', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        for (const { taken, presented, before, after, decision } of play(steps)) {
          const forCode = taken.fault === 'verifier' || taken.fault === 'redirect';
          if (taken.fault === 'none' || (forCode && presented.kind === 'refresh-token')) continue;
          expect(decision.outcome).toBe('refuse');
          expect(after).toBe(before);
        }
      }),
      runs,
    );
  });

  it('after the end nothing is ever issued, and the end stays as it was', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        for (const { before, after, decision } of play(steps)) {
          if (before.endedAt === undefined) continue;
          expect(decision).toMatchObject({ outcome: 'refuse' });
          expect(after).toBe(before);
        }
      }),
      runs,
    );
  });

  it('the grace is bounded: in seconds, in generations, and never for a code', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        for (const { before, presented, decision, now } of play(steps)) {
          if (decision.outcome !== 'issue' || !decision.replay) continue;
          expect(presented.kind).toBe('refresh-token');
          expect(now - before.advancedAt).toBeLessThanOrEqual(policy.graceSeconds);
          expect(before.graceReplays).toBeLessThan(policy.graceReplays);
        }
      }),
      runs,
    );
  });

  it('what was consented to never grows or moves', () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        for (const { after, decision } of play(steps)) {
          const { generation: _g, advancedAt: _a, graceReplays: _r, endedAt: _e, endReason: _n, ...consented } = after;
          const { generation: _1, advancedAt: _2, graceReplays: _3, ...original } = fresh;
          expect(consented).toEqual(original);
          if (decision.outcome === 'issue') expect(fresh.scope).toEqual(expect.arrayContaining([...decision.scope]));
        }
      }),
      runs,
    );
  });
});

it('an honest client that only ever uses its current credential is never refused', () => {
  const honest = fc.record({
    back: fc.constant(0),
    wait: fc.integer({ min: 0, max: 40 }),
    fault: fc.constant('none' as const),
  });
  fc.assert(
    fc.property(fc.array(honest, { maxLength: 40 }), (steps) => {
      for (const { decision } of play(steps)) expect(decision.outcome).toBe('issue');
    }),
  );
});

it('a thief who waits beyond the grace ends the grant for both', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 61, max: 1_000_000 }), (refreshes, wait) => {
      const honest: Step[] = Array.from({ length: refreshes + 1 }, () => ({ back: 0, wait: 0, fault: 'none' }));
      const played = play([...honest, { back: 1, wait, fault: 'none' }, { back: 0, wait: 0, fault: 'none' }]);
      expect(played.at(-2)?.decision.outcome).toBe('revoke');
      expect(played.at(-1)?.decision).toEqual({ outcome: 'refuse', reason: 'grant.ended' });
    }),
  );
});

it('of copies of one current credential, presented at once, all get the same successor', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: policy.graceReplays + 1 }), (copies) => {
      const first: Step = { back: 0, wait: 0, fault: 'none' };
      const again: Step = { back: 1, wait: 0, fault: 'none' };
      const played = play([first, first, ...Array.from({ length: copies - 1 }, () => again)]).slice(1);
      const successors = played.map(({ decision }) => decision.outcome === 'issue' && decision.next.generation);
      expect(new Set(successors)).toEqual(new Set([2]));
    }),
  );
});
