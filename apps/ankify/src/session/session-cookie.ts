/** The page's session as a cookie: the refresh token sealed (AES-256-GCM), so that a browser keeps what it cannot read. */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { isLoopback } from './gateway-client.ts';

export interface PageSession {
  /** Random; the same through all refreshes. */
  readonly id: string;
  /** Counts the refreshes. */
  readonly generation: number;
  readonly refreshToken: string;
}

export interface SessionCookie {
  /** The session in a `Cookie` header; undefined: none, or none of ours. */
  read(header: string | undefined): PageSession | undefined;
  /** Values of `Set-Cookie`. */
  write(session: PageSession): string;
  readonly clear: string;
}

/** Browsers keep 4,096 bytes of name and value (RFC 6265 §6.1). */
const maxValueLength = 3800;
/** The gateway's own limits end a session sooner; browsers keep no cookie for longer than 400 days. */
const lifeSeconds = 400 * 86_400;

/** `key`: 32 bytes or more. `pageUrl`: its origin is part of what is sealed. */
export function sessionCookie(key: Uint8Array, pageUrl: URL): SessionCookie {
  const sealing = createSecretKey(Buffer.from(hkdfSync('sha256', key, 'ankify', 'page session 1', 32)));
  const context = Buffer.from(`ankify page session 1\0${pageUrl.origin}`);
  const secure = pageUrl.protocol === 'https:';
  if (!secure && !isLoopback(pageUrl.hostname)) throw new Error('the page must be https, or on this computer');
  // `__Host-` (RFC 6265bis §4.1.3.2) needs Secure, which not every browser takes over http, not even on loopback. There
  // all ports share their cookies, so it is at least sent nowhere but where it is read.
  const name = secure ? '__Host-ankify-session' : 'ankify-session';
  const attributes = `${secure ? 'Path=/; Secure' : 'Path=/session'}; HttpOnly; SameSite=Strict`;
  return {
    read(header) {
      // Two of one name: somebody planted one (RFC 6265 §8.6), and which is ours cannot be told before it is opened.
      const values = (header ?? '')
        .split(';')
        .map((part) => part.trim())
        .filter((part) => part.startsWith(`${name}=`))
        .map((part) => part.slice(name.length + 1));
      for (const value of values.slice(0, 4)) {
        const session = opened(value);
        if (session) return session;
      }
      return undefined;
    },
    write(session) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealing, iv);
      cipher.setAAD(context);
      const text = JSON.stringify([session.id, session.generation, session.refreshToken]);
      const value = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      const encoded = value.toString('base64url');
      if (encoded.length > maxValueLength) throw new Error('the refresh token does not fit a cookie');
      return `${name}=${encoded}; ${attributes}; Max-Age=${lifeSeconds}`;
    },
    clear: `${name}=; ${attributes}; Max-Age=0`,
  };

  function opened(value: string): PageSession | undefined {
    if (value.length > maxValueLength || !/^[\w-]+$/.test(value)) return undefined;
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length < 29) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', sealing, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(context);
      decipher.setAuthTag(bytes.subarray(-16));
      const text = decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8');
      const [id, generation, refreshToken] = JSON.parse(text) as [string, number, string];
      return { id, generation, refreshToken };
    } catch {
      return undefined; // another key, or not sealed by us
    }
  }
}
