/** The operator's commands with `--config` and PostgreSQL: configured and registered clients, ending, and hostile names. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../../records/test/postgres-server.ts';
import { openRecords } from '../../src/open-records.ts';
import type { ConfigInput } from '../../src/serve.ts';
import { run } from '../command.ts';
import { poolSecretEnv, secretEnv, signIn, startGateway, type TestGateway } from '../harness.ts';
import { startTarget, type Target } from '../target.ts';
import { terminal } from '../terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-operator-'));
const file = join(folder, 'gatehouse.json');
let postgres: PostgresServer;
let target: Target;
let gateway: TestGateway;
let records: Extract<ConfigInput['records'], { type: 'postgres' }>;

beforeAll(async () => {
  [postgres, target] = await Promise.all([startPostgres(), startTarget()]);
  records = { type: 'postgres', connectionString: postgres.url };
  const shared = {
    records,
    registration: 'stored' as const,
    clients: [{ id: 'nightly', name: 'Nightly', secret: { env: secretEnv }, grantTypes: ['client_credentials'] }],
  };
  const resources = [{ path: '/mcp', target: `${target.url}/mcp` }];
  gateway = await startGateway(resources, shared);
  const config: ConfigInput = {
    ...shared,
    issuer: gateway.issuer,
    resources,
    identityProvider: {
      type: 'cognito',
      userPoolId: 'eu-central-1_Test00001',
      domain: gateway.signInOrigin,
      issuerOrigin: gateway.signInOrigin,
      clientId: 'gatehouse',
      clientSecret: { env: poolSecretEnv },
    },
    secrets: [{ id: 't1', secret: { env: secretEnv } }],
  };
  writeFileSync(file, JSON.stringify(config));
});
afterAll(async () => {
  await gateway.close();
  await Promise.all([postgres.remove(), target.close()]);
  rmSync(folder, { recursive: true });
});

const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await run([...args, '--config', file, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<string, Array<Record<string, unknown>>>;
};

it('clients that are configured, that registered, and that somebody allowed something', async () => {
  const person = await signIn({ issuer: gateway.issuer });
  expect((await json('clients')).clients).toMatchObject([
    { id: 'nightly', name: 'Nightly', source: 'configured', liveGrants: 0, people: 0 },
    { id: person.clientId, name: 'Gateway tests', source: 'registered', liveGrants: 1, people: 1 },
  ]);
  expect((await json('grants', 'list', '--resource', `${gateway.issuer}/mcp`)).grants).toHaveLength(1);
  expect((await json('grants', 'list', '--resource', 'https://other.example/mcp')).grants).toEqual([]);
});

it('ends several when they are named and meant, and is told so by a person at a terminal', async () => {
  await signIn({ issuer: gateway.issuer });
  await signIn({ issuer: gateway.issuer });
  const ids = (await json('grants', 'list')).grants?.map(({ id }) => String(id)) ?? [];
  expect(ids).toHaveLength(3);
  const [one = '', two = '', three = ''] = ids;
  expect(await json('grants', 'revoke', '--yes', one, two, one)).toEqual({ ended: [one, two], over: [], unknown: [] });
  const [user] = (await json('users')).users ?? [];
  expect(user).toMatchObject({ liveGrants: 1 });
  await signIn({ issuer: gateway.issuer });
  const asked = terminal(['grants', 'revoke', '--user', String(user?.subject), '--config', file]);
  await asked.said('End 2 grants');
  asked.type('y');
  await asked.said('Ended: ');
  expect((await asked.ended).code).toBe(0);
  expect(asked.text()).toContain(three);
  expect((await json('users')).users).toEqual([]);
  const trail = await run(['audit', '--config', file, '--event', 'grant.revoked', '--json']);
  expect(trail.stdout.trim().split('\n')).toHaveLength(4);
});

it('what a terminal would act on stays text', async () => {
  const opened = await openRecords(records);
  const odd = '\u001b]0;owned\u0007\n\u202e';
  await opened.create('registeredClient', 'dcr_AAAAAAAAAAAAAAAAAAAAAA', {
    name: odd,
    redirectUris: [odd],
    grantTypes: ['authorization_code'],
    authMethod: 'none',
    createdAt: 1,
  });
  await opened.close();
  const { code, stdout } = await run(['clients', '--config', file]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/\\u001b\]0;owned/);
  expect(stdout).toMatch(/^(\n|\P{C})*$/u);
});

it('a database that is away is said in words, and nothing is ended', async () => {
  await postgres.stop('fast');
  for (const args of [
    ['users'],
    ['clients'],
    ['grants', 'list'],
    ['grants', 'revoke', 'A'.repeat(22)],
    ['records', 'stats'],
  ]) {
    const { code, stdout, stderr } = await run([...args, '--config', file]);
    expect([args, code, stdout, stderr]).toEqual([args, 1, '', expect.stringContaining('PostgreSQL')]);
    expect(stderr).not.toMatch(/\n\s+at /);
  }
  await postgres.start();
});
