/**
 * The binding cookie: the browser that consents is the browser that returns from the identity provider (SEC-04,
 * CVE-2026-27124 and its kin). It names a browser, not a person, and says nothing by itself.
 */
import { randomBytes } from 'node:crypto';
import { cookie, type HttpRequest } from '../oauth/http.ts';
import { digest } from './credential.ts';

export interface Browser {
  /** SHA-256 of the cookie's value: what records and forms hold. */
  readonly digest: string;
  /** The header that sets the cookie, or sets it again. */
  readonly setCookie: string;
}

export interface BrowserCookie {
  /** The browser of this request; a new one gets a cookie with the reply. */
  recognise(request: HttpRequest): Browser;
  /** The digest of the cookie that was sent; undefined: none, or not one of ours. */
  sent(request: HttpRequest): string | undefined;
}

/** `__Host-` (RFC 6265bis §4.1.3.2) wants TLS; an issuer on plain http is a laptop, where the name goes without. */
export function browserCookie(issuer: string): BrowserCookie {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-gatehouse' : 'gatehouse';
  const sentValue = (request: HttpRequest) => {
    const value = cookie(request, name);
    return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
  };
  return {
    recognise(request) {
      const value = sentValue(request) ?? randomBytes(32).toString('base64url');
      // Lax, because the way back from the identity provider is a cross-site navigation.
      const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=3600${secure ? '; Secure' : ''}`;
      return { digest: digest(value), setCookie: `${name}=${value}; ${attributes}` };
    },
    sent(request) {
      const value = sentValue(request);
      return value === undefined ? undefined : digest(value);
    },
  };
}
