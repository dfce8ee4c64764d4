/** `GET /logout`: ends the browser's session, then to the app's sign-out URL or to the sign-in page. */
import { readAuthorizationRequest, refuseOnPage } from '../authorization-request.ts';
import { type HttpReply, type HttpRequest, redirect } from '../http/message.ts';
import type { Pool } from '../pool.ts';
import { toPage } from './page-context.ts';

export async function logout(pool: Pool, request: HttpRequest): Promise<HttpReply> {
  const clientId = request.query.get('client_id');
  const logoutUri = request.query.get('logout_uri');
  const refuse = (error: string): HttpReply => {
    const { method, path } = request;
    pool.log({ event: 'request.refused', method, path, status: 302, error: 'invalid_request', reason: error });
    return refuseOnPage(pool, error, clientId).reply;
  };
  if (clientId === undefined) return refuse("Required String parameter 'client_id' is not present");
  const client = pool.client(clientId);
  if (!client) return refuse('Client does not exist.');

  if (logoutUri !== undefined) {
    if (!client.logoutUrls.includes(logoutUri)) return refuse('redirect_mismatch');
    return redirect(logoutUri, [signOut(pool, request, clientId)]);
  }
  if (!request.query.has('redirect_uri')) return refuse("Required String parameter 'logout_uri' is not present");
  const authorization = readAuthorizationRequest(pool, request.query);
  if ('refusal' in authorization) return refuse(authorization.refusal);
  return toPage(pool, '/login', authorization, {}, [signOut(pool, request, clientId)]);
}

function signOut(pool: Pool, request: HttpRequest, clientId: string): string {
  const { session, cookie } = pool.sessions.end(request);
  if (session) pool.log({ event: 'user.signed_out', clientId, sub: session.sub });
  return cookie;
}
