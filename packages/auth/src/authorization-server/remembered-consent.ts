/**
 * Remembered consent: who ticked the box is not shown the consent page again, in that browser, for that client (PX-01,
 * PX-03). Only for clients whose identity is proven where the answer goes (OAuth 2.1 §7.3.1, N13; SEC-04, SEC-05).
 */
import { type Kinds, type Records, update } from '@mcp-gatehouse/records';
import type { HttpRequest } from '../oauth/http.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { consentsCookie, type LastingBrowser } from './browser.ts';
import { requestBudget } from './budget.ts';
import type { Client } from './clients/client.ts';
import type { Grant } from './grant.ts';
import type { Lifetimes, Log } from './parts.ts';

/**
 * Its id is a MAC over the browser's cookie, the client and the resource: whoever can write the database can plant none,
 * and another issuer, or a secret that was dropped, finds none. It is worth nothing without the cookie.
 */
export interface RememberedConsent {
  /** Who gave it: the sign-in behind every request that stands on it must be theirs. */
  readonly subject: string;
  /** SHA-256 of the client id. */
  readonly clientDigest: string;
  readonly scope: readonly string[];
  readonly resource: string;
  readonly redirectUri: string;
  /** Of the client's metadata document, if it has one. */
  readonly documentDigest?: string;
  /** Every grant that stands on it. When one of them has ended, so has this. */
  readonly grantIds: readonly string[];
  /** Seconds since the epoch. */
  readonly givenAt: number;
}

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
export type RememberedConsentRecords = { grant: Grant; rememberedConsent: RememberedConsent };

export const rememberedConsentKinds: Kinds<Omit<RememberedConsentRecords, 'grant'>> = {
  rememberedConsent: { groupOf: ({ subject }) => subject },
};

/** What is asked for, as far as a remembered consent can be for it or not. */
export interface AskedConsent {
  readonly clientDigest: string;
  readonly resource: string;
  readonly scope: readonly string[];
  readonly redirectUri: string;
  readonly documentDigest?: string | undefined;
}

/** What an authorization request has to do with a remembered consent; at most one of the two. */
export interface Remembering {
  /** Its consent is to be remembered, under this id, once it is known whose it is. */
  readonly remember?: { readonly id: string; readonly documentDigest?: string };
  /** It stands on a remembered one; nobody has seen a page. */
  readonly remembered?: {
    readonly id: string;
    readonly documentDigest?: string;
    /** To ask anew if the person turns out to be another: `/authorize` wants the id itself. */
    readonly clientId: string;
  };
}

/** Why the page is shown although there is a remembered consent: a private reason, for the log. */
export type AskReason =
  | 'remembered.redirect_uri'
  | 'remembered.scope'
  | 'remembered.document'
  | 'remembered.grant_ended'
  | 'remembered.used_up'
  | 'remembered.too_often'
  | 'remembered.other_person'
  | 'remembered.gone';

/** A month, unless a grant would not live as long unused. */
export const rememberedConsentSeconds = 30 * 24 * 3600;
/** As many times it lets a request through; then the page again, so that a loop of redirects ends before a person. */
const maxGrants = 10;
const maxPerPerson = 50;
/** What the silent way may store: above it the page is shown, which stores nothing (SEC-10). */
const allowance = { total: { burst: 500, perMinute: 300 }, perKey: { burst: 5, perMinute: 1 } } as const;

export interface RememberedConsentOptions {
  readonly issuer: string;
  readonly paths: { readonly authorize: string };
  readonly records: Records<RememberedConsentRecords>;
  readonly keyring: Keyring;
  readonly lifetimes: Pick<Lifetimes, 'refreshIdleSeconds' | 'grantSeconds' | 'unconfirmedSeconds'>;
  readonly log: Log;
  readonly now: () => number;
}

