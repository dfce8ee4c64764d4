/**
 * A simulated identity provider that rotates its sessions: each is good for one question, and whoever asks two questions
 * at once has lost the lease.
 */
import {
  type IdentityProvider,
  IdentityProviderError,
} from '../../packages/auth/src/identity-providers/identity-provider.ts';
import type { World } from './world.ts';

export interface SimulatedProvider extends Required<Pick<IdentityProvider, 'renew' | 'end'>> {
  /** The session it takes now. */
  readonly session: string;
  readonly questions: number;
  quiet: boolean;
}

export interface SimulatedProviderOptions {
  readonly world: World;
  /** Told that it said no for good: the grant may be over from now on. */
  readonly onNo: () => void;
  /** For so long after a question nobody else may ask another; 0: not looked at. */
  readonly leaseSeconds: number;
  readonly faulty: boolean;
  /** Told that somebody did. */
  readonly onTwoQuestions: () => void;
}

export function simulatedProvider({
  world,
  leaseSeconds,
  faulty,
  onNo,
  onTwoQuestions,
}: SimulatedProviderOptions): SimulatedProvider {
  let serial = 0;
  let session = 'session 0';
  let over = false;
  let questions = 0;
  const asked = new Map<string, number>();
  const provider: SimulatedProvider = {
    quiet: false,
    get session() {
      return session;
    },
    get questions() {
      return questions;
    },
    renew(text) {
      const time = world.moment();
      if (time - (asked.get(text) ?? -Infinity) < leaseSeconds) onTwoQuestions();
      asked.set(text, time);
      questions++;
      return new Promise((resolve, reject) => {
        const answer = (): void => {
          const fault = provider.quiet || !faulty ? 0 : world.chooser.fault(2);
          asked.delete(text);
          if (fault === 1) {
            reject(new IdentityProviderError('idp.away', { transient: true }));
            return;
          }
          if (fault === 2 || over || text !== session) {
            over = true;
            onNo();
            reject(new IdentityProviderError('idp.gone', { transient: false }));
            return;
          }
          session = `session ${++serial}`;
          resolve({ groups: [], session });
        };
        if (provider.quiet) answer();
        else world.soon('the identity provider answers', answer);
      });
    },
    async end() {
      over = true;
    },
  };
  return provider;
}
