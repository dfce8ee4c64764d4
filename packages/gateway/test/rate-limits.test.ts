/** Rate limits by themselves: what each rule counts, that all must have room, how long to wait, and what memory they take. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buckets } from '../src/rate-limits/buckets.ts';
import { type RateLimitRule, rateLimitFaults, rateLimits } from '../src/rate-limits/rate-limits.ts';

const issuer = 'https://mcp.example.com';
const ada = { issuer, subject: 'ada', clientId: 'client-1' };
const request = (method: string) => ({ method, id: '1' });
const call = (name: string) => ({ method: 'tools/call', id: '1', name });

function limits(rules: readonly RateLimitRule[], maxBuckets?: number) {
  const clock = { now: 1000 };
  const all = rateLimits(rules, { clock: () => clock.now, ...(maxBuckets !== undefined && { maxBuckets }) });
  return {
    clock,
    /** Seconds to wait; 0: it was counted. */
    take: (message: Parameters<typeof all.take>[0]['message'], token = ada) =>
      all.take({ token, message })?.retryAfterSeconds ?? 0,
    limited: (message: Parameters<typeof all.take>[0]['message'], token = ada) => all.take({ token, message }),
  };
}

const perUser = { per: ['user'], burst: 2, perMinute: 6 } as const satisfies RateLimitRule;

describe('what is counted', () => {
  it.each<[string, Parameters<ReturnType<typeof limits>['take']>[0], boolean]>([
    ['a request', request('tools/list'), true],
    ['ping', request('ping'), true],
    ['a call of a tool', call('search'), true],
    ['a call of a tool that asks for no answer', { method: 'tools/call', name: 'search' }, true],
    ['a notification', { method: 'notifications/initialized' }, false],
    ['a response', { id: '1' }, false],
    ['a GET', undefined, false],
  ])('%s', (_, message, counts) => {
    const { take } = limits([{ per: ['user'], burst: 1, perMinute: 1 }]);
    take(message);
    expect(take(request('initialize'))).toBe(counts ? 60 : 0);
  });

  it('by person, client and tool, each in its own bucket', () => {
    const { take } = limits([{ per: ['user', 'client', 'tool'], burst: 1, perMinute: 1 }]);
    expect(take(call('search'))).toBe(0);
    expect(take(call('search'))).toBe(60);
    expect(take(call('store'))).toBe(0);
    expect(take(call('search'), { ...ada, clientId: 'client-2' })).toBe(0);
    expect(take(call('search'), { ...ada, subject: 'bob' })).toBe(0);
    // Somebody else’s ada.
    expect(take(call('search'), { ...ada, issuer: 'https://other.example' })).toBe(0);
    expect(take(request('tools/list'))).toBe(0);
    expect(take(call('search'))).toBe(60);
  });

  it('no two people share a bucket by the spelling of their names', () => {
    const { take } = limits([{ per: ['user', 'client'], burst: 1, perMinute: 1 }]);
    expect(take(request('ping'), { issuer, subject: 'a\nb', clientId: 'c' })).toBe(0);
    expect(take(request('ping'), { issuer, subject: 'a', clientId: 'b\nc' })).toBe(0);
    expect(take(request('ping'), { issuer, subject: 'a', clientId: 'x'.repeat(9000) })).toBe(0);
    expect(take(request('ping'), { issuer, subject: 'a', clientId: `${'x'.repeat(9000)}y` })).toBe(0);
    expect(take(request('ping'), { issuer, subject: 'a', clientId: 'x'.repeat(9000) })).toBe(60);
  });

  it('resource: one bucket for everybody', () => {
    const { take } = limits([{ per: ['resource'], burst: 1, perMinute: 1 }]);
    expect(take(request('ping'))).toBe(0);
    expect(take(call('x'), { issuer, subject: 'bob', clientId: 'another' })).toBe(60);
  });

  it('tools: those it names, in one bucket unless per tool', () => {
    const { take } = limits([{ per: ['user'], tools: ['search*', 'store'], burst: 2, perMinute: 1 }]);
    expect([take(call('search_a')), take(call('store')), take(call('search_b'))]).toEqual([0, 0, 60]);
    expect([take(call('find')), take(call('store2')), take(request('tools/list'))]).toEqual([0, 0, 0]);
  });

  // A target that folds, trims or cuts names runs the same tool for each of these.
  it.each(['SEARCH', ' search\t', 'search\0junk', '\u00a0search', 'Search\n'])('%j is search', (name) => {
    const { take } = limits([{ per: ['user', 'tool'], tools: ['search'], burst: 1, perMinute: 1 }]);
    expect([take(call('search')), take(call(name))]).toEqual([0, 60]);
  });

  it('a long name is matched whole', () => {
    const { take } = limits([{ per: ['user'], tools: ['search*'], burst: 1, perMinute: 1 }]);
    expect([take(call(`search${'x'.repeat(1_000_000)}`)), take(call('search'))]).toEqual([0, 60]);
  });
});

