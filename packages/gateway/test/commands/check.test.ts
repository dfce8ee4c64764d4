/** `gatehouse check` beside a running gateway with a real user pool: clean where all is well, and each fault by its name. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalCognito } from 'local-cognito';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { certificate } from '../../../auth/test/net/servers.ts';
import type { ConfigInput } from '../../src/serve.ts';
import { run } from '../command.ts';
import { poolSecretEnv, startGateway, type TestGateway } from '../harness.ts';
import { startTarget, type Target } from '../target.ts';
import { terminal } from '../terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-check-'));
const secretFile = join(folder, 'operator.secret');
const targetSecret = 'the-secret-of-the-target';
const env = { GATEHOUSE_CHECK_TARGET: targetSecret };
let target: Target;
let gateway: TestGateway;
let good: ConfigInput;

const mcp = (name: string) => JSON.stringify({ jsonrpc: '2.0', id: 1, result: { serverInfo: { name, version: '1' } } });
/** An MCP server that takes the gateway's secret and nothing else. */
const guarded: RequestListener = (req, res) => {
  req.resume();
  if (req.headers['x-gatehouse-secret'] !== targetSecret) return void res.writeHead(403).end();
  res.writeHead(200, { 'content-type': 'application/json' }).end(mcp('Files'));
};

beforeAll(async () => {
  target = await startTarget();
  target.answer = guarded;
  process.env.GATEHOUSE_CHECK_TARGET = targetSecret;
  gateway = await startGateway([
    { path: '/mcp', target: `${target.url}/mcp`, targetSecret: { env: 'GATEHOUSE_CHECK_TARGET' } },
  ]);
  writeFileSync(secretFile, 'an operator secret of thirty-two bytes or more', { mode: 0o600 });
  good = {
    issuer: gateway.issuer,
    listen: { port: gateway.port },
    resources: [{ path: '/mcp', target: `${target.url}/mcp`, targetSecret: { env: 'GATEHOUSE_CHECK_TARGET' } }],
    identityProvider: {
      type: 'cognito',
      userPoolId: 'eu-central-1_Test00001',
      domain: gateway.signInOrigin,
      issuerOrigin: gateway.signInOrigin,
      clientId: 'gatehouse',
      clientSecret: { env: poolSecretEnv },
    },
    records: { type: 'sqlite', file: join(folder, 'check.sqlite') },
    secrets: [{ id: 'k1', secret: { file: secretFile } }],
  };
});
afterAll(async () => {
  await gateway.close();
  await target.close();
  rmSync(folder, { recursive: true });
});

