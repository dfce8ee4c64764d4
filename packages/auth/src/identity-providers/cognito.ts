/**
 * Amazon Cognito: a preset of `oidc` whose endpoints follow from the user pool, so that a cold start fetches nothing.
 * A refresh token comes with every sign-in, unasked for (Cognito has no `offline_access`); groups are `cognito:groups`.
 *
 * With refresh token rotation ("RefreshTokenRotationType" in the API reference) each renewal brings a new token, and the
 * one before is taken again for RetryGracePeriodSeconds, 0 to 60. Set it above twice `timeoutSeconds`: a renewal whose
 * answer was lost is asked once more at once, and with 0 that one is refused and ends the session.
 */

import type { IdentityProvider } from './identity-provider.ts';
import { oidc } from './oidc.ts';

export interface CognitoOptions {
  /** As in the console: `eu-central-1_AbCdEf123`. The region is its first part. */
  readonly userPoolId: string;
  /** The user pool's domain: `https://auth.example.com` or `https://<prefix>.auth.<region>.amazoncognito.com`. */
  readonly domain: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  /** The app client's scopes to ask for; `openid` alone unless told. Cognito's discovery lists ones a client may lack. */
  readonly scope?: readonly string[];
  /** `updated`: the pool issues as `https://issuer-cognito-idp.<region>…` (IssuerConfiguration.Type UPDATED). */
  readonly issuerForm?: 'original' | 'updated';
  /** For a pool that is not Amazon's: the origin its issuer starts with, such as `http://localhost:8081`. */
  readonly issuerOrigin?: string;
  readonly name?: string;
  /** Seconds for one answer of the pool; 10. */
  readonly timeoutSeconds?: number;
}

export function cognito(options: CognitoOptions): IdentityProvider {
  const { userPoolId, clientId, clientSecret, scope, timeoutSeconds, issuerForm = 'original' } = options;
  const region = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[A-Za-z0-9]{1,55}$/.exec(userPoolId)?.[1];
  if (region === undefined)
    throw new TypeError(`userPoolId: "${userPoolId}" is not of the form eu-central-1_AbCdEf123`);
  const host = issuerForm === 'updated' ? 'issuer-cognito-idp' : 'cognito-idp';
  const origin = (options.issuerOrigin ?? `https://${host}.${region}.amazonaws.com`).replace(/\/$/, '');
  const domain = options.domain.replace(/\/$/, '');
  const issuer = `${origin}/${userPoolId}`;
  return oidc({
    issuer,
    clientId,
    name: options.name ?? new URL(domain).host,
    ...(clientSecret !== undefined && { clientSecret }),
    ...(scope && { scope }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    groupsClaim: 'cognito:groups',
    emailProof: 'cognito',
    endpoints: {
      authorization: `${domain}/oauth2/authorize`,
      token: `${domain}/oauth2/token`,
      jwks: `${issuer}/.well-known/jwks.json`,
      revocation: `${domain}/oauth2/revoke`,
      userInfo: `${domain}/oauth2/userInfo`,
    },
  });
}
