/**
 * The binding cookie: the browser that consents is the browser that returns from the identity provider (SEC-04,
 * CVE-2026-27124 and its kin). It names a browser, not a person, and says nothing by itself.
 */
import { randomBytes } from 'node:crypto';
import type { HttpRequest } from '../oauth/http.ts';
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
  /** The digests of the cookies that were sent. */
  sent(request: HttpRequest): ReadonlySet<string>;
}

/** Two pages that open at once in a fresh browser each set a cookie; more are nobody's honest browser. */
const maxCookies = 8;

/**
 * `__Host-` (RFC 6265bis §4.1.3.2) wants TLS; an issuer on plain http is a laptop, where the name goes without. The name
 * ends in something random, so that two first pages at the same moment do not take each other's cookie away.
 */
export function browserCookie(issuer: string, lifetimeSeconds: number): BrowserCookie {
  const secure = issuer.startsWith('https:');
  const prefix = secure ? '__Host-gatehouse-' : 'gatehouse-';
  const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${lifetimeSeconds}${secure ? '; Secure' : ''}`;

  const cookies = (request: HttpRequest): ReadonlyMap<string, string> => {
    const found = new Map<string, string>();
    for (const part of (request.headers.cookie ?? '').split(';')) {
      const [, name, value] = /^\s*([^=\s]+)=([A-Za-z0-9_-]{43})\s*$/.exec(part) ?? [];
      const suffix = name?.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (name !== undefined && value !== undefined && /^[0-9a-f]{8}$/.test(suffix) && found.size < maxCookies) {
        found.set(name, value);
      }
    }
    return found;
  };
  return {
    recognise(request) {
      const [known] = cookies(request);
      const [name, value] = known ?? [
        `${prefix}${randomBytes(4).toString('hex')}`,
        randomBytes(32).toString('base64url'),
      ];
      // Lax, because the way back from the identity provider is a cross-site navigation.
      return { digest: digest(value), setCookie: `${name}=${value}; ${attributes}` };
    },
    sent: (request) => new Set([...cookies(request).values()].map(digest)),
  };
}
