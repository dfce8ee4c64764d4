/**
 * The verified identity as plain request headers: what the gateway writes and a target on the same machine reads.
 * Every header that a stranger sends under these names is dropped before these are written (SEC-11).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AccessToken } from './access-token.ts';

export const identityHeaderPrefix = 'x-gatehouse-';

/**
 * Of one value. A token has 8,192 characters at most and its JSON three quarters of that; percent-encoding writes three
 * characters for a byte. What is longer was not written by us.
 */
const maxValueLength = 3 * 6144;

/** What a target may know of its caller. */
export interface CallerIdentity {
  /** The user, stable and opaque; key your data by it. */
  readonly subject: string;
  readonly clientId: string;
  readonly scope: readonly string[];
  /** The identity provider's own names for the user. */
  readonly identityIssuer?: string;
  readonly identitySubject?: string;
  /** What the user is and may do; absent where nobody says. */
  readonly roles?: readonly string[];
  readonly permissions?: readonly string[];
  /** What else the token says, such as a machine client's own claims. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * The headers for a verified token. `secret` proves to the target that the gateway wrote them; without it the target
 * must be unreachable for everybody else.
 */
export function writeIdentityHeaders(token: AccessToken, secret?: string): Array<[name: string, value: string]> {
  const headers: Array<[string, string]> = [
    ['x-gatehouse-subject', printable(token.subject)],
    ['x-gatehouse-client-id', printable(token.clientId)],
    ['x-gatehouse-scope', printable(token.scope.join(' '))],
  ];
  if (token.identity) {
    headers.push(['x-gatehouse-identity-issuer', printable(token.identity.issuer)]);
    headers.push(['x-gatehouse-identity-subject', printable(token.identity.subject)]);
  }
  // JSON, because names of roles may hold spaces; a list that is there and empty stays one.
  if (token.roles) headers.push(['x-gatehouse-roles', printable(JSON.stringify(token.roles))]);
  if (token.permissions) headers.push(['x-gatehouse-permissions', printable(JSON.stringify(token.permissions))]);
  if (token.claims) headers.push(['x-gatehouse-claims', printable(JSON.stringify(token.claims))]);
  if (secret !== undefined) headers.push(['x-gatehouse-secret', printable(secret)]);
  return headers;
}

/**
 * The caller of a request that came through the gateway; undefined where the headers are missing or the secret is wrong.
 * `headers` are Node's: lower-case names.
 */
export function readIdentityHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  secret?: string,
): CallerIdentity | undefined {
  const value = (name: string): string | undefined => {
    const raw = headers[`${identityHeaderPrefix}${name}`];
    if (raw === undefined || raw === '') return undefined;
    if (typeof raw !== 'string' || raw.length > maxValueLength) throw new TypeError(`${name} was not written by us`);
    return decodeURIComponent(raw);
  };
  try {
    if (secret === '') return undefined; // a variable set to nothing would believe everybody
    if (secret !== undefined && !sameSecret(value('secret') ?? '', secret)) return undefined;
    const subject = value('subject');
    const clientId = value('client-id');
    if (subject === undefined || clientId === undefined) return undefined;
    const identityIssuer = value('identity-issuer');
    const identitySubject = value('identity-subject');
    const roles = parsed(value('roles'), isNames);
    const permissions = parsed(value('permissions'), isNames);
    const claims = parsed(value('claims'), isClaims);
    return {
      subject,
      clientId,
      scope: (value('scope') ?? '').split(' ').filter(Boolean),
      ...(identityIssuer !== undefined && { identityIssuer }),
      ...(identitySubject !== undefined && { identitySubject }),
      ...(roles && { roles }),
      ...(permissions && { permissions }),
      ...(claims && { claims }),
    };
  } catch {
    return undefined; // a broken escape, something else than we write, or a header twice: not written by us
  }
}

/** Throws where the text is no JSON of this form. */
function parsed<T>(text: string | undefined, is: (value: unknown) => value is T): T | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (!is(value)) throw new TypeError('not of the form we write');
  return value;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** `__proto__` is never a claim here, and would become one's prototype wherever a target copies them. */
function isClaims(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '__proto__');
}

/**
 * Header values are visible ASCII, and spaces at their ends are not part of them (RFC 9110 §5.5); everything else and `%`
 * itself is percent-encoded, losslessly.
 */
function printable(value: string): string {
  return value.replace(/[^\x20-\x24\x26-\x7e]|^ | $/gu, (character) => {
    const bytes = Buffer.from(character, 'utf8');
    return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('');
  });
}

function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
