/**
 * How many requests a resource takes of a person, a client, for a tool, in this process (RFC 6585 §4, RFC 9110 §10.2.3).
 * Every process counts for itself: behind a load balancer with n of them a caller gets up to n times as much, so an
 * operator divides `burst` and `perMinute` by n. It protects the target from what it cannot do; it is no accounting.
 */
import { createHash } from 'node:crypto';
import type { AccessToken, HttpReply } from '@mcp-gatehouse/auth';
import { errorText, shown } from '../tool-policy/judge.ts';
import type { Message } from '../tool-policy/message.ts';
import { type Buckets, buckets } from './buckets.ts';

export const limitParts = ['user', 'client', 'tool', 'resource'] as const;

export interface RateLimitRule {
  /** Each combination of these has a bucket of its own; `resource` alone: one for everybody. */
  readonly per: ReadonlyArray<(typeof limitParts)[number]>;
  /** Only calls of these tools: names, or the start of one and a `*`. */
  readonly tools?: readonly string[] | undefined;
  /** So many at once. */
  readonly burst: number;
  /** So many in the long run. */
  readonly perMinute: number;
}

export interface LimitedCall {
  readonly token: Pick<AccessToken, 'issuer' | 'subject' | 'clientId'>;
  /** As it was read and will be forwarded; undefined where there is none, as with GET. */
  readonly message: Pick<Message, 'method' | 'id' | 'name'> | undefined;
}

export interface Limited {
  /** 429 with `Retry-After` and a JSON-RPC error, which clients show. */
  readonly reply: HttpReply;
  /** `limit.` and what it is per, for the log. */
  readonly reason: string;
  /** Position of the rule in the list, from 1. */
  readonly rule: number;
  readonly retryAfterSeconds: number;
}

export interface RateLimits {
  /** Undefined: go ahead, it was counted by every rule it falls under. Otherwise by none. */
  take(call: LimitedCall): Limited | undefined;
}

export interface RateLimitOptions {
  /** Seconds that never go back; the clock hook of the tests. */
  readonly clock?: () => number;
  /** Buckets remembered of each rule: 10,000 unless told, about 3 MB. */
  readonly maxBuckets?: number;
}

/** Tools of one caller that are counted apart; all others of that caller share one bucket. */
const maxToolsPerCaller = 64;

/** What sums of fractions of a second may be wrong by, after years of running. */
const roundingSeconds = 1e-3;

/** Of the codes that are an implementation's own (MCP 2026-07-28: -32000 to -32019). */
const limitExceeded = -32005;

interface Rule {
  readonly concerns: (call: Counted) => boolean;
  readonly ownerOf: (token: LimitedCall['token']) => string;
  readonly perTool: boolean;
  /** Seconds in which one more is allowed. */
  readonly interval: number;
  /** Seconds after which an empty bucket has room for one. */
  readonly tolerance: number;
  readonly store: Buckets;
  readonly words: string;
  readonly reason: string;
}

/** What counts: a call of a tool, whether or not an answer is asked for, and every other request. */
interface Counted {
  readonly tool: string | undefined;
}

export function rateLimits(rules: readonly RateLimitRule[], options: RateLimitOptions = {}): RateLimits {
  const { clock = () => performance.now() / 1000, maxBuckets = 10_000 } = options;
  const all = rules.map((rule) => compiled(rule, maxBuckets));
  let latest = Number.NEGATIVE_INFINITY;
  return {
    take({ token, message }) {
      const counted = countedOf(message);
      if (!counted) return undefined;
      latest = Math.max(latest, clock());
      const now = latest;
      const charges: Array<() => void> = [];
      let refused: { readonly index: number; readonly wait: number } | undefined;
      for (const [index, rule] of all.entries()) {
        if (!rule.concerns(counted)) continue;
        const owner = rule.ownerOf(token);
        const { key, fullAt } = rule.store.find(owner, rule.perTool ? keyOf(counted.tool ?? '') : '', now);
        const from = Math.max(fullAt, now);
        const wait = from - now - rule.tolerance;
        // Not a rounding error short: who waited as long as told must not be told to wait again.
        if (wait > Math.min(roundingSeconds, rule.interval / 2)) {
          if (!refused || wait > refused.wait) refused = { index, wait };
        } else charges.push(() => rule.store.set(owner, key, from + rule.interval));
      }
      // All are asked before any is charged: who is refused by one rule loses nothing by the others.
      if (refused) return limited(all[refused.index] as Rule, refused, message);
      for (const charge of charges) charge();
      return undefined;
    },
  };
}

