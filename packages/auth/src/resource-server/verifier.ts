/** The verifier: is this text an access token of ours, for this resource, in time (RFC 9068 §4, RFC 8725). */
import { furtherClaims, isNames } from '../oauth/claims.ts';
import type { Signer } from '../signers/signer.ts';
import type { AccessToken } from './access-token.ts';
import { invalidToken } from './challenge.ts';

export interface VerifierOptions {
  readonly issuer: string;
  /** The only accepted `aud`. */
  readonly resource: string;
  readonly keys: Pick<Signer, 'verificationKey'>;
  readonly now: () => number;
  /** How far the clocks of issuing and verifying instances may differ at `exp` and `nbf`. */
  readonly skewSeconds: number;
  /** Verified tokens kept in memory. */
  readonly cacheSize: number;
  /** The only accepted `typ`; that of access tokens, `at+jwt`, unless told. */
  readonly type?: string;
}

/** The token's claims; throws `invalid_token` with a private reason. */
export type TokenVerifier = (token: string) => Promise<AccessToken>;

interface Verified {
  readonly accessToken: AccessToken;
  readonly keyId: string;
}

const maxTokenLength = 8192;

export function tokenVerifier(options: VerifierOptions): TokenVerifier {
  const { keys, now, skewSeconds, cacheSize } = options;
  // Insertion order is age: the oldest entry leaves first. Keyed by the whole token, so nothing can be mixed up.
  const seen = new Map<string, Verified>();

  return async (token) => {
    const known = seen.get(token);
    if (known) {
      // Time goes on while a token is remembered (performance.md: `exp` re-checked on every hit).
      if (now() >= known.accessToken.expiresAt + skewSeconds) {
        seen.delete(token);
        throw invalidToken('token.expired');
      }
      // So does the life of a key: one that was revoked takes every token it signed with it.
      const found = keys.verificationKey(known.keyId);
      if (!(found instanceof Promise ? await found : found)) {
        seen.delete(token);
        throw invalidToken('token.key_unknown');
      }
      return known.accessToken;
    }
    const verified = await verify(token, options);
    if (seen.size >= cacheSize) seen.delete(seen.keys().next().value as string);
    seen.set(token, verified);
    return verified.accessToken;
  };
}

async function verify(token: string, options: VerifierOptions): Promise<Verified> {
  const { issuer, resource, keys, now, skewSeconds, type = 'at+jwt' } = options;
  // Cheap refusals first: nothing a stranger sends reaches a signature check unless it names a key of ours (SEC-06).
  if (token.length > maxTokenLength) throw invalidToken('token.too_long');
  const parts = token.split('.', 4);
  const [encodedHeader, encodedClaims, signature] = parts;
  if (parts.length !== 3 || !encodedHeader || !encodedClaims || !signature) throw invalidToken('token.form');
  const header = decode(encodedHeader);
  // RFC 8725 §3.11: explicit typing keeps any other signed thing of ours from passing as an access token.
  if (header.typ !== type) throw invalidToken('token.type');
  // RFC 7515 §4.1.11; `b64` (RFC 7797) may only come with it. Neither is ever ours.
  if ('crit' in header || 'b64' in header) throw invalidToken('token.critical_header');
  if (typeof header.kid !== 'string' || header.kid.length > 64) throw invalidToken('token.key_id');
  const claims = decode(encodedClaims);
  const { iss, aud, exp, nbf, iat, sub, client_id: clientId, jti, scope, grant_id: grantId } = claims;
  // Not believed yet, and refused already: another issuer's token is no reason to ask anybody for a key.
  if (iss !== issuer) throw invalidToken('token.issuer');
  if (aud !== resource) throw invalidToken('token.audience');
  const found = keys.verificationKey(header.kid);
  const key = found instanceof Promise ? await found : found;
  if (!key) throw invalidToken('token.key_unknown');
  // RFC 8725 §3.1: the key says which algorithm, never the token.
  if (header.alg !== key.algorithm) throw invalidToken('token.algorithm');
  if (!key.verify(`${encodedHeader}.${encodedClaims}`, signature)) throw invalidToken('token.signature');

  if (typeof exp !== 'number' || now() >= exp + skewSeconds) throw invalidToken('token.expired');
  if (nbf !== undefined && (typeof nbf !== 'number' || now() < nbf - skewSeconds)) throw invalidToken('token.not_yet');
  if (typeof sub !== 'string' || sub === '' || typeof clientId !== 'string' || typeof jti !== 'string') {
    throw invalidToken('token.claims');
  }
  const identity = claims.sub_id as { iss?: unknown; sub?: unknown } | undefined;
  const further = furtherClaims(claims);
  // Remembered and handed to many: what one request could change, the next would believe.
  const accessToken: AccessToken = deeplyFrozen({
    subject: sub,
    clientId,
    scope: typeof scope === 'string' && scope !== '' ? scope.split(' ') : [],
    audience: resource,
    issuer,
    expiresAt: exp,
    issuedAt: typeof iat === 'number' ? iat : 0,
    tokenId: jti,
    ...(typeof grantId === 'string' && { grantId }),
    ...(typeof identity?.iss === 'string' &&
      typeof identity.sub === 'string' && { identity: { issuer: identity.iss, subject: identity.sub } }),
    ...(isNames(claims.roles) && { roles: claims.roles }),
    ...(isNames(claims.permissions) && { permissions: claims.permissions }),
    ...(further && { claims: further }),
  });
  return { accessToken, keyId: header.kid };
}

/** JSON values have no circles, and 8,192 characters no depth that a stack could not hold. */
function deeplyFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const one of Object.values(value)) deeplyFrozen(one);
  return Object.freeze(value);
}

function decode(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // refused below, with the rest
  }
  throw invalidToken('token.form');
}
