/** A database that hangs, a disk that is full, an identity provider that is away: what each costs, and that it heals (REL-01, REL-02). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startLocalCognito } from 'local-cognito';
import { afterEach, expect, it } from 'vitest';
import { authorize, redeem, refresh } from '../../../conformance/harness/client.ts';
import { startPostgres } from '../../records/test/postgres-server.ts';
import { defaultLimits } from '../src/limits.ts';
import { serve } from '../src/serve.ts';
import { startGatewayProcess } from './gateway-process.ts';
import {
  freePort,
  gatewayConfig,
  password,
  poolSecretEnv,
  redirectUri,
  type SignedIn,
  signIn,
  startGateway,
  username,
} from './harness.ts';
import { startTarget } from './target.ts';
import { tcpSwitch } from './tcp-switch.ts';

const cleanUp: Array<() => Promise<unknown> | unknown> = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
function later<T extends { close(): Promise<void> }>(opened: T): T {
  cleanUp.push(() => opened.close());
  return opened;
}

const form = (url: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' });
const call = (issuer: string, { authorization }: SignedIn) =>
  fetch(`${issuer}/mcp`, { method: 'POST', body: '{}', headers: authorization });

/** From the authorization request to the form that a person sends; the reply to that, and its browser's cookies. */
async function consented(issuer: string, clientId: string): Promise<{ reply: Response; cookie: string }> {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    resource: `${issuer}/mcp`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    state: 'some state',
  });
  const opened = await fetch(`${issuer}/authorize?${query}`);
  const hidden = [...(await opened.text()).matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
  const cookie = opened.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value]));
  const reply = await form(`${issuer}/consent`, { ...fields, decision: 'allow' }, { cookie, origin: issuer });
  return { reply, cookie };
}

it('a database that takes questions and gives no answer: every endpoint says 503 within its time', {
  timeout: 120_000,
}, async () => {
  const server = await startPostgres();
  cleanUp.push(() => server.remove());
  const line = later(await tcpSwitch(server.port));
  const target = later(await startTarget());
  process.env.GATEHOUSE_HUNG_MACHINE = 'a-machine-s-own-secret-of-enough-bytes';
  const gateway = later(
    await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], {
      records: {
        type: 'postgres',
        connectionString: server.url.replace(`:${server.port}/`, `:${line.port}/`),
        connectTimeoutMs: 300,
        statementTimeoutMs: 300,
      },
      clients: [
        {
          id: 'machine',
          secret: { env: 'GATEHOUSE_HUNG_MACHINE' },
          grantTypes: ['client_credentials'],
          introspects: ['/mcp'],
        },
      ],
    }),
  );
  const { issuer } = gateway;
  const known = await signIn(gateway);
  const code = await authorize(issuer, `${issuer}/mcp`, gateway.signInOrigin, { username, password });
  const basic = Buffer.from(`machine:${process.env.GATEHOUSE_HUNG_MACHINE}`).toString('base64');
  line.turn('swallow');
  const asked: Record<string, () => Promise<Response>> = {
    refresh: () => refresh(issuer, known.clientId, known.refreshToken),
    redeem: () => redeem(issuer, code),
    revoke: () => form(`${issuer}/revoke`, { client_id: known.clientId, token: known.refreshToken }),
    introspect: () => form(`${issuer}/introspect`, { token: known.accessToken }, { authorization: `Basic ${basic}` }),
    consent: async () => (await consented(issuer, known.clientId)).reply,
    call: () => call(issuer, known),
    readyz: () => fetch(`${issuer}/readyz`),
  };
  // All at once, and each more than once: what hangs holds up nobody else.
  const started = performance.now();
  const answers = await Promise.all(
    Object.entries(asked).flatMap(([name, ask]) =>
      [1, 2, 3].map(async () => {
        const { status, headers } = await ask();
        return { name, status, again: Number(headers.get('retry-after')) > 0 };
      }),
    ),
  );
  for (const { name, status, again } of answers) expect([name, status, again]).toEqual([name, 503, true]);
  expect(performance.now() - started).toBeLessThan((defaultLimits.requestSeconds + 5) * 1000);
  line.turn('through');
  await expect.poll(async () => (await fetch(`${issuer}/readyz`)).status, { timeout: 15_000 }).toBe(200);
  // A statement whose answer was lost may have been done (RFC 9700 §4.14.2's grace is there for the refresh).
  expect((await refresh(issuer, known.clientId, known.refreshToken)).status).toBe(200);
  expect((await call(issuer, known)).status).toBe(200);
  expect((await call(issuer, await signIn(gateway))).status).toBe(200);
});

