/** A client of our own making, one request at a time, where a real one would hide what is on the wire. */
import { createHash, randomBytes } from 'node:crypto';
import { type PersonOptions, walkThrough } from './person.ts';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly scope: string;
}

export const redirectUri = 'http://127.0.0.1:59999/callback';

export async function register(
  issuer: string,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<{ client_id: string; client_secret?: string }> {
  const response = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Conformance', redirect_uris: [redirectUri], ...metadata }),
  });
  if (response.status !== 201) throw new Error(await response.text());
  return (await response.json()) as { client_id: string };
}

export interface Authorized {
  readonly clientId: string;
  readonly code: string;
  readonly verifier: string;
  readonly secrets: readonly string[];
}

/** To an authorization code, through the real pages. `signInOrigin` is the identity provider's. */
export async function authorize(
  issuer: string,
  resource: string,
  signInOrigin: string,
  person: PersonOptions = {},
): Promise<Authorized> {
  const { client_id: clientId } = await register(issuer);
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    resource,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const { callback, secrets } = await walkThrough(
    `${issuer}/authorize?${query}`,
    [new URL(issuer).origin, signInOrigin],
    person,
  );
  const code = callback.searchParams.get('code');
  if (code === null || callback.searchParams.get('state') !== state) throw new Error(`no code: ${callback}`);
  return { clientId, code, verifier, secrets: [...secrets, state] };
}

/** A POST to the token endpoint. */
export function token(issuer: string, fields: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(fields) });
}

export function redeem(issuer: string, { clientId, code, verifier }: Authorized): Promise<Response> {
  return token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
}

export function refresh(issuer: string, clientId: string, refreshToken: string): Promise<Response> {
  return token(issuer, { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken });
}
