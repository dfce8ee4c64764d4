/** A gateway whose settings may name its own port, before a user pool with several people; it can be started anew with other settings. */
import { createHash, randomBytes } from 'node:crypto';
import type { LogEvent } from '@mcp-gatehouse/auth';
import { startLocalCognito } from 'local-cognito';
import { type ConfigInput, serve } from '../src/serve.ts';
import { freePort, gatewayConfig, poolSecretEnv, type ResourceInput, redirectUri } from './harness.ts';

const password = 'Correct-Horse-9-Battery';
/** Of the pool: who is in a group, and whose address is whose. */
const users = [
  { username: 'ada', email: 'ada@staff.example', groups: ['staff'] },
  { username: 'bob', email: 'bob@mail.guests.example' },
  { username: 'eve', email: 'eve@staff.example', emailVerified: false },
] as const;
export type Person = (typeof users)[number]['username'];

interface Settings extends Partial<Omit<ConfigInput, 'resources'>> {
  readonly resources: ResourceInput[];
}

export interface SettingsGateway {
  readonly issuer: string;
  readonly port: number;
  readonly poolIssuer: string;
  readonly poolOrigin: string;
  /** Of every start. */
  readonly events: LogEvent[];
  /** The address a sign-in ends at, at the client, with `code` or with `error`. */
  signIn(resource: string, person: Person): Promise<Arrival>;
  /** As a client does it; rejects where there are none. */
  tokens(resource: string, person: Person): Promise<Tokens>;
  refresh(tokens: Tokens): Promise<Response>;
  /** Stops, and listens on the same port with other settings. */
  restart(settings: Settings): Promise<void>;
  /** From now on the user pool is away. */
  losePool(): Promise<void>;
  close(): Promise<void>;
}

export interface Arrival {
  readonly clientId: string;
  readonly verifier: string;
  readonly parameters: URLSearchParams;
}

export interface Tokens {
  readonly clientId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** `now`: of the gateway, in seconds; the pool has the time of the day. */
export async function startSettingsGateway(
  settingsAt: (port: number) => Settings,
  now?: () => number,
): Promise<SettingsGateway> {
  for (let tries = 0; ; tries++) {
    const port = await freePort();
    try {
      return await startAt(port, settingsAt(port), now);
    } catch (error) {
      // Another process can take a free port before we do.
      if (tries === 4 || !(error instanceof Error && error.message.includes('is in use'))) throw error;
    }
  }
}

async function startAt(port: number, first: Settings, now?: () => number): Promise<SettingsGateway> {
  const issuer = `http://localhost:${port}`;
  const client = { clientId: 'gatehouse', clientSecret: process.env[poolSecretEnv] as string };
  const pool = await startLocalCognito({
    config: {
      poolId: 'eu-central-1_Test00001',
      groups: [{ name: 'staff' }],
      users: users.map((user) => ({ ...user, password, groups: 'groups' in user ? [...user.groups] : [] })),
      clients: [{ ...client, callbackUrls: [`${issuer}/callback`], allowedScopes: ['openid', 'email'] }],
    },
  });
  let poolClosed: Promise<void> | undefined;
  const losePool = () => {
    poolClosed ??= pool.close();
    return poolClosed;
  };
  const events: LogEvent[] = [];
  const start = ({ resources, ...changes }: Settings) => {
    const identityProvider: ConfigInput['identityProvider'] = {
      ...{ type: 'cognito', userPoolId: pool.poolId, domain: pool.origin, issuerOrigin: pool.origin },
      ...{ clientId: client.clientId, clientSecret: { env: poolSecretEnv }, scope: ['openid', 'email'] },
    };
    const { listen, ...others } = changes;
    const settings = { identityProvider, listen: { port, ...listen }, ...others };
    const log = (event: LogEvent) => void events.push(event);
    return serve(gatewayConfig(port, resources, settings), { log, ...(now && { now }) });
  };
  let running = await start(first).catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  const gateway: SettingsGateway = {
    issuer,
    port,
    poolIssuer: pool.issuer,
    poolOrigin: pool.origin,
    events,
    async signIn(resource, person) {
      const registered = await fetch(`${issuer}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_name: 'Gateway tests', redirect_uris: [redirectUri] }),
      });
      const { client_id: clientId } = (await registered.json()) as { client_id: string };
      const verifier = randomBytes(32).toString('base64url');
      const query = new URLSearchParams({
        ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, resource, state: 'the-state' },
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      const arrived = await walk(new URL(`${issuer}/authorize?${query}`), person, redirectUri);
      return { clientId, verifier, parameters: arrived.searchParams };
    },
    async tokens(resource, person) {
      const { clientId, verifier, parameters } = await gateway.signIn(resource, person);
      const code = parameters.get('code');
      if (code === null) throw new Error(`No code: ${parameters}`);
      const form = { client_id: clientId, code, code_verifier: verifier, redirect_uri: redirectUri };
      const body = new URLSearchParams({ grant_type: 'authorization_code', ...form });
      const answer = await fetch(`${issuer}/token`, { method: 'POST', body });
      const { access_token: accessToken, refresh_token: refreshToken } = (await answer.json()) as Record<
        string,
        string
      >;
      if (!accessToken || !refreshToken) throw new Error(`No tokens: ${answer.status}`);
      return { clientId, accessToken, refreshToken };
    },
    refresh({ clientId, refreshToken }) {
      const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
      return fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form) });
    },
    async restart(settings) {
      await running.close();
      running = await start(settings);
    },
    losePool,
    async close() {
      await running.close();
      await losePool();
    },
  };
  return gateway;
}

/** A browser without scripts: follows pages and redirects, says yes, types a password, until the client's address is reached. */
export async function walk(start: URL, person: Person, end: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let [url, form]: [URL, URLSearchParams | undefined] = [start, undefined];
  for (let step = 0; !url.href.startsWith(end); step++) {
    if (step > 20) throw new Error(`The walk goes in circles at ${url}`);
    const { hostname } = url;
    const mine = [...cookies].filter(([key]) => key.startsWith(`${hostname} `));
    const cookie = mine.map(([key, value]) => `${key.slice(hostname.length + 1)}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie, ...(form && { origin: url.origin }) },
      ...(form && { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(`${hostname} ${name}`, value);
    }
    const page = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      [url, form] = [new URL(location, url), undefined];
      continue;
    }
    const action = /<form[^>]*\saction="([^"]*)"/.exec(page)?.[1];
    if (!response.ok || action === undefined) throw new Error(`Stuck at ${url}: ${response.status}\n${page}`);
    const hidden = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    form = new URLSearchParams(hidden.map(([, name = '', value = '']): [string, string] => [name, plain(value)]));
    const typed = form.has('request') ? { decision: 'allow' } : { username: person, password };
    for (const [name, value] of Object.entries(typed)) form.set(name, value);
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