/** What is wrong with a rule, each as a sentence after the path it stands at; empty: nothing. */
export function rateLimitFaults({ per, tools, burst, perMinute }: RateLimitRule): readonly string[] {
  const faults: string[] = [];
  if (per.length === 0) faults.push('per: names at least one of user, client, tool, resource');
  if (new Set(per).size < per.length) faults.push('per: names something twice');
  if (per.includes('resource') && per.length > 1) {
    faults.push('per: resource is one bucket for everybody, so it stands alone');
  }
  if (tools?.length === 0) faults.push('tools: names at least one tool; left out, the rule is for every request');
  for (const name of tools ?? []) {
    if (!/^[^*]*\*?$/.test(name) || name === '') {
      faults.push(`tools: "${shown(name)}" is no tool's name, and no start of one with a * at its end`);
    }
  }
  if (!(Number.isInteger(burst) && burst >= 1 && burst <= 1_000_000)) {
    faults.push('burst: is a whole number from 1 to 1000000');
  }
  if (!(perMinute > 0 && perMinute <= 1_000_000)) faults.push('perMinute: is more than 0 and at most 1000000');
  return faults;
}

function compiled(rule: RateLimitRule, maxBuckets: number): Rule {
  const { per, tools, burst, perMinute } = rule;
  const [fault] = rateLimitFaults(rule);
  if (fault !== undefined) throw new TypeError(`A rate limit: ${fault}.`);
  const named = tools && toolMatcher(tools);
  const perTool = per.includes('tool');
  const whom = (['user', 'client'] as const).filter((part) => per.includes(part));
  const interval = 60 / perMinute;
  return {
    concerns: ({ tool }) => (named ? tool !== undefined && named(tool) : !perTool || tool !== undefined),
    ownerOf: ({ issuer, subject, clientId }) =>
      whom.map((part) => keyOf(part === 'user' ? `${issuer} ${subject}` : clientId)).join('\n'),
    perTool,
    interval,
    tolerance: (burst - 1) * interval,
    store: buckets({ maxBuckets, maxPerOwner: perTool && whom.length > 0 ? maxToolsPerCaller : Infinity }),
    words: `${perMinute} a minute${burst > 1 ? ` and ${burst} at once` : ''}`,
    reason: `limit.${per.join('.')}`,
  };
}

function countedOf(message: LimitedCall['message']): Counted | undefined {
  if (message?.method === undefined) return undefined;
  // A target may run a tool for a notification, too; no other notification makes it do much.
  if (message.method === 'tools/call') return { tool: folded(message.name ?? '') };
  return message.id === undefined ? undefined : { tool: undefined };
}

function toolMatcher(tools: readonly string[]): (tool: string) => boolean {
  const exact = new Set(tools.filter((name) => !name.endsWith('*')).map(folded));
  const starts = tools.filter((name) => name.endsWith('*')).map((name) => folded(name.slice(0, -1)));
  return (tool) => exact.has(tool) || starts.some((start) => tool.startsWith(start));
}

/** Targets that trim names, cut them at a null or do not tell case apart run one tool for all of these: one bucket. */
function folded(tool: string): string {
  const end = tool.indexOf('\0');
  return (end < 0 ? tool : tool.slice(0, end)).trim().toLowerCase();
}

/** Short and of one line: a client chooses both its id and what tool it asks for. */
function keyOf(name: string): string {
  return /^[^\n]{0,128}$/.test(name) ? name : `sha256 ${createHash('sha256').update(name).digest('base64url')}`;
}

function limited(
  rule: Rule,
  { index, wait }: { readonly index: number; readonly wait: number },
  message: LimitedCall['message'],
): Limited {
  const retryAfterSeconds = Math.max(1, Math.ceil(wait - roundingSeconds));
  const { method, name, id } = message ?? {};
  const what = method === 'tools/call' ? `the tool ${shown(name ?? '')}` : shown(method ?? '');
  const words = `Too many requests: ${what} is limited to ${rule.words}. Try again in ${retryAfterSeconds} s.`;
  return {
    rule: index + 1,
    reason: rule.reason,
    retryAfterSeconds,
    reply: {
      status: 429,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'retry-after': String(retryAfterSeconds),
      },
      body: errorText(id, {
        code: limitExceeded,
        message: words,
        data: { error: 'too_many_requests', error_description: words, retry_after_seconds: retryAfterSeconds },
      }),
    },
  };
}
