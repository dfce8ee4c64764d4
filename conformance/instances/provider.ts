/**
 * An OpenID provider that the tests control: signs everybody in at once, counts what it is asked, rotates refresh tokens
 * with a grace like Cognito's, and can be slow, down, talk nonsense, or change its keys.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ProviderMood = 'well' | 'slow' | 'down' | 'garbage';

export interface ControlledProvider {
  readonly issuer: string;
  readonly clientSecret: string;
  mood: ProviderMood;
  /** Who signs in next; `person` unless set. */
  nextPerson: () => string;
  slowMs: number;
  /** Requests for a new session that were understood, and answered with one. */
  readonly renewals: () => number;
  /** From now on it signs with the next key of its set, and the old one is gone from it. */
  rotateKeys(): void;
  close(): Promise<void>;
}

interface Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

export async function startControlledProvider(): Promise<ControlledProvider> {
  const clientSecret = randomBytes(24).toString('base64url');
  // Published long before they sign, as providers do.
  const keys = Array.from({ length: 16 }, newKey);
  let renewals = 0;
  const codes = new Map<string, { subject: string; nonce: string }>();
  /** Who each refresh token is for: none is ever refused, so that a kill between two steps ends nobody's session. */
  const sessions = new Map<string, string>();

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of req) body += chunk;
    const url = new URL(req.url ?? '/', provider.issuer);
    const { mood } = provider;
    if (mood === 'down') return void res.destroy();
    if (mood === 'garbage') return void res.writeHead(200, { 'content-type': 'application/json' }).end('{"access');
    if (mood === 'slow') await new Promise((resolve) => setTimeout(resolve, provider.slowMs));
    const json = (value: object, status = 200) =>
      void res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json(discovery(provider.issuer));
      case '/jwks':
        return json({ keys: keys.map(({ jwk }) => jwk) });
      case '/authorize':
        return authorize(url, res);
      case '/token':
        return token(new URLSearchParams(body), json);
      case '/revoke':
        return json({});
      default:
        return json({}, 404);
    }
  }

  function authorize({ searchParams }: URL, res: ServerResponse): void {
    const code = randomBytes(16).toString('base64url');
    codes.set(code, { subject: provider.nextPerson(), nonce: searchParams.get('nonce') ?? '' });
    const back = new URL(searchParams.get('redirect_uri') ?? '');
    back.searchParams.set('code', code);
    back.searchParams.set('state', searchParams.get('state') ?? '');
    res.writeHead(302, { location: back.href }).end();
  }

  function token(fields: URLSearchParams, json: (value: object, status?: number) => void): void {
    const refreshing = fields.get('grant_type') === 'refresh_token';
    const signedIn = codes.get(fields.get('code') ?? '');
    codes.delete(fields.get('code') ?? '');
    const subject = refreshing ? sessions.get(fields.get('refresh_token') ?? '') : signedIn?.subject;
    if (subject === undefined) {
      json({ error: 'invalid_grant' }, 400);
      return;
    }
    if (refreshing) renewals += 1;
    const next = randomBytes(16).toString('base64url');
    sessions.set(next, subject);
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: provider.issuer,
      aud: 'gatehouse',
      sub: subject,
      iat: now,
      // Beyond what the clock of an instance may be off in these tests.
      exp: now + 3 * 3600,
      ...(signedIn && { nonce: signedIn.nonce }),
    };
    json({
      access_token: 'of-the-provider',
      token_type: 'Bearer',
      refresh_token: next,
      id_token: jwt(claims, keys[0] as Key),
    });
  }

  const server = createServer((req, res) => {
    handle(req, res).catch(() => res.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const provider: ControlledProvider = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clientSecret,
    mood: 'well',
    nextPerson: () => 'person',
    slowMs: 1000,
    renewals: () => renewals,
    rotateKeys() {
      keys.shift();
      keys.push(newKey());
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return provider;
}

function discovery(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    revocation_endpoint: `${issuer}/revoke`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

function newKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(6).toString('base64url');
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } };
}

function jwt(claims: object, { kid, privateKey }: Key): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid, typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
