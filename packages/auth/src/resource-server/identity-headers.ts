/**
 * The verified identity as plain request headers: what the gateway writes and a target on the same machine reads.
 * Every header that a stranger sends under these names is dropped before these are written (SEC-11).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AccessToken } from './access-token.ts';

export const identityHeaderPrefix = 'x-gatehouse-';

/** What a target may know of its caller. */
export interface CallerIdentity {
  /** The user, stable and opaque; key your data by it. */
  readonly subject: string;
  readonly clientId: string;
  readonly scope: readonly string[];
  /** The identity provider's own names for the user. */
  readonly identityIssuer?: string;
  readonly identitySubject?: string;
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
    return typeof raw === 'string' && raw !== '' ? decodeURIComponent(raw) : undefined;
  };
  try {
    if (secret === '') return undefined; // a variable set to nothing would believe everybody
    if (secret !== undefined && !sameSecret(value('secret') ?? '', secret)) return undefined;
    const subject = value('subject');
    const clientId = value('client-id');
    if (subject === undefined || clientId === undefined) return undefined;
    const identityIssuer = value('identity-issuer');
    const identitySubject = value('identity-subject');
    return {
      subject,
      clientId,
      scope: (value('scope') ?? '').split(' ').filter(Boolean),
      ...(identityIssuer !== undefined && { identityIssuer }),
      ...(identitySubject !== undefined && { identitySubject }),
    };
  } catch {
    return undefined; // a broken percent escape: not written by us
  }
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
