/**
 * A database that goes away under a gateway that runs, whichever it is: every endpoint's answer, and that all is well again
 * without a restart (REL-02). docs/guides/when-things-break.md says the same to operators.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import dynalite from 'dynalite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorize, redeem } from '../../../conformance/harness/client.ts';
import { createTable, dynamoDbConnection } from '../../records/src/dynamodb.ts';
import { startPostgres } from '../../records/test/postgres-server.ts';
import { startRedis } from '../../records/test/redis-server.ts';
import type { ConfigInput } from '../src/serve.ts';
import { password, type SignedIn, secretEnv, signIn, startGateway, type TestGateway, username } from './harness.ts';
import { startTarget, type Target } from './target.ts';
import { tcpSwitch } from './tcp-switch.ts';

interface Database {
  readonly records: ConfigInput['records'];
  away(): Promise<void>;
  back(): Promise<void>;
  remove(): Promise<void>;
}

async function postgres(): Promise<Database> {
  const server = await startPostgres();
  return {
    records: { type: 'postgres', connectionString: server.url },
    away: () => server.stop('immediate'),
    back: () => server.start(),
    remove: () => server.remove(),
  };
}

async function redis(): Promise<Database> {
  const server = await startRedis({ fsync: 'always' });
  return {
    records: { type: 'redis', url: server.url },
    away: () => server.kill(),
    back: () => server.start(),
    remove: () => server.remove(),
  };
}

async function dynamodb(): Promise<Database> {
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'a secret of the tests';
  // To stop it would be to lose what it holds.
  const server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  const line = await tcpSwitch((server.address() as { port: number }).port);
  const endpoint = `http://127.0.0.1:${line.port}`;
  const administrator = dynamoDbConnection({ region: 'eu-central-1', endpoint });
  await createTable(administrator.send, 'gatehouse');
  await administrator.close();
  return {
    records: { type: 'dynamodb', table: 'gatehouse', region: 'eu-central-1', endpoint },
    away: async () => line.turn('cut'),
    back: async () => line.turn('through'),
    async remove() {
      await line.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Away is locked by another process that does not let go. */
async function sqlite(): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-outage-'));
  const file = join(folder, 'gatehouse.sqlite');
  let other: DatabaseSync | undefined;
  return {
    records: { type: 'sqlite', file },
    async away() {
      other = new DatabaseSync(file);
      other.exec('BEGIN EXCLUSIVE');
    },
    async back() {
      other?.exec('ROLLBACK');
      other?.close();
      other = undefined;
    },
    async remove() {
      rmSync(folder, { recursive: true });
    },
  };
}

const machineSecret = 'a-machine-s-own-secret-of-enough-bytes';
process.env.GATEHOUSE_OUTAGE_MACHINE = machineSecret;

