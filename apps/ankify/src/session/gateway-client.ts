/**
 * The page's client at the gateway: where its endpoints are (RFC 9728, RFC 8414), codes and refresh tokens redeemed there
 * (RFC 6749 §4.1.3, §6), grants given back (RFC 7009).
 */

export interface GatewayClientOptions {
  /** The API as the outside calls it: what tokens are for (RFC 8707). */
  readonly resource: string;
  readonly clientId: string;
  /** A token-mediating backend can keep one, and then a stolen code or refresh token is worth nothing elsewhere. */
  readonly clientSecret?: string;
  /** Seconds. */
  readonly now: () => number;
  readonly fetch?: typeof fetch;
}

export interface Endpoints {
  readonly issuer: string;
  readonly authorization: string;
  readonly token: string;
  /** Absent: the server takes nothing back. */
  readonly revocation?: string;
}

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Of the access token. */
  readonly lifeSeconds: number;
  readonly scope: string;
}

/** `refused`: the server knows the code or the token no more; nothing will change that. */
export type Redeemed = { readonly tokens: Tokens } | { readonly refused: string };

export interface GatewayClient {
  /** Throws `GatewayUnavailable`. */
  endpoints(): Promise<Endpoints>;
  redeem(code: string, verifier: string, redirectUri: string): Promise<Redeemed>;
  refresh(refreshToken: string): Promise<Redeemed>;
  /** The whole grant. Throws `GatewayUnavailable`. */
  revoke(refreshToken: string): Promise<void>;
}

/** Not now; the message is for the log. */
export class GatewayUnavailable extends Error {
  override readonly name = 'GatewayUnavailable';
}

const timeoutMs = 10_000;
const maxAnswerBytes = 64 * 1024;
const endpointsSeconds = 600;

export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  const { resource, clientId, clientSecret, now, fetch: call = fetch } = options;
  let known: { readonly endpoints: Endpoints; readonly until: number } | undefined;
  let asking: Promise<Endpoints> | undefined;

  const endpoints = async (): Promise<Endpoints> => {
    if (known && known.until > now()) return known.endpoints;
    asking ??= discover(call, resource).finally(() => {
      asking = undefined;
    });
    const found = await asking;
    known = { endpoints: found, until: now() + endpointsSeconds };
    return found;
  };

  const post = (url: string, fields: Record<string, string>) =>
    request(call, url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        // RFC 6749 §2.3.1: both parts form-encoded before they are joined.
        ...(clientSecret !== undefined && {
          authorization: `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')}`,
        }),
      },
      body: new URLSearchParams({ ...fields, ...(clientSecret === undefined && { client_id: clientId }) }),
    });

  const tokensFor = async (fields: Record<string, string>): Promise<Redeemed> => {
    const { status, body } = await post((await endpoints()).token, fields);
    if (status === 200) return { tokens: tokensOf(body) };
    const error = typeof body.error === 'string' ? body.error.slice(0, 80) : `status ${status}`;
    // RFC 6749 §5.2: these speak of what was presented. Everything else may pass, invalid_client after a correction.
    if (status === 400 && ['invalid_grant', 'invalid_request', 'invalid_target', 'invalid_scope'].includes(error)) {
      return { refused: error };
    }
    throw new GatewayUnavailable(`the token endpoint answered ${status} ${error}`);
  };

  return {
    endpoints,
    redeem: (code, verifier, redirectUri) =>
      tokensFor({
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: redirectUri,
        resource,
      }),
    refresh: (refreshToken) => tokensFor({ grant_type: 'refresh_token', refresh_token: refreshToken, resource }),
    async revoke(refreshToken) {
      const { revocation } = await endpoints();
      if (revocation === undefined) return;
      const { status } = await post(revocation, { token: refreshToken, token_type_hint: 'refresh_token' });
      // 400: it is no token of this client's any more (RFC 7009 §2.2).
      if (status !== 200 && status !== 400) throw new GatewayUnavailable(`the revocation endpoint answered ${status}`);
    },
  };
}

/** RFC 9728 §3.3 and RFC 8414 §3.3: a document counts only if it names what it was asked for. */
async function discover(call: typeof fetch, resource: string): Promise<Endpoints> {
  const ofResource = await document(call, resource, 'oauth-protected-resource');
  if (ofResource.resource !== resource) throw new GatewayUnavailable(`the metadata of ${resource} are of another one`);
  const [issuer] = Array.isArray(ofResource.authorization_servers) ? ofResource.authorization_servers : [];
  if (typeof issuer !== 'string' || !isSafeUrl(issuer)) {
    throw new GatewayUnavailable(`${resource} names no authorization server`);
  }
  const ofServer = await document(call, issuer, 'oauth-authorization-server');
  if (ofServer.issuer !== issuer) throw new GatewayUnavailable(`the metadata of ${issuer} are of another server`);
  const endpoint = (name: string): string | undefined => {
    const url = ofServer[name];
    if (url === undefined) return undefined;
    if (typeof url === 'string' && isSafeUrl(url)) return url;
    throw new GatewayUnavailable(`${name} of ${issuer} cannot be used`);
  };
  const [authorization, token] = [endpoint('authorization_endpoint'), endpoint('token_endpoint')];
  if (authorization === undefined || token === undefined) {
    throw new GatewayUnavailable(`${issuer} has no authorization or token endpoint`);
  }
  const revocation = endpoint('revocation_endpoint');
  return { issuer, authorization, token, ...(revocation !== undefined && { revocation }) };
}

/** The well-known part stands between host and path (RFC 8615, RFC 8414 §3.1). */
async function document(call: typeof fetch, of: string, name: string): Promise<Record<string, unknown>> {
  const { origin, pathname } = new URL(of);
  const url = `${origin}/.well-known/${name}${pathname === '/' ? '' : pathname}`;
  const { status, body } = await request(call, url, { headers: { accept: 'application/json' } });
  if (status !== 200) throw new GatewayUnavailable(`${url} answered ${status}`);
  return body;
}

async function request(call: typeof fetch, url: string, init: RequestInit) {
  let response: Response;
  let text: string;
  try {
    // A redirect would carry the code or the token to wherever it leads.
    response = await call(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    text = await boundedText(response);
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new GatewayUnavailable(`${new URL(url).pathname}: ${why}`, { cause });
  }
  return { status: response.status, body: jsonObject(text) };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxAnswerBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

function tokensOf(body: Record<string, unknown>): Tokens {
  const { access_token, refresh_token, expires_in, scope, token_type } = body;
  if (
    typeof access_token !== 'string' ||
    typeof refresh_token !== 'string' ||
    typeof expires_in !== 'number' ||
    String(token_type).toLowerCase() !== 'bearer'
  ) {
    throw new GatewayUnavailable('the token endpoint answered without a Bearer token, its life and a refresh token');
  }
  return {
    accessToken: access_token,
    refreshToken: refresh_token,
    lifeSeconds: expires_in,
    scope: typeof scope === 'string' ? scope : '',
  };
}

function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

export function isLoopback(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

function formEncoded(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice(2);
}
