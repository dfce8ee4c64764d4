/** `gatehouse doctor` as a process: what it prints, where, and its exit codes. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../command.ts';
import { at, members, messages, metadataRoutes } from './broken/broken.ts';
import { createAuthority } from './broken/certificates.ts';
import { type GoodServer, goodToken, mcpPath, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
let url: string;
beforeEach(async () => {
  server = await startGoodServer();
  url = server.origin + mcpPath;
});
afterEach(() => server.close());

/** Nothing of the machine's own settings. */
const env = { NO_COLOR: '', FORCE_COLOR: '0', GATEHOUSE_DOCTOR_TOKEN: '' };
const doctor = (...args: readonly string[]) => run(['doctor', ...args], { env });

describe('gatehouse doctor', () => {
  it('ends with 0 at a good server, and says what it looked at', async () => {
    const { code, stdout, stderr } = await doctor(url);
    expect(stdout).toContain('No faults');
    expect(stdout).toContain('✓ The token endpoint');
    expect(stdout).toContain('– Behind the sign-in: not examined');
    expect(stdout).not.toContain('\u001b');
    // No terminal, no progress.
    expect([code, stderr]).toEqual([0, '']);
  });

  it('ends with 3 where it found a fault, and names client, cure and section', async () => {
    server.change = at(metadataRoutes, members({ code_challenge_methods_supported: undefined }));
    const { code, stdout } = await doctor(url);
    expect(stdout).toMatch(/✗ PKCE with S256 is not announced server\.no-pkce/);
    for (const label of ['saw', 'why', 'do', 'spec']) expect(stdout).toMatch(new RegExp(`^ {6}${label} `, 'm'));
    expect(stdout).toContain('1 fault;');
    expect(code).toBe(3);
  });

  it('ends with 0 where it found warnings only', async () => {
    server.change = at(metadataRoutes, members({ authorization_response_iss_parameter_supported: false }));
    const { code, stdout } = await doctor(url);
    expect(stdout).toMatch(/^ {2}! It does not announce iss in its answers server\.no-iss$/m);
    expect(stdout).toContain('No faults; ');
    expect(code).toBe(0);
  });

  it('ends with 1 where nothing answers', async () => {
    const { code, stdout } = await doctor('http://127.0.0.1:1/mcp');
    expect(stdout).toContain('address.unreachable');
    expect(code).toBe(1);
  });

  it('ends with 2 on wrong usage, before anything is asked', async () => {
    const wrong = [
      [],
      [url, url],
      ['ftp://example.com/mcp'],
      ['http://['],
      [''],
      [url, '--timeout', 'long'],
      [url, '--stream-seconds', '-1'],
      [url, '--token', 'a b'],
      [url, '--ca', '/dev/null'],
      [url, '--unknown'],
      [url, '--client', 'netscape'],
    ];
    for (const args of wrong) {
      const { code, stderr } = await doctor(...args);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toContain('gatehouse doctor --help');
      expect(stderr).not.toContain('    at ');
    }
    expect(server.asked).toEqual([]);
  });

  it('gives JSON of a shape that stays', async () => {
    server.change = at('token', () => undefined);
    const { code, stdout } = await doctor(url, '--json', '--no-register');
    const report = JSON.parse(stdout) as Record<string, unknown> & { findings: ReadonlyArray<Record<string, unknown>> };
    expect(code).toBe(0);
    expect(report).toMatchObject({ version: 1, url, answered: true, faults: 0, unfinished: [] });
    for (const member of ['warnings', 'notes', 'clients', 'frontDoors', 'tookMs', 'requests', 'facts'])
      expect(report).toHaveProperty(member);
    for (const member of ['id', 'chapter', 'severity', 'title', 'saw', 'why', 'spec', 'cure']) {
      expect(typeof report.findings[0]?.[member]).toBe('string');
    }
    expect(server.asked.some(({ route }) => route === 'register')).toBe(false);
  });

  it('judges every client that it knows, or those that are named', async () => {
    const all = await doctor(url);
    expect(all.stdout).toMatch(/\nClients\n/);
    for (const name of ['Claude Code', 'Cursor']) expect(all.stdout).toContain(`✓ ${name}`);
    const one = JSON.parse((await doctor(url, '--json', '--client', 'Cursor')).stdout) as Record<string, unknown>;
    expect(one.clients).toMatchObject([{ client: 'cursor', outcome: 'works', reasons: [] }]);
  });

  it('says what to change at the front door that it sees, where it is asked to', async () => {
    server.change = (reply, { route }) =>
      route === 'initialize'
        ? {
            ...reply,
            headers: {
              'apigw-requestid': 'a',
              'x-amzn-remapped-www-authenticate': String(reply.headers['www-authenticate']),
            },
          }
        : undefined;
    expect((await doctor(url)).stdout).not.toMatch(/^ {6}fix/m);
    const { code, stdout } = await doctor(url, '--fix');
    expect(stdout).toMatch(/^ {6}fix {3}API Gateway: /m);
    expect(code).toBe(3);
  });

  it('takes the token from the environment, and shows it nowhere', async () => {
    const token = goodToken(url);
    const { code, stdout, stderr } = await run(['doctor', url, '--json', '--stream-seconds', '0'], {
      env: { ...env, GATEHOUSE_DOCTOR_TOKEN: token },
    });
    expect(server.asked.filter(({ headers }) => headers.authorization === `Bearer ${token}`).length).toBeGreaterThan(2);
    expect(stdout + stderr).not.toContain(token);
    expect(code).toBe(0);
  });

  it('colours where it is asked to, and not against NO_COLOR', async () => {
    server.change = at(messages, () => ({ status: 403, headers: {}, body: '' }));
    const forced = await run(['doctor', url], { env: { ...env, FORCE_COLOR: '1' } });
    expect(forced.stdout).toContain('\u001b[31m✗\u001b[0m');
    const plain = await run(['doctor', url], { env: { ...env, FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect(plain.stdout).not.toContain('\u001b');
  });

  it('trusts an authority that it is told of', async () => {
    const authority = createAuthority();
    const { key, chain } = authority.issue({ names: ['localhost'] });
    const secure = await startGoodServer({ key, cert: chain });
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-doctor-'));
    try {
      const file = join(folder, 'ca.pem');
      writeFileSync(file, authority.root);
      const token = goodToken(secure.origin + mcpPath);
      expect((await doctor(secure.origin + mcpPath, '--ca', file)).code).toBe(0);
      const untrusted = await doctor(secure.origin + mcpPath, '--token', token);
      expect(untrusted.code).toBe(3);
      expect(untrusted.stdout).toContain('Not examined: The token was not sent');
      const isToken = ({ headers }: (typeof secure.asked)[number]) => headers.authorization === `Bearer ${token}`;
      expect(secure.asked.some(isToken)).toBe(false);
      await doctor(secure.origin + mcpPath, '--token', token, '--insecure', '--stream-seconds', '0');
      expect(secure.asked.some(isToken)).toBe(true);
    } finally {
      await secure.close();
      await rm(folder, { recursive: true });
    }
  });

  it('teaches', async () => {
    const { code, stdout } = await doctor('--help');
    expect(code).toBe(0);
    for (const word of ['--no-register', '--json', 'Exit codes', 'GATEHOUSE_DOCTOR_TOKEN'])
      expect(stdout).toContain(word);
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  });
});
