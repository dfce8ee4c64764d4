/** Several verifiers as one: our own tokens beside other people's, or a static token beside both. */
import { OAuthError } from '../../oauth/error.ts';
import { invalidToken } from '../challenge.ts';
import type { TokenVerifier } from '../verifier.ts';

/** The first that knows the token decides; every one's private reason is in the refusal's. */
export function firstOf(...verifiers: readonly TokenVerifier[]): TokenVerifier {
  if (verifiers.length === 0) throw new TypeError('firstOf: at least one verifier is needed');
  return async (token) => {
    const reasons: string[] = [];
    for (const verify of verifiers) {
      try {
        return await verify(token);
      } catch (error) {
        // "Not now" is an answer: the next verifier's "no" would make somebody throw a good token away.
        if (!(error instanceof OAuthError) || error.code !== 'invalid_token') throw error;
        reasons.push(error.reason);
      }
    }
    throw invalidToken(reasons.join(' '));
  };
}
