/** The person's own page: signs them in, shows what they allowed, and takes it back (OAuth 2.1 §7.12; RFC 7009 for people). */

import type { Records } from '@mcp-gatehouse/records';
import { type Identity, IdentityProviderError, subjectOf } from '../../identity-providers/identity-provider.ts';
import { OAuthError, unavailable } from '../../oauth/error.ts';
import { type Endpoint, type HttpReply, type HttpRequest, redirect } from '../../oauth/http.ts';
import { formParameters, type Parameters, queryParameters } from '../../oauth/parameters.ts';
import { liveGrants } from '../connection-list.ts';
import type { IdentitySessions } from '../identity-session.ts';
import { connectionsPage, notice, revokeAllPage, signInPage } from '../pages/connections.ts';
import { errorPage } from '../pages/error.ts';
import { words } from '../pages/words.ts';
import type { Parts } from '../parts.ts';
import { isPersonState, type Person, type PersonRecords, type PersonSessions } from '../person-session.ts';
import type { EndGrant } from '../revocation.ts';
import { refuseOtherOrigins } from '../same-origin.ts';

export interface ConnectionsOptions
  extends Pick<
    Parts,
    'issuer' | 'callbackUrl' | 'resources' | 'keyring' | 'identityProvider' | 'browserCookie' | 'log' | 'now'
  > {
  readonly paths: {
    /** The page (GET). */
    readonly connections: string;
    /** Where its forms go (POST). */
    readonly connectionsChange: string;
  };
  readonly records: Records<PersonRecords>;
  readonly sessions: PersonSessions;
  readonly endGrant: EndGrant;
  /** At the identity provider: what a sign-in to this page leaves there, and what hung on the grants. */
  readonly providerSessions?: Pick<IdentitySessions, 'discard' | 'end'>;
  readonly background?: (work: Promise<void>) => void;
}

export interface ConnectionsEndpoints {
  readonly show: Endpoint;
  readonly change: Endpoint;
  /** The callback's branch for a `state` that `isPersonState`; undefined for the others. */
  readonly signedIn: (request: HttpRequest, parameters: Parameters) => Promise<HttpReply | undefined>;
}

/** Connections on one page, and revocations under way at once. */
const perPage = 20;
const parallel = 16;