describe.each([
  ['PostgreSQL', postgres, 'all'],
  ['Redis', redis, 'all'],
  ['DynamoDB', dynamodb, 'all'],
  // Readers of SQLite wait for no writer.
  ['SQLite, locked by another process', sqlite, 'writes'],
] as const)('with %s away', (_, open, gone) => {
  let database: Database;
  let target: Target;
  let gateway: TestGateway;
  let known: SignedIn;
  let unseen: SignedIn;
  let codeHeld: Awaited<ReturnType<typeof authorize>>;

  beforeAll(async () => {
    expect(secretEnv in process.env).toBe(true);
    database = await open();
    target = await startTarget();
    gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], {
      records: database.records,
      clients: [
        {
          id: 'machine',
          secret: { env: 'GATEHOUSE_OUTAGE_MACHINE' },
          grantTypes: ['client_credentials'],
          introspects: ['/mcp'],
        },
      ],
    });
    known = await signIn(gateway);
    expect((await call(known)).status).toBe(200);
    unseen = await signIn(gateway);
    codeHeld = await authorize(gateway.issuer, `${gateway.issuer}/mcp`, gateway.signInOrigin, { username, password });
    await database.away();
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
    await database.remove();
  });

  const call = (who: SignedIn) =>
    fetch(gateway.url('/mcp'), { method: 'POST', body: '{}', headers: who.authorization });
  const form = (path: string, fields: Record<string, string>, headers = {}) =>
    fetch(gateway.url(path), { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' });
  const basic = { authorization: `Basic ${Buffer.from(`machine:${machineSecret}`).toString('base64')}` };
  const refresh = (who: SignedIn) =>
    form('/token', { grant_type: 'refresh_token', client_id: who.clientId, refresh_token: who.refreshToken });

  async function comeAgain(response: Response, kind: 'json' | 'page'): Promise<void> {
    const body = await response.text();
    expect([response.status, body]).toEqual([503, expect.not.stringMatching(/invalid_|stack|sql|redis:/i)]);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(response.headers.get('www-authenticate')).toBeNull();
    if (kind === 'json') expect(JSON.parse(body)).toMatchObject({ error: 'temporarily_unavailable' });
    else expect(response.headers.get('content-type')).toContain('text/html');
  }

  it('tokens are neither redeemed, refreshed nor revoked: 503, and nobody throws one away', async () => {
    await comeAgain(await refresh(known), 'json');
    await comeAgain(await redeem(gateway.issuer, codeHeld), 'json');
    await comeAgain(await form('/revoke', { client_id: known.clientId, token: known.refreshToken }), 'json');
  });

  it('a token whose grant was seen within a minute is accepted, and one that was never seen is 503', async () => {
    expect((await call(known)).status).toBe(200);
    if (gone === 'all') await comeAgain(await call(unseen), 'json');
    expect((await fetch(gateway.url('/mcp'))).status).toBe(401);
  });

  it('introspection says nothing rather than "not active"', async () => {
    const response = await form('/introspect', { token: unseen.accessToken }, basic);
    if (gone === 'all') await comeAgain(response, 'json');
    else expect(await response.json()).toMatchObject({ active: true });
  });

  it('people get a page', async () => {
    const opened = await fetch(gateway.url(`/authorize?${new URLSearchParams(request())}`), {
      headers: { accept: 'text/html' },
    });
    // A consent page needs no database; what it leads to does.
    expect(opened.status).toBe(200);
    const page = await opened.text();
    const hidden = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const cookie = opened.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value]));
    const headers = { cookie, origin: gateway.issuer };
    await comeAgain(await form('/consent', { ...fields, decision: 'allow' }, headers), 'page');
  });

  const request = () => ({
    response_type: 'code',
    client_id: known.clientId,
    redirect_uri: 'http://127.0.0.1:59998/done',
    resource: `${gateway.issuer}/mcp`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    state: 'some state',
  });

  it('what needs no database goes on: documents, keys, registration', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/jwks.json',
      '/.well-known/oauth-protected-resource/mcp',
      '/',
    ]) {
      expect([path, (await fetch(gateway.url(path))).status]).toEqual([path, 200]);
    }
    const body = JSON.stringify({ redirect_uris: ['http://127.0.0.1:1/x'] });
    const registered = await fetch(gateway.url('/register'), {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(registered.status).toBe(201);
  });

  it('it lives, and says that it is not ready', async () => {
    expect((await fetch(gateway.url('/healthz'))).status).toBe(200);
    const ready = await fetch(gateway.url('/readyz'));
    const words = (await ready.json()) as Record<string, string>;
    if (gone === 'all')
      expect([ready.status, words]).toEqual([503, { status: 'unavailable', records: 'away', keys: 'ok' }]);
    else expect([ready.status, words]).toEqual([200, { status: 'ok', records: 'ok', keys: 'ok' }]);
  });

  it('once it is back everything is as it was, without a restart', async () => {
    await database.back();
    // A remembered failure counts for a second, and a connection that broke is opened again when it is asked for.
    await expect.poll(async () => (await fetch(gateway.url('/readyz'))).status, { timeout: 15_000 }).toBe(200);
    expect((await refresh(known)).status).toBe(200);
    expect((await redeem(gateway.issuer, codeHeld)).status).toBe(200);
    expect((await call(unseen)).status).toBe(200);
    expect((await call(await signIn(gateway))).status).toBe(200);
    expect((await form('/revoke', { client_id: unseen.clientId, token: unseen.refreshToken })).status).toBe(200);
    expect((await refresh(unseen)).status).toBe(400);
  });
});
