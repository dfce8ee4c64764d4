/** `gatehouse users`, `clients`, `grants` and `token` beside a running gateway, as a person on a laptop types them. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogEvent } from '@mcp-gatehouse/auth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkConfig, demoUser, type LocalOptions, localConfig, type RunningGateway, serve } from '../../src/serve.ts';
import { type Ended, run } from '../command.ts';
import { freePort, type SignedIn, signIn } from '../harness.ts';
import { startTarget, type Target } from '../target.ts';
import { terminal } from '../terminal.ts';

let folder: string;
let target: Target;
let gateway: RunningGateway;
let issuer: string;
const events: LogEvent[] = [];
/** How far ahead of the real clock the gateway's is, in seconds. */
let ahead = 0;
let first: SignedIn;
let second: SignedIn;
let user: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-operator-'));
  target = await startTarget();
  for (let tries = 0; !gateway; tries++) {
    const port = await freePort();
    issuer = `http://localhost:${port}`;
    // As `serve --local` takes it unless told: so the commands find the sign-in, too.
    const local: LocalOptions = { dataDir: join(folder, '.gatehouse'), issuer, signInPort: port + 1 };
    const resources = [{ path: '/mcp', target: `${target.url}/mcp` }];
    const config = checkConfig('The test', { ...localConfig(local), listen: { port }, resources });
    const now = () => Math.floor(Date.now() / 1000) + ahead;
    try {
      gateway = await serve(config, { log: (event) => events.push(event), local, now });
    } catch (error) {
      // Another process can take a free port before we do.
      if (tries === 4 || !(error instanceof Error && error.message.includes('is in use'))) throw error;
    }
  }
  first = await signIn({ issuer, person: demoUser });
  second = await signIn({ issuer, person: demoUser });
  const payload = Buffer.from(first.accessToken.split('.')[1] ?? '', 'base64url').toString();
  user = (JSON.parse(payload) as { sub: string }).sub;
});
afterAll(async () => {
  await gateway.close();
  await target.close();
  rmSync(folder, { recursive: true });
});

