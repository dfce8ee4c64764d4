/**
 * The cookies that name a browser, and no person. The binding cookie: the browser that consents is the browser that
 * returns from the identity provider (SEC-04, CVE-2026-27124 and its kin). The lasting one: a consent is remembered in it.
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

/** A browser in which somebody asked that a consent be remembered. */
export interface LastingBrowser {
  /** The keyring's key that ids are made with; when it is gone, so is all that this browser remembers. */
  readonly keyId: string;
  /** 256 random bits. A MAC of it stands in records, never itself. */
  readonly value: string;
}

export interface ConsentsCookie {
  /** Undefined: none came, or something else, or two that differ. */
  sent(request: HttpRequest): LastingBrowser | undefined;
  fresh(keyId: string): LastingBrowser;
  /** The header that sets it, or puts off its end. */
  set(browser: LastingBrowser): string;
}

/**
 * One name, unlike the binding cookie's many: of two first consents at the same moment one is forgotten, and asked again.
 * Lax, because a client's request comes from the client's own site.
 */
export function consentsCookie(issuer: string, lifetimeSeconds: number): ConsentsCookie {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-gatehouse-consents' : 'gatehouse-consents';
  const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${lifetimeSeconds}${secure ? '; Secure' : ''}`;
  return {
    sent(request) {
      const [, keyId, value] = /^([A-Za-z0-9]{1,16})\.([A-Za-z0-9_-]{43})$/.exec(cookie(request, name) ?? '') ?? [];
      return keyId !== undefined && value !== undefined ? { keyId, value } : undefined;
    },
    fresh: (keyId) => ({ keyId, value: randomBytes(32).toString('base64url') }),
    set: ({ keyId, value }) => `${name}=${keyId}.${value}; ${attributes}`,
  };
}
