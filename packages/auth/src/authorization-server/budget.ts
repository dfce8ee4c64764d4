/**
 * Budgets for what anybody may ask for: token buckets in this process, one for all and one for each key, in bounded
 * memory (SEC-10). They bound what a flood costs; they are no proof of who anybody is.
 */
import { OAuthError } from '../oauth/error.ts';
import type { Endpoint, HttpRequest } from '../oauth/http.ts';

/** So many at once, and so many a minute in the long run. */
export interface Allowance {
  readonly burst: number;
  readonly perMinute: number;
}

export interface BudgetOptions<T> {
  /** Of this process; a deployment of several has as many times as much. */
  readonly total: Allowance;
  /** Of each key. */
  readonly perKey?: Allowance;
  /**
   * Whom a request is counted against; undefined: nobody, only the total. An address alone is a bad key: claude.ai and
   * others send all their people's registrations from a few (RFC 6585 says nothing of how to count).
   */
  readonly keyOf?: (request: HttpRequest, subject: T) => string | undefined;
  /** Keys remembered: 10,000 unless told. */
  readonly maxKeys?: number;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** Whole seconds to wait; 0: go ahead, it has been counted. */
export type RequestBudget<T> = (request: HttpRequest, subject: T) => number;

interface Bucket {
  readonly left: number;
  readonly at: number;
}

/** For registrations that are stored: at most 15,000 a day and process, each at most 4 KB, gone after 30 days unused. */
export const storedRegistrationAllowance = {
  total: { burst: 200, perMinute: 10 },
} as const satisfies { readonly total: Allowance };

export function requestBudget<T>({ keyOf, ...options }: BudgetOptions<T>): RequestBudget<T> {
  const purse = openPurse(options);
  return (request, subject) => purse.take(options.perKey && keyOf?.(request, subject));
}

export interface Purse {
  /** Whole seconds to wait; 0: go ahead, it has been counted, for all and for the key. */
  take(key: string | undefined): number;
  /** What was taken turned out to cost nothing. */
  giveBack(key: string | undefined): void;
}

/** The buckets themselves. Throws a `TypeError` for allowances that would never let anybody through. */
export function openPurse({ total, perKey, maxKeys = 10_000, now }: Omit<BudgetOptions<unknown>, 'keyOf'>): Purse {
  for (const allowance of [total, ...(perKey ? [perKey] : [])]) {
    if (allowanceFault(allowance)) throw new TypeError('A budget needs a burst of at least 1 and some a minute.');
  }
  let ofAll = full(total, now());
  // Insertion order is age of use: the key that was quiet longest leaves first, and its bucket is the fullest.
  const byKey = new Map<string, Bucket>();

  return {
    take(key) {
      const time = now();
      ofAll = filled(ofAll, total, time);
      const known = key === undefined ? undefined : byKey.get(key);
      const own = perKey && key !== undefined ? filled(known ?? full(perKey, time), perKey, time) : undefined;
      if (known && own && key !== undefined) byKey.set(key, own);
      // Both are asked before either is charged: whoever has used up their own takes nothing from the others.
      const wait = Math.max(waitFor(ofAll, total), own && perKey ? waitFor(own, perKey) : 0);
      if (wait > 0) return wait;
      ofAll = charged(ofAll);
      if (own && key !== undefined) {
        byKey.delete(key);
        if (byKey.size >= maxKeys) byKey.delete(byKey.keys().next().value as string);
        byKey.set(key, charged(own));
      }
      return 0;
    },
    giveBack(key) {
      ofAll = refunded(ofAll, total);
      const own = key === undefined ? undefined : byKey.get(key);
      if (!perKey || !own || key === undefined) return;
      const left = refunded(own, perKey);
      // A full bucket says nothing that no bucket would not say: the honest leave no trace.
      if (left.left >= perKey.burst) byKey.delete(key);
      else byKey.set(key, left);
    },
  };
}

export function allowanceFault({ burst, perMinute }: Allowance): boolean {
  return !(burst >= 1 && perMinute > 0 && Number.isFinite(burst) && Number.isFinite(perMinute));
}

/** A budget around an endpoint. */
export interface EndpointBudget {
  /** What a refusal is called in the log: `budget.<name>`. */
  readonly name: string;
  readonly purse: Purse;
  readonly keyOf?: (request: HttpRequest) => string | undefined;
  /** Whether it is about this request at all; left out: about every one. */
  readonly concerns?: (request: HttpRequest) => boolean;
  /** Whether a request with this outcome cost what the budget is for; the others are given back. */
  readonly counts: (outcome: Outcome) => boolean;
}

/** How a request ended: the status of the reply, where it leads, and whether it was thrown, that is, refused. */
export interface Outcome {
  readonly status: number;
  readonly refused: boolean;
  readonly location?: string;
}

/**
 * The endpoint within its budget: over it, 429 before anything of the request is read. Taken before and given back
 * after, so that requests that run at the same time cannot together take more than there is. Undefined: no budget.
 */
export function budgeted(endpoint: Endpoint, budget: EndpointBudget | undefined): Endpoint {
  if (!budget) return endpoint;
  const { name, purse, keyOf, concerns, counts } = budget;
  return async (request) => {
    if (concerns && !concerns(request)) return endpoint(request);
    const key = keyOf?.(request);
    const waitSeconds = purse.take(key);
    if (waitSeconds > 0) throw budgetSpent(`budget.${name}`, waitSeconds);
    let outcome: Outcome = { status: 500, refused: true };
    try {
      const reply = await endpoint(request);
      const { location } = reply.headers;
      outcome = { status: reply.status, refused: false, ...(typeof location === 'string' && { location }) };
      return reply;
    } catch (error) {
      if (error instanceof OAuthError) outcome = { status: error.status, refused: true };
      throw error;
    } finally {
      if (!counts(outcome)) purse.giveBack(key);
    }
  };
}

function full({ burst }: Allowance, at: number): Bucket {
  return { left: burst, at };
}

function charged({ left, at }: Bucket): Bucket {
  return { left: left - 1, at };
}

function refunded({ left, at }: Bucket, { burst }: Allowance): Bucket {
  return { left: Math.min(burst, left + 1), at };
}

/** A clock that goes backwards fills nothing and takes nothing away. */
function filled({ left, at }: Bucket, { burst, perMinute }: Allowance, now: number): Bucket {
  return { left: Math.min(burst, left + (Math.max(0, now - at) * perMinute) / 60), at: now };
}

/** Not a whole request short of a rounding error: who waited as long as told must not be told to wait again. */
function waitFor({ left }: Bucket, { perMinute }: Allowance): number {
  return left > 1 - 1e-6 ? 0 : Math.max(1, Math.ceil(((1 - left) * 60) / perMinute));
}

/**
 * 429 with Retry-After (RFC 6585 §4). The code is `temporarily_unavailable`, whose registered meaning is a temporary
 * overload (RFC 6749 §4.1.2.1): the codes of RFC 7591 §3.2.2 all blame the metadata, and a client that believes them
 * changes what was right or gives up.
 */
export function budgetSpent(reason: string, waitSeconds: number): OAuthError {
  return new OAuthError('temporarily_unavailable', `Too many requests; try again in ${waitSeconds} s.`, {
    status: 429,
    headers: { 'retry-after': String(waitSeconds) },
    reason,
  });
}
