/** Bounds on guessing: Cognito's sign-in lockout, and confirmation codes that die after a few wrong tries. */
import { randomInt } from 'node:crypto';
import { ExpiringMap } from './expiring-map.ts';
import { sameSecret } from './secrets.ts';

const QUARTER_HOUR = 900;

export type AttemptOutcome = 'succeeded' | 'failed' | 'locked out';

export interface Lockout {
  /** Lets `verify` decide an attempt, unless the login is locked. Attempts at one login are decided one by one. */
  attempt(login: string, verify: () => Promise<boolean>): Promise<AttemptOutcome>;
  /** Forgets the failures. */
  reset(login: string): void;
}

/**
 * From the fifth failure on a login is locked for 2^(n-5) seconds, at most 15 minutes; attempts during a lockout do not
 * count; 15 quiet minutes forget everything. As in the Cognito developer guide, "Lockout behavior".
 */
export function createLockout(now: () => number): Lockout {
  const failures = new ExpiringMap<{ count: number; lockedUntil: number }>(now);
  const turns = new Map<string, Promise<unknown>>();

  async function decide(key: string, verify: () => Promise<boolean>): Promise<AttemptOutcome> {
    const before = failures.get(key) ?? { count: 0, lockedUntil: 0 };
    if (now() < before.lockedUntil) return 'locked out';
    if (await verify()) {
      failures.delete(key);
      return 'succeeded';
    }
    const count = before.count + 1;
    const lockSeconds = count < 5 ? 0 : Math.min(2 ** (count - 5), QUARTER_HOUR);
    failures.set(key, { count, lockedUntil: now() + lockSeconds }, QUARTER_HOUR + lockSeconds);
    return 'failed';
  }

  return {
    attempt(login, verify) {
      const key = login.toLowerCase();
      // Hashing takes a while: side by side, a hundred guesses would all be let through before the first has failed.
      const outcome = (turns.get(key) ?? Promise.resolve()).then(() => decide(key, verify));
      const turn = outcome
        .catch(() => {}) // its own caller is told
        .then(() => {
          if (turns.get(key) === turn) turns.delete(key);
        });
      turns.set(key, turn);
      return outcome;
    },
    reset: (login) => failures.delete(login.toLowerCase()),
  };
}

export type CodePurpose = 'sign-up' | 'forgot-password';
export type CodeOutcome = 'right' | 'wrong' | 'expired' | 'too many attempts';

export interface ConfirmationCodes {
  /** A new six-digit code that replaces any before it; undefined when too many were asked for. */
  create(purpose: CodePurpose, sub: string): string | undefined;
  /** Checks a code; the right one is used up. */
  redeem(purpose: CodePurpose, sub: string, code: string): CodeOutcome;
}

const LIFETIME_SECONDS = { 'sign-up': 86_400, 'forgot-password': 3600 } as const;
const MAX_WRONG_TRIES = 5;
const MAX_CODES_PER_QUARTER_HOUR = 5;

export function createConfirmationCodes(now: () => number): ConfirmationCodes {
  const codes = new ExpiringMap<{ code: string; wrongTries: number }>(now);
  const created = new ExpiringMap<number>(now);
  return {
    create(purpose, sub) {
      const key = `${purpose} ${sub}`;
      const count = (created.get(key) ?? 0) + 1;
      if (count > MAX_CODES_PER_QUARTER_HOUR) return undefined;
      created.set(key, count, QUARTER_HOUR);
      const code = String(randomInt(1_000_000)).padStart(6, '0');
      codes.set(key, { code, wrongTries: 0 }, LIFETIME_SECONDS[purpose]);
      return code;
    },
    redeem(purpose, sub, code) {
      const key = `${purpose} ${sub}`;
      const entry = codes.get(key);
      if (!entry) return 'expired';
      if (entry.wrongTries >= MAX_WRONG_TRIES) return 'too many attempts';
      if (!sameSecret(entry.code, code.trim())) {
        entry.wrongTries += 1;
        return 'wrong';
      }
      codes.delete(key);
      return 'right';
    },
  };
}
