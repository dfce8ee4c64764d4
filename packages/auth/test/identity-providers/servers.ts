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

interface Running {
  readonly issuer: string;
  close(): Promise<void>;
}

async function listen(make: (issuer: string) => (req: IncomingMessage, res: ServerResponse) => void): Promise<Running> {
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

/** `oidc-provider` with its own login form and one client of ours. */
export function startProvider(): Promise<Running> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return listen((issuer) =>
    new Provider(issuer, {
      clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [callbackUrl] }],
      cookies: { keys: ['not a secret: these cookies live for one test'] },
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'provider-key' }] },
      findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
      ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 60, Session: 60, Grant: 60 },
    }).callback(),
  );
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

/** What the misbehaving provider answers; each can be changed at any time. */
export interface Behaviour {
  discovery: (issuer: string) => { status: number; body: string; headers?: Record<string, string> };
  token: (issuer: string) => Promise<{ status: number; body: string; headers?: Record<string, string> }>;
  jwks: () => { status: number; body: string };
  /** Answers nothing at all. */
  silent: boolean;
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
    silent: false,
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
          : undefined;
    res.writeHead(answer?.status ?? 404, {
      'content-type': 'application/json',
      ...answer?.headers,
    });
    res.end(answer?.body);
  });
  return { ...running, behaviour };
}
