/** What every adapter does with a request before it is sent: checks its form, and gives it an end in time. */
import { type ModelRequest, ModelUnavailable } from './model.ts';

/** Throws a `TypeError`: such a request is a fault of the caller, and no provider takes it. */
export function checkRequest({ messages, maxTokens = 1 }: ModelRequest): void {
  if (messages[0]?.role !== 'user' || messages.at(-1)?.role !== 'user') {
    throw new TypeError('messages: the first and the last must be the user’s');
  }
  if (messages.some(({ text }) => text.trim() === '')) throw new TypeError('messages: one has no text');
  if (!Number.isInteger(maxTokens) || maxTokens < 1) throw new TypeError('maxTokens: a whole number from 1');
}

export interface Deadline {
  readonly signal: AbortSignal;
  /** Rethrows what was thrown: the caller's own reason if it aborted, `ModelUnavailable` if the time is over. */
  explain(error: unknown): never;
}

export function deadlineOf(given: AbortSignal | undefined, timeoutSeconds: number): Deadline {
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  return {
    signal: given ? AbortSignal.any([given, timeout]) : timeout,
    explain(error) {
      given?.throwIfAborted();
      if (!timeout.aborted) throw error;
      throw new ModelUnavailable(`The model did not answer within ${timeoutSeconds} s.`, { cause: error });
    },
  };
}
