/** The page's server beside a real gateway with a real user pool, and a browser's part played over plain HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { walkThrough } from '../../../conformance/harness/person.ts';
import {
  freePort,
  password,
  startGateway,
  type TestGateway,
  username,
} from '../../../packages/gateway/test/harness.ts';
import { type ServerRecords, serverKinds } from '../src/rooms.ts';
import { startAnkify } from '../src/server.ts';
import { type PageServer, startPage } from '../src/session/page-server.ts';
import type { LogEvent } from '../src/tools/tool-context.ts';

export const ankifySecretEnv = 'ANKIFY_TEST_GATEWAY_SECRET';
process.env[ankifySecretEnv] = 'AnkifyTestSecret0123456789';
export const clientSecretEnv = 'ANKIFY_TEST_CLIENT_SECRET';
process.env[clientSecretEnv] = 'PageClientSecret0123456789abcdefABCDEF';

export interface PageService {
  /** Where the built page is looked for; empty at the start. */
  readonly folder: string;
  readonly gateway: TestGateway;
  /** What browsers see. */
  readonly origin: string;
  readonly api: string;
  readonly events: LogEvent[];
  /** Of the page's server alone. */
  readonly clock: { ahead: number };
  /** The page's server again, as after a restart: what it knew by heart is forgotten. */
  restart(): Promise<void>;
  call(method: string, path: string, options?: SessionCall): Promise<SessionReply>;
  /** The code that a person's sign-in leads to, with its verifier. */
  authorize(): Promise<{ readonly code: string; readonly code_verifier: string; readonly redirect_uri: string }>;
  /** Signs in to the end. */
  signIn(): Promise<SessionReply>;
  close(): Promise<void>;
}

export interface SessionCall {
  readonly json?: unknown;
  readonly body?: string;
  readonly cookie?: string | undefined;
  /** In place of what the page's own script sends. */
  readonly headers?: Record<string, string | undefined>;
}

export interface SessionReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of it.
  readonly json: any;
  /** `name=value` of the cookie that was set; empty text: none. */
  readonly cookie: string;
}

export async function startPageService(): Promise<PageService> {
  const folder = mkdtempSync(join(tmpdir(), 'ankify-page-'));
  const pagePort = await freePort();
  const origin = `http://localhost:${pagePort}`;
  const secret = process.env[ankifySecretEnv] as string;
  const records = memoryRecords<ServerRecords>({ kinds: serverKinds });
  const key = randomBytes(32);
  const ankify = await startAnkify({ records, publicUrl: 'http://localhost/ankify', secret, linkKey: key });
  const scopes = { generate_deck: 'make decks', list_decks: 'see your decks' };
  const gateway = await startGateway(
    [{ path: '/ankify/api', kind: 'api', target: `${ankify.url}/api`, targetSecret: { env: ankifySecretEnv }, scopes }],
    {
      clients: [
        { id: 'ankify-page', name: 'Ankify', secret: { env: clientSecretEnv }, redirectUris: [`${origin}/signed-in`] },
      ],
      allowedOrigins: [origin],
    },
  );
  const events: LogEvent[] = [];
  const clock = { ahead: 0 };
  const start = (): Promise<PageServer> =>
    startPage({
      folder,
      pageUrl: origin,
      publicUrl: `${gateway.issuer}/ankify`,
      clientId: 'ankify-page',
      clientSecret: process.env[clientSecretEnv] as string,
      key,
      scope: 'generate_deck list_decks',
      port: pagePort,
      now: () => Date.now() / 1000 + clock.ahead,
      log: (event) => events.push(event),
    });
  let page = await start();

  const call: PageService['call'] = async (method, path, { json, body, cookie, headers: changes = {} } = {}) => {
    const all = {
      origin,
      'sec-fetch-site': 'same-origin',
      'ankify-session': '1',
      ...((json !== undefined || body !== undefined) && { 'content-type': 'application/json' }),
      ...(cookie && { cookie }),
      ...changes,
    };
    const headers = Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    // Not `fetch`: it sends no Host, Origin or Sec-Fetch-Site of the caller's choice, and keeps connections.
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(origin + path, { method, headers, agent: false }, resolve);
      sent.on('error', reject);
      sent.end(json === undefined ? body : JSON.stringify(json));
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const set = response.headers['set-cookie']?.join() ?? '';
    const list = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
    return {
      status: response.statusCode ?? 0,
      headers: new Headers(list),
      text,
      json: /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(text) : undefined,
      cookie: set.split(';', 1)[0] ?? '',
    };
  };

  const authorize: PageService['authorize'] = async () => {
    const { json: config } = await call('GET', '/session/config');
    const code_verifier = randomBytes(32).toString('base64url');
    const state = randomBytes(16).toString('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: config.client_id,
      redirect_uri: config.redirect_uri,
      resource: config.resource,
      scope: config.scope,
      state,
      code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const origins = [new URL(gateway.issuer).origin, gateway.signInOrigin];
    const { callback } = await walkThrough(`${config.authorization_endpoint}?${query}`, origins, {
      username,
      password,
    });
    const code = callback.searchParams.get('code');
    if (code === null || callback.searchParams.get('state') !== state) throw new Error(`no code: ${callback}`);
    if (callback.searchParams.get('iss') !== config.issuer) throw new Error('another issuer');
    return { code, code_verifier, redirect_uri: config.redirect_uri };
  };

  return {
    folder,
    gateway,
    origin,
    api: `${gateway.issuer}/ankify/api`,
    events,
    clock,
    call,
    authorize,
    async restart() {
      await page.close();
      page = await start();
    },
    async signIn() {
      const reply = await call('POST', '/session', { json: await authorize() });
      if (reply.status !== 200) throw new Error(`not signed in: ${JSON.stringify(reply.json)}`);
      return reply;
    },
    async close() {
      await page.close();
      await gateway.close();
      await ankify.close();
      await records.close();
      rmSync(folder, { recursive: true });
    },
  };
}
