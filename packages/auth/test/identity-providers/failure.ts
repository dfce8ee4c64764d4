/** Why something failed at an identity provider, and the proof that no secret is in the error. */
import { inspect } from 'node:util';
import { IdentityProviderError } from '../../src/gatehouse.ts';

export interface Failure {
  readonly reason: string;
  readonly transient: boolean;
  readonly session: string | undefined;
}

/** The failure of a call that has to fail. Anything but an `IdentityProviderError` goes on. */
export async function failureOf(call: Promise<unknown>, secrets: readonly string[] = []): Promise<Failure> {
  const error = await call.then(
    (value) => new Error(`it did not fail: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IdentityProviderError)) throw error;
  // Everything a log could print of it: causes, their properties, hidden ones.
  const printed = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
  for (const secret of secrets) {
    if (printed.includes(secret)) throw new Error(`a secret is in the error: ${printed}`);
  }
  return { reason: error.reason, transient: error.transient, session: error.session };
}
