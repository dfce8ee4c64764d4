/** The two servers of the guide to Express, as they stand there: each is run, and an MCP client calls its tool. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Command, gatehouse, run } from './command.ts';
import { freePort } from './harness.ts';

const guide = readFileSync(new URL('../../../docs/guides/protect-an-express-server.md', import.meta.url), 'utf8');
const [inFront = '', inside = ''] = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
const secret = 'a-secret-of-thirty-two-characters-at-least';

let folder: string;
const servers = new Set<ChildProcess>();
let gateway: Command | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-express-'));
});
afterAll(async () => {
  await gateway?.stop();
  for (const server of servers) {
    const exit = once(server, 'exit');
    if (server.kill('SIGKILL')) await exit;
  }
  rmSync(folder, { recursive: true });
});

/** Runs the code from standard input, in this package: its imports are found as those of a test are. Resolves once it listens. */
async function startServer(code: string, env: Record<string, string>): Promise<string> {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const server = spawn(process.execPath, ['--input-type=module-typescript', '-'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, PORT: String(port), ISSUER: origin, ...env },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  servers.add(server);
  let ended: string | undefined;
  let said = '';
  server.stderr?.on('data', (chunk) => {
    said += String(chunk);
  });
  server.once('exit', () => {
    servers.delete(server);
    ended = said;
  });
  server.stdin?.end(code);
  for (;;) {
    if (ended !== undefined) throw new Error(`It ended: ${ended}`);
    const answer = await fetch(`${origin}/mcp`, { method: 'POST' }).catch(() => undefined);
    if (answer) return origin;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A configuration with these secrets, and the token that `gatehouse token` makes by it. */
async function tokenBy(config: object): Promise<string> {
  const file = join(folder, `${Math.random()}.json`);
  writeFileSync(file, JSON.stringify(config));
  const { code, stdout, stderr } = await run(['token', '--config', file, '--user', 'ada'], { env: { SECRET: secret } });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

function configuration(issuer: string, resource: object, file: string) {
  return {
    issuer,
    resources: [resource],
    identityProvider: { type: 'oidc', issuer: 'https://id.example', clientId: 'gatehouse' },
    records: { type: 'sqlite', file },
    secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
  };
}

async function whoAmI(url: string, token: string): Promise<unknown> {
  const client = new Client({ name: 'guide', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  const { content } = await client.callTool({ name: 'who_am_i', arguments: {} });
  await client.close();
  return content;
}

const words = (scope: string) => [{ type: 'text', text: `ada by gatehouse-development, may ${scope}` }];

it('the server behind the gateway believes the gateway and nobody else', async () => {
  const target = await startServer(inFront, { NOTES_SECRET: secret });
  const stranger = await fetch(`${target}/mcp`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', 'x-gatehouse-subject': 'ada', 'x-gatehouse-client-id': 'c' },
  });
  expect(stranger.status).toBe(401);

  const issuer = `http://localhost:${await freePort()}`;
  const resource = { path: '/notes/mcp', target: `${target}/mcp`, targetSecret: { env: 'SECRET' } };
  const config = configuration(issuer, resource, join(folder, 'front.sqlite'));
  const file = join(folder, 'front.json');
  writeFileSync(file, JSON.stringify(config));
  gateway = gatehouse(['serve', '--config', file, '--json'], { env: { SECRET: secret } });
  await gateway.said('"gateway.ready"');
  expect(await whoAmI(`${issuer}/notes/mcp`, await tokenBy(config))).toEqual(words('mcp'));
});

it('the server with the library inside asks for a sign-in, and takes a token of its own', async () => {
  const database = join(folder, 'inside.sqlite');
  const issuer = await startServer(inside, {
    GATEHOUSE_SECRET: secret,
    COGNITO_CLIENT_SECRET: 'of-the-user-pool',
    DATABASE: database,
  });
  const challenged = await fetch(`${issuer}/mcp`, { method: 'POST', body: '{}' });
  expect(challenged.status).toBe(401);
  const metadata = `${issuer}/.well-known/oauth-protected-resource/mcp`;
  expect(challenged.headers.get('www-authenticate')).toBe(`Bearer scope="read", resource_metadata="${metadata}"`);
  expect(await (await fetch(metadata)).json()).toMatchObject({ resource: `${issuer}/mcp`, resource_name: 'Notes' });
  const asked = await fetch(`${issuer}/mcp`, {
    method: 'OPTIONS',
    headers: { 'access-control-request-headers': 'authorization' },
  });
  expect([asked.status, asked.headers.get('access-control-allow-headers')]).toEqual([204, 'authorization']);
  // Its body is read by the library, and not by express.json().
  const registered = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'A guide’s client', redirect_uris: ['http://127.0.0.1/done'] }),
  });
  expect(registered.status).toBe(201);

  const resource = { path: '/mcp', target: `${issuer}/mcp`, scopes: { read: 'read your notes' } };
  const token = await tokenBy(configuration(issuer, resource, database));
  expect(await whoAmI(`${issuer}/mcp`, token)).toEqual(words('read'));
});
