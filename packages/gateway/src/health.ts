/** Whether the process lives (`/healthz`) and whether it can serve (`/readyz`): one word a part, and never a secret (REL-02, REL-04). */
import type { HttpReply } from '@mcp-gatehouse/auth';

/** Resolves if the part can be used; what it rejects with is told to `onChange` and to nobody else. */
export type Check = () => Promise<unknown>;

export interface ReadinessOptions {
  /** By the word that stands in the answer: `records`, `keys`. */
  readonly checks: Readonly<Record<string, Check>>;
  /** Shown beside them and no reason to be taken out: every instance has the same targets, and the others go on. */
  readonly shown?: Readonly<Record<string, Check>>;
  /** How long an answer counts, in milliseconds, so that a flood of probes costs one check; 1000 unless told. */
  readonly rememberMs?: number;
  /** After so long a part is away, whatever it still answers, in milliseconds; 2000 unless told. */
  readonly patienceMs?: number;
  /** Told when a part goes away or comes back, once each. */
  readonly onChange?: (part: string, state: PartState, cause?: unknown) => void;
  /** Milliseconds that never go back; the clock hook of the tests. */
  readonly clock?: () => number;
}

export type PartState = 'ok' | 'away';

export interface Readiness {
  /** 200 while every part is there, 503 otherwise. Never rejects, and never takes longer than the patience. */
  answer(): Promise<HttpReply>;
  /** From now on not ready, whatever the parts say: the end has begun. */
  drain(): void;
}

export const liveness: HttpReply = healthReply(200, { status: 'ok' });

export function readiness(options: ReadinessOptions): Readiness {
  const {
    checks: vital,
    shown = {},
    rememberMs = 1000,
    clock = () => performance.now(),
    onChange = () => {},
  } = options;
  const checks = { ...vital, ...shown };
  const names = Object.keys(checks);
  const flights = new Map<string, Promise<PartState>>();
  const states = new Map<string, PartState>();
  let known: { readonly reply: HttpReply; readonly at: number } | undefined;
  let asking: Promise<HttpReply> | undefined;
  let draining = false;

  /** A check that hangs is joined and never begun a second time beside itself. */
  function asked(name: string): Promise<PartState> {
    const underway = flights.get(name);
    if (underway) return underway;
    const flight = (async () => (checks[name] as Check)())()
      .then(() => settle(name, 'ok'))
      .catch((cause: unknown) => settle(name, 'away', cause))
      .finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight;
  }

  function settle(name: string, state: PartState, cause?: unknown): PartState {
    // The first answer is news only if it is bad.
    if (state !== (states.get(name) ?? 'ok')) onChange(name, state, cause);
    states.set(name, state);
    return state;
  }

  async function ask(): Promise<HttpReply> {
    const parts = await Promise.all(names.map((name) => withPatience(name, asked(name))));
    const ready = parts.every(([name, state]) => state === 'ok' || !Object.hasOwn(vital, name));
    const reply = healthReply(ready ? 200 : 503, {
      status: ready ? 'ok' : 'unavailable',
      ...Object.fromEntries(parts),
    });
    known = { reply, at: clock() };
    return reply;
  }

  function withPatience(name: string, flight: Promise<PartState>): Promise<[string, PartState]> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve([name, 'away']), options.patienceMs ?? 2000);
      void flight.then((state) => {
        clearTimeout(timer);
        resolve([name, state]);
      });
    });
  }

  return {
    async answer() {
      if (draining) return drainingReply;
      if (known && clock() - known.at < rememberMs) return known.reply;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      const reply = await asking;
      return draining ? drainingReply : reply;
    },
    drain() {
      draining = true;
    },
  };
}

const drainingReply = healthReply(503, { status: 'draining' });

function healthReply(status: number, words: Readonly<Record<string, string>>): HttpReply {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(status === 503 && { 'retry-after': '2' }),
    },
    body: JSON.stringify(words),
  };
}