describe('how long', () => {
  it('as told and not a second more, whatever the rounding', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0.1, max: 10_000, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (burst, perMinute, start) => {
          const { take, clock } = limits([{ per: ['user'], burst, perMinute }]);
          clock.now = start;
          for (let i = 0; i < burst; i++) expect(take(request('ping'))).toBe(0);
          const wait = take(request('ping'));
          const exact = 60 / perMinute;
          expect(wait).toBeGreaterThanOrEqual(Math.max(1, Math.ceil(exact - 2e-3)));
          expect(wait).toBeLessThanOrEqual(Math.ceil(exact));
          clock.now += wait;
          expect(take(request('ping'))).toBe(0);
        },
      ),
    );
  });

  it('lets through what a bucket of that size would, at any times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 }),
        (burst, gaps) => {
          const { take, clock } = limits([{ per: ['user'], burst, perMinute: 12 }]);
          // The model: so many tokens, one more every 5 s.
          let tokens = burst;
          for (const gap of gaps) {
            clock.now += gap;
            tokens = Math.min(burst, tokens + gap / 5);
            const allowed = tokens > 1 - 1e-6;
            expect(take(request('ping')) === 0).toBe(allowed);
            if (allowed) tokens -= 1;
          }
        },
      ),
    );
  });

  it('a clock that goes back gives nobody anything', () => {
    const { take, clock } = limits([perUser]);
    expect([take(request('ping')), take(request('ping'))]).toEqual([0, 0]);
    clock.now -= 500;
    expect(take(request('ping'))).toBe(10);
    clock.now += 505;
    expect(take(request('ping'))).toBe(5);
  });
});

describe('several rules', () => {
  const rules: readonly RateLimitRule[] = [
    { per: ['user'], burst: 3, perMinute: 60 },
    { per: ['user'], tools: ['slow'], burst: 1, perMinute: 1 },
  ];

  it('all must have room, and where one has not, none is charged', () => {
    const { take } = limits(rules);
    expect(take(call('slow'))).toBe(0);
    for (let i = 0; i < 20; i++) expect(take(call('slow'))).toBe(60);
    // Two are left of the first rule’s three.
    expect([take(call('fast')), take(call('fast')), take(call('fast'))]).toEqual([0, 0, 1]);
  });

  it('the one that makes wait longest is named', () => {
    const { take, limited } = limits(rules);
    take(call('slow'));
    take(call('fast'));
    take(call('fast'));
    expect(limited(call('slow'))).toMatchObject({ rule: 2, reason: 'limit.user', retryAfterSeconds: 60 });
  });
});