export function connections(options: ConnectionsOptions): ConnectionsEndpoints {
  const { issuer, callbackUrl, resources, records, keyring, identityProvider } = options;
  const { browserCookie, sessions, endGrant, paths, log, now } = options;
  const { origin } = new URL(issuer);
  const page = origin + paths.connections;

  // Under a purpose it shares with the consent form, whose encoding holds no space: neither can be taken for the other.
  const formData = (owner: string, action: string) => `connections ${owner} ${action}`;
  const formToken = (owner: string, action: string) =>
    `${keyring.currentKeyId}.${keyring.mac('consent', formData(owner, action))}`;
  const isFormToken = (token: string | undefined, owner: string, action: string) => {
    const [keyId = '', mac = ''] = (token ?? '').split('.', 2);
    return keyring.verifyMac('consent', formData(owner, action), mac, keyId);
  };

  const show: Endpoint = async (request) => {
    const parameters = queryParameters(request);
    const browser = browserCookie.recognise(request);
    const person = await sessions.recognise(request, browserCookie.sent(request));
    if (!person) return landing(request, 200);
    const grants = await liveGrants(records, person.subject, now());
    const common = {
      action: paths.connectionsChange,
      page: paths.connections,
      cookie: browser.setCookie,
      token: (action: string) => formToken(person.id, action),
    };
    if (parameters.get('revoke') === 'all' && grants.length > 0)
      return revokeAllPage({ ...common, count: grants.length });
    const pages = Math.max(1, Math.ceil(grants.length / perPage));
    const asked = /^[1-9][0-9]{0,3}$/.test(parameters.get('page') ?? '') ? Number(parameters.get('page')) : 1;
    const number = Math.min(asked, pages);
    const done = notice(parameters.get('done'));
    return connectionsPage({
      ...common,
      connections: grants.slice((number - 1) * perPage, number * perPage),
      count: grants.length,
      pageNumber: number,
      pages,
      resources,
      now: now(),
      // Said only to whom it happened: nobody can be sent a link that claims something was revoked.
      ...(done && isFormToken(parameters.get('proof'), person.id, `done ${done}`) && { done }),
    });
  };

  const change: Endpoint = async (request) => {
    refuseOtherOrigins(request, origin, 'connections.other_origin');
    const parameters = formParameters(request);
    const action = parameters.get('action') ?? '';
    const token = parameters.get('token');
    const browsers = browserCookie.sent(request);
    if (action === 'sign-in') {
      const browser = [...browsers].find((one) => isFormToken(token, one, action));
      if (browser === undefined) {
        throw refuse('The form was opened in another browser, or cookies are switched off.', 'connections.forged');
      }
      return signIn(browser);
    }
    const person = await sessions.recognise(request, browsers);
    // Signed out in the meantime: said plainly, because what was pressed has not happened.
    if (!person) return landing(request, 403);
    const grantId = parameters.get('grant');
    const subjectOfForm = action === 'revoke' ? `revoke ${grantId}` : action;
    if (!isFormToken(token, person.id, subjectOfForm)) {
      throw refuse('The form is not one of this server.', 'connections.forged');
    }
    if (action === 'sign-out') {
      const cleared = await sessions.close(person);
      log({ event: 'person.signed_out', person: person.subject.slice(0, 8) });
      return redirect(page, { 'set-cookie': cleared });
    }
    if (action === 'revoke-all') return revokeAll(person);
    await end(grantId ?? '', person);
    return done(person, 'one');
  };

  async function signIn(browser: string): Promise<HttpReply> {
    const binding = await sessions.begin(browser);
    try {
      return redirect(await identityProvider.start(binding, callbackUrl));
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      return signInFailed(error);
    }
  }

  async function signedIn(request: HttpRequest, parameters: Parameters): Promise<HttpReply | undefined> {
    const state = parameters.get('state');
    if (!isPersonState(state)) return undefined;
    const finished = await sessions.finish(state, browserCookie.sent(request));
    if (typeof finished === 'string') {
      log({ event: 'refused', path: request.path, status: 400, reason: finished });
      return failurePage(400, words.connections.signInLost, 'invalid_request');
    }
    const { binding, browser } = finished;
    let identity: Identity;
    try {
      const signIn = await identityProvider.finish(new URLSearchParams([...parameters]), binding, callbackUrl);
      identity = signIn.identity;
      await options.providerSessions?.discard(signIn.session);
    } catch (error) {
      if (!(error instanceof IdentityProviderError)) throw error;
      return signInFailed(error);
    }
    const subject = subjectOf(identity);
    const cookie = await sessions.open(request, subject, browser);
    log({ event: 'person.signed_in', person: subject.slice(0, 8) });
    return redirect(page, { 'set-cookie': cookie });
  }

  async function revokeAll(person: Person): Promise<HttpReply> {
    const grants = await liveGrants(records, person.subject, now());
    await inParallel(grants, ({ id }) => end(id, person, 'later'));
    // Nobody waits for a provider that is slow: here every access is over already.
    const ending = inParallel(grants, async ({ id }) => options.providerSessions?.end(id));
    options.background?.(ending);
    return done(person, 'all');
  }

  async function end(grantId: string, { subject }: Person, session?: 'later'): Promise<void> {
    const outcome = await endGrant(grantId, 'person', (grant) => grant.subject === subject, session);
    if (outcome === 'refused') throw refuse('This is not yours to revoke.', 'connections.other_person');
  }

  function done(person: Person, what: string): HttpReply {
    return redirect(`${page}?${new URLSearchParams({ done: what, proof: formToken(person.id, `done ${what}`) })}`);
  }

  /** Nobody is signed in: nothing is begun until they say so, because looking at a link stores nothing (SEC-10). */
  function landing(request: HttpRequest, status: 200 | 403): HttpReply {
    const { digest, setCookie } = browserCookie.recognise(request);
    return signInPage({
      status,
      identityProviderName: identityProvider.name,
      action: paths.connectionsChange,
      token: formToken(digest, 'sign-in'),
      cookie: setCookie,
    });
  }

  function signInFailed({ reason, transient }: IdentityProviderError): HttpReply {
    log({ event: 'sign_in.failed', reason, transient });
    if (!transient) return failurePage(403, words.connections.signInDenied, 'access_denied');
    const { status, code, headers } = unavailable('idp');
    return failurePage(status, words.connections.signInAway(identityProvider.name), code, headers);
  }

  function failurePage(
    status: number,
    description: string,
    code: OAuthError['code'],
    headers: Readonly<Record<string, string>> = {},
  ): HttpReply {
    return errorPage({
      status,
      title: words.connections.signInFailed,
      description,
      code,
      headers,
      link: { href: paths.connections, text: words.connections.tryAgain },
    });
  }

  return { show, change, signedIn };
}

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += parallel) await Promise.all(all.slice(at, at + parallel).map(work));
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { status: 403, reason });
}
