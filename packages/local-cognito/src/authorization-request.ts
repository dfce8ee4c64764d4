/** Reads an authorization request (RFC 6749 §4.1.1, 7636 §4.3, 8707 §2.1); the login pages carry it in their query. */
import type { ClientConfig } from './config.ts';
import { type HttpReply, redirect } from './http/message.ts';
import { formatParams, type Params } from './http/params.ts';
import type { Pool } from './pool.ts';
import { requestedScopes } from './scopes.ts';

export interface AuthorizationRequest {
  readonly client: ClientConfig;
  readonly redirectUri: string;
  readonly responseType: 'code' | 'token';
  readonly scopes: readonly string[];
  readonly state: string | undefined;
  readonly nonce: string | undefined;
  readonly codeChallenge: string | undefined;
  readonly resource: string | undefined;
  readonly loginHint: string | undefined;
  readonly prompt: readonly string[];
  /** The request as a query string, for the next page. */
  readonly query: string;
}

type Target = Pick<AuthorizationRequest, 'redirectUri' | 'responseType' | 'state'>;

/** Why a request was refused (for the log) and the answer: a redirect to the client, or to `/error` while it is unproven. */
export interface RefusedRequest {
  readonly refusal: string;
  readonly reply: HttpReply;
}

export function readAuthorizationRequest(pool: Pool, params: Params): AuthorizationRequest | RefusedRequest {
  const clientId = params.get('client_id');
  const redirectUri = params.get('redirect_uri');
  // Nothing is sent to a redirect URI before client and URI are known to belong together (RFC 6749 §4.1.2.1).
  for (const name of ['client_id', 'redirect_uri']) {
    if (!params.has(name)) return refuseOnPage(pool, `Required String parameter '${name}' is not present`);
  }
  const client = pool.client(clientId);
  if (!client || !redirectUri) return refuseOnPage(pool, 'Client does not exist.', clientId);
  if (!client.callbackUrls.includes(redirectUri)) return refuseOnPage(pool, 'redirect_mismatch', clientId);

  const wanted = params.get('response_type');
  const target: Target = {
    redirectUri,
    responseType: wanted === 'token' ? 'token' : 'code',
    state: params.get('state'),
  };
  const refuse = (refusal: string, description?: string): RefusedRequest => ({
    refusal,
    reply: errorRedirect(target, 'invalid_request', description),
  });
  if (wanted !== 'code' && wanted !== 'token') return refuse('response_type is neither code nor token');
  if (!client.allowedOAuthFlows.includes(wanted === 'code' ? 'code' : 'implicit')) {
    return refuse(`the client may not use response_type=${wanted}`, 'unauthorized_client');
  }
  const scopes = requestedScopes(client, params.get('scope'));
  if (!scopes) return refuse('a scope is not among those of the client, or needs openid', 'invalid_scope');

  const codeChallenge = params.get('code_challenge');
  const method = params.get('code_challenge_method');
  if ((codeChallenge === undefined) !== (method === undefined)) {
    return refuse('code_challenge and code_challenge_method go together');
  }
  if (method !== undefined && method !== 'S256') return refuse('code_challenge_method is not S256');
  if (codeChallenge !== undefined && !/^[\w-]{43}$/.test(codeChallenge))
    return refuse('code_challenge is not a SHA-256');

  const identityProvider = params.get('identity_provider');
  if ((identityProvider !== undefined && identityProvider !== 'COGNITO') || params.has('idp_identifier')) {
    return refuse(
      'this pool federates with no identity provider',
      'Login option is not available. Please try another one',
    );
  }
  const resource = params.get('resource');
  if (resource !== undefined && !isRegistered(pool, resource) && wanted === 'token') {
    return refuse('resource is not a resource server'); // with a code it is the exchange that fails
  }
  const prompt = (params.get('prompt') ?? '').split(' ').filter((value) => value !== '');
  if (!prompt.every((value) => PROMPTS.includes(value)) || (prompt.includes('none') && prompt.length > 1)) {
    return refuse('prompt is malformed (OpenID Connect Core §3.1.2.1)');
  }
  return {
    ...target,
    client,
    scopes,
    codeChallenge,
    resource,
    prompt,
    nonce: params.get('nonce'),
    loginHint: params.get('login_hint'),
    query: formatParams([...params].filter(([name]) => !PAGE_PARAMS.includes(name))),
  };
}

const PROMPTS = ['none', 'login', 'consent', 'select_account'];
/** What our own pages add to the query on their way to each other. */
const PAGE_PARAMS = ['notice', 'user_name'];

export function isRegistered(pool: Pool, resource: string): boolean {
  return pool.config.resourceServers.some((server) => server.identifier === resource);
}

/** The request goes back to the client: in the query, for the implicit flow in the fragment (RFC 6749 §4.2.2). */
export function answerRedirect(target: Target, answer: readonly (readonly [string, string | undefined])[]): string {
  const present = answer.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const join = target.responseType === 'token' ? '#' : target.redirectUri.includes('?') ? '&' : '?';
  return `${target.redirectUri}${join}${formatParams(present)}`;
}

/** Cognito's order of parameters: `error_description`, `state`, `error`. */
export function errorRedirect(target: Target, error: string, description?: string): HttpReply {
  return redirect(
    answerRedirect(target, [
      ['error_description', description],
      ['state', target.state],
      ['error', error],
    ]),
  );
}

export function refuseOnPage(pool: Pool, error: string, clientId?: string): RefusedRequest {
  const params: [string, string][] = [['error', error]];
  if (clientId !== undefined) params.push(['client_id', clientId]);
  return { refusal: error, reply: redirect(`${pool.origin}/error?${formatParams(params)}`) };
}
