/** The history checker sees each kind of wrong history, and lets the right ones be. */
import { describe, expect, it } from 'vitest';
import { check, documentedPromises, type Fault, type Operation, type Rule } from './checker.ts';

type Part = Partial<Operation> & Pick<Operation, 'kind' | 'invokedAt'>;

const signIn: Operation = { kind: 'sign-in', client: 'person', invokedAt: 0, returnedAt: 0.5, code: 'c0' };

/** Answered half a second later with 200, unless it says otherwise. */
function history(...parts: readonly Part[]): Operation[] {
  return [
    signIn,
    ...parts.map((part) => ({ client: 'one', instance: 'A', returnedAt: part.invokedAt + 0.5, status: 200, ...part })),
  ];
}

const redeemed: Part = { kind: 'redeem', invokedAt: 1, presented: 'c0', refreshToken: 'r1', accessToken: 'a1' };
const refused = { status: 400, error: 'invalid_grant' };
const unanswered = { returnedAt: undefined, status: undefined } as unknown as Partial<Operation>;

function refreshed(invokedAt: number, generation: number, more: Partial<Operation> = {}): Part {
  const answer =
    more.status === undefined
      ? { refreshToken: `r${generation + 1}`, accessToken: `a${generation + 1}@${invokedAt}` }
      : {};
  return { kind: 'refresh', invokedAt, presented: `r${generation}`, ...answer, ...more };
}

function rules(operations: readonly Operation[], faults: readonly Fault[] = [], skewSeconds = 0): Rule[] {
  const found = check({ operations, faults }, { ...documentedPromises, skewSeconds });
  return [...new Set(found.map(({ rule }) => rule))];
}

const revoked = (invokedAt: number, more: Partial<Operation> = {}): Part => ({
  kind: 'revoke',
  invokedAt,
  presented: 'r1',
  ...more,
});
const called = (invokedAt: number, more: Partial<Operation> = {}): Part => ({
  kind: 'call',
  invokedAt,
  presented: 'a1',
  ...more,
});

const wrong: ReadonlyArray<readonly [what: string, rule: Rule, operations: readonly Operation[]]> = [
  ['a code with two successes', 'code-redeemed-twice', history(redeemed, { ...redeemed, invokedAt: 1.2 })],
  [
    'a code with two successes, a third without an answer',
    'code-redeemed-twice',
    history(redeemed, { ...redeemed, ...unanswered, invokedAt: 1 }, { ...redeemed, invokedAt: 1.1 }),
  ],
  [
    'two successors of one token',
    'two-successors',
    history(redeemed, refreshed(2, 1), refreshed(2.1, 1, { refreshToken: 'r2b' })),
  ],
  [
    'one successor of two tokens',
    'two-predecessors',
    history(redeemed, refreshed(2, 1), refreshed(3, 2, { refreshToken: 'r2' })),
  ],
  [
    'an old token after its successor was used',
    'stale-token-accepted',
    history(redeemed, refreshed(2, 1), refreshed(3, 2), refreshed(4, 1)),
  ],
  ['a token again after its grace', 'grace-exceeded', history(redeemed, refreshed(2, 1), refreshed(64, 1))],
  [
    'a token answered twelve times',
    'grace-exceeded',
    history(redeemed, ...Array.from({ length: 12 }, (_, n) => refreshed(2 + n, 1))),
  ],
  ['a refresh after a revocation', 'usable-after-revocation', history(redeemed, revoked(2), refreshed(2.6, 1))],
  [
    'a redemption after a revocation by an operator',
    'usable-after-revocation',
    history({ kind: 'end', invokedAt: 0.6, presented: 'c0', returnedAt: 0.7 }, redeemed),
  ],
  ['a call six seconds after a revocation', 'usable-after-revocation', history(redeemed, revoked(2), called(8.5))],
  [
    'a call after a revocation by access token',
    'usable-after-revocation',
    history(redeemed, revoked(2, { presented: 'a1' }), called(8.5)),
  ],
  [
    'a refresh after a replayed code was refused',
    'usable-after-replay',
    history(redeemed, { ...redeemed, ...refused, invokedAt: 2, refreshToken: undefined as never }, refreshed(3, 1)),
  ],
  [
    'a refresh after a replayed token was refused',
    'usable-after-replay',
    history(redeemed, refreshed(2, 1), refreshed(3, 2), refreshed(4, 1, refused), refreshed(5, 3)),
  ],
  [
    'the newest token refused',
    'acknowledged-token-unknown',
    history(redeemed, refreshed(2, 1), refreshed(3, 2, refused)),
  ],
  [
    'a replay within its grace refused',
    'acknowledged-token-unknown',
    history(redeemed, refreshed(2, 1), refreshed(3, 1, refused)),
  ],
  [
    'a token refused before the revocation began',
    'acknowledged-token-unknown',
    history(redeemed, refreshed(2, 1, refused), revoked(3)),
  ],
  [
    'a fresh code refused',
    'acknowledged-token-unknown',
    history({ kind: 'redeem', invokedAt: 1, presented: 'c0', ...refused }),
  ],
  ['a good access token refused', 'acknowledged-token-unknown', history(redeemed, called(2, { status: 401 }))],
  [
    'a token refused after somebody else tried it',
    'acknowledged-token-unknown',
    history(redeemed, refreshed(2, 1, { ...refused, wrongHands: true }), refreshed(3, 1, refused)),
  ],
  [
    'a code spent on a signature that failed',
    'acknowledged-token-unknown',
    history(
      { kind: 'redeem', invokedAt: 1, presented: 'c0', status: 503, unspent: true },
      { kind: 'redeem', invokedAt: 2, presented: 'c0', ...refused },
    ),
  ],
  ['a fault shown as 500', 'fault-shown-as-refusal', history(redeemed, refreshed(2, 1, { status: 500 }))],
  ['another client served', 'wrong-hands-served', history(redeemed, refreshed(2, 1, { wrongHands: true }))],
];