export interface RememberedConsents {
  /** For how long; 0: nothing is remembered. */
  readonly days: number;
  /** Whether a consent for this client may be remembered; `proven` is about this redirect URI. */
  offers(client: Client, redirectUri: string, proven: boolean): boolean;
  /** The remembered consent that covers what is asked, or why there is none; undefined: none was ever given here. */
  find(request: HttpRequest, asked: AskedConsent): Promise<{ readonly id: string } | AskReason | undefined>;
  /** The person ticked the box: what to keep with the authorization request, and the cookie to set. */
  begin(
    request: HttpRequest,
    asked: AskedConsent,
  ): { readonly remember: { readonly id: string }; readonly setCookie: string };
  /** The person said no where they once said yes. */
  forget(request: HttpRequest, asked: AskedConsent): Promise<void>;
  /**
   * Before the grant is made, when it is known who signed in: keeps a consent that is to be remembered. False: the request
   * stood on one that is not this person's, or no longer stands; there must be no code.
   */
  settle(asked: AskedConsent & Remembering, subject: string, grantId: string): Promise<boolean>;
  /** The way back to the page, for the request that `settle` stopped; `state` is the client's own. */
  askAgain(asked: AskedConsent & Remembering & { readonly codeChallenge: string }, state: string | undefined): string;
}

