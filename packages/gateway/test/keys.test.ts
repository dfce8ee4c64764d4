/** `gatehouse keys` beside a running gateway: a process of its own, one database, no restart, nobody lost. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkConfig, demoUser, type LocalOptions, localConfig, type RunningGateway, serve } from '../src/serve.ts';
import { run } from './command.ts';
import { freePort, type SignedIn, signIn } from './harness.ts';
import { startTarget, type Target } from './target.ts';

let folder: string;
let data: string;
let target: Target;
let gateway: RunningGateway;
/** How far ahead of the real clock the gateway's is, in seconds. */
let ahead = 0;
let issuer: string;
let person: SignedIn;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-keys-'));
  data = join(folder, 'data');
  target = await startTarget();
  const port = await freePort();
  issuer = `http://localhost:${port}`;
  const local: LocalOptions = { dataDir: data, issuer, signInPort: await freePort() };
  const resources = [{ path: '/mcp', target: `${target.url}/mcp` }];
  gateway = await serve(checkConfig('The test', { ...localConfig(local), listen: { port }, resources }), {
    log: () => {},
    local,
    now: () => Math.floor(Date.now() / 1000) + ahead,
  });
  person = await signIn({ issuer, person: demoUser });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
  rmSync(folder, { recursive: true });
});

