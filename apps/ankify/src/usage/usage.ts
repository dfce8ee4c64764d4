/** What a user has used in a calendar month (UTC) and may still use: charged before the work, as one step. */
import { type Records, update } from '@mcp-gatehouse/records';
import type { AnkifyRecords } from '../decks/deck.ts';

/** Whole numbers from 0. */
export interface Amounts {
  readonly decks?: number;
  readonly cards?: number;
  /** Of recorded speech; what was recorded before costs nothing. */
  readonly characters?: number;
  /** Read and written by the language model. */
  readonly modelTokens?: number;
}

export type Limits = Required<Amounts>;

export interface UsageRecord extends Limits {
  readonly owner: string;
  /** `2026-11`. */
  readonly month: string;
}

export interface Refusal {
  readonly what: keyof Limits;
  readonly limit: number;
  readonly used: number;
  readonly left: number;
  /** Seconds: the first moment of the next month. */
  readonly resetsAt: number;
  /** For the user. */
  readonly message: string;
}

export interface UsageReport {
  readonly month: string;
  readonly resetsAt: number;
  readonly used: Limits;
  readonly limits: Limits;
  readonly left: Limits;
}

export interface Usage {
  /** All of the amounts or, with a refusal, none. */
  charge(owner: string, amounts: Amounts): Promise<Refusal | undefined>;
  /** Gives back what was charged at that moment and made nothing. Never below what was used. */
  refund(owner: string, amounts: Amounts, chargedAt?: number): Promise<void>;
  /** More than was charged before: work that turned out larger is counted, even beyond the limit. */
  settle(owner: string, amounts: Amounts): Promise<void>;
  report(owner: string): Promise<UsageReport>;
}

/** A keen learner, several times over; at Polly's neural price the speech is below two dollars. */
export const monthlyLimits: Limits = { decks: 500, cards: 30_000, characters: 100_000, modelTokens: 1_000_000 };

/** Kept for the user's page and the operator's bill. */
const keptSeconds = 400 * 86_400;
/** Clips of several jobs and calls of several windows of one user meet in one record. */
const tries = 24;

export interface UsageOptions {
  readonly records: Records<AnkifyRecords>;
  readonly now: () => number;
  /** Each replaces one of `monthlyLimits`. */
  readonly limits?: Amounts;
}

export function createUsage({ records, now, limits: given }: UsageOptions): Usage {
  const limits: Limits = { ...monthlyLimits, ...given };
  async function add(owner: string, at: number, decide: (was: Limits) => Limits | Refusal) {
    const { month, endsAt } = monthOf(at);
    return update(
      records,
      'usage',
      `${month} ${owner}`,
      (stored) => {
        const next = decide(stored?.value ?? none);
        if ('message' in next) return { result: next };
        const { decks, cards, characters, modelTokens } = next;
        const value = { owner, month, decks, cards, characters, modelTokens };
        return { write: { value, expiresAt: endsAt + keptSeconds }, result: undefined };
      },
      { tries },
    );
  }
  return {
    async charge(owner, amounts) {
      const charged = checked(amounts);
      if (names.every((name) => charged[name] === 0)) return undefined;
      const at = now();
      return add(owner, at, (was) => {
        const over = names.find((name) => charged[name] > 0 && was[name] + charged[name] > limits[name]);
        return over
          ? refusalOf(over, was[over], limits[over], charged[over], monthOf(at).endsAt)
          : sum(was, charged, 1);
      });
    },
    async refund(owner, amounts, chargedAt = now()) {
      const back = checked(amounts);
      if (names.some((name) => back[name] > 0)) await add(owner, chargedAt, (was) => sum(was, back, -1));
    },
    async settle(owner, amounts) {
      const more = checked(amounts);
      if (names.some((name) => more[name] > 0)) await add(owner, now(), (was) => sum(was, more, 1));
    },
    async report(owner) {
      const { month, endsAt } = monthOf(now());
      const used = sum((await records.get('usage', `${month} ${owner}`))?.value ?? none, none, 1);
      const left = Object.fromEntries(names.map((name) => [name, Math.max(0, limits[name] - used[name])]));
      return { month, resetsAt: endsAt, used, limits, left: left as unknown as Limits };
    },
  };
}

const none: Limits = { decks: 0, cards: 0, characters: 0, modelTokens: 0 };
const names = ['decks', 'cards', 'characters', 'modelTokens'] as const;
const words: Record<keyof Limits, string> = {
  decks: 'new decks',
  cards: 'new cards',
  characters: 'characters of recorded speech',
  modelTokens: 'tokens of the language model',
};

/** A caller's mistake here would be free work for ever. */
function checked(amounts: Amounts): Limits {
  for (const name of names) {
    const amount = amounts[name] ?? 0;
    if (!Number.isSafeInteger(amount) || amount < 0) throw new TypeError(`${name} must be a whole number from 0`);
  }
  return { ...none, ...amounts };
}

function sum(was: Limits, amounts: Limits, sign: 1 | -1): Limits {
  const after = (name: keyof Limits) => Math.max(0, was[name] + sign * amounts[name]);
  return {
    decks: after('decks'),
    cards: after('cards'),
    characters: after('characters'),
    modelTokens: after('modelTokens'),
  };
}

function refusalOf(what: keyof Limits, used: number, limit: number, asked: number, resetsAt: number): Refusal {
  const left = Math.max(0, limit - used);
  const day = new Date(resetsAt * 1000).toISOString().slice(0, 10);
  const message =
    `This needs ${asked} ${words[what]}, and ${left} of ${limit} are left this month. ` +
    `The count begins anew on ${day} (UTC).`;
  return { what, limit, used, left, resetsAt, message };
}

function monthOf(seconds: number): { readonly month: string; readonly endsAt: number } {
  const date = new Date(seconds * 1000);
  const endsAt = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 1000;
  return { month: date.toISOString().slice(0, 7), endsAt };
}
