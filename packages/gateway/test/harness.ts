/** A gateway of its own for a test file, with a real user pool behind it, and a person who signs in with a plain HTTP browser. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { LogEvent } from '@mcp-gatehouse/auth';
import { startLocalCognito } from 'local-cognito';
import { type Config, type ConfigInput, checkConfig, type RunningGateway, serve } from '../src/serve.ts';

export const username = 'ada';
export const password = 'Correct-Horse-9-Battery';
export const redirectUri = 'http://127.0.0.1:59998/done';

/** What no log may ever hold. */
export const secretEnv = 'GATEHOUSE_GATEWAY_TEST_SECRET';
process.env[secretEnv] = 'the-operators-own-secret-of-enough-bytes-0123456789';
export const poolSecretEnv = 'GATEHOUSE_GATEWAY_TEST_POOL_SECRET';
process.env[poolSecretEnv] = 'PoolClientSecret0123456789abcdefABCDEF';

export type ResourceInput = ConfigInput['resources'][number];

export interface TestGateway {
  readonly issuer: string;
  readonly port: number;
  readonly events: LogEvent[];
  readonly running: RunningGateway;
  /** Where people type their password. */
  readonly signInOrigin: string;
  url(path: string): string;
  close(): Promise<void>;
}

/** A configuration with memory records; `signIn` is the origin of the pool, or a place where nothing listens. */
export function gatewayConfig(
  port: number,
  resources: readonly ResourceInput[],
  changes: Partial<ConfigInput> = {},
  signIn = 'http://127.0.0.1:1',
): Config {
  return checkConfig('The test', {
    issuer: `http://localhost:${port}`,
    listen: { port },
    resources: [...resources],
    identityProvider: {
      type: 'cognito',
      userPoolId: 'eu-central-1_Test00001',
      domain: signIn,
      issuerOrigin: signIn,
      clientId: 'gatehouse',
      clientSecret: { env: poolSecretEnv },
      name: 'the test pool',
    },
    records: { type: 'memory' },
    secrets: [{ id: 't1', secret: { env: secretEnv } }],
    ...changes,
  });
}

export async function startGateway(
  resources: readonly ResourceInput[],
  changes: Partial<ConfigInput> = {},
): Promise<TestGateway> {
  for (let tries = 0; ; tries++) {
    const port = await freePort();
    const pool = await startPool(`http://localhost:${port}/callback`);
    const events: LogEvent[] = [];
    try {
      const config = gatewayConfig(port, resources, changes, pool.origin);
      const running = await serve(config, { log: (event) => events.push(event) });
      return {
        issuer: config.issuer,
        port: running.port,
        events,
        running,
        signInOrigin: pool.origin,
        url: (path) => `http://localhost:${running.port}${path}`,
        async close() {
          await running.close();
          await pool.close();
        },
      };
    } catch (error) {
      await pool.close();
      // Another process can take a free port before we do.
      if (tries === 4 || !(error instanceof Error && error.message.includes('is in use'))) throw error;
    }
  }
}

function startPool(callbackUrl: string) {
  return startLocalCognito({
    config: {
      poolId: 'eu-central-1_Test00001',
      groups: [{ name: 'staff' }],
      users: [{ username, password, email: 'ada@example.com', groups: ['staff'] }],
      clients: [
        {
          clientId: 'gatehouse',
          clientSecret: process.env[poolSecretEnv] as string,
          callbackUrls: [callbackUrl],
          allowedScopes: ['openid'],
        },
      ],
    },
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly clientId: string;
  readonly scope: string;
  /** Everything on the way that must not be in a log, by name. */
  readonly secrets: ReadonlyMap<string, string>;
  /** For `fetch`. */
  readonly authorization: { readonly authorization: string };
}

export interface SignInPlace {
  readonly issuer: string;
  readonly path?: string;
  readonly scope?: string;
  readonly person?: { readonly username: string; readonly password: string };
}

/** Registers a client, walks every page as a person would, redeems the code. */
export async function signIn(place: SignInPlace): Promise<SignedIn> {
  const { issuer, path = '/mcp', scope, person = { username, password } } = place;
  const resource = issuer + path;
  const registered = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Gateway tests', redirect_uris: [redirectUri] }),
  });
  const { client_id: clientId } = (await registered.json()) as { client_id: string };
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const secrets = new Map([
    ['verifier', verifier],
    ['state', state],
  ]);
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    resource,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(scope !== undefined && { scope }),
  });
  const back = await walk(new URL(`${issuer}/authorize?${query}`), person, secrets);
  const code = back.searchParams.get('code');
  if (code === null || back.searchParams.get('state') !== state) throw new Error(`The walk ended at ${back}`);
  secrets.set('code', code);
  const redeemed = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    }),
  });
  const tokens = (await redeemed.json()) as Record<string, string>;
  const { access_token: accessToken, refresh_token: refreshToken } = tokens;
  if (!accessToken || !refreshToken) throw new Error(`No tokens: ${JSON.stringify(tokens)}`);
  secrets.set('access token', accessToken).set('refresh token', refreshToken).set('password', person.password);
  return {
    accessToken,
    refreshToken,
    clientId,
    scope: tokens.scope ?? '',
    secrets,
    authorization: { authorization: `Bearer ${accessToken}` },
  };
}

/** Follows pages and redirects until the client's own address is reached, noting every secret that was seen. */
async function walk(start: URL, person: Readonly<Record<string, string>>, secrets: Map<string, string>): Promise<URL> {
  const cookies = new Map<string, string>();
  let [url, form]: [URL, URLSearchParams | undefined] = [start, undefined];
  for (let step = 1; !url.href.startsWith(redirectUri); step++) {
    if (step > 20) throw new Error(`The walk goes in circles at ${url}`);
    const mine = [...cookies].filter(([key]) => key.startsWith(`${url.hostname} `));
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        cookie: mine.map(([key, value]) => `${key.split(' ')[1]}=${value}`).join('; '),
        ...(form && { origin: url.origin }),
      },
      ...(form && { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(`${url.hostname} ${name}`);
      else cookies.set(`${url.hostname} ${name}`, value);
      if (value.length >= 16) secrets.set(`cookie ${name} of step ${step}`, value);
    }
    const body = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      [url, form] = [new URL(location, url), undefined];
      for (const name of ['code', 'state', 'nonce']) {
        const value = url.searchParams.get(name);
        if (value !== null) secrets.set(`${name} of step ${step}`, value);
      }
      continue;
    }
    const action = /<form[^>]*\saction="([^"]*)"/.exec(body)?.[1];
    if (!response.ok || action === undefined) throw new Error(`Stuck at ${url}: ${response.status}\n${body}`);
    const hidden = [...body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    form = new URLSearchParams(hidden.map(([, name = '', value = '']): [string, string] => [name, plain(value)]));
    for (const [name, value] of form) if (value.length >= 16) secrets.set(`field ${name} of step ${step}`, value);
    const consent = form.has('request');
    for (const [name, value] of Object.entries(consent ? { decision: 'allow' } : person)) form.set(name, value);
    url = new URL(plain(action), url);
  }
  return url;
}

function plain(escaped: string): string {
  return escaped.replace(/&(?:#(\d+)|amp|quot|lt|gt);/g, (entity, code: string | undefined) =>
    code === undefined
      ? ({ '&amp;': '&', '&quot;': '"', '&lt;': '<', '&gt;': '>' }[entity] ?? entity)
      : String.fromCharCode(Number(code)),
  );
}
