/** One fixed token for development: no issuer, no browser, no clock; on this very computer and nowhere else. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopbackHost } from '../oauth/redirect-uri.ts';
import type { AccessToken } from './access-token.ts';
import { invalidToken } from './challenge.ts';
import type { TokenVerifier } from './verifier.ts';

export interface StaticTokenOptions {
  /** At least 16 characters of those RFC 6750 §2.1 allows. */
  readonly token: string;
  /** Who its bearer is. */
  readonly subject: string;
  readonly scope: readonly string[];
  readonly roles?: readonly string[];
  readonly permissions?: readonly string[];
  /** Both on loopback: a token that never expires and that many know has no business on a network. */
  readonly issuer: string;
  readonly resource: string;
  readonly now: () => number;
}

/** Throws a `TypeError` where it would be dangerous, that is, everywhere but on loopback. */
export function dangerouslyStaticToken(options: StaticTokenOptions): TokenVerifier {
  const { token, subject, scope, roles, permissions, issuer, resource, now } = options;
  for (const [name, uri] of Object.entries({ issuer, resource })) {
    if (!URL.canParse(uri) || !isLoopbackHost(new URL(uri).hostname)) {
      throw new TypeError(`${name}: a static token is for localhost, and "${uri}" is not`);
    }
  }
  if (!/^[A-Za-z0-9._~+/-]{16,512}=*$/.test(token)) {
    throw new TypeError('token: a static token has 16 to 512 letters, digits and -._~+/');
  }
  if (subject === '') throw new TypeError('subject: is empty');
  const expected = digest(token);
  const tokenId = `static-${expected.toString('base64url').slice(0, 16)}`;

  return async (presented): Promise<AccessToken> => {
    // Digests are of one length, so that the comparison takes one time whatever was sent (SEC-14).
    if (!timingSafeEqual(digest(presented), expected)) throw invalidToken('token.static');
    return {
      subject,
      clientId: 'static-token',
      scope,
      audience: resource,
      issuer,
      issuedAt: now(),
      expiresAt: now() + 3600,
      tokenId,
      ...(roles && { roles }),
      ...(permissions && { permissions }),
    };
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
