/** A persona at the token and the revocation endpoint: its way to authenticate, and what it checks on an answer. */
import { randomUUID } from 'node:crypto';
import { CompactSign } from 'jose';
import { expect } from 'vitest';
import type { ServerMetadata } from './discover.ts';
import type { TokenAuth } from './persona.ts';
import type { SigningKey } from './vendors.ts';

/** What a client is once it is registered or has its document. */
export interface Identified {
  readonly clientId: string;
  readonly clientSecret?: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly scope: string;
}

export interface Authentication {
  readonly tokenAuth: TokenAuth;
  readonly client: Identified;
  /** Signs assertions of `private_key_jwt`. */
  readonly key?: SigningKey;
}

/** A form with the client's credentials where this client puts them. */
export async function authenticated(
  url: string,
  fields: Readonly<Record<string, string | undefined>>,
  { issuer }: Pick<ServerMetadata, 'issuer'>,
  { tokenAuth, client, key }: Authentication,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { clientId, clientSecret = '' } = client;
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) body.set(name, value);
  const sent = new Headers({ 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' });
  for (const [name, value] of Object.entries(headers)) sent.set(name, value);
  switch (tokenAuth) {
    case 'none':
      body.set('client_id', clientId);
      break;
    case 'post':
      body.set('client_id', clientId);
      body.set('client_secret', clientSecret);
      break;
    case 'basic-raw':
      sent.set('authorization', `Basic ${btoa(`${clientId}:${clientSecret}`)}`);
      break;
    case 'basic-encoded':
      sent.set('authorization', `Basic ${btoa([clientId, clientSecret].map(everyByteEncoded).join(':'))}`);
      break;
    case 'private_key_jwt': {
      if (!key) throw new Error('no key to sign with');
      body.set('client_id', clientId);
      body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      body.set('client_assertion', await clientAssertion(key, clientId, issuer));
      break;
    }
  }
  return fetch(url, { method: 'POST', headers: sent, body: body.toString() });
}

/** RFC 7523 §2.2, RS256 as ChatGPT signs. */
export async function clientAssertion(key: SigningKey, clientId: string, audience: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud: audience, iat: now, exp: now + 60, jti: randomUUID() };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'JWT' })
    .sign(key.privateKey);
}

/** As eager as an encoder can be: a server that only knows raw credentials fails on it, whatever their alphabet is. */
function everyByteEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** The tokens of an answer, after what every client checks (RFC 6749 §5.1) and what a careful one does. */
export async function tokensOf(response: Response, scope: string): Promise<Tokens> {
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const tokens = JSON.parse(text) as Tokens;
  expect(tokens.token_type).toBe('Bearer');
  expect(Number.isInteger(tokens.expires_in) && tokens.expires_in > 0).toBe(true);
  expect(tokens.scope).toBe(scope);
  expect(tokens.refresh_token).toMatch(/^[\x21-\x7e]+$/);
  // Nobody asked for one, and a client that sees one may take it for a sign-in at us.
  expect(tokens).not.toHaveProperty('id_token');
  return tokens;
}

export function claimsOf(accessToken: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<
    string,
    unknown
  >;
}

/** The error of an answer: status and code, as a client decides by them. */
export async function refusalOf(response: Response): Promise<readonly [number, string]> {
  const { error } = (await response.json()) as { error: string };
  return [response.status, error];
}
