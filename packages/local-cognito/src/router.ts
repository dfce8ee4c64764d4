/** The route table: which endpoint answers which path, and how a refusal looks there. */
import { authorize } from './endpoints/authorize.ts';
import { errorPage, errorReply } from './endpoints/error-page.ts';
import {
  showForgotPassword,
  showNewPassword,
  submitForgotPassword,
  submitNewPassword,
} from './endpoints/forgot-password.ts';
import { showLogin, submitLogin } from './endpoints/login.ts';
import { logout } from './endpoints/logout.ts';
import { revoke } from './endpoints/revoke.ts';
import { resendCode, showConfirm, showSignUp, submitConfirm, submitSignUp } from './endpoints/sign-up.ts';
import { token } from './endpoints/token.ts';
import { userInfo } from './endpoints/user-info.ts';
import { discovery, jwks } from './endpoints/well-known.ts';
import { empty, type HttpReply, type HttpRequest, json } from './http/message.ts';
import type { UnreadableRequest } from './http/node-adapter.ts';
import { OAuthError } from './oauth-error.ts';
import type { Pool } from './pool.ts';

type Endpoint = (pool: Pool, request: HttpRequest) => Promise<HttpReply>;

interface Route {
  readonly GET?: Endpoint;
  readonly POST?: Endpoint;
  /** `api` answers programs with JSON and lets browser apps of any origin call it, as Cognito does. */
  readonly kind: 'api' | 'page';
}

/** Answers every request; whatever an endpoint throws becomes a reply here and nowhere else. */
export function createRouter(pool: Pool): (request: HttpRequest | UnreadableRequest) => Promise<HttpReply> {
  const routes = routeTable(pool.config.poolId);
  return async (request) => {
    const route = routes.get(request.path);
    const reply = await answer(pool, route, request);
    if (route?.kind !== 'api') return reply;
    return { ...reply, headers: { ...reply.headers, 'access-control-allow-origin': '*' } };
  };
}

async function answer(
  pool: Pool,
  route: Route | undefined,
  request: HttpRequest | UnreadableRequest,
): Promise<HttpReply> {
  const { method, path } = request;
  const refuse = (status: number, error: string, reason: string, headers: Record<string, string> = {}): HttpReply => {
    pool.log({ event: 'request.refused', method, path: path.slice(0, 200), status, error, reason });
    if (route?.kind === 'api') return json(status, { error }, headers);
    const page = errorReply(pool, status, reason);
    return { ...page, headers: { ...page.headers, ...headers } };
  };
  if (!route) return notFound(pool, path) ?? refuse(404, 'not_found', 'no such page');
  if ('status' in request) return refuse(request.status, 'invalid_request', request.reason);
  const endpoint = method === 'GET' || method === 'HEAD' ? route.GET : method === 'POST' ? route.POST : undefined;
  if (!endpoint) {
    const allow = [route.GET && 'GET, HEAD', route.POST && 'POST'].filter(Boolean).join(', ');
    if (method === 'OPTIONS' && route.kind === 'api') return preflight(allow);
    return refuse(405, 'invalid_request', `method not allowed; use ${allow}`, { allow });
  }
  try {
    return await endpoint(pool, request);
  } catch (error) {
    if (error instanceof OAuthError) return refuse(error.status, error.code, error.reason);
    pool.log({ event: 'fault', method, path, message: error instanceof Error ? error.message : String(error) });
    return route.kind === 'api' ? json(500, { error: 'server_error' }) : errorReply(pool, 500, 'server_error');
  }
}

function routeTable(poolId: string): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    [`/${poolId}/.well-known/openid-configuration`, { GET: discovery, kind: 'api' }],
    [`/${poolId}/.well-known/jwks.json`, { GET: jwks, kind: 'api' }],
    ['/oauth2/authorize', { GET: authorize, kind: 'page' }],
    ['/oauth2/token', { POST: token, kind: 'api' }],
    ['/oauth2/userInfo', { GET: userInfo, POST: userInfo, kind: 'api' }],
    ['/oauth2/revoke', { POST: revoke, kind: 'api' }],
    ['/login', { GET: showLogin, POST: submitLogin, kind: 'page' }],
    ['/signup', { GET: showSignUp, POST: submitSignUp, kind: 'page' }],
    ['/confirmUser', { GET: showConfirm, POST: submitConfirm, kind: 'page' }],
    ['/resendcode', { POST: resendCode, kind: 'page' }],
    ['/forgotPassword', { GET: showForgotPassword, POST: submitForgotPassword, kind: 'page' }],
    ['/confirmForgotPassword', { GET: showNewPassword, POST: submitNewPassword, kind: 'page' }],
    ['/logout', { GET: logout, kind: 'page' }],
    ['/error', { GET: errorPage, kind: 'page' }],
  ]);
}

/** The user pool's own service answers in AWS's form. */
function notFound(pool: Pool, path: string): HttpReply | undefined {
  const poolId = /^\/([\w-]{1,55})\/\.well-known\//.exec(path)?.[1];
  if (poolId === undefined || poolId === pool.config.poolId) return undefined;
  return json(404, { code: 'ResourceNotFoundException', message: `User pool ${poolId} does not exist.` });
}

function preflight(allow: string): HttpReply {
  return empty(204, {
    'access-control-allow-methods': allow,
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-max-age': '600',
  });
}