export function rememberedConsents(options: RememberedConsentOptions): RememberedConsents {
  const { issuer, paths, records, keyring, lifetimes, log, now } = options;
  // What the box promises must hold: the grant it stands on has to be able to live as long.
  const { refreshIdleSeconds, grantSeconds, unconfirmedSeconds } = lifetimes;
  const days = Math.floor(
    Math.min(rememberedConsentSeconds, refreshIdleSeconds, grantSeconds, unconfirmedSeconds) / 86_400,
  );
  const seconds = days * 86_400;
  const cookie = consentsCookie(issuer, seconds);
  const mayGoOn = requestBudget<string>({ ...allowance, keyOf: (_, id) => id, now });

  /** Undefined: the key that the cookie was made under is no longer in the keyring. */
  const idOf = ({ keyId, value }: LastingBrowser, { clientDigest, resource }: AskedConsent): string | undefined =>
    // The space keeps it apart from what else the purpose signs: the consent form's encoding holds none.
    keyring.mac('consent', `remembered ${JSON.stringify([value, clientDigest, resource])}`, keyId);

  const idIn = (request: HttpRequest, asked: AskedConsent): string | undefined => {
    const browser = cookie.sent(request);
    return browser && idOf(browser, asked);
  };

  /** Why it does not stand for what is asked; undefined: it does. */
  async function fault(kept: RememberedConsent, asked: AskedConsent): Promise<AskReason | undefined> {
    // The whole URI and not its host: somewhere on the same host there may be an open redirector.
    if (asked.redirectUri !== kept.redirectUri) return 'remembered.redirect_uri';
    if (!asked.scope.every((token) => kept.scope.includes(token))) return 'remembered.scope';
    if (asked.documentDigest !== kept.documentDigest) return 'remembered.document';
    if (kept.grantIds.length >= maxGrants) return 'remembered.used_up';
    // Looked up and never told: whoever ends a grant, for whatever reason, need know nothing of consents (SEC-16).
    const grants = await Promise.all(kept.grantIds.map((id) => records.get('grant', id)));
    const alive = grants.every((grant) => grant !== undefined && grant.value.endedAt === undefined);
    return alive ? undefined : 'remembered.grant_ended';
  }

  async function keep(id: string, value: RememberedConsent): Promise<void> {
    const { items } = await records.list('rememberedConsent', { group: value.subject, limit: 1000 });
    const others = items.filter((item) => item.id !== id).sort((a, b) => a.value.givenAt - b.value.givenAt);
    const tooMany = others.slice(0, Math.max(0, others.length - maxPerPerson + 1));
    await Promise.all(tooMany.map((item) => records.take('rememberedConsent', item.id)));
    await update<RememberedConsentRecords, 'rememberedConsent', void>(records, 'rememberedConsent', id, () => ({
      write: { value, expiresAt: value.givenAt + seconds },
      result: undefined,
    }));
  }

  /** Writes the new grant down before there is one: a crash in between costs a page and leaves no grant unaccounted. */
  function renew(id: string, asked: AskedConsent, subject: string, grantId: string): Promise<AskReason | undefined> {
    return update<RememberedConsentRecords, 'rememberedConsent', AskReason | undefined>(
      records,
      'rememberedConsent',
      id,
      async (stored) => {
        if (!stored) return { result: 'remembered.gone' };
        const { value, expiresAt } = stored;
        const reason = value.subject === subject ? await fault(value, asked) : 'remembered.other_person';
        if (reason !== undefined) return { result: reason };
        // It ends when it would have ended: use does not prolong what the person allowed for so many days.
        return { write: { value: { ...value, grantIds: [...value.grantIds, grantId] }, expiresAt }, result: undefined };
      },
    );
  }

  return {
    days,
    // Not on loopback and not at a private-use scheme, whoever the client is: any program can be there tomorrow. And not
    // where there is no refresh token: such a grant ends within minutes, and the box would promise what cannot be kept.
    offers: ({ grantTypes }, redirectUri, proven) =>
      days > 0 && proven && redirectUri.startsWith('https://') && grantTypes.includes('refresh_token'),
    async find(request, asked) {
      const id = idIn(request, asked);
      const stored = id === undefined ? undefined : await records.get('rememberedConsent', id);
      if (!stored) return undefined;
      const reason = await fault(stored.value, asked);
      if (reason !== undefined) return reason;
      return mayGoOn(request, stored.id) > 0 ? 'remembered.too_often' : { id: stored.id };
    },
    begin(request, asked) {
      const sent = cookie.sent(request);
      const sentId = sent && idOf(sent, asked);
      if (sent && sentId !== undefined) return { remember: rememberAs(sentId, asked), setCookie: cookie.set(sent) };
      const fresh = cookie.fresh(keyring.currentKeyId);
      const id = idOf(fresh, asked);
      if (id === undefined) throw new Error('The current key is not in the keyring.');
      return { remember: rememberAs(id, asked), setCookie: cookie.set(fresh) };
    },
    async forget(request, asked) {
      const id = idIn(request, asked);
      if (id !== undefined) await records.take('rememberedConsent', id);
    },
    async settle(asked, subject, grantId) {
      const { clientDigest, resource, scope, redirectUri, remember, remembered } = asked;
      const client = clientDigest.slice(0, 8);
      if (remembered) {
        const { id, documentDigest } = remembered;
        const reason = await renew(id, { ...asked, documentDigest }, subject, grantId);
        if (reason === undefined) return true;
        // Two people use this browser: it is not one in which to skip the page for either.
        if (reason === 'remembered.other_person') await records.take('rememberedConsent', id);
        log({ event: 'consent.asked_again', client, resource, reason });
        return false;
      }
      if (remember) {
        const { id, ...document } = remember;
        const value = { subject, clientDigest, scope, resource, redirectUri, ...document };
        await keep(id, { ...value, grantIds: [grantId], givenAt: now() });
        log({ event: 'consent.kept', client, grant: grantId, resource, scope: scope.join(' ') });
      }
      return true;
    },
    askAgain({ remembered, redirectUri, scope, resource, codeChallenge }, state) {
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: remembered?.clientId ?? '',
        redirect_uri: redirectUri,
        ...(state !== undefined && { state }),
        scope: scope.join(' '),
        resource,
        code_challenge: codeChallenge,
        code_challenge_method: 'S256',
        // However the records stand by then: this time there is a page.
        prompt: 'consent',
      });
      return `${new URL(issuer).origin}${paths.authorize}?${query}`;
    },
  };
}

function rememberAs(id: string, { documentDigest }: AskedConsent): NonNullable<Remembering['remember']> {
  return { id, ...(documentDigest !== undefined && { documentDigest }) };
}
