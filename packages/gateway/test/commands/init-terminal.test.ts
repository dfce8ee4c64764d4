/** `gatehouse init` with a person at a terminal, and what it wrote, taken the whole way to a call by a signed-in client. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/serve.ts';
import { gatehouse, run } from '../command.ts';
import { freePort, signIn } from '../harness.ts';
import { startTarget } from '../target.ts';
import { keys, terminal } from '../terminal.ts';

const root = mkdtempSync(join(tmpdir(), 'gatehouse-init-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
const closers: Array<() => Promise<unknown>> = [];
beforeEach(() => {
  folder = mkdtempSync(join(root, 'one-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it('asks, judges each answer at once, and writes what was answered', async () => {
  const person = terminal(['init', 'mine.yaml'], { cwd: folder });
  await person.said('What is to be protected');
  person.type(`npx -y some-server${keys.enter}`);
  await person.said('Public URL of the gateway');
  person.type(`http://mcp.example.com${keys.enter}`);
  await person.said('must be https');
  person.type('\u0015'); // clears the line
  person.type(`https://mcp.example.com${keys.enter}`);
  await person.said('Who signs people in');
  person.type(keys.enter); // Amazon Cognito stands first
  await person.said('User pool id');
  person.type(keys.enter); // an example is nobody's user pool
  await person.said('Yours is needed');
  person.type(`eu-west-1_Abc${keys.enter}`);
  await person.said('Domain of the user pool');
  person.type(`https://login.example.com${keys.enter}`);
  await person.said('Client id');
  person.type(`ours${keys.enter}`);
  await person.said('client’s secret');
  person.type(keys.enter); // it has none
  await person.said('Where grants and keys are kept');
  person.type(`${keys.down}${keys.enter}`);
  await person.said('Connection string');
  person.type(keys.enter); // what is suggested
  await person.said('its password');
  person.type(`DB_PASSWORD${keys.enter}`);
  await person.said('gatehouse serve --config mine.yaml');
  expect((await person.ended).code).toBe(0);
  expect(loadConfig(join(folder, 'mine.yaml'))).toMatchObject({
    issuer: 'https://mcp.example.com',
    resources: [{ path: '/mcp', target: { command: 'npx', args: ['-y', 'some-server'] } }],
    identityProvider: {
      type: 'cognito',
      userPoolId: 'eu-west-1_Abc',
      domain: 'https://login.example.com',
      clientId: 'ours',
    },
    records: {
      type: 'postgres',
      connectionString: 'postgres://gatehouse@localhost:5432/gatehouse',
      password: { env: 'DB_PASSWORD' },
    },
  });
  expect(loadConfig(join(folder, 'mine.yaml')).identityProvider.clientSecret).toBeUndefined();
});

it('does not ask what flags have said, and writes nothing if the person has had enough', async () => {
  const flags = ['--target', 'http://localhost:8000/mcp', '--issuer', 'http://localhost:8080'];
  const person = terminal(['init', ...flags], { cwd: folder });
  await person.said('Who signs people in');
  expect(person.text()).not.toContain('What is to be protected');
  person.type(keys.cancel);
  expect((await person.ended).code).toBe(1);
  expect(person.text()).toContain('Nothing was written.');
  expect(readdirSync(folder)).toEqual([]);
});

it('a local one works as it was written: user pool, check, serve, sign-in, call', async () => {
  const target = await startTarget();
  closers.push(() => target.close());
  target.answer = (req, res) => {
    req.resume();
    res.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
  };
  const [port, poolPort] = [await freePort(), await freePort()];
  const issuer = `http://localhost:${port}`;
  const config = join(folder, 'gatehouse.yaml');
  const made = await run(
    ['init', '--yes', '--target', `${target.url}/mcp`, '--issuer', issuer, '--provider', 'local'],
    {
      cwd: folder,
    },
  );
  expect(made.stdout).toContain(`npx local-cognito --config '${join(folder, 'gatehouse.user-pool.json')}' --port 8081`);
  expect(made.stdout).toContain('sign in as demo, with the password Gatehouse-Demo-1');
  expect(made.stdout).not.toContain('redirect URI');
  // As it was written, but for the port, which another process may have.
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replaceAll('http://localhost:8081', `http://localhost:${poolPort}`));

  const bin = fileURLToPath(new URL('../../../local-cognito/bin/local-cognito.js', import.meta.url));
  const origin = `http://localhost:${poolPort}`;
  const pool = spawn(
    process.execPath,
    [bin, '--config', join(folder, 'gatehouse.user-pool.json'), '--port', String(poolPort), '--origin', origin],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  closers.push(async () => {
    pool.kill('SIGTERM');
    if (pool.exitCode === null) await once(pool, 'exit');
  });
  await once(pool.stdout, 'data');

  const before = await run(['check', '--config', config, '--json']);
  expect([before.code, JSON.parse(before.stdout)]).toMatchObject([0, { faults: 0 }]);
  const gateway = gatehouse(['serve', '--config', config]);
  closers.push(() => gateway.stop());
  await gateway.said(`Gatehouse is running at ${issuer}`);
  const person = await signIn({ issuer, person: { username: 'demo', password: 'Gatehouse-Demo-1' } });
  const answer = await fetch(`${issuer}/mcp`, { method: 'POST', body: '{}', headers: person.authorization });
  expect(answer.status).toBe(200);
  const after = await run(['check', config]);
  expect(after).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nAll is well\.\n$/) });
});
