/** Real OpenID providers on loopback ports: `oidc-provider`, and one of our own that can be made to misbehave. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import Provider from 'oidc-provider';
import type { SignInBinding } from '../../src/gatehouse.ts';

export const callbackUrl = 'https://auth.example/callback';
export const client = { id: 'gatehouse', secret: 'a secret between us and the provider, long enough' };

export const binding = (): SignInBinding => ({
  state: randomBytes(32).toString('base64url'),
  nonce: randomBytes(32).toString('base64url'),
  codeVerifier: randomBytes(32).toString('base64url'),
});

export interface Running {
  readonly issuer: string;
  close(): Promise<void>;
}

export async function listen(
  make: (issuer: string) => (req: IncomingMessage, res: ServerResponse) => void,
): Promise<Running> {
  let handle: ReturnType<typeof make> | undefined;
  const server: Server = createServer((req, res) => handle?.(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  handle = make(issuer);
  return {
    issuer,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** How one vendor's provider differs from the plain one. */
export interface ProviderShape {
  /** Of the issuer, below the host: `/realms/acme`. */
  readonly path?: string;
  /** Claims of everybody's id_token beside `sub`. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly scopes?: readonly string[];
  /** Gives everybody a refresh token, whatever scope was asked for. */
  readonly alwaysRefresh?: boolean;
  readonly authentication?: 'client_secret_basic' | 'client_secret_post';
}

/** `oidc-provider` with its own login form, refresh tokens that rotate, revocation, and one client of ours. */
export async function startProvider(shape: ProviderShape = {}): Promise<Running> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { path = '', claims = {}, scopes = ['openid', 'offline_access'] } = shape;
  const mount = path.replace(/\/$/, '');
  const running = await listen((origin) => {
    const handle = new Provider(origin + path, {
      clients: [
        {
          client_id: client.id,
          client_secret: client.secret,
          redirect_uris: [callbackUrl],
          grant_types: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_method: shape.authentication ?? 'client_secret_basic',
        },
      ],
      scopes,
      claims: { openid: ['sub', ...Object.keys(claims)] },
      conformIdTokenClaims: false,
      features: { revocation: { enabled: true } },
      rotateRefreshToken: true,
      ...(shape.alwaysRefresh === true && { issueRefreshToken: async () => true }),
      cookies: { keys: ['not a secret: these cookies live for one test'] },
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'provider-key' }] },
      findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...claims }) }),
      ttl: {
        AccessToken: 60,
        AuthorizationCode: 60,
        IdToken: 60,
        Interaction: 60,
        Session: 60,
        Grant: 60,
        RefreshToken: 60,
      },
    }).callback();
    return (req, res) => {
      // As a router mounts it: the rest of the path in `url`, all of it in `originalUrl`.
      const { url = '/' } = req;
      if (mount !== '' && url.startsWith(`${mount}/`))
        Object.assign(req, { originalUrl: url, url: url.slice(mount.length) });
      handle(req, res);
    };
  });
  return { ...running, issuer: running.issuer + path };
}

/** A person with a browser: follows redirects, fills in the forms, and stops at our callback; its query comes back. */
export async function signIn(start: string, login: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>();
  let next = { url: start, body: undefined as string | undefined };
  for (let step = 0; step < 12; step++) {
    if (next.url.startsWith(callbackUrl)) return new URL(next.url).searchParams;
    const response = await fetch(next.url, {
      method: next.body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: {
        cookie: [...cookies].map((pair) => pair.join('=')).join('; '),
        ...(next.body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(next.body !== undefined && { body: next.body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const text = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      next = { url: new URL(location, next.url).href, body: undefined };
      continue;
    }
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
    const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1];
    if (action === undefined || prompt === undefined) throw new Error(`no form (${response.status}): ${text}`);
    const fields = new URLSearchParams({ prompt, ...(prompt === 'login' && { login, password: 'any' }) });
    next = { url: new URL(action, next.url).href, body: fields.toString() };
  }
  throw new Error('the sign-in did not come to an end');
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

/** What the misbehaving provider answers; each can be changed at any time. */
export interface Behaviour {
  discovery: (issuer: string) => { status: number; body: string; headers?: Record<string, string> };
  token: (issuer: string) => Promise<{ status: number; body: string; headers?: Record<string, string> }>;
  jwks: () => { status: number; body: string };
  /** Further endpoints, by the end of their path. */
  readonly routes: Record<string, (body: string) => Answer | Promise<Answer>>;
  /** Answers nothing at all. */
  silent: boolean;
  /** So many answers to the token endpoint are made, and lost on their way. */
  lose: number;
  readonly requests: Array<{ path: string; authorization: string | undefined; body: string }>;
}

export const providerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** RS256 is what OpenID Connect assumes of a provider of which nothing is known (Core §15.1). */
export const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** An id_token as it should be, with any claim changed and any key. */
export async function idToken(
  issuer: string,
  claims: Readonly<Record<string, unknown>> = {},
  key: KeyObject = providerKey.privateKey,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: client.id, sub: 'person-1', iat: now, exp: now + 300, ...claims };
  const set = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(set)
    .setProtectedHeader(
      key.asymmetricKeyType === 'rsa' ? { alg: 'RS256', kid: 'idp-2' } : { alg: 'ES256', kid: 'idp-1' },
    )
    .sign(key);
}

export const json = (body: unknown, status = 200) => ({ status, body: JSON.stringify(body) });

export async function startMisbehaving(): Promise<Running & { behaviour: Behaviour }> {
  const behaviour: Behaviour = {
    discovery: (issuer) =>
      json({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      }),
    token: async (issuer) =>
      json({ access_token: 'provider-access-token', token_type: 'Bearer', id_token: await idToken(issuer) }),
    jwks: () =>
      json({
        keys: [
          { ...providerKey.publicKey.export({ format: 'jwk' }), kid: 'idp-1', alg: 'ES256', use: 'sig' },
          { ...rsaKey.publicKey.export({ format: 'jwk' }), kid: 'idp-2', alg: 'RS256', use: 'sig' },
        ],
      }),
    routes: {},
    silent: false,
    lose: 0,
    requests: [],
  };
  const running = await listen((issuer) => async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const path = req.url ?? '/';
    behaviour.requests.push({ path, authorization: req.headers.authorization, body: Buffer.concat(chunks).toString() });
    if (behaviour.silent) return;
    // By the end of the path: generic providers and Cognito's user pools differ in the beginning.
    const answer: Awaited<ReturnType<Behaviour['token']>> | undefined = path.endsWith('/openid-configuration')
      ? behaviour.discovery(issuer)
      : path.endsWith('/token')
        ? await behaviour.token(issuer)
        : path.includes('jwks')
          ? behaviour.jwks()
          : await Object.entries(behaviour.routes).find(([end]) => path.endsWith(end))?.[1](
              Buffer.concat(chunks).toString(),
            );
    if (path.endsWith('/token') && behaviour.lose > 0) {
      behaviour.lose -= 1;
      res.destroy();
      return;
    }
    res.writeHead(answer?.status ?? 404, {
      'content-type': 'application/json',
      ...answer?.headers,
    });
    res.end(answer?.body);
  });
  return { ...running, behaviour };
}