/** In the folder where `serve --local` was started: nothing has to be said. */
const here = (...args: string[]) => run(args, { cwd: folder });
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await here(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as T;
}
interface Grants {
  readonly grants: ReadonlyArray<{ id: string; subject: string; clientDigest: string; live: boolean }>;
  readonly next?: string;
}
const grants = (...args: string[]) => json<Grants>('grants', 'list', ...args);
const call = async (accessToken: string) =>
  (await fetch(`${issuer}/mcp`, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${accessToken}` } }))
    .status;
const refresh = async ({ refreshToken, clientId }: SignedIn) =>
  (
    await fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken }),
    })
  ).status;
const refused = ({ code, stdout, stderr }: Ended) => ({ code, stdout, words: stderr });

describe('who and what there is', () => {
  it('people', async () => {
    expect(await json('users')).toEqual({
      users: [
        {
          subject: user,
          identity: { issuer: expect.stringContaining('eu-central-1_Gatehouse1'), subject: expect.any(String) },
          liveGrants: 2,
          clients: 2,
          lastActiveAt: expect.any(Number),
        },
      ],
      cut: false,
    });
    const { stdout } = await here('users');
    expect(stdout).toMatch(/^USER +GRANTS +CLIENTS +LAST ACTIVE +AT THE IDENTITY PROVIDER\n/);
    expect(stdout).toContain(`\n${user}  2`);
  });

  it('clients, known from their grants', async () => {
    const { clients } = await json<{ clients: Array<Record<string, unknown>> }>('clients');
    expect(clients).toHaveLength(2);
    for (const one of clients) {
      expect(one).toMatchObject({ name: 'Gateway tests', source: 'granted', liveGrants: 1, people: 1 });
    }
    const { stdout } = await here('clients');
    expect(stdout).toMatch(/^CLIENT +NAME +KNOWN AS +GRANTS +PEOPLE +LAST ACTIVE +ID\n/);
    expect(stdout).toMatch(/\n\S{8} {2}"Gateway tests" +granted +1 +1 /);
  });

  it('grants: all, by person, by client, a page at a time', async () => {
    const { grants: all } = await grants();
    expect(all).toHaveLength(2);
    expect((await grants('--user', user.slice(0, 8))).grants).toHaveLength(2);
    expect((await grants(`--user=${'x'.repeat(43)}`)).grants).toEqual([]);
    const [mine] = (await grants('--client', first.clientId)).grants;
    expect(all.map(({ id }) => id)).toContain(mine?.id);
    expect((await grants(`--client=${mine?.clientDigest.slice(0, 8)}`)).grants).toEqual([mine]);
    const page = await grants('--limit', '1');
    const rest = await grants('--limit', '1', '--after', String(page.next));
    expect([...page.grants, ...rest.grants]).toEqual(all);
    expect(rest.next).toBeUndefined();
    const { stdout, stderr } = await here('grants', 'list', '--limit', '1');
    expect(stdout).toMatch(/^ID +USER +CLIENT +RESOURCE +SCOPE +ALLOWED +LAST USED\n\S{22} /);
    expect(stderr).toBe(`There are more: --after ${page.next} goes on.\n`);
  });

  it('nothing secret is shown', async () => {
    const shown = await Promise.all([
      here('users'),
      here('clients'),
      here('grants', 'list'),
      here('grants', 'list', '--json'),
    ]);
    for (const [name, secret] of [...first.secrets, ...second.secrets]) {
      for (const { stdout } of shown) expect(stdout.includes(secret), name).toBe(false);
    }
  });
});

describe('a token for trying things out', () => {
  const token = (...args: string[]) => here('token', '--issuer', issuer, ...args);

  it('stands alone on standard output, is taken by the gateway, and is in the audit trail', async () => {
    const { code, stdout, stderr } = await token();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(await call(stdout.trim())).toBe(200);
    expect(stderr).toContain(`curl -sN '${issuer}/mcp'`);
    expect(target.seen.at(-1)?.headers['x-gatehouse-client-id']).toBe('gatehouse-development');
    const trail = await here('audit', '--event', 'token.development');
    expect(trail.stdout).toMatch(/token\.development +success/);
    expect(trail.stdout).not.toContain(stdout.trim());
  });

  it('as one JSON line, for a person and with roles', async () => {
    const { stdout } = await token('--user', user, '--role', 'admin', '--seconds', '60', '--json');
    const issued = JSON.parse(stdout) as Record<string, unknown>;
    expect(issued).toMatchObject({ resource: `${issuer}/mcp`, subject: user, scope: ['mcp'] });
    expect(Number(issued.expiresAt) - Date.now() / 1000).toBeLessThan(61);
    expect(await call(String(issued.accessToken))).toBe(200);
    expect(target.seen.at(-1)?.headers).toMatchObject({
      'x-gatehouse-subject': user,
      'x-gatehouse-roles': '["admin"]',
    });
  });

  it.each<[args: string[], words: string]>([
    [['--seconds', '0'], '--seconds takes a whole number from 1 to 3600'],
    [['--seconds', '3601'], '--seconds takes'],
    [['--user', ''], '--user: give 1 to 255'],
    [['extra'], "Unexpected argument 'extra'"],
  ])('refused: %j', async (args, words) => {
    expect(refused(await token(...args))).toEqual({ code: 2, stdout: '', words: expect.stringContaining(words) });
  });

  it('none for a gateway that is not on this computer, unless it is meant', async () => {
    const answer = await here('token', '--issuer', 'https://mcp.example.com');
    expect(refused(answer)).toEqual({ code: 2, stdout: '', words: expect.stringContaining('--dangerously-public') });
    // The key set of another issuer opens nothing: said, and not made anew.
    const other = await here('token', '--issuer', 'http://localhost:1');
    expect([other.code, other.stdout]).toEqual([expect.any(Number), expect.any(String)]);
  });
});

describe('ending what was allowed', () => {
  it('wrong usage ends nothing', async () => {
    const [one, two] = (await grants()).grants.map(({ id }) => id);
    for (const [args, words] of [
      [[], 'Say what to do with the grants'],
      [['end'], 'Say what to do with the grants'],
      [['list', 'x'], 'grants list takes no "x"'],
      [['list', '--user', 'short'], '--user: give the `sub`'],
      [['list', '--limit', '1001'], '--limit takes'],
      [['list', '--after', 'nonsense'], '--after takes the "next"'],
      [['list', '--yes'], '--yes belongs to grants revoke'],
      [['revoke'], 'Say which'],
      [['revoke', 'x', '--user', user], 'Say which'],
      [['revoke', '--user', user.slice(0, 8)], '--user takes the whole sub'],
      [['revoke', '--all'], '--all belongs to grants list'],
      [['revoke', String(one), String(two)], '--yes says that it is meant'],
      [['revoke', '--user', user], '--yes says that it is meant'],
    ] as ReadonlyArray<[string[], string]>) {
      const answer = refused(await here('grants', ...args));
      expect([args, answer]).toEqual([args, { code: 2, stdout: '', words: expect.stringContaining(words) }]);
    }
    expect((await grants()).grants).toHaveLength(2);
  });

  it('a person at a terminal is asked, and may say no', async () => {
    const asked = terminal(['grants', 'revoke', '--user', user], { cwd: folder });
    await asked.said(`End 2 grants of ${user}?`);
    asked.type('n');
    expect((await asked.ended).code).toBe(1);
    expect(asked.text()).toContain('Nothing was ended.');
    expect((await grants()).grants).toHaveLength(2);
  });

  it('one: its tokens end at the running gateway, at the provider, and it stands in the trail', async () => {
    const [mine] = (await grants('--client', first.clientId)).grants;
    const id = String(mine?.id);
    const done = await here('grants', 'revoke', id, '--issuer', issuer);
    expect(done).toEqual({ code: 0, stdout: `Ended: ${id}\n`, stderr: '' });
    ahead += 10;
    expect(await call(first.accessToken)).toBe(401);
    expect(await refresh(first)).toBe(400);
    expect(await call(second.accessToken)).toBe(200);
    expect(events.map(({ event }) => event)).toContain('sign_in.token.revoked');
    const trail = await here('audit', '--event', 'grant.revoked', '--json');
    expect(JSON.parse(trail.stdout)).toMatchObject({ grant: id, details: { by: 'operator' } });
    expect(await json('grants', 'revoke', id)).toEqual({ ended: [], over: [id], unknown: [] });
    const ended = (await grants('--all')).grants.find((one) => one.id === id);
    expect(ended).toMatchObject({ live: false, endReason: 'revoked' });
    expect((await here('grants', 'list', '--all')).stdout).toMatch(/STATE\n(.*\n)*.*revoked 20/);
  });

  it('one that is not there is said, also where it begins with a dash', async () => {
    const odd = `-${'A'.repeat(21)}`;
    const { code, stdout } = await here('grants', 'revoke', odd, '--yes');
    expect([code, stdout]).toEqual([1, expect.stringContaining(`No such grant: ${odd}.`)]);
  });

  it('all of a person, who can sign in again', async () => {
    expect((await here('grants', 'revoke', '--user', user, '--yes')).code).toBe(0);
    expect(await refresh(second)).toBe(400);
    expect(await json('users')).toEqual({ users: [], cut: false });
    expect((await json<{ users: unknown[] }>('users', '--all')).users).toHaveLength(1);
    expect((await here('grants', 'list')).stdout).toContain('No grants that give access');
    expect(await json('grants', 'revoke', '--user', user)).toEqual({ ended: [], over: [], unknown: [] });
    expect(await call((await signIn({ issuer, person: demoUser })).accessToken)).toBe(200);
  });
});

describe('where there is no gateway', () => {
  it.each([['users'], ['clients'], ['grants', 'list'], ['token'], ['records', 'stats'], ['audit'], ['keys', 'list']])(
    '%s %s: says what to name, and makes nothing',
    async (...args) => {
      const empty = mkdtempSync(join(folder, 'empty-'));
      const words = args.filter((one) => one !== undefined);
      const answer = await run(words, { cwd: empty });
      expect([answer.code, answer.stdout]).toEqual([2, '']);
      expect(answer.stderr).toContain('--config FILE, or --data DIR');
      const missing = await run([...words, '--data', 'nowhere'], { cwd: empty });
      expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('There is no data directory at')]);
      expect(readdirSync(empty)).toEqual([]);
    },
  );
});
