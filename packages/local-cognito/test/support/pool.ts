/** A pool on a port of its own, with a clock the test turns, and the ways of asking it for tokens. */
import { createHash, randomBytes } from 'node:crypto';
import { expect, onTestFinished } from 'vitest';
import { type Config, type PoolEvent, type StartOptions, startLocalCognito } from '../../src/server.ts';
import { type Browser, createBrowser, type PageView } from './browser.ts';

export const CALLBACK = 'http://localhost:3000/callback';
export const API = 'https://api.example.com/mcp';
export const WEB_SECRET = 'websecret0websecret0websecret0web';
export const MACHINE_SECRET = 'machinesecret0machinesecret0machine';
export const PASSWORD = 'Correct-Horse-1';

export const CONFIG = {
  poolId: 'eu-central-1_Test0001',
  groups: [
    { name: 'readers', precedence: 20 },
    { name: 'admins', precedence: 1, roleArn: 'arn:aws:iam::123456789012:role/admin' },
  ],
  users: [
    {
      username: 'ada',
      email: 'ada@example.com',
      password: PASSWORD,
      groups: ['readers', 'admins'],
      attributes: { name: 'Ada L.', 'custom:tenant': 't1', phone_number: '+491234', phone_number_verified: 'true' },
    },
    { username: 'bob', email: 'bob@example.com', password: PASSWORD },
    { username: 'newcomer', email: 'newcomer@example.com', password: PASSWORD, confirmed: false },
  ],
  resourceServers: [{ identifier: API, scopes: ['read', { name: 'write', description: 'Change things' }] }],
  clients: [
    {
      clientId: 'public',
      clientName: 'Public <App>',
      callbackUrls: [CALLBACK, 'http://localhost:3000/callback?tenant=1', 'com.example.app://done'],
      logoutUrls: ['http://localhost:3000/bye'],
      allowedScopes: ['openid', 'email', 'phone', 'profile', 'aws.cognito.signin.user.admin', `${API}/read`],
    },
    {
      clientId: 'web',
      clientSecret: WEB_SECRET,
      callbackUrls: [CALLBACK],
      allowedScopes: ['openid', 'email'],
      refreshTokenRotation: { retryGracePeriodSeconds: 30 },
    },
    { clientId: 'strict', callbackUrls: [CALLBACK], allowedScopes: ['openid'], refreshTokenRotation: {} },
    { clientId: 'implicit', callbackUrls: [CALLBACK], allowedOAuthFlows: ['implicit'], allowedScopes: ['openid'] },
    {
      clientId: 'machine',
      clientSecret: MACHINE_SECRET,
      allowedOAuthFlows: ['client_credentials'],
      allowedScopes: [`${API}/read`, `${API}/write`],
    },
  ],
} satisfies Config;

export type Answer = { status: number; headers: Headers; body: Record<string, unknown>; text: string };

export interface TestPool {
  readonly origin: string;
  readonly issuer: string;
  readonly port: number;
  readonly clock: { now: number };
  readonly events: PoolEvent[];
  /** The newest confirmation code printed for that user. */
  codeFor(username: string): string;
  browser(): Browser;
  authorizeUrl(params?: Record<string, string>): string;
  loginPage(browser: Browser, params?: Record<string, string>): Promise<PageView>;
  /** Signs in and returns what the callback received. */
  signIn(params?: Record<string, string>, browser?: Browser, username?: string): Promise<URLSearchParams>;
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  token(fields: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** Sign in as ada at `public` and exchange the code. */
  tokens(params?: Record<string, string>, secret?: string): Promise<Record<string, string>>;
  close(): Promise<void>;
}

export async function startPool(options: Partial<StartOptions> & { config?: Config } = {}): Promise<TestPool> {
  const clock = { now: 1_800_000_000 };
  const events: PoolEvent[] = [];
  const log = (event: PoolEvent) => events.push(event);
  const pool = await startLocalCognito({ config: CONFIG, now: () => clock.now, log, ...options });
  onTestFinished(() => pool.close());
  const { origin, issuer } = pool;

  const authorizeUrl = (params: Record<string, string> = {}) =>
    `${origin}/oauth2/authorize?${new URLSearchParams({
      response_type: 'code',
      client_id: 'public',
      redirect_uri: CALLBACK,
      ...params,
    })}`;
  const read = async (response: Response): Promise<Answer> => {
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : {}, text };
  };
  const post: TestPool['post'] = async (path, fields, headers = {}) =>
    read(await fetch(`${origin}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers }));
  const loginPage: TestPool['loginPage'] = async (browser, params) =>
    browser.follow(await browser.get(authorizeUrl(params)));

  const signIn: TestPool['signIn'] = async (params, browser = createBrowser(origin), username = 'ada') => {
    const form = await loginPage(browser, params);
    const done = await browser.submit(form, { username, password: PASSWORD });
    expect(done.status, done.html).toBe(302);
    const callback = new URL(done.location);
    return callback.hash === '' ? callback.searchParams : new URLSearchParams(callback.hash.slice(1));
  };
  return {
    origin,
    issuer,
    port: pool.port,
    clock,
    events,
    authorizeUrl,
    loginPage,
    signIn,
    post,
    browser: () => createBrowser(origin),
    codeFor(username) {
      const event = events.findLast((e) => e.event === 'confirmation_code.created' && e.username === username);
      return event && 'code' in event ? event.code : 'none';
    },
    get: async (path, headers = {}) => read(await fetch(`${origin}${path}`, { headers, redirect: 'manual' })),
    token: (fields, headers) => post('/oauth2/token', fields, headers),
    async tokens(params = {}, secret) {
      const code = (await signIn(params)).get('code') ?? '';
      const answer = await post('/oauth2/token', {
        grant_type: 'authorization_code',
        client_id: params.client_id ?? 'public',
        redirect_uri: CALLBACK,
        code,
        ...(secret === undefined ? {} : { client_secret: secret }),
      });
      expect(answer.status, answer.text).toBe(200);
      return answer.body as Record<string, string>;
    },
    close: pool.close,
  };
}

export function basic(id: string, secret: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

export function pkce(): { verifier: string; challenge: Record<string, string> } {
  const verifier = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(verifier).digest('base64url');
  return { verifier, challenge: { code_challenge: hash, code_challenge_method: 'S256' } };
}
