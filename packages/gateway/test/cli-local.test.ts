/** `serve --local` in an empty directory: nothing configured, everything works, and a restart forgets nobody (REL-01). */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Command, gatehouse, run } from './command.ts';
import { freePort, type SignedIn, signIn } from './harness.ts';
import { startTarget, type Target } from './target.ts';

interface Ready {
  readonly event: string;
  readonly issuer: string;
  readonly port: number;
  readonly servers: ReadonlyArray<{ name: string; path: string; url: string }>;
  readonly demoUser: { username: string; password: string };
}

let folder: string;
let target: Target;
let ports: readonly string[];
let command: Command;
let ready: Ready;
let person: SignedIn;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-local-'));
  chmodSync(folder, 0o755);
  target = await startTarget();
  ports = ['--port', String(await freePort()), '--sign-in-port', String(await freePort())];
  [command, ready] = await start();
  person = await signIn({ issuer: ready.issuer, person: ready.demoUser });
});
afterAll(async () => {
  await command.stop();
  await target.close();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<[Command, Ready]> {
  const started = gatehouse(['serve', '--local', '--target', `${target.url}/mcp`, '--json', ...ports], {
    cwd: folder,
    env: { HOME: folder },
  });
  await started.said('\n');
  return [started, JSON.parse(started.stdout()) as Ready];
}

const files = (): readonly string[] => readdirSync(join(folder, '.gatehouse'), { recursive: true }) as string[];
const jwks = async () => (await fetch(`${ready.issuer}/.well-known/jwks.json`)).json();
const call = ({ accessToken }: { accessToken: string }) =>
  fetch(`${ready.issuer}/mcp`, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${accessToken}` } });
const refresh = (refreshToken: string) =>
  fetch(`${ready.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: person.clientId,
      refresh_token: refreshToken,
    }),
  });

it('says in one line of JSON what is running, and everything else on standard error', () => {
  expect(command.stdout().split('\n')).toHaveLength(2);
  expect(ready).toEqual({
    event: 'gateway.ready',
    issuer: `http://localhost:${ports[1]}`,
    port: Number(ports[1]),
    servers: [
      { name: expect.any(String), id: 'mcp', path: '/mcp', url: `http://localhost:${ports[1]}/mcp`, transport: 'http' },
    ],
    demoUser: { username: 'demo', password: expect.any(String) },
  });
  expect(command.stderr()).toContain('gateway.listening');
});

it('protects the target: 401 for a stranger, the answer for who has signed in', async () => {
  expect((await fetch(`${ready.issuer}/mcp`, { method: 'POST', body: '{}' })).status).toBe(401);
  expect(target.requests).toBe(0);
  expect((await call(person)).status).toBe(200);
  expect(target.seen[0]?.headers['x-gatehouse-client-id']).toBe(person.clientId);
  expect(target.seen[0]?.headers).not.toHaveProperty('authorization');
});

it('keeps its files to itself', () => {
  expect(statSync(join(folder, '.gatehouse')).mode & 0o777).toBe(0o700);
  expect(files().length).toBeGreaterThanOrEqual(4);
  for (const name of files())
    expect([name, statSync(join(folder, '.gatehouse', name)).mode & 0o777]).toEqual([name, 0o600]);
  expect(files()).toEqual(expect.arrayContaining(['gatehouse.secret', 'cognito-client.secret', 'gatehouse.sqlite']));
  expect(readdirSync(folder)).toEqual(['.gatehouse']);
});

it('is the same after a restart: keys, tokens, clients, people, and secrets on disk', async () => {
  const before = await jwks();
  const secrets = ['gatehouse.secret', 'cognito-client.secret'].map((name) => join(folder, '.gatehouse', name));
  const texts = secrets.map((path) => readFileSync(path, 'utf8'));
  const ended = await command.stop();
  expect(ended.code).toBe(0);
  expect(files().filter((name) => /\.\d+$/.test(name))).toEqual([]);

  [command, ready] = await start();
  expect(await jwks()).toEqual(before);
  expect(secrets.map((path) => readFileSync(path, 'utf8'))).toEqual(texts);
  expect((await call(person)).status).toBe(200);
  const refreshed = await refresh(person.refreshToken);
  expect(refreshed.status).toBe(200);
  const query = new URLSearchParams({ client_id: person.clientId, redirect_uri: 'http://127.0.0.1:59998/done' });
  const page = await fetch(`${ready.issuer}/authorize?${query}`, { redirect: 'manual' });
  // The client is known, so what is missing is said to it and not on a page for strangers.
  expect(await page.text()).not.toMatch(/client_id|not known|unknown/i);
  const again = await signIn({ issuer: ready.issuer, person: ready.demoUser });
  expect((await call(again)).status).toBe(200);
  expect(target.seen.at(-1)?.headers['x-gatehouse-subject']).toBe(target.seen[0]?.headers['x-gatehouse-subject']);
});

it('survives kill -9 without losing what it had said', async () => {
  const tokens = (await (await refresh((await signInAgain()).refreshToken)).json()) as { access_token: string };
  command.child.kill('SIGKILL');
  await command.ended;
  [command, ready] = await start();
  expect((await call({ accessToken: tokens.access_token })).status).toBe(200);
});

async function signInAgain(): Promise<SignedIn> {
  person = await signIn({ issuer: ready.issuer, person: ready.demoUser });
  return person;
}

it('SIGTERM lets a call in flight finish, and exits with 0', async () => {
  const arrived = target.arrival();
  const answer = call(person);
  const { res } = await arrived;
  const ended = command.stop();
  res.end('{"kept":true}');
  expect(await (await answer).json()).toEqual({ kept: true });
  expect((await ended).code).toBe(0);
  expect((await ended).stdout.split('\n')).toHaveLength(2);
  [command, ready] = await start();
});

it('commands about its folder know its address and its port', async () => {
  const there = { cwd: folder };
  const token = await run(['token', '--json'], there);
  expect(token).toMatchObject({ code: 0, stderr: '' });
  const made = JSON.parse(token.stdout) as { accessToken: string; resource: string };
  expect(made.resource).toBe(`${ready.issuer}/mcp`);
  expect((await call(made)).status).toBe(200);
  const listed = JSON.parse((await run(['keys', 'list', '--json'], there)).stdout) as { keys: Array<{ kid: string }> };
  const published = (await jwks()) as { keys: Array<{ kid: string }> };
  expect(listed.keys.map(({ kid }) => kid)).toEqual(published.keys.map(({ kid }) => kid));
  // Who says another issuer is meant.
  const other = await run(['keys', 'list', '--issuer', 'http://localhost:9', '--json'], there);
  expect(JSON.parse(other.stdout)).toEqual({ keys: [] });
});

it('has nothing secret in its words', async () => {
  const { stdout, stderr } = await command.stop();
  for (const [name, secret] of person.secrets) {
    if (name !== 'password') expect(`${stdout}${stderr}`.includes(secret), name).toBe(false);
  }
  for (const name of ['gatehouse.secret', 'cognito-client.secret']) {
    expect(`${stdout}${stderr}`).not.toContain(readFileSync(join(folder, '.gatehouse', name), 'utf8').trim());
  }
});
