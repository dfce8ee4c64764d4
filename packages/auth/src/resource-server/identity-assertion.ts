/**
 * The verified identity as a short signed JWT (RFC 7519) for one target: the gateway makes it, and the target checks it with
 * the keys the gateway publishes. It is no access token and can never pass for one: a type and an audience of its own
 * (RFC 8725 §3.11, §3.9). Each lives for a minute, whatever becomes of the grant meanwhile: it says who sent this request.
 */
import { randomBytes } from 'node:crypto';
import { withoutReserved } from '../oauth/claims.ts';
import { OAuthError } from '../oauth/error.ts';
import { resourceMatches } from '../oauth/resource.ts';
import type { Signer } from '../signers/signer.ts';
import type { AccessToken } from './access-token.ts';
import type { Fetch } from './foreign/fetch-document.ts';
import type { CallerIdentity } from './identity-headers.ts';
import { publishedKeys } from './own-tokens.ts';
import { tokenVerifier } from './verifier.ts';

export type { CallerIdentity } from './identity-headers.ts';

/** The header's `typ`. */
export const identityAssertionType = 'gatehouse-identity+jwt';

const lifeSeconds = 60;
/** What is sent lives at least so long: a target's clock and a slow request are allowed for. */
const leastSeconds = 30;

export interface IdentityAssertionsOptions {
  readonly signer: Pick<Signer, 'sign'>;
  readonly issuer: string;
  /** Names the target; the URI of no resource and not the issuer. */
  readonly audience: string;
  /** Whole seconds since the epoch. */
  readonly now: () => number;
}

/** The compact JWS for the caller of this token. */
export type IdentityAssertions = (token: AccessToken) => Promise<string>;

/**
 * Signed once in half a minute for each access token that is in use. Kept with the very object the guard gave: nothing can
 * be mixed up, and it is forgotten with the token.
 */
export function identityAssertions({ signer, issuer, audience, now }: IdentityAssertionsOptions): IdentityAssertions {
  const made = new WeakMap<AccessToken, { readonly text: Promise<string>; readonly expiresAt: number }>();
  return (token) => {
    const time = now();
    const known = made.get(token);
    const left = known ? known.expiresAt - time : 0;
    // Not one of a clock that was ahead, either: it would be of an unknown age.
    if (known && left > leastSeconds && left <= lifeSeconds) return known.text;
    const expiresAt = time + lifeSeconds;
    const text = signer.sign(identityAssertionType, {
      ...withoutReserved(token.claims),
      iss: issuer,
      aud: audience,
      sub: token.subject,
      client_id: token.clientId,
      scope: token.scope.join(' '),
      iat: time,
      exp: expiresAt,
      jti: randomBytes(12).toString('base64url'),
      ...(token.roles && { roles: token.roles }),
      ...(token.permissions && { permissions: token.permissions }),
      ...(token.identity && {
        sub_id: { format: 'iss_sub', iss: token.identity.issuer, sub: token.identity.subject },
      }),
    });
    made.set(token, { text, expiresAt });
    // A signer that was away for a moment is asked again.
    text.catch(() => made.delete(token));
    return text;
  };
}

export interface ReadIdentityAssertionOptions {
  /** The gateway's `issuer`. */
  readonly issuer: string;
  /** As the gateway is told for this target. */
  readonly audience: string;
  /** Where the gateway's keys are, if not where its issuer says: https, or http on loopback. */
  readonly jwksUri?: string;
  readonly fetch?: Fetch;
  readonly now?: () => number;
  /** How far the clocks of gateway and target may differ; 5 unless told. */
  readonly skewSeconds?: number;
}

/**
 * Who calls, of a request that came through the gateway. Undefined: there is no assertion, or none for this target that is
 * true and in time. `headers` are Node's: lower-case names. Throws (an `OAuthError` of status 503) while the gateway's keys
 * cannot be fetched: nothing is known then.
 */
export type IdentityAssertionReader = (
  headers: Readonly<Record<string, string | string[] | undefined>>,
) => Promise<CallerIdentity | undefined>;

/** Keys are fetched when the first assertion needs one, and kept; verified assertions are remembered for their minute. */
export function readIdentityAssertion(options: ReadIdentityAssertionOptions): IdentityAssertionReader {
  const { issuer, audience, jwksUri, fetch, skewSeconds = 5 } = options;
  if (audience === '') throw new TypeError('audience: without one every target’s assertion would be taken');
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const keys = publishedKeys({ issuer, now, ...(jwksUri !== undefined && { jwksUri }), ...(fetch && { fetch }) });
  const type = identityAssertionType;
  const verify = tokenVerifier({ issuer, resource: audience, keys, now, skewSeconds, cacheSize: 1000, type });
  return async ({ authorization }) => {
    const text =
      typeof authorization === 'string' ? /^bearer +([A-Za-z0-9._-]+) *$/i.exec(authorization)?.[1] : undefined;
    if (text === undefined) return undefined;
    const asserted = await verify(text).catch((error: unknown) => {
      // Any other is about the keys, and says nothing of the caller.
      if (error instanceof OAuthError && error.code === 'invalid_token') return undefined;
      throw error;
    });
    return asserted && callerOf(asserted);
  };
}

function callerOf({ subject, clientId, scope, identity, roles, permissions, claims }: AccessToken): CallerIdentity {
  return {
    subject,
    clientId,
    scope,
    ...(identity && { identityIssuer: identity.issuer, identitySubject: identity.subject }),
    ...(roles && { roles }),
    ...(permissions && { permissions }),
    ...(claims && { claims }),
  };
}

/** Why this cannot be the audience of assertions, as the end of a sentence; undefined: it can. */
export function assertionAudienceFault(
  audience: string,
  issuer: string,
  resources: readonly string[],
): string | undefined {
  if (!/^[\x21-\x7e]{1,1024}$/.test(audience)) return 'must be 1 to 1024 visible ASCII characters';
  // Somebody who looks at `aud` alone must not take it for an access token, nor for an assertion to us.
  if (resourceMatches(audience, issuer)) return 'is the issuer';
  return resources.some((uri) => resourceMatches(audience, uri)) ? 'is the URI of a resource' : undefined;
}
