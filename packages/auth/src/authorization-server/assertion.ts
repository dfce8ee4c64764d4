/**
 * JWT assertions that others made, as client authentication and as a grant: the rules both share (RFC 7521 §5.2,
 * RFC 7523 §3, RFC 8725). Claims are judged before the signature, because they cost nothing and name the keys to fetch.
 */
import type { JsonWebKey } from 'node:crypto';
import type { JWK } from 'jose';

/** Asymmetric only, so that no public key can ever pass as a shared secret (RFC 8725 §2.1, §3.1). */
export const assertionAlgorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;

/** The longest assertion that is read, in characters. */
export const maxAssertionLength = 8192;

/** How far the maker's clock may be from ours. */
export const assertionSkewSeconds = 30;

const maxIdLength = 256;
const maxNameLength = 1024;
/** Keys of one set that are tried when the assertion names none: each costs a stranger nothing and us a verification. */
const maxKeys = 20;

export interface Assertion {
  readonly text: string;
  readonly keyId: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  /** `jti`. */
  readonly id: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** All of them; nothing of it is proven before the signature is. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface AssertionRules {
  /** The only accepted `aud`: our issuer. */
  readonly audience: string;
  readonly now: number;
  readonly maxLifetimeSeconds: number;
  /** Accepted header types, in lower case without `application/`; `undefined` among them: it may be left out. */
  readonly types: ReadonlyArray<string | undefined>;
  readonly requireIssuedAt: boolean;
}

/** What is wrong, for a private reason, and the words a developer of the client may read. */
export const assertionFaults = {
  too_long: `It may have ${maxAssertionLength} characters.`,
  form: 'It must be a signed JWT in compact form.',
  algorithm: `It must be signed with one of ${assertionAlgorithms.join(', ')}.`,
  type: 'Its header has a typ that is not accepted here.',
  critical_header: 'Its header must hold neither crit nor b64.',
  key_id: 'The kid of its header must be short text.',
  issuer: 'Its iss must name who made it.',
  subject: 'Its sub must name whom it is about.',
  audience: 'Its aud must be the issuer of this server and nothing else.',
  expiry: 'Its exp must be a number of seconds since the epoch.',
  expired: 'It has expired.',
  lifetime: 'Its exp is too far ahead.',
  not_yet: 'Its nbf is in the future.',
  issued_at: 'Its iat must be a number of seconds that is not in the future.',
  id: `Its jti must be text of at most ${maxIdLength} characters.`,
} as const;

export type AssertionFault = keyof typeof assertionFaults;

/** What the assertion says, or what is wrong with it. No signature has been looked at. */
export function readAssertion(text: string, rules: AssertionRules): Assertion | AssertionFault {
  if (text.length > maxAssertionLength) return 'too_long';
  const [, encodedHeader = '', encodedClaims = ''] =
    /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/.exec(text) ?? [];
  const header = decoded(encodedHeader);
  const claims = decoded(encodedClaims);
  if (!header || !claims) return 'form';
  return headerFault(header, rules) ?? claimsFault(claims, rules) ?? assertionOf(text, header, claims);
}

function headerFault(header: Readonly<Record<string, unknown>>, { types }: AssertionRules): AssertionFault | undefined {
  const { alg, typ, kid } = header;
  if (!assertionAlgorithms.some((algorithm) => algorithm === alg)) return 'algorithm';
  if (typ !== undefined && typeof typ !== 'string') return 'type';
  // RFC 7515 §4.1.9: a media type, in any case, without `application/` where that is all that is missing.
  if (!types.includes(typ?.toLowerCase().replace(/^application\//, ''))) return 'type';
  if ('crit' in header || 'b64' in header) return 'critical_header';
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > maxIdLength)) return 'key_id';
  // `jwk`, `jku`, `x5c`, `x5u` are not read: a key in the message proves nothing of who sent it (RFC 8725 §3.10).
  return undefined;
}

function claimsFault(claims: Readonly<Record<string, unknown>>, rules: AssertionRules): AssertionFault | undefined {
  const { iss, sub, aud, exp, nbf, iat, jti } = claims;
  const { audience, now, maxLifetimeSeconds, requireIssuedAt } = rules;
  if (!isText(iss, maxNameLength)) return 'issuer';
  if (!isText(sub, maxNameLength)) return 'subject';
  // rfc7523bis: the issuer and nothing beside it. An assertion that also names another server was made for that one,
  // and whoever runs it could present it here (audience injection).
  const [only, ...others] = Array.isArray(aud) ? (aud as unknown[]) : [aud];
  if (only !== audience || others.length > 0) return 'audience';
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return 'expiry';
  if (now >= exp + assertionSkewSeconds) return 'expired';
  // It bounds how long its jti must be remembered, and what a stolen one is worth.
  if (exp > now + maxLifetimeSeconds + assertionSkewSeconds) return 'lifetime';
  if (nbf !== undefined && (typeof nbf !== 'number' || now < nbf - assertionSkewSeconds)) return 'not_yet';
  const issuedAtIsRight = typeof iat === 'number' && iat <= now + assertionSkewSeconds && iat <= exp;
  if (iat === undefined ? requireIssuedAt : !issuedAtIsRight) return 'issued_at';
  if (!isText(jti, maxIdLength)) return 'id';
  return undefined;
}

function assertionOf(
  text: string,
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): Assertion {
  const { iss, sub, jti, exp } = claims as { iss: string; sub: string; jti: string; exp: number };
  return {
    text,
    keyId: header.kid as string | undefined,
    issuer: iss,
    subject: sub,
    id: jti,
    expiresAt: exp + assertionSkewSeconds,
    claims,
  };
}

/**
 * Whether one of the keys made the signature. The key decides what algorithms it serves, and a `kid` that no key has is
 * no reason to try the others (RFC 8725 §3.1).
 */
export async function isSignedBy({ text }: Assertion, keys: readonly JsonWebKey[]): Promise<boolean> {
  // Loaded with the first assertion: most deployments never see one, and a cold start need not pay for it.
  const { compactVerify, createLocalJWKSet, errors } = await import('jose');
  const options = { algorithms: [...assertionAlgorithms] };
  const verifies = (key: Parameters<typeof compactVerify>[1] | ReturnType<typeof createLocalJWKSet>) =>
    compactVerify(text, key as Parameters<typeof compactVerify>[1], options).then(
      () => true,
      (error: unknown) => (error instanceof errors.JWKSMultipleMatchingKeys ? error : false),
    );
  try {
    const first = await verifies(createLocalJWKSet({ keys: keys as JWK[] }));
    if (typeof first === 'boolean') return first;
    let tried = 0;
    for await (const key of first) {
      if ((await verifies(key)) === true) return true;
      if (++tried === maxKeys) break;
    }
  } catch {
    // A set that is none, or a key of it that cannot be imported: it proves nothing.
  }
  return false;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(Buffer.from(part, 'base64url')));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // not JSON: refused with the rest
  }
  return undefined;
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest;
}
