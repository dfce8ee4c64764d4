/**
 * Who is signed in: an ordinary OAuth client (code + PKCE, RFC 7636; `iss` checked, RFC 9207) whose refresh token is kept
 * by the page's own server in an HttpOnly cookie. The access token lives in this variable and nowhere else.
 */
import { signal } from '@preact/signals';
import { ApiProblem, problemOf, SignedOut, Unreachable } from '../api/problem.ts';
import { challengeOf, randomText } from './pkce.ts';

export interface Configuration {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly client_id: string;
  readonly redirect_uri: string;
  readonly resource: string;
  readonly scope: string;
  readonly api_url: string;
  readonly mcp_url: string;
}

/** `why`: what to tell the person on the sign-in page. */
export type Session =
  | { readonly is: 'starting' }
  | { readonly is: 'in' }
  | { readonly is: 'out'; readonly why?: 'ended' | 'denied' | 'failed' | 'unrevoked' | 'done' }
  | { readonly is: 'unreachable' };

export const session = signal<Session>({ is: 'starting' });

interface Pending {
  readonly state: string;
  readonly verifier: string;
  /** Where the person wanted to be. */
  readonly to: string;
}

const pendingKey = 'ankify-sign-in';
/** The other tabs are told; they hold tokens of the same session. */
const tabs = new BroadcastChannel('ankify-session');

let token: { readonly value: string; readonly until: number } | undefined;
let asking: Promise<string> | undefined;
let config: Promise<Configuration> | undefined;

tabs.addEventListener('message', ({ data }) => {
  if (data === 'out' && session.value.is === 'in') forget({ is: 'out', why: 'done' });
  if (data === 'in' && session.value.is === 'out') void restore();
});

export function configuration(): Promise<Configuration> {
  config ??= own<Configuration>('GET', '/session/config').catch((error: unknown) => {
    config = undefined;
    throw error;
  });
  return config;
}

/** From the address of the page: returns from sign-in, or takes the session up again. Resolves to the path to show. */
export async function start(): Promise<string> {
  const { pathname, search } = location;
  if (pathname === '/signed-in') return finish(new URLSearchParams(search));
  await restore();
  return pathname + search;
}

export async function restore(): Promise<void> {
  try {
    await accessToken(false);
    session.value = { is: 'in' };
  } catch (error) {
    session.value = error instanceof SignedOut ? { is: 'out' } : { is: 'unreachable' };
  }
}

export async function signIn(to: string): Promise<void> {
  const { authorization_endpoint, client_id, redirect_uri, resource, scope } = await configuration();
  const pending: Pending = { state: randomText(), verifier: randomText(), to };
  sessionStorage.setItem(pendingKey, JSON.stringify(pending));
  const url = new URL(authorization_endpoint);
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id,
    redirect_uri,
    resource,
    scope,
    state: pending.state,
    code_challenge: await challengeOf(pending.verifier),
    code_challenge_method: 'S256',
  })) {
    url.searchParams.set(name, value);
  }
  location.assign(url);
}

async function finish(answer: URLSearchParams): Promise<string> {
  const stored = sessionStorage.getItem(pendingKey);
  sessionStorage.removeItem(pendingKey);
  // The code is worth nothing any more once it was sent, and has no business in the history.
  history.replaceState(null, '', '/');
  const pending = stored === null ? undefined : (JSON.parse(stored) as Pending);
  try {
    const { issuer, redirect_uri } = await configuration();
    // A link that somebody else made would sign the person in as somebody else (RFC 6749 §10.12, RFC 9207 §2.4).
    if (!pending || answer.get('state') !== pending.state || answer.get('iss') !== issuer) {
      await restore();
      if (session.value.is === 'out') session.value = { is: 'out', why: 'failed' };
      return '/';
    }
    const code = answer.get('code');
    if (code === null) {
      session.value = { is: 'out', why: answer.get('error') === 'access_denied' ? 'denied' : 'failed' };
      return pending.to;
    }
    keep(await own<TokenAnswer>('POST', '/session', { code, code_verifier: pending.verifier, redirect_uri }));
    session.value = { is: 'in' };
    tabs.postMessage('in');
  } catch (error) {
    session.value = error instanceof ApiProblem && error.status < 500 ? { is: 'out', why: 'failed' } : unreachable;
  }
  return pending?.to ?? '/';
}

const unreachable: Session = { is: 'unreachable' };

/** `force`: the last one was refused. Throws `SignedOut`, `Unreachable` or `ApiProblem`. */
export async function accessToken(force: boolean): Promise<string> {
  if (!force && token && token.until > Date.now()) return token.value;
  // However many calls wait, one asks.
  asking ??= own<TokenAnswer>('POST', '/session/token', force ? { force: true } : {})
    .then(keep)
    .catch((error: unknown) => {
      if (!(error instanceof ApiProblem) || error.status !== 401) throw error;
      if (session.value.is === 'in') forget({ is: 'out', why: 'ended' });
      throw new SignedOut('the session has ended', { cause: error });
    })
    .finally(() => {
      asking = undefined;
    });
  return asking;
}

export async function signOut(): Promise<void> {
  let why: 'done' | 'unrevoked' = 'done';
  try {
    await own('DELETE', '/session');
  } catch (error) {
    // Without any answer the cookie is still there, and so is the session.
    if (!(error instanceof ApiProblem)) throw error;
    why = 'unrevoked';
  }
  forget({ is: 'out', why });
  tabs.postMessage('out');
}

function forget(next: Session): void {
  token = undefined;
  session.value = next;
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

/** Used up to a little before its end: calls take time. */
const spareSeconds = 20;

function keep({ access_token, expires_in }: TokenAnswer): string {
  token = { value: access_token, until: Date.now() + Math.max(5, expires_in - spareSeconds) * 1000 };
  return access_token;
}

/** The page's own origin. */
async function own<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        'ankify-session': '1',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      cache: 'no-store',
    });
  } catch (cause) {
    throw new Unreachable('the page’s server cannot be reached', { cause });
  }
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}