it('is told as JSON-RPC, with the id, Retry-After, and words for a person', () => {
  const { limited } = limits([{ per: ['user', 'tool'], burst: 1, perMinute: 30 }]);
  const message = { method: 'tools/call', id: '"q-1"', name: 'se\u001barch' };
  expect(limited(message)).toBeUndefined();
  const { reply, reason, rule } = limited(message) as NonNullable<ReturnType<typeof limited>>;
  expect({ reason, rule }).toEqual({ reason: 'limit.user.tool', rule: 1 });
  expect(reply).toMatchObject({
    status: 429,
    headers: { 'retry-after': '2', 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
  const words = 'Too many requests: the tool se?arch is limited to 30 a minute. Try again in 2 s.';
  expect(JSON.parse(String(reply.body))).toEqual({
    jsonrpc: '2.0',
    id: 'q-1',
    error: {
      code: -32005,
      message: words,
      data: { error: 'too_many_requests', error_description: words, retry_after_seconds: 2 },
    },
  });
});

describe('memory', () => {
  it('nobody gets a new bucket by filling it with others', () => {
    const { take, clock } = limits([{ per: ['user'], burst: 1, perMinute: 1 }], 100);
    expect(take(request('ping'))).toBe(0);
    for (let i = 0; i < 5000; i++) {
      clock.now += 0.001;
      take(request('ping'), { ...ada, subject: `other-${i}` });
      if (i % 50 === 0) expect(take(request('ping'))).toBeGreaterThan(50);
    }
  });

  it('whoever finds no room shares a bucket, until there is room again', () => {
    const { take, clock } = limits([{ per: ['user'], burst: 1, perMinute: 1 }], 10);
    const nth = (i: number) => take(request('ping'), { ...ada, subject: `person-${i}` });
    for (let i = 0; i < 10; i++) expect(nth(i)).toBe(0);
    expect([nth(10), nth(11), nth(12)]).toEqual([0, 60, 60]);
    clock.now += 61;
    for (let i = 20; i < 30; i++) expect(nth(i)).toBe(0);
  });

  it('names of tools that one caller makes up take no room from others, nor new buckets from anybody', () => {
    const { take, clock } = limits([{ per: ['user', 'tool'], burst: 1, perMinute: 1 }], 200);
    expect(take(call('search'))).toBe(0);
    const counted = Array.from({ length: 5000 }, (_, i) => take(call(`made-up-${i}`)) === 0).filter(Boolean).length;
    // 63 of their own, and one for all the rest.
    expect(counted).toBe(63);
    expect(take(call('search'))).toBe(60);
    for (let i = 0; i < 100; i++) expect(take(call('search'), { ...ada, subject: `other-${i}` })).toBe(0);
    clock.now += 120;
    expect(take(call('made-up-4000'))).toBe(0);
  });

  it('forgets full buckets and keeps to its size', () => {
    const store = buckets({ maxBuckets: 50, maxPerOwner: Infinity });
    for (let i = 0; i < 10_000; i++) {
      const { key } = store.find(`owner-${i}`, '', i);
      store.set(`owner-${i}`, key, i + 5);
      expect(store.size).toBeLessThanOrEqual(51);
    }
    expect(store.size).toBeLessThanOrEqual(20);
  });
});

it('costs little: a hundred thousand callers against three rules', () => {
  const { take } = limits([
    perUser,
    { per: ['client'], burst: 5, perMinute: 9 },
    { per: ['user', 'tool'], burst: 5, perMinute: 9 },
  ]);
  const start = process.cpuUsage();
  for (let i = 0; i < 100_000; i++)
    take(call(`tool-${i % 500}`), { issuer, subject: `s${i % 30_000}`, clientId: `c${i}` });
  const { user } = process.cpuUsage(start);
  // Far from a second even on a slow machine: a scan of the buckets would take minutes.
  expect(user / 1e6).toBeLessThan(20);
});

it.each<[Partial<RateLimitRule>, string]>([
  [{ per: [] }, 'per: names at least one'],
  [{ per: ['user', 'user'] }, 'per: names something twice'],
  [{ per: ['resource', 'user'] }, 'per: resource is one bucket'],
  [{ tools: [] }, 'tools: names at least one tool'],
  [{ tools: ['a*b'] }, 'tools: "a*b" is no tool'],
  [{ tools: [''] }, 'tools: "" is no tool'],
  [{ burst: 0 }, 'burst: is a whole number'],
  [{ burst: 1.5 }, 'burst: is a whole number'],
  [{ perMinute: 0 }, 'perMinute: is more than 0'],
  [{ perMinute: Number.NaN }, 'perMinute: is more than 0'],
  [{ perMinute: Infinity }, 'perMinute: is more than 0'],
])('%j is no rule', (part, words) => {
  const rule = { ...perUser, ...part } as RateLimitRule;
  expect(rateLimitFaults(rule)).toEqual([expect.stringContaining(words)]);
  expect(() => rateLimits([rule])).toThrow(TypeError);
});
