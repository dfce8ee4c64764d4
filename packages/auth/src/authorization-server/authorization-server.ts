/** The authorization server's route table: path and method to endpoint, and how what an endpoint throws is shown. */
import { NewerRecordError, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { describeCause, OAuthError, unavailable } from '../oauth/error.ts';
import {
  type Endpoint,
  type HttpHandler,
  type HttpReply,
  type HttpRequest,
  jsonError,
  preflight,
  withCors,
  wrongMethod,
} from '../oauth/http.ts';
import { authorizationServerMetadataPaths } from '../oauth/metadata.ts';
import { budgeted } from './budget.ts';
import { endpointBudgets } from './endpoint-budgets.ts';
import { authorize } from './endpoints/authorize.ts';
import { callback } from './endpoints/callback.ts';
import { connections } from './endpoints/connections.ts';
import { consent } from './endpoints/consent.ts';
import { introspect } from './endpoints/introspect.ts';
import { jwks } from './endpoints/jwks.ts';
import { metadata } from './endpoints/metadata.ts';
import { register } from './endpoints/register.ts';
import { revoke } from './endpoints/revoke.ts';
import { token } from './endpoints/token.ts';
import { issuedTokenReader } from './issued-token.ts';
import { errorPage } from './pages/error.ts';
import type { Log, Parts } from './parts.ts';
import { personSessions } from './person-session.ts';
import { rememberedConsents } from './remembered-consent.ts';
import { revocation } from './revocation.ts';

/** How far the clocks of instances may be apart where a mistake would leave something alive. */
const clockSkewSeconds = 300;

interface Route {
  readonly method: 'GET' | 'POST';
  readonly endpoint: Endpoint;
  /** `page`: a person sees it and no other origin may call it. `api`: a program does, from any origin. */
  readonly face: 'page' | 'api';
}

export function authorizationServer(parts: Parts): HttpHandler {
  const { issuer, paths, log } = parts;
  const document = metadata({ ...parts, introspection: parts.introspectors });
  const readIssuedToken = issuedTokenReader(parts);
  // A token that has ended by this clock may live by another's: its grant must be found all the same (REL-05).
  const readRevoked = issuedTokenReader({ ...parts, skewSeconds: clockSkewSeconds });
  const endGrant = revocation({ ...parts, endSession: parts.sessions.end });
  const person = connections({
    ...parts,
    sessions: personSessions(parts),
    endGrant,
    providerSessions: parts.sessions,
  });
  const remembered = rememberedConsents(parts);
  const budgets = endpointBudgets(parts);
  const assertions = { issuer, singleUse: parts.singleUse, now: parts.now };
  const routes = new Map<string, Route>([
    ...authorizationServerMetadataPaths(issuer).map((path): [string, Route] => [
      path,
      { method: 'GET', endpoint: document, face: 'api' },
    ]),
    [paths.jwks, { method: 'GET', endpoint: jwks(parts), face: 'api' }],
    ...(parts.registrationOpen
      ? ([
          [paths.register, { method: 'POST', endpoint: budgeted(register(parts), budgets.register), face: 'api' }],
        ] satisfies Array<[string, Route]>)
      : []),
    [
      paths.authorize,
      { method: 'GET', endpoint: budgeted(authorize(parts, remembered), budgets.authorize), face: 'page' },
    ],
    [paths.consent, { method: 'POST', endpoint: budgeted(consent(parts, remembered), budgets.consent), face: 'page' }],
    [paths.callback, { method: 'GET', endpoint: callback(parts, remembered, person.signedIn), face: 'page' }],
    [paths.token, { method: 'POST', endpoint: budgeted(token(parts), budgets.token), face: 'api' }],
    [
      paths.revoke,
      {
        method: 'POST',
        endpoint: budgeted(revoke({ ...parts, endGrant, readIssuedToken: readRevoked, assertions }), budgets.revoke),
        face: 'api',
      },
    ],
    [
      paths.introspect,
      {
        method: 'POST',
        endpoint: budgeted(introspect({ ...parts, readIssuedToken, assertions }), budgets.introspect),
        face: 'api',
      },
    ],
    [paths.connections, { method: 'GET', endpoint: person.show, face: 'page' }],
    [
      paths.connectionsChange,
      { method: 'POST', endpoint: budgeted(person.change, budgets.connectionsChange), face: 'page' },
    ],
  ]);

  return {
    owns: (path) => routes.has(path),
    async handle(request) {
      const route = routes.get(request.path);
      if (!route) return undefined;
      const reply = await answer(route, request, log);
      return route.face === 'api' ? withCors(reply) : reply;
    },
  };
}

async function answer(route: Route, request: HttpRequest, log: Log): Promise<HttpReply> {
  if (request.method === 'OPTIONS' && route.face === 'api') return preflight(`${route.method}, OPTIONS`);
  try {
    if (!allows(route, request.method)) throw wrongMethod(route.method);
    return await route.endpoint(request);
  } catch (thrown) {
    const error = asOAuthError(thrown);
    // A refusal is an outcome; a fault is logged with its cause and shown without it (architecture §6).
    log({
      event: error.status >= 500 ? 'fault' : 'refused',
      path: request.path,
      status: error.status,
      reason: error.reason,
      ...(error.status >= 500 && { cause: describeCause(error.cause) }),
    });
    return route.face === 'api' ? jsonError(error) : shownOnPage(error);
  }
}

/**
 * HEAD is GET without the body (RFC 9110 §9.3.2), for documents. Not for pages: whoever looks at a link before a person
 * does must not spend the state in it.
 */
function allows(route: Route, method: string): boolean {
  return method === route.method || (method === 'HEAD' && route.method === 'GET' && route.face === 'api');
}

function asOAuthError(thrown: unknown): OAuthError {
  if (thrown instanceof OAuthError) return thrown;
  // A database that is away is never a refusal: clients would throw good tokens away (REL-02).
  if (thrown instanceof RecordsUnavailableError) return unavailable('records.unavailable', thrown);
  // A newer instance wrote it while releases are exchanged: clients come again (REL-07).
  if (thrown instanceof NewerRecordError) return unavailable('records.newer', thrown);
  return new OAuthError('server_error', 'Something went wrong on our side.', { reason: 'fault', cause: thrown });
}

function shownOnPage(error: OAuthError): HttpReply {
  return errorPage({
    status: error.status,
    title: error.status >= 500 ? 'This does not work right now' : 'This request cannot continue',
    description: error.message,
    code: error.code,
    headers: error.headers,
  });
}