describe('a wrong history', () => {
  it.each(wrong)('%s', (_, rule, operations) => {
    expect(rules(operations)).toContain(rule);
    // Whatever the order in which it was written down.
    expect(rules([...operations].reverse())).toContain(rule);
  });

  it('is told in words, with the operations', () => {
    const [found] = check({ operations: history(redeemed, { ...redeemed, client: 'two', invokedAt: 1.2 }) });
    expect(found?.operations).toEqual([1, 2]);
    expect(found?.words).toBe(
      'one code was redeemed more than once: #1 redeem(c0) by one at A, 1.000000..1.500000: 200 r1, ' +
        '#2 redeem(c0) by two at A, 1.200000..1.700000: 200 r1',
    );
  });
});

const right: ReadonlyArray<readonly [what: string, operations: readonly Operation[]]> = [
  ['nothing', []],
  ['a long chain', history(redeemed, ...Array.from({ length: 50 }, (_, n) => refreshed(2 + n, n + 1)))],
  ['parallel refreshes', history(redeemed, refreshed(2, 1), refreshed(2.1, 1), refreshed(2.2, 1))],
  [
    'a lost redemption, and the code is spent',
    history({ ...redeemed, ...unanswered }, { kind: 'redeem', invokedAt: 2, presented: 'c0', ...refused }),
  ],
  [
    'a lost refresh that is repeated',
    history(redeemed, refreshed(2, 1, { ...unanswered, refreshToken: undefined as never }), refreshed(3, 1)),
  ],
  ['a refresh beside a revocation', history(redeemed, revoked(2), refreshed(2.4, 1))],
  ['a refusal beside a revocation', history(redeemed, revoked(2), refreshed(1.6, 1, { ...refused, returnedAt: 2.1 }))],
  ['a revocation without an answer, and the grant goes on', history(redeemed, revoked(2, unanswered), refreshed(3, 1))],
  [
    'a revocation without an answer, and the grant is over',
    history(redeemed, revoked(2, unanswered), refreshed(3, 1, refused)),
  ],
  ['a revocation that failed', history(redeemed, revoked(2, { status: 503 }), refreshed(3, 1))],
  ['a code given to the revocation endpoint', history(redeemed, revoked(2, { presented: 'c0' }), refreshed(3, 1))],
  ['a call four seconds after a revocation', history(redeemed, revoked(2), called(6.4))],
  ['a call refused after a revocation', history(redeemed, revoked(2), called(3, { status: 401 }))],
  [
    'a replay that ends everything',
    history(redeemed, refreshed(2, 1), refreshed(3, 2), refreshed(4, 1, refused), refreshed(5, 3, refused)),
  ],
  [
    'a token again after its grace refused',
    history(redeemed, refreshed(2, 1), refreshed(70, 1, refused), refreshed(71, 2, refused)),
  ],
  ['a code that expired', history({ kind: 'redeem', invokedAt: 61, presented: 'c0', ...refused })],
  ['an access token that expired', history(redeemed, called(903, { status: 401 }))],
  ['a token that nobody used for a month', history(redeemed, refreshed(31 * 24 * 3600, 1, refused))],
  [
    'a fault that says so',
    history(redeemed, refreshed(2, 1, { status: 503, error: 'temporarily_unavailable' }), refreshed(3, 1)),
  ],
  ['somebody else refused', history(redeemed, refreshed(2, 1, { ...refused, wrongHands: true }), refreshed(3, 1))],
  [
    'an end by the identity provider',
    history(redeemed, { kind: 'end', invokedAt: 2, presented: 'c0', ...unanswered }, refreshed(3, 1, refused)),
  ],
  ['a history that began in the middle', history(refreshed(2, 7), refreshed(3, 8), refreshed(4, 7, refused))],
];

describe('a right history', () => {
  it.each(right)('%s', (_, operations) => {
    expect(check({ operations })).toEqual([]);
    expect(check({ operations: [...operations].reverse() })).toEqual([]);
  });

  it('in which a database was away while an instance remembered, for a minute and no longer', () => {
    const fault = (at: number): Fault => ({ instance: 'A', from: at, until: at + 1 });
    expect(rules(history(redeemed, revoked(2), called(30)), [fault(30)])).toEqual([]);
    expect(rules(history(redeemed, revoked(2), called(30)), [{ ...fault(30), instance: 'B' }])).toEqual([
      'usable-after-revocation',
    ]);
    expect(rules(history(redeemed, revoked(2), called(63)), [fault(63)])).toEqual(['usable-after-revocation']);
  });

  it('in which clocks differ: a grace is shorter at one instance and longer at another', () => {
    const early = history(redeemed, refreshed(2, 1), refreshed(30, 1, refused));
    expect([rules(early), rules(early, [], 40)]).toEqual([['acknowledged-token-unknown'], []]);
    const late = history(redeemed, refreshed(2, 1), refreshed(90, 1));
    expect([rules(late), rules(late, [], 40)]).toEqual([['grace-exceeded'], []]);
  });
});

it('judges a hundred thousand operations in seconds', () => {
  const long = history(redeemed, ...Array.from({ length: 100_000 }, (_, n) => refreshed(2 + n, n + 1)));
  expect(check({ operations: long })).toEqual([]);
  const spent = [...long, ...history(refreshed(200_000, 1))];
  expect(rules(spent)).toContain('stale-token-accepted');
}, 30_000);