const keys = (...args: string[]) => run(['keys', ...args, '--data', data, '--issuer', issuer]);
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await keys(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<string, unknown> & { keys: Array<Record<string, unknown>> };
};
const published = async () => {
  const reply = (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()) as {
    keys: Array<{ kid: string; alg: string }>;
  };
  return reply.keys.map(({ kid, alg }) => `${alg} ${kid}`);
};
const call = async (accessToken: string) =>
  (await fetch(`${issuer}/mcp`, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${accessToken}` } }))
    .status;
const refresh = async (refreshToken: string) => {
  const reply = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'refresh_token', client_id: person.clientId, refresh_token: refreshToken }),
  });
  expect(reply.status).toBe(200);
  return (await reply.json()) as { access_token: string; refresh_token: string };
};
const signedWith = (token: string) => {
  const { alg, kid } = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()) as Record<
    string,
    string
  >;
  return `${alg} ${kid}`;
};

describe('beside a running gateway', () => {
  it('rotates to another algorithm without a restart, while somebody refreshes and calls', async () => {
    const before = await json('list');
    expect(before.keys).toMatchObject([{ state: 'current', algorithm: 'ES256', sealedWith: 'local' }]);
    const old = `ES256 ${before.keys[0]?.kid}`;
    const rotation = await json('rotate', '--algorithm', 'EdDSA', '--now');
    expect(rotation).toMatchObject({ outcome: 'rotated', algorithm: 'EdDSA' });
    const fresh = `EdDSA ${rotation.kid}`;

    // The gateway looks once a minute. Every answer on the way is a good one, whichever key it is signed with.
    const tokens = [person.accessToken];
    let refreshToken = person.refreshToken;
    while (signedWith(tokens.at(-1) ?? '') !== fresh) {
      ahead += 20;
      expect(ahead, 'the gateway never signed with the new key').toBeLessThan(600);
      const next = await refresh(refreshToken);
      refreshToken = next.refresh_token;
      tokens.push(next.access_token);
      expect([old, fresh]).toContain(signedWith(next.access_token));
      expect(await call(next.access_token)).toBe(200);
    }
    for (const token of tokens) expect(await call(token)).toBe(200);
    expect((await published()).sort()).toEqual([old, fresh].sort());
    expect((await json('list')).keys.map(({ state }) => state).sort()).toEqual(['current', 'retired']);
    expect(await json('prune')).toEqual({ removed: [] });
  });

  it('shows a person what there is', async () => {
    const { code, stdout } = await keys('list');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(stdout.split('\n')[0]?.trimEnd());
    expect(stdout).toMatch(/^KEY +ALGORITHM +STATE +MADE +PUBLISHED +SEALED WITH\n/);
    expect(stdout).toMatch(/\n\S+ +EdDSA +current +\d{4}-.*Z +local\n/);
  });

  it('asked twice, has one rotation under way', async () => {
    const first = await json('rotate');
    // Such that no command line takes it for an option.
    expect(first).toMatchObject({
      outcome: 'rotated',
      algorithm: 'EdDSA',
      kid: expect.stringMatching(/^[0-9a-f]{18}$/),
    });
    expect(await json('rotate')).toEqual({ ...first, outcome: 'pending' });
    const { stdout } = await keys('rotate');
    expect(stdout).toContain(`A rotation is under way: the key ${first.kid} (EdDSA) is published and signs from 20`);
    expect(await json('revoke', String(first.kid))).toEqual({ outcome: 'revoked', kid: first.kid });
    // Who comes after learns what was done, newest first; a rotation that was under way already was not done again.
    const trail = await run(['audit', '--data', data, '--event', 'keys.changed', '--json']);
    const told = trail.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { details: unknown });
    expect(told.slice(0, 2).map(({ details }) => details)).toEqual([
      { action: 'revoked', kid: first.kid },
      { action: 'rotated', kid: first.kid },
    ]);
    expect(told).toHaveLength(3);
  });

  it('does not revoke the only key that signs, and says what to do', async () => {
    const { keys: all } = await json('list');
    const current = String(all.find(({ state }) => state === 'current')?.kid);
    const refused = await keys('revoke', current);
    expect([refused.code, refused.stdout]).toEqual([
      1,
      expect.stringContaining('gatehouse keys rotate --now makes one'),
    ]);
    expect((await keys('revoke', 'nobody')).code).toBe(1);
    expect((await json('list')).keys).toEqual(all);
  });

  it('with the URL of another gateway changes nothing, and says why', async () => {
    const { keys: all } = await json('list');
    const { code, stdout, stderr } = await run(['keys', 'rotate', '--data', data, '--issuer', 'https://other.example']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('is https://other.example the right one?');
    expect(stderr).not.toMatch(/\n\s+at /);
    expect((await json('list')).keys).toEqual(all);
  });
});

describe('wrong usage', () => {
  it.each([
    [[], 'Say what to do with the keys'],
    [['turn'], 'Say what to do with the keys'],
    [['list'], 'Say whose keys'],
    [['list', 'k1', '--data', '.'], 'keys list takes no "k1"'],
    [['revoke', '--data', '.'], 'Say which key'],
    [['list', '--now', '--data', '.'], '--now belongs to keys rotate'],
    [['prune', '--algorithm', 'ES256', '--data', '.'], '--algorithm belongs to keys rotate'],
    [['rotate', '--algorithm', 'HS256', '--data', '.'], '--algorithm takes ES256, RS256, EdDSA'],
    [['rotate', '--algorithm', 'es256', '--data', '.'], '--algorithm takes ES256, RS256, EdDSA'],
    [['list', '--config', 'x.yaml', '--data', '.'], '--config stands alone'],
    [['list', '--secret', 'x'], "Unknown option '--secret'"],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(['keys', ...args], { cwd: folder });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain('gatehouse keys --help shows how.');
  });

  it('an empty directory is no data directory, and stays empty', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    const { code, stderr } = await run(['keys', 'rotate', '--data', empty]);
    expect(code).toBe(1);
    expect(stderr).toContain('secrets[0].secret: the file');
    expect(readdirSync(empty)).toEqual([]);
  });

  it('records in memory are the gateway’s own', async () => {
    const file = join(folder, 'memory.json');
    writeFileSync(
      file,
      JSON.stringify({
        issuer: 'https://auth.example',
        resources: [{ path: '/mcp', target: 'http://localhost/mcp' }],
        identityProvider: {
          type: 'oidc',
          issuer: 'https://idp.example',
          clientId: 'x',
          clientSecret: { env: 'NOT_SET' },
        },
        records: { type: 'memory' },
        secrets: [{ id: 'k1', secret: { env: 'NOT_SET' } }],
      }),
    );
    const { code, stderr } = await run(['keys', 'list', '--config', file]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Records in memory')]);
  });

  it('--help says it all', async () => {
    const { code, stdout } = await run(['keys', '--help']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('gatehouse keys rotate --config')]);
  });
});
