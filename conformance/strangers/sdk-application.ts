/**
 * What an application brings that is built on the SDK: a listener on loopback for the way back (RFC 8252 §7.3) and a
 * place for its credentials. Both SDKs ask for the same, so this serves v1 and v2.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Credentials } from './scenario.ts';

export interface Listener {
  readonly redirectUri: string;
  /** The query of the next request to the redirect URI. */
  callback(): Promise<URLSearchParams>;
  close(): Promise<void>;
}

export async function listenForCallback(): Promise<Listener> {
  const waiting: Array<(query: URLSearchParams) => void> = [];
  const arrived: URLSearchParams[] = [];
  const server = createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://127.0.0.1');
    // A browser asks for an icon, too.
    if (pathname !== '/callback') return res.writeHead(204).end();
    res.writeHead(200, { 'content-type': 'text/html', connection: 'close' });
    res.end('<!doctype html><title>Done</title><p>You may close this window.</p>');
    const next = waiting.shift();
    if (next) next(searchParams);
    else arrived.push(searchParams);
    return res;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    redirectUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    callback: () => {
      const first = arrived.shift();
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An `OAuthClientProvider` of either SDK. `Client` and `Tokens` are the SDK's own types. */
export function memoryProvider<
  Client extends { client_id: string },
  Tokens extends { access_token: string; refresh_token?: string | undefined },
  Discovery = unknown,
>(redirectUri: string, clientName: string) {
  let client: Client | undefined;
  let tokens: Tokens | undefined;
  let discovery: Discovery | undefined;
  let verifier = '';
  let lastState = '';
  const verifiers: string[] = [];
  const opened: URL[] = [];
  const invalidated: string[] = [];
  return {
    /** Addresses the SDK wanted a person to open. */
    opened,
    /** What the SDK was told is worthless, in order. */
    invalidated,
    /** Every code verifier it made. */
    verifiers,
    lastState: () => lastState,
    credentials(): Credentials {
      if (!client || !tokens?.refresh_token) throw new Error('the client holds no credentials');
      return { clientId: client.client_id, accessToken: tokens.access_token, refreshToken: tokens.refresh_token };
    },
    provider: {
      redirectUrl: redirectUri,
      clientMetadata: {
        client_name: clientName,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      state: () => {
        lastState = randomBytes(16).toString('base64url');
        return lastState;
      },
      clientInformation: () => client,
      saveClientInformation: (information: Client) => {
        client = information;
      },
      tokens: () => tokens,
      saveTokens: (issued: Tokens) => {
        tokens = issued;
      },
      redirectToAuthorization: (url: URL) => {
        opened.push(url);
      },
      saveCodeVerifier: (text: string) => {
        verifier = text;
        verifiers.push(text);
      },
      codeVerifier: () => verifier,
      saveDiscoveryState: (state: Discovery) => {
        discovery = state;
      },
      discoveryState: () => discovery,
      invalidateCredentials: (scope: string) => {
        invalidated.push(scope);
        if (scope === 'all' || scope === 'tokens') tokens = undefined;
        if (scope === 'all' || scope === 'client') client = undefined;
        if (scope === 'all' || scope === 'discovery') discovery = undefined;
      },
    },
  };
}
