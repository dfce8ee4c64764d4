/**
 * A person signed in here, to see what they allowed: the sign-in that no client asked for, and the session that follows,
 * which opens nothing but their own page. Both belong to one browser (SEC-04).
 */
import { randomBytes } from 'node:crypto';
import type { Kinds, Records } from '@mcp-gatehouse/records';
import type { SignInBinding } from '../identity-providers/identity-provider.ts';
import { cookie, type HttpRequest } from '../oauth/http.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { digest } from './credential.ts';
import type { Grant } from './grant.ts';
import { signInBinding } from './sign-in-binding.ts';

/** A person on their way to the identity provider. Its id is the SHA-256 of the `state`; taken by the callback. */
export interface PersonSignIn {
  /** SHA-256 of the binding cookie. */
  readonly browser: string;
  /** Which of the keyring's keys derives verifier and nonce. */
  readonly keyId: string;
}

/** Its id is the SHA-256 of the cookie's value. Times are seconds since the epoch. */
export interface PersonSession {
  readonly subject: string;
  /** SHA-256 of the binding cookie: the session is worth nothing without it. */
  readonly browser: string;
  readonly signedInAt: number;
  /** When it was last put off to end. */
  readonly seenAt: number;
}

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
export type PersonRecords = { grant: Grant; personSignIn: PersonSignIn; personSession: PersonSession };

export const personKinds: Kinds<Omit<PersonRecords, 'grant'>> = { personSignIn: {}, personSession: {} };

/** Without use; and at most, however much it is used. */
export const personIdleSeconds = 15 * 60;
export const personSessionSeconds = 4 * 3600;
/** A session in use is written again this often, and not at every look. */
const touchSeconds = 60;

export interface PersonSessionOptions {
  readonly issuer: string;
  readonly records: Records<PersonRecords>;
  readonly keyring: Keyring;
  readonly lifetimes: { readonly signInSeconds: number };
  readonly now: () => number;
}

/** Who is signed in. `id` names the session in MACs and records; it is not the cookie's value. */
export interface Person {
  readonly id: string;
  readonly subject: string;
}

export interface FinishedSignIn {
  readonly binding: SignInBinding;
  /** The browser that began it. */
  readonly browser: string;
}

/** `browsers` are the digests of the binding cookies that came with the request. */
export interface PersonSessions {
  /** Begins a sign-in in this browser; the binding goes to the identity provider. */
  begin(browser: string): Promise<SignInBinding>;
  /** The sign-in this `state` belongs to, of this browser, once. */
  finish(state: string, browsers: ReadonlySet<string>): Promise<FinishedSignIn | SignInFault>;
  /** A new session, in the place of any this browser had; gives the cookie to set. */
  open(request: HttpRequest, subject: string, browser: string): Promise<string>;
  /** The person of this request; undefined: nobody is signed in. */
  recognise(request: HttpRequest, browsers: ReadonlySet<string>): Promise<Person | undefined>;
  /** Gives the cookie that removes the cookie. */
  close(person: Person): Promise<string>;
}

export type SignInFault = 'person.state_unknown' | 'person.other_browser' | 'person.state_spent' | 'person.key_gone';

const statePrefix = 'person.';

/** Whether an answer of the identity provider belongs to a person's own sign-in, and not to a client's request. */
export function isPersonState(state: string | undefined): state is string {
  return state?.startsWith(statePrefix) ?? false;
}

export function personSessions(options: PersonSessionOptions): PersonSessions {
  const { issuer, records, keyring, lifetimes, now } = options;
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-gatehouse-person' : 'gatehouse-person';
  // Lax: the page is reached by a redirect that another site, the identity provider, began. It ends with the browser.
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

  const sentId = (request: HttpRequest): string | undefined => {
    const value = cookie(request, name);
    return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? digest(value) : undefined;
  };
  const endOf = (signedInAt: number) => Math.min(now() + personIdleSeconds, signedInAt + personSessionSeconds);

  return {
    async begin(browser) {
      const state = statePrefix + randomBytes(32).toString('base64url');
      const keyId = keyring.currentKeyId;
      const binding = signInBinding(keyring, state, keyId);
      if (!binding) throw new Error('The current key is not in the keyring.');
      await records.create('personSignIn', digest(state), { browser, keyId }, now() + lifetimes.signInSeconds);
      return binding;
    },
    async finish(state, browsers) {
      const id = digest(state);
      const stored = await records.get('personSignIn', id);
      if (!stored) return 'person.state_unknown';
      // Before it is spent: somebody else's browser changes nothing (SEC-02).
      const { browser, keyId } = stored.value;
      if (!browsers.has(browser)) return 'person.other_browser';
      if (!(await records.take('personSignIn', id))) return 'person.state_spent';
      const binding = signInBinding(keyring, state, keyId);
      return binding ? { binding, browser } : 'person.key_gone';
    },
    async open(request, subject, browser) {
      const before = sentId(request);
      if (before !== undefined) await records.take('personSession', before);
      // Always a new value: one that somebody planted in this browser is never signed in (session fixation).
      const value = randomBytes(32).toString('base64url');
      const signedInAt = now();
      const session = { subject, browser, signedInAt, seenAt: signedInAt };
      await records.create('personSession', digest(value), session, endOf(signedInAt));
      return `${name}=${value}; ${attributes}`;
    },
    async recognise(request, browsers) {
      const id = sentId(request);
      const stored = id === undefined ? undefined : await records.get('personSession', id);
      if (id === undefined || !stored || !browsers.has(stored.value.browser)) return undefined;
      const { value } = stored;
      if (now() - value.seenAt >= touchSeconds) {
        // Whoever loses this race lost it to another look, or to the sign-out, which then stands.
        await records.replace('personSession', stored, { ...value, seenAt: now() }, endOf(value.signedInAt));
      }
      return { id, subject: value.subject };
    },
    async close({ id }) {
      await records.take('personSession', id);
      return `${name}=; ${attributes}; Max-Age=0`;
    },
  };
}
