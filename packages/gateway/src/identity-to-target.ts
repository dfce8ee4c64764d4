/** How a target learns who calls: headers of ours, a signed assertion, the provider's token or nothing; the client's token never (SEC-11). */
import type { AccessToken, Gatehouse, HttpReply, Resource } from '@mcp-gatehouse/auth';
import { endedReply } from '@mcp-gatehouse/auth/guard';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import type { IdentityForm } from './config/target.ts';
import { problem } from './problem.ts';

/** Name and value of each header for the target. */
export type IdentityLines = ReadonlyArray<readonly [name: string, value: string]>;

/** For a token that the guard let in; a reply where the target cannot be told, and must not be asked then. */
export type IdentityToTarget = (token: AccessToken) => IdentityLines | Promise<IdentityLines | HttpReply>;

export interface IdentityToTargetOptions {
  readonly form: IdentityForm;
  readonly resource: Resource;
  readonly house: Pick<Gatehouse, 'identityAssertions' | 'providerToken'>;
  /** Proves to the target that it is the gateway who asks, in every form. */
  readonly secret: string | undefined;
}

export function identityToTarget(options: IdentityToTargetOptions): IdentityToTarget {
  const { form, resource, house, secret } = options;
  const proof: IdentityLines = secret === undefined ? [] : [['x-gatehouse-secret', secret]];
  if (form === 'headers') return (token) => writeIdentityHeaders(token, secret);
  if (form === 'none') return () => proof;
  if (form === 'providerToken') {
    return async (token) => {
      const found = await house.providerToken(token);
      switch (found.outcome) {
        case 'token':
          return [...proof, ['authorization', `Bearer ${found.token}`]];
        case 'gone':
          return endedReply(resource);
        case 'none':
          return problem(
            403,
            'access_denied',
            'This server acts as you at your identity provider, and there is no sign-in there to act with. Sign in again.',
          );
        case 'unavailable':
          return problem(
            503,
            'temporarily_unavailable',
            'Your identity provider does not answer right now; try again in a moment.',
            found.retrySeconds,
          );
      }
    };
  }
  const assertion = house.identityAssertions(resource.uri);
  return async (token) => [...proof, ['authorization', `Bearer ${await assertion(token)}`]];
}