it('a disk that is full: what would write is 503, what reads goes on, nothing is lost or broken', {
  timeout: 120_000,
}, async () => {
  const target = later(await startTarget());
  const gateway = await startGatewayProcess([{ path: '/mcp', target: `${target.url}/mcp` }], (folder) => ({
    records: { type: 'sqlite', file: join(folder, 'gatehouse.sqlite') },
  }));
  let open = true;
  const close = async () => {
    if (open) await gateway.close();
    open = false;
  };
  cleanUp.push(close);
  const { issuer, command, folder } = gateway;
  const known = await signIn(gateway);
  const code = await authorize(issuer, `${issuer}/mcp`, gateway.signInOrigin, { username, password });
  // The limit on the size of a file is the disk full that needs no privileges, and can be lifted.
  const diskOf = (size: string) => execFileSync('prlimit', ['--pid', String(command.child.pid), `--fsize=${size}:`]);
  diskOf('4096');
  for (const response of [
    await refresh(issuer, known.clientId, known.refreshToken),
    await redeem(issuer, code),
    await form(`${issuer}/revoke`, { client_id: known.clientId, token: known.refreshToken }),
    (await consented(issuer, known.clientId)).reply,
  ]) {
    expect([response.status, await response.text()]).toEqual([503, expect.not.stringContaining('invalid_')]);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect((await call(issuer, known)).status).toBe(200);
  diskOf('unlimited');
  const refreshed = await refresh(issuer, known.clientId, known.refreshToken);
  expect(refreshed.status).toBe(200);
  expect((await redeem(issuer, code)).status).toBe(200);
  await signIn(gateway);
  const database = new DatabaseSync(join(folder, 'gatehouse.sqlite'), { readOnly: true });
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  database.close();
  await close();
});

it('an identity provider that is away: tokens and refreshes go on, new sign-ins are told, and it heals', {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-provider-'));
  cleanUp.push(() => rmSync(folder, { recursive: true }));
  const target = later(await startTarget());
  const [port, poolPort] = [await freePort(), await freePort()];
  const issuer = `http://localhost:${port}`;
  const openPool = () =>
    startLocalCognito({
      config: {
        poolId: 'eu-central-1_Test00001',
        users: [{ username, password, email: 'ada@example.com' }],
        clients: [
          {
            clientId: 'gatehouse',
            clientSecret: process.env[poolSecretEnv] as string,
            callbackUrls: [`${issuer}/callback`],
            allowedScopes: ['openid'],
          },
        ],
      },
      stateFile: join(folder, 'pool.json'),
      port: poolPort,
    });
  let pool = await openPool();
  cleanUp.push(() => pool.close());
  let seconds = Math.floor(Date.now() / 1000);
  const config = gatewayConfig(port, [{ path: '/mcp', target: `${target.url}/mcp` }], {}, pool.origin);
  const events: Array<{ readonly event: string }> = [];
  later(await serve(config, { log: (event) => events.push(event), now: () => seconds }));
  const known = await signIn({ issuer });
  const second = await signIn({ issuer });
  const { origin } = pool;
  await pool.close();

  expect((await call(issuer, known)).status).toBe(200);
  // More than an hour: the provider is to be asked about the person, and cannot be.
  seconds += 3700;
  const refreshed = await refresh(issuer, known.clientId, known.refreshToken);
  expect(refreshed.status).toBe(200);
  const tokens = (await refreshed.json()) as { access_token: string; refresh_token: string };
  const authorization = { authorization: `Bearer ${tokens.access_token}` };
  expect((await call(issuer, { ...known, authorization })).status).toBe(200);

  // A person who begins meanwhile stands before the provider that is away; who was there before comes back in vain.
  const { reply: sent, cookie } = await consented(issuer, known.clientId);
  expect([sent.status, sent.headers.get('location')?.startsWith(origin)]).toEqual([303, true]);
  const state = new URL(sent.headers.get('location') as string).searchParams.get('state') as string;
  const back = await fetch(`${issuer}/callback?${new URLSearchParams({ code: 'any', state })}`, {
    headers: { cookie },
    redirect: 'manual',
  });
  const told = back.headers.get('location') ?? (await back.text());
  expect(told).toMatch(/temporarily_unavailable/);

  pool = await openPool();
  expect(pool.origin).toBe(origin);
  const healed = await refresh(issuer, second.clientId, second.refreshToken);
  expect(healed.status).toBe(200);
  expect((await refresh(issuer, known.clientId, tokens.refresh_token)).status).toBe(200);
  expect((await call(issuer, await signIn({ issuer }))).status).toBe(200);
  expect(events.filter(({ event }) => event === 'grant.identity_ended')).toEqual([]);
});