let files = 0;
function written(changes: Partial<ConfigInput> | Record<string, unknown> = {}): string {
  const file = join(folder, `${++files}.json`);
  writeFileSync(file, JSON.stringify({ ...good, ...changes }));
  return file;
}
interface Report {
  readonly faults: number;
  readonly warnings: number;
  readonly redirectUri: string;
  readonly checks: ReadonlyArray<{ check: string; outcome: string; says: string; cure?: string }>;
  readonly effective?: unknown;
}
async function check(changes: Partial<ConfigInput> | Record<string, unknown> = {}, ...flags: string[]) {
  const { code, stdout, stderr } = await run(['check', '--config', written(changes), '--json', ...flags], { env });
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as Report;
  expect(code).toBe(report.faults > 0 ? 3 : 0);
  return report;
}
const oidc = (issuer: string) => ({
  identityProvider: { type: 'oidc' as const, issuer, clientId: 'gatehouse', clientSecret: { env: poolSecretEnv } },
});
const resource = (changes: Partial<ConfigInput['resources'][number]>) => ({
  resources: [{ path: '/mcp', target: `${target.url}/mcp`, ...changes }],
});
/** A server of the test's own, closed when it ends. */
async function serving<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('where all is well', () => {
  it('finds nothing, says so, and names the redirect URI', async () => {
    const { code, stdout, stderr } = await run(['check', written()], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`redirect URI: ${gateway.issuer}/callback\nAll is well.\n`);
    expect(stdout).not.toMatch(/[✗!]/);
    for (const words of [
      /✓ configuration +every setting is known/,
      /✓ secrets +3 found/,
      /✓ identity provider +http:\S+Test00001 answers, and calls itself so/,
      /✓ identity provider +its sign-in page takes our client and redirect URI/,
      /✓ identity provider +it takes our client id and secret/,
      /✓ database +sqlite at \S+check\.sqlite will be made at the first start/,
      /✓ target \/mcp +http:\S+\/mcp speaks MCP and calls itself "Files"/,
      /✓ target \/mcp +it refuses who comes without our secret/,
      /✓ public URL +http:\S+ leads to a gateway with this issuer/,
    ]) {
      expect(stdout).toMatch(words);
    }
  });

  it('--print: what is in force, ready to be loaded again, and no secret', async () => {
    const headers = { 'X-Api-Key': 'literal-and-secret' };
    const file = written(resource({ target: { url: `${target.url}/mcp`, headers } }));
    const { stdout } = await run(['check', file, '--print', '--offline'], { env });
    const [text = ''] = stdout.split(`\n${file}\n`);
    const effective = parse(text) as ConfigInput;
    expect(effective).toMatchObject({
      issuer: gateway.issuer,
      listen: { host: '127.0.0.1' },
      resources: [{ scopes: { mcp: expect.any(String) }, target: { headers: { 'X-Api-Key': '•••' } } }],
      identityProvider: { clientSecret: { env: poolSecretEnv } },
    });
    for (const secret of ['literal-and-secret', targetSecret, String(process.env[poolSecretEnv])]) {
      expect(stdout).not.toContain(secret);
    }
  });

  it('shows at a terminal what it waits for', async () => {
    const shown = terminal(['check', written()], { env });
    await shown.said('waiting for identity provider, database, target /mcp, public URL');
    await shown.said('All is well.');
    expect((await shown.ended).code).toBe(0);
  });
});

describe('settings and secrets', () => {
  it('every fault of the settings, and the exit code for faults', async () => {
    const { faults, checks } = await check({ issuer: 'nonsense', surprise: 1 });
    expect(faults).toBe(checks.length);
    expect(checks.map(({ says }) => says).join('\n')).toMatch(/issuer: .*\n(.*\n)*surprise: is not a known setting/);
  });

  it('what is no configuration, and what cannot be read', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'a: [1');
    expect((await run(['check', file])).code).toBe(3);
    const unreadable = await run(['check', '/nowhere/gatehouse.yaml']);
    expect(unreadable).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('cannot be read') });
    expect((await run(['check'])).code).toBe(2);
    expect((await run(['check', file, '--config', file])).code).toBe(2);
    expect((await run(['check', file, '--seconds', '0'])).code).toBe(2);
  });

  it('a secret that is not set, and one that everybody can read', async () => {
    const open = join(folder, 'open.secret');
    writeFileSync(open, 'an operator secret of thirty-two bytes or more', { mode: 0o644 });
    const unset = await check({ secrets: [{ id: 'k1', secret: { env: 'GATEHOUSE_CHECK_UNSET' } }] }, '--offline');
    expect(unset.checks).toEqual([
      {
        check: 'secrets',
        outcome: 'fault',
        says: 'secrets[0].secret: the environment variable GATEHOUSE_CHECK_UNSET is not set',
        cure: expect.stringContaining('environment'),
      },
    ]);
    const { checks } = await check({ secrets: [{ id: 'k1', secret: { file: open } }] }, '--offline');
    expect(checks).toContainEqual(expect.objectContaining({ outcome: 'warning', cure: `chmod 600 ${open}` }));
  });

  it('what only the library judges', async () => {
    const { checks } = await check({ redirectHosts: ['no host at all'] }, '--offline');
    expect(checks).toContainEqual(
      expect.objectContaining({
        check: 'configuration',
        outcome: 'fault',
        says: expect.stringContaining('no host at all'),
      }),
    );
  });
});

