/** `gatehouse audit`: what it finds in the records of a running gateway, how it says so, and what it refuses. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditTrail, recordSink } from '@mcp-gatehouse/auth/audit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditCommand } from '../src/commands/audit.ts';
import { UsageError } from '../src/commands/usage.ts';
import { openRecords } from '../src/open-records.ts';
import { run } from './command.ts';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { startTarget, type Target } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

function configFile(name: string, records: object): string {
  const file = join(folder, name);
  const config = {
    issuer: 'https://auth.example',
    resources: [{ path: '/mcp', target: 'http://localhost/mcp' }],
    identityProvider: { type: 'oidc', issuer: 'https://idp.example', clientId: 'x', clientSecret: { env: 'NOT_SET' } },
    records,
    secrets: [{ id: 'k1', secret: { env: 'NOT_SET' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const audit = (...args: string[]) => run(['audit', ...args]);
const found = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('beside a running gateway', () => {
  let target: Target;
  let gateway: TestGateway;
  let person: SignedIn;
  let config: string;

  beforeAll(async () => {
    target = await startTarget();
    const records = { type: 'sqlite' as const, file: join(folder, 'running.sqlite') };
    config = configFile('running.json', records);
    gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], { records });
    person = await signIn({ issuer: gateway.issuer });
    await fetch(gateway.url('/mcp'), { method: 'POST', headers: { authorization: 'Bearer no.such.token' } });
    await fetch(`${gateway.issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) });
    // What waits is written before the records close.
    await gateway.running.close();
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
  });

  it('finds all of it, newest first, without a secret', async () => {
    const { code, stdout, stderr } = await audit('--config', config, '--json');
    expect([code, stderr]).toEqual([0, '']);
    expect(found(stdout).map(({ event }) => event)).toEqual([
      'refused',
      'guard.refused',
      'token.issued',
      'code.issued',
      'consent.given',
      'client.registered',
    ]);
    for (const [name, secret] of person.secrets) expect(stdout.includes(secret), name).toBe(false);
    expect(stdout).not.toContain(person.clientId);
    expect(stdout).not.toContain('ada');
  });

  it('by person, by client, by name', async () => {
    const payload = Buffer.from(person.accessToken.split('.')[1] ?? '', 'base64url').toString();
    const { sub } = JSON.parse(payload) as { sub: string };
    const names = async (...args: string[]) =>
      found((await audit('--config', config, '--json', ...args)).stdout).map(({ event }) => event);
    expect(await names('--person', sub)).toEqual(['token.issued', 'code.issued']);
    expect(await names('--person', sub.slice(0, 8))).toEqual(['token.issued', 'code.issued']);
    const client = ['token.issued', 'code.issued', 'consent.given', 'client.registered'];
    expect(await names('--client', person.clientId)).toEqual(client);
    const shown = createHash('sha256').update(person.clientId).digest('base64url').slice(0, 8);
    expect(await names(`--client=${shown}`)).toEqual(client);
    expect(await names('--event', 'code.issued', '--event', 'refused')).toEqual(['refused', 'code.issued']);
    expect(await names('--client', 'somebody-else')).toEqual([]);
    expect(await names('--until', '1h')).toEqual([]);
  });

  it('for a person as a table, and says how to go on where there is more', async () => {
    const { code, stdout, stderr } = await audit('--config', config, '--limit', '2');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^TIME +EVENT +OUTCOME +PERSON +CLIENT +DETAILS\n/);
    expect(stdout).toMatch(/\n\d{4}-\d\d-\d\dT[\d:]+Z {2}refused +refused +path=\/token status=\d{3} reason=\S+\n/);
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(stderr).toMatch(/^There are older ones: --until \S+Z goes on, --limit shows more\.\n$/);
  });
});

it('a database that is not there is no empty trail, and none is made', async () => {
  const file = join(folder, 'mistyped.sqlite');
  const { code, stdout, stderr } = await audit('--config', configFile('mistyped.json', { type: 'sqlite', file }));
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(`There is no database at ${file}`);
  expect(existsSync(file)).toBe(false);
});

it('what a terminal would act on stays text', async () => {
  const file = join(folder, 'hostile.sqlite');
  const records = await openRecords({ type: 'sqlite', file });
  const trail = auditTrail({ sinks: [recordSink({ records })], now: () => Math.floor(Date.now() / 1000) });
  const odd = '\u001b]0;owned\u0007\n\u202e';
  trail.log({ event: 'refused', path: odd, status: 400, reason: odd });
  trail.log({ event: 'person.signed_in', person: odd });
  await trail.close();
  await records.close();
  const config = configFile('hostile.json', { type: 'sqlite', file });
  for (const args of [[], ['--json']]) {
    const { code, stdout } = await audit('--config', config, ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\n\P{Cc}]*$/u);
    expect(stdout.trimEnd().split('\n')).toHaveLength(args.length === 0 ? 3 : 2);
  }
  expect((await audit('--config', config)).stdout).toMatch(/^[\n\P{C}]*$/u);
});

it('nothing found is an answer', async () => {
  const records = { type: 'sqlite' as const, file: join(folder, 'empty.sqlite') };
  await (await openRecords(records)).close();
  const config = configFile('empty.json', records);
  expect(await audit('--config', config)).toEqual({ code: 0, stdout: 'No audit events.\n', stderr: '' });
  expect(await audit('--config', config, '--json')).toEqual({ code: 0, stdout: '', stderr: '' });
});

it('a gateway that is told so keeps none', async () => {
  const target = await startTarget();
  const file = join(folder, 'off.sqlite');
  const gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], {
    records: { type: 'sqlite', file },
    audit: { records: false },
  });
  try {
    await signIn({ issuer: gateway.issuer });
  } finally {
    await gateway.close();
    await target.close();
  }
  const { stdout } = await audit('--config', configFile('off.json', { type: 'sqlite', file }));
  expect(stdout).toBe('No audit events.\n');
});

describe('wrong usage', () => {
  it.each([
    [['--config', 'x.yaml', '--data', '.'], '--config stands alone'],
    [['--data', '.', '--since', 'yesterday'], '--since takes 30m, 24h, 7d'],
    [['--data', '.', '--since', '2026-07-28'], '--since takes'],
    [['--data', '.', '--until', '2026-13-28T00:00:00Z'], '--until takes'],
    [['--data', '.', '--since', '1h', '--until', '2h'], '--until must be after --since'],
    [['--data', '.', '--limit', '0'], '--limit takes a whole number from 1 to 10000'],
    [['--data', '.', '--limit', '10001'], '--limit takes'],
    [['--data', '.', '--limit', '1e3'], '--limit takes'],
    [['--data', '.', '--event', 'http.request'], 'There is no audit event "http.request"'],
    [['--data', '.', '--event', 'constructor'], 'There is no audit event "constructor"'],
    [['--data', '.', '--person', 'ada@example.com'], '--person takes a subject'],
    [['--data', '.', '--client', ''], '--client takes a client id'],
    [['list', '--data', '.'], "Unexpected argument 'list'"],
    [['--secret', 'x'], "Unknown option '--secret'"],
  ])('%j', async (args, message) => {
    const refused: unknown = await auditCommand(args).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UsageError);
    expect((refused as UsageError).message).toContain(message);
  });

  it('ends with 2 and the way to help', async () => {
    const nobody = await run(['audit'], { cwd: folder });
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('Say whose events')]);
    const { code, stdout, stderr } = await audit('--limit', '0', '--data', '.');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('--limit takes');
    expect(stderr).toContain('gatehouse audit --help shows how.');
  });

  it('records in memory are the gateway’s own', async () => {
    const { code, stderr } = await audit('--config', configFile('memory.json', { type: 'memory' }));
    expect([code, stderr]).toEqual([2, expect.stringContaining('Records in memory')]);
  });

  it('--help says it all', async () => {
    const { code, stdout } = await audit('--help');
    expect([code, stdout]).toEqual([0, expect.stringContaining('gatehouse audit --config')]);
  });
});
