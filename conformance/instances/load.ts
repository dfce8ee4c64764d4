/** Owns what clients do all at once: requests whose outcome may stay unknown, and grants they were told they have. */
import { balancerHeader, instanceHeader } from '../harness/balancer.ts';
import { type Authorized, authorize, redirectUri, type Tokens } from '../harness/client.ts';
import type { Instances } from './instances.ts';

/** What a client learnt. `unknown`: nobody can say whether the request was carried out. */
export interface Answer {
  readonly status: number | 'unknown';
  readonly instance: number | undefined;
  readonly body: Partial<Tokens> & { readonly error?: string };
}

const patienceMs = 30_000;

/** Never rejects: a connection that breaks is an answer too. */
export async function ask(url: string, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) });
    const text = await response.text();
    const from = response.headers.get(instanceHeader);
    return {
      status: response.headers.get(balancerHeader) === 'asked' ? 'unknown' : response.status,
      instance: from === null ? undefined : Number(from),
      body: text.startsWith('{') ? JSON.parse(text) : {},
    };
  } catch {
    return { status: 'unknown', instance: undefined, body: {} };
  }
}

const form = (fields: Readonly<Record<string, string>>): RequestInit => ({
  method: 'POST',
  body: new URLSearchParams(fields),
});

export function askRedeem(issuer: string, { clientId, code, verifier }: Authorized): Promise<Answer> {
  const fields = { grant_type: 'authorization_code', client_id: clientId, code, code_verifier: verifier };
  return ask(`${issuer}/token`, form({ ...fields, redirect_uri: redirectUri }));
}

export function askRefresh(issuer: string, clientId: string, refreshToken: string): Promise<Answer> {
  return ask(
    `${issuer}/token`,
    form({ grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }),
  );
}

export function askRevoke(issuer: string, clientId: string, token: string): Promise<Answer> {
  return ask(`${issuer}/revoke`, form({ client_id: clientId, token }));
}

export function askCall(issuer: string, accessToken: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
  return ask(`${issuer}/mcp`, { method: 'POST', headers, body: '{}' });
}

/** To a code, however often that has to be tried while things break; undefined: not before the end of patience. */
export async function persistentCode(
  { issuer, resource, provider }: Pick<Instances, 'issuer' | 'resource' | 'provider'>,
  stopped: () => boolean = () => false,
): Promise<Authorized | undefined> {
  while (!stopped()) {
    try {
      return await authorize(issuer, resource, provider.issuer);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  return undefined;
}

/** One for each of `count`, at most `width` at a time. */
export async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
