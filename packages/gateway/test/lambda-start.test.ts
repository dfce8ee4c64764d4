/** The start of the Lambda function: what is wrong fails it in words, and what is right costs little beyond the runtime's own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lambdaConfig } from '../src/lambda/configuration.ts';
import type { ConfigInput } from '../src/serve.ts';
import { functionUrlEvent, ricIsHere, text } from './lambda-function.ts';
import { bundle, type LambdaGateway, startLambdaGateway } from './lambda-gateway.ts';

const here = ricIsHere || process.env.CI !== undefined;

describe('the configuration', () => {
  const good = {
    issuer: 'https://mcp.example.com',
    resources: [{ path: '/mcp', target: 'https://target.example.com/mcp' }],
    identityProvider: { type: 'oidc', issuer: 'https://login.example.com', clientId: 'gatehouse' },
    records: { type: 'dynamodb', table: 'gatehouse' },
    secrets: [{ id: 'k1', secret: { env: 'SECRET' } }],
  };
  const load = (config: unknown) => lambdaConfig({ GATEHOUSE_CONFIG: JSON.stringify(config) });

  it('is the JSON itself, or the path of a file, JSON or YAML', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
    const file = join(folder, 'gatehouse.yaml');
    writeFileSync(
      file,
      Object.entries(good)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
        .join('\n'),
    );
    try {
      expect(lambdaConfig({ GATEHOUSE_CONFIG: file })).toEqual(load(good));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['memory', { records: { type: 'memory' } }, /records: each instance has a memory of its own/],
    ['SQLite', { records: { type: 'sqlite', file: '/tmp/x' } }, /records: each instance has a disk of its own/],
    [
      'a command',
      { resources: [{ path: '/mcp', target: { command: 'x' } }] },
      /resources\[0\]\.target: a command cannot/,
    ],
    ['a setting nobody knows', { isuer: 'x' }, /isuer: is not a known setting/],
  ])('with %s is refused in words', (_, changes, words) => {
    expect(() => load({ ...good, ...changes })).toThrow(words);
  });

  it('that says one thing twice is refused', () => {
    const twice = `{"issuer":"https://other.example.com",${JSON.stringify(good).slice(1)}`;
    expect(() => lambdaConfig({ GATEHOUSE_CONFIG: twice })).toThrow(/unique/);
    expect(() => lambdaConfig({})).toThrow(/GATEHOUSE_CONFIG[\s\S]*is not set/);
  });
});

describe('the bundle', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await bundle();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is small, and holds no MCP SDK, no AWS SDK and no back-end that was not asked for', () => {
    const code = readdirSync(folder).filter((name) => !name.endsWith('.map'));
    expect(code.sort()).toEqual(['gateway.cjs', 'index.mjs', 'jose.cjs', 'yaml.cjs']);
    expect(statSync(join(folder, 'gateway.cjs')).size).toBeLessThan(900 * 1024);
    const { sources } = JSON.parse(readFileSync(join(folder, 'gateway.cjs.map'), 'utf8')) as { sources: string[] };
    const packages = sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
    expect([...new Set(packages)].sort()).toEqual(['oauth4webapi', 'undici', 'zod']);
    expect(sources.filter((source) => /records\/src\/(sqlite|memory|postgres|redis)/.test(source))).toEqual([]);
  });
});

describe.runIf(here)('under aws-lambda-ric (LAMBDA_RIC)', () => {
  let gateway: LambdaGateway;

  beforeAll(async () => {
    expect(ricIsHere, 'LAMBDA_RIC names no folder with the package aws-lambda-ric').toBe(true);
    gateway = await startLambdaGateway([{ path: '/mcp', target: 'http://127.0.0.1:1/mcp' }]);
  });
  afterAll(async () => {
    await gateway?.close();
  });

  it('a configuration that cannot be used fails the init phase, and the log says every fault', async () => {
    const wrong = { ...gateway.config, records: { type: 'memory' }, secrets: [] } as unknown as ConfigInput;
    for (const [config, words] of [
      [wrong, /secrets/],
      [{ ...gateway.config, records: { type: 'memory' } } as ConfigInput, /each instance has a memory of its own/],
      [{ ...gateway.config, secrets: [{ id: 't1', secret: { env: 'NOT_THERE' } }] }, /NOT_THERE is not set/],
      ['', /GATEHOUSE_CONFIG[\s\S]*is not set/],
    ] as Array<[ConfigInput | string, RegExp]>) {
      const instance = await gateway.start(config);
      await expect(instance.ready()).rejects.toThrow(words);
      expect(instance.stderr()).toContain('Init Error');
    }
  });

  it('a bundle without the back-end that is configured says so', async () => {
    const redis = { ...gateway.config, records: { type: 'redis', url: 'redis://127.0.0.1:1' } } as ConfigInput;
    await expect((await gateway.start(redis)).ready()).rejects.toThrow('This bundle was built without redis');
  });

  it('reads the parts for YAML and for assertions where they are needed, and not at a start', async () => {
    const lean = await bundle();
    for (const name of ['yaml.cjs', 'jose.cjs']) rmSync(join(lean, name));
    const instance = await gateway.start(gateway.config, lean);
    await instance.ready();
    const { prelude, body } = await instance.invoke(
      functionUrlEvent({ path: '/.well-known/oauth-authorization-server' }),
    );
    expect([prelude.statusCode, JSON.parse(await text(body)).issuer]).toEqual([200, gateway.issuer]);
    const yaml = join(lean, 'gatehouse.yaml');
    writeFileSync(yaml, 'issuer: https://mcp.example.com');
    await expect((await gateway.start(yaml, lean)).ready()).rejects.toThrow("Cannot find module './yaml.cjs'");
    rmSync(lean, { recursive: true });
  });
});
