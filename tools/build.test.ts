import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'gatehouse-build-'));

/** The built packages as an installation has them: JavaScript below a real `node_modules`, where Node strips no types. */
beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'tools/build.ts')], { stdio: 'pipe' });
  const installed = {
    records: '@mcp-gatehouse/records',
    auth: '@mcp-gatehouse/auth',
    gateway: '@mcp-gatehouse/gateway',
    'local-cognito': 'local-cognito',
  };
  for (const [folder, name] of Object.entries(installed)) {
    cpSync(join(root, 'packages', folder, 'dist'), join(place, 'node_modules', name), { recursive: true });
  }
  for (const name of ['jose', 'zod', 'undici', 'yaml', 'oauth4webapi']) {
    const link = join(place, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
}, 120_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

it('builds every entry with its types', async () => {
  for (const name of [
    '@mcp-gatehouse/records',
    '@mcp-gatehouse/records/sqlite',
    '@mcp-gatehouse/auth',
    '@mcp-gatehouse/auth/guard',
    'local-cognito',
    '@mcp-gatehouse/gateway',
  ]) {
    const script = `import(${JSON.stringify(name)}).then((m) => console.log(Object.keys(m).length))`;
    const names = execFileSync(process.execPath, ['-e', script], { cwd: place, encoding: 'utf8' });
    expect(Number(names), name).toBeGreaterThan(0);
  }
  expect(existsSync(join(place, 'node_modules/@mcp-gatehouse/auth/src/gatehouse.d.ts'))).toBe(true);
});

it.each([
  ['local-cognito', 'node_modules/local-cognito/bin/local-cognito.js'],
  ['gatehouse', 'node_modules/@mcp-gatehouse/gateway/bin/gatehouse.js'],
])('runs the command %s from an installation', (_, bin) => {
  const help = execFileSync(process.execPath, [join(place, bin), '--help'], { cwd: place, encoding: 'utf8' });
  expect(help).toContain(_);
});

it('serves a user pool from an installation', async () => {
  const child = spawn(
    process.execPath,
    [join(place, 'node_modules/local-cognito/bin/local-cognito.js'), '--port', '0', '--json'],
    { cwd: place, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { issuer } = JSON.parse(line.toString('utf8').split('\n', 1)[0] ?? '') as { issuer: string };
    const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
    expect(await discovery.json()).toMatchObject({ issuer });
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});
