/** Trying again, within bounds: exponential back-off with full jitter, the provider's own `Retry-After` if it is short. */
import { setTimeout as delay } from 'node:timers/promises';
import { ModelUnavailable } from './model.ts';

export interface RetryOptions {
  /** Tries altogether. Default 4. */
  readonly attempts?: number;
  /** The longest first wait. Default 0.5. */
  readonly baseSeconds?: number;
  /** The longest of all; a provider that asks for more is not waited for. Default 20. */
  readonly maxSeconds?: number;
}

/** Runs `work` until it does not throw `ModelUnavailable`; then throws the last one. */
export async function withRetries<T>(work: () => Promise<T>, options: RetryOptions, signal: AbortSignal): Promise<T> {
  const { attempts = 4, baseSeconds = 0.5, maxSeconds = 20 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ModelUnavailable) || attempt >= attempts) throw error;
      const longest = Math.min(maxSeconds, baseSeconds * 2 ** (attempt - 1));
      const asked = error.askedSeconds ?? 0;
      if (asked > maxSeconds) throw error;
      // Jitter comes on top of what was asked for: who was told the same time must not come back at the same moment.
      await delay((asked + Math.random() * longest) * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