/** The one finding about it that is no success. */
function fault({ checks }: Report, about: string) {
  const found = checks.filter(({ check, outcome }) => check === about && outcome !== 'ok');
  expect(found).toHaveLength(1);
  return found[0];
}

describe('the identity provider', () => {
  it.each<[what: string, changes: () => Partial<ConfigInput>, says: RegExp, cure: RegExp]>([
    ['is away', () => oidc('http://localhost:1'), /nothing listens there \(ECONNREFUSED\)/, /start it/],
    [
      'has no document there',
      () => oidc(gateway.signInOrigin),
      /openid-configuration answers 404/,
      /identityProvider\.issuer/,
    ],
    [
      'calls itself otherwise, by a slash',
      () => oidc(`${gateway.signInOrigin}/eu-central-1_Test00001/`),
      /it calls itself http\S+Test00001, the configuration http\S+Test00001\/$/,
      /write identityProvider\.issuer: http\S+Test00001, to the last slash/,
    ],
    [
      'does not take the client id and secret',
      () => ({ identityProvider: { ...good.identityProvider, clientSecret: { file: secretFile } } as never }),
      /refuses our client id or secret \(idp\.token\.\w+\)/,
      /clientSecret/,
    ],
    [
      'does not know the redirect URI',
      () => ({ issuer: 'http://localhost:1' }),
      /sign-in page refuses our request/,
      /register http:\/\/localhost:1\/callback there/,
    ],
  ])('%s', async (_, changes, says, cure) => {
    const found = fault(await check(changes()), 'identity provider');
    expect(found).toMatchObject({
      outcome: 'fault',
      says: expect.stringMatching(says),
      cure: expect.stringMatching(cure),
    });
  });

  it('another user pool than the domain is of: a warning', async () => {
    const other = await startLocalCognito({
      config: {
        poolId: 'eu-central-1_Test00001',
        clients: [
          {
            clientId: 'gatehouse',
            clientSecret: String(process.env[poolSecretEnv]),
            callbackUrls: [`${gateway.issuer}/callback`],
            allowedScopes: ['openid'],
          },
        ],
      },
    });
    try {
      const identityProvider = { ...good.identityProvider, domain: other.origin } as never;
      const found = fault(await check({ identityProvider }), 'identity provider');
      expect(found).toMatchObject({ outcome: 'warning', says: expect.stringContaining('as its domain') });
    } finally {
      await other.close();
    }
  });
});

