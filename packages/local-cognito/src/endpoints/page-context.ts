/** What the managed login pages share: the request they carry, CSRF, and the way back to the client. */

import { randomUUID } from 'node:crypto';
import { CODE_SECONDS, newCode } from '../authorization-codes.ts';
import { type AuthorizationRequest, answerRedirect, readAuthorizationRequest } from '../authorization-request.ts';
import { type HttpReply, type HttpRequest, redirect, withCookies } from '../http/message.ts';
import { formatParams } from '../http/params.ts';
import type { FormContext } from '../pages/forms.ts';
import type { Html } from '../pages/html.ts';
import { pageReply } from '../pages/layout.ts';
import type { Pool } from '../pool.ts';
import type { Session } from '../sessions.ts';
import type { User } from '../state/users.ts';
import { issueUserTokens } from '../token-issuer.ts';

/** An endpoint that belongs to an authorization request. */
export type PageHandler = (pool: Pool, request: HttpRequest, authorization: AuthorizationRequest) => Promise<HttpReply>;

/** Every page needs the authorization request it will go back to; without a valid one there is nothing to show. */
export function page(handler: PageHandler): (pool: Pool, request: HttpRequest) => Promise<HttpReply> {
  return async (pool, request) => {
    const authorization = readAuthorizationRequest(pool, request.query);
    if ('refusal' in authorization) {
      const { method, path } = request;
      pool.log({
        event: 'request.refused',
        method,
        path,
        status: 302,
        error: 'invalid_request',
        reason: authorization.refusal,
      });
      return authorization.reply;
    }
    return handler(pool, request, authorization);
  };
}

export interface FormState {
  readonly status?: number;
  readonly error?: string;
  readonly notice?: string | undefined;
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly code?: string | undefined;
}

/** Renders one of the forms, with its CSRF token. */
export function showForm(
  pool: Pool,
  request: HttpRequest,
  authorization: AuthorizationRequest,
  form: { title: string; render: (context: FormContext) => Html },
  state: FormState = {},
): HttpReply {
  const { token, cookies } = pool.csrf.tokenFor(request);
  const { status = 200, ...shown } = state;
  const body = form.render({
    ...shown,
    query: authorization.query,
    csrf: token,
    clientName: authorization.client.clientName ?? authorization.client.clientId,
    byEmail: pool.config.usernameAttributes.includes('email'),
    selfSignUp: pool.config.selfSignUp,
  });
  const failed = state.error !== undefined;
  if (failed)
    pool.log({ event: 'request.refused', method: request.method, path: request.path, status, error: state.error });
  return pageReply(status, { poolId: pool.config.poolId, title: form.title, body, failed }, cookies);
}

/** The message for a form whose CSRF token is missing or stale; a forged one never gets further. */
export const STALE_FORM = { status: 403, error: 'This form has expired. Please try again.' } as const;

/** Another of our pages, with the authorization request and what that page should know. */
export function toPage(
  pool: Pool,
  path: string,
  { query }: AuthorizationRequest,
  extra: Record<string, string> = {},
  cookies: readonly string[] = [],
): HttpReply {
  const added = Object.keys(extra).length > 0 ? `&${formatParams(Object.entries(extra))}` : '';
  return redirect(`${pool.origin}${path}?${query}${added}`, cookies);
}

/** The session of the browser, if its user may be signed in. */
export function signedIn(pool: Pool, request: HttpRequest): { user: User; session: Session } | undefined {
  const session = pool.sessions.find(request);
  const user = session && pool.users.findBySub(session.sub);
  return session && user?.confirmed ? { user, session } : undefined;
}

/** Back to the client with a code (RFC 6749 §4.1.2) or, in the implicit flow, with tokens (§4.2.2). */
export async function completeAuthorization(
  pool: Pool,
  authorization: AuthorizationRequest,
  { user, session }: { user: User; session: Session },
  cookies: readonly string[] = [],
): Promise<HttpReply> {
  const { client, redirectUri, scopes, resource, nonce, codeChallenge, state } = authorization;
  const event = {
    clientId: client.clientId,
    sub: user.sub,
    scope: scopes.join(' '),
    ...(resource ? { resource } : {}),
  };
  const { authTime } = session;
  if (authorization.responseType === 'token') {
    const tokens = await issueUserTokens(pool, {
      user,
      client,
      scopes,
      resource,
      nonce,
      authTime,
      originJti: randomUUID(),
    });
    pool.log({ event: 'token.issued', grantType: 'implicit', ...event });
    const answer = answerRedirect(authorization, [
      ['id_token', tokens.id_token],
      ['access_token', tokens.access_token],
      ['expires_in', String(tokens.expires_in)],
      ['token_type', 'Bearer'],
      ['state', state],
    ]);
    return withCookies(redirect(answer), cookies);
  }
  const code = newCode();
  const clientId = client.clientId;
  pool.codes.set(
    code,
    { clientId, redirectUri, sub: user.sub, authTime, scopes, resource, nonce, codeChallenge },
    CODE_SECONDS,
  );
  pool.log({ event: 'code.issued', ...event });
  return withCookies(
    redirect(
      answerRedirect(authorization, [
        ['code', code],
        ['state', state],
      ]),
    ),
    cookies,
  );
}
