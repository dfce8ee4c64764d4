/** Who is signed in to which browser, and what guards the forms: Cognito's `cognito` and `XSRF-TOKEN` cookies. */
import { createHmac, randomBytes } from 'node:crypto';
import { ExpiringMap } from './expiring-map.ts';
import { formatCookie } from './http/cookies.ts';
import type { HttpRequest } from './http/message.ts';
import { randomToken, sameSecret } from './secrets.ts';

/** Cognito's managed login session is an hour and is not prolonged by use. */
const SESSION_SECONDS = 3600;
const SESSION_COOKIE = 'cognito';
const CSRF_COOKIE = 'XSRF-TOKEN';

export interface Session {
  readonly sub: string;
  /** Seconds since the epoch; becomes `auth_time`. */
  readonly authTime: number;
}

export interface Sessions {
  find(request: HttpRequest): Session | undefined;
  /** Always a new identifier, so that none planted before sign-in survives it. */
  start(sub: string): { session: Session; cookie: string };
  end(request: HttpRequest): { session: Session | undefined; cookie: string };
  endAllOf(sub: string): void;
}

export function createSessions(now: () => number, secure: boolean): Sessions {
  const sessions = new ExpiringMap<Session>(now);
  const idOf = (request: HttpRequest) => request.cookies.get(SESSION_COOKIE) ?? '';
  return {
    find: (request) => sessions.get(idOf(request)),
    start(sub) {
      const id = randomToken();
      const session = { sub, authTime: now() };
      sessions.set(id, session, SESSION_SECONDS);
      return { session, cookie: formatCookie(SESSION_COOKIE, id, { maxAgeSeconds: SESSION_SECONDS, secure }) };
    },
    end(request) {
      const session = sessions.take(idOf(request));
      return { session, cookie: formatCookie(SESSION_COOKIE, '', { maxAgeSeconds: 0, secure }) };
    },
    endAllOf: (sub) => sessions.deleteWhere((session) => session.sub === sub),
  };
}

export interface Csrf {
  /** The token for a form, and the cookie that carries it when the browser has none of ours. */
  tokenFor(request: HttpRequest): { token: string; cookies: readonly string[] };
  /** Whether a posted form carries the browser's own token. */
  accepts(request: HttpRequest): boolean;
}

/**
 * Double submit: cookie and `_csrf` field must be equal and made by this process. The latter matters on a laptop, where
 * every port of localhost shares its cookies and another program may set one of the same name.
 */
export function createCsrf(secure: boolean): Csrf {
  const key = randomBytes(32);
  const seal = (nonce: string) => `${nonce}.${createHmac('sha256', key).update(nonce).digest('base64url')}`;
  const genuine = (token: string | undefined): token is string =>
    token !== undefined && token.length < 200 && sameSecret(token, seal(token.split('.')[0] ?? ''));
  return {
    tokenFor(request) {
      const present = request.cookies.get(CSRF_COOKIE);
      if (genuine(present)) return { token: present, cookies: [] };
      const token = seal(randomToken(18));
      return { token, cookies: [formatCookie(CSRF_COOKIE, token, { maxAgeSeconds: 86_400, secure })] };
    },
    accepts(request) {
      const cookie = request.cookies.get(CSRF_COOKIE);
      const field = request.form.get('_csrf');
      return genuine(cookie) && field !== undefined && sameSecret(cookie, field);
    },
  };
}