describe('a target', () => {
  it.each<[what: string, answer: RequestListener, says: RegExp, cure: RegExp]>([
    ['is not at this path', (_, res) => void res.writeHead(404).end(), /is no MCP endpoint/, /path/],
    ['takes no POST', (_, res) => void res.writeHead(405).end(), /takes no POST/, /transport: sse/],
    [
      'wants a sign-in of its own',
      (_, res) => void res.writeHead(401).end(),
      /refuses us \(status 401\)/,
      /targetSecret/,
    ],
    ['redirects', (_, res) => void res.writeHead(307, { location: '/mcp/' }).end(), /redirects to \/mcp\//, /address/],
    ['is something else', (_, res) => void res.end('<html>'), /answers 200, and not as an MCP server/, /log/],
    ['breaks', (req) => void req.socket.destroy(), /the connection was cut|ECONNRESET/, /log/],
  ])('%s', async (_, answer, says, cure) => {
    const found = await serving(answer, async (url) =>
      fault(await check(resource({ target: `${url}/mcp` })), 'target /mcp'),
    );
    expect(found).toMatchObject({
      outcome: 'fault',
      says: expect.stringMatching(says),
      cure: expect.stringMatching(cure),
    });
  });

  it('answers whoever reaches it: a warning where a secret was to keep others out', async () => {
    const answer: RequestListener = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write(`event: message\ndata: ${mcp('Open')}\n\n`);
    };
    const found = await serving(answer, async (url) =>
      fault(
        await check(resource({ target: `${url}/mcp`, targetSecret: { env: 'GATEHOUSE_CHECK_TARGET' } })),
        'target /mcp',
      ),
    );
    expect(found).toMatchObject({ outcome: 'warning', says: expect.stringContaining('without our secret too') });
  });

  it('has another secret', async () => {
    const found = fault(
      await check(resource({ targetSecret: { file: secretFile.replace('operator', 'other') } })),
      'secrets',
    );
    expect(found?.says).toContain('does not exist');
    const other = join(folder, 'other-one.secret');
    writeFileSync(other, 'sixteen-characters-or-more', { mode: 0o600 });
    expect(fault(await check(resource({ targetSecret: { file: other } })), 'target /mcp')).toMatchObject({
      outcome: 'fault',
      says: expect.stringContaining('refuses our secret (status 403)'),
    });
  });

  it.each<[what: string, changes: Parameters<typeof resource>[0]]>([
    ['an assertion', { identity: { assertion: { audience: 'files' } } }],
    ['the provider’s token', { identity: 'providerToken' }],
    [
      'an assertion, beside our secret',
      { identity: { assertion: { audience: 'files' } }, targetSecret: { env: 'GATEHOUSE_CHECK_TARGET' } },
    ],
  ])(
    'wants to see %s: nobody is here, so its refusal is right, and an answer of another kind is not',
    async (_, changes) => {
      const answering = (status: number, transport: 'sse' | 'streamable-http' = 'streamable-http') =>
        serving(
          (_, res) => void res.writeHead(status).end(),
          (url) => check(resource({ ...changes, target: { url: `${url}/mcp`, transport } })),
        );
      for (const report of [await answering(401), await answering(403), await answering(401, 'sse')]) {
        expect(report.checks.filter(({ check }) => check === 'target /mcp')).toEqual([
          expect.objectContaining({
            outcome: 'ok',
            says: expect.stringMatching(/ refuses who comes without a person, as it should \(status 40[13]\)$/),
          }),
        ]);
      }
      for (const report of [await answering(404), await answering(404, 'sse')]) {
        expect(fault(report, 'target /mcp')).toMatchObject({ outcome: 'fault' });
      }
    },
  );

  it('gives back the session that it was greeted with', async () => {
    const seen: string[] = [];
    const answer: RequestListener = (req, res) => {
      req.resume();
      seen.push(`${req.method} ${req.headers['mcp-session-id'] ?? ''}`);
      res.writeHead(200, { 'mcp-session-id': 's1', 'content-type': 'application/json' }).end(mcp('Sessions'));
    };
    await serving(answer, (url) => check(resource({ target: `${url}/mcp` })));
    expect(seen).toEqual(['POST ', 'DELETE s1']);
  });

  it('speaks HTTP+SSE of 2024-11-05, where the configuration says so', async () => {
    const answer: RequestListener = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: endpoint\ndata: /messages?id=1\n\n');
    };
    const legacy = (url: string) => resource({ target: { url: `${url}/sse`, transport: 'sse' as const } });
    expect((await serving(answer, (url) => check(legacy(url)))).faults).toBe(0);
    const found = await serving(
      (_, res) => void res.end(),
      async (url) => fault(await check(legacy(url)), 'target /mcp'),
    );
    expect(found).toMatchObject({ outcome: 'fault', says: expect.stringContaining('opens no stream of events') });
  });

  it('has a certificate that nobody here knows, until its authority is named', async () => {
    const own = certificate('target.test', '127.0.0.1');
    const ca = join(folder, 'authority.pem');
    writeFileSync(ca, own.cert);
    const server = createTlsServer(own, (req, res) => {
      req.resume();
      res.writeHead(200, { 'content-type': 'application/json' }).end(mcp('Private'));
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://127.0.0.1:${(server.address() as { port: number }).port}/mcp`;
    try {
      expect(fault(await check(resource({ target: url })), 'target /mcp')).toMatchObject({
        says: expect.stringContaining('no authority that is known here signed its certificate'),
        cure: expect.stringContaining('tls.ca'),
      });
      expect((await check(resource({ target: { url, tls: { ca } } }))).faults).toBe(0);
      const any = await check(resource({ target: { url, tls: { dangerouslyAcceptAnyCertificate: true } } }));
      expect(fault(any, 'target /mcp')).toMatchObject({ outcome: 'warning' });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('is a plain API: any answer but a failure of its own is one', async () => {
    const api = (status: number) =>
      serving(
        (_, res) => void res.writeHead(status).end(),
        (url) => check(resource({ kind: 'api', target: url })),
      );
    expect((await api(404)).faults).toBe(0);
    expect(fault(await api(502), 'target /mcp')).toMatchObject({ outcome: 'fault', cure: 'see its log' });
  });

  it('a command that is there, and one that is not', async () => {
    const started = join(folder, 'started');
    const program = join(folder, 'program.sh');
    writeFileSync(program, `#!/bin/sh\ntouch ${started}\n`, { mode: 0o755 });
    const command = (name: string) => check(resource({ target: { command: name } }));
    expect((await command(program)).faults).toBe(0);
    // It may do anything: that is for somebody who has signed in.
    expect(existsSync(started)).toBe(false);
    expect((await command('node')).faults).toBe(0);
    expect(fault(await command('no-such-program'), 'target /mcp')?.says).toContain('no no-such-program in the PATH');
    expect(fault(await command('./none'), 'target /mcp')?.cure).toContain('target.command');
  });
});

describe('the database and the public URL', () => {
  it('a database that is away, one that is none, and none', async () => {
    const away = { type: 'postgres' as const, connectionString: 'postgres://nobody@127.0.0.1:1/none' };
    expect(fault(await check({ records: away }), 'database')).toMatchObject({
      outcome: 'fault',
      says: expect.stringContaining('PostgreSQL does not answer'),
      cure: 'start it, or correct the address and port',
    });
    const broken = { type: 'sqlite' as const, file: secretFile };
    expect(fault(await check({ records: broken }), 'database')).toMatchObject({ outcome: 'fault' });
    const memory = await check({ records: { type: 'memory' } });
    expect(fault(memory, 'database')).toMatchObject({ outcome: 'warning' });
    expect(memory.faults).toBe(0);
  });

  it('nobody there is a warning, another gateway a fault', async () => {
    const issuer = 'http://localhost:1';
    expect(fault(await check({ issuer }), 'public URL')).toMatchObject({ outcome: 'warning' });
    const other: RequestListener = (_, res) => void res.end(JSON.stringify({ issuer: 'https://other.example' }));
    await serving(other, async (url) => {
      expect(fault(await check({ issuer: url.replace('127.0.0.1', 'localhost') }), 'public URL')).toMatchObject({
        outcome: 'fault',
        says: expect.stringContaining('https://other.example'),
      });
    });
  });

  it('a front door that takes the challenge away', async () => {
    const door: RequestListener = (req, res) => {
      if (req.method === 'POST') return void res.writeHead(401).end();
      res.end(JSON.stringify({ issuer: `http://${req.headers.host}` }));
    };
    await serving(door, async (url) => {
      const issuer = url.replace('127.0.0.1', 'localhost');
      expect(fault(await check({ issuer }), 'public URL')).toMatchObject({
        outcome: 'fault',
        cure: `gatehouse doctor ${issuer}/mcp says what stands between`,
      });
    });
  });
});

it('whoever never answers costs the time of one check, and no more', async () => {
  const silent = createTcpServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = `http://127.0.0.1:${(silent.address() as { port: number }).port}`;
  try {
    const report = await check({ ...oidc(url), ...resource({ target: `${url}/mcp` }) }, '--seconds', '1');
    for (const about of ['identity provider', 'target /mcp']) {
      expect(fault(report, about)).toMatchObject({ outcome: 'fault', says: 'no answer within 1 second' });
    }
  } finally {
    silent.close();
  }
});
