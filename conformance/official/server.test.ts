/** The official suite's `server` command, at both revisions, against a fixture that stands behind the gateway. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FixtureServer, startFixtureServer } from './fixture-server.ts';
import { type GuardedFixture, startGuardedFixture } from './guarded-fixture.ts';
import { countChecks, requiredScenarios, runSuite, type SuiteRun } from './suite.ts';
import { startTokenProxy, type TokenProxy } from './token-proxy.ts';

const expectedFailures = fileURLToPath(new URL('expected-failures-2025-11-25.yaml', import.meta.url));

let fixture: FixtureServer;
let gateway: GuardedFixture;
let proxy: TokenProxy;
let scratch: string;

beforeAll(async () => {
  fixture = await startFixtureServer();
  gateway = await startGuardedFixture(fixture.url);
  proxy = await startTokenProxy(gateway.origin, await gateway.accessToken());
  scratch = mkdtempSync(join(tmpdir(), 'baseline-'));
});

afterAll(async () => {
  await proxy?.close();
  await gateway?.close();
  await fixture?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const throughTheGuard = (...args: string[]) => runSuite('server', ['--url', `${proxy.origin}/mcp`, ...args]);

/** Scenario and check of everything that did not go well, sorted. */
function troubles({ checks }: SuiteRun, scenarios: readonly string[]): string[] {
  return scenarios
    .flatMap((scenario) =>
      (checks.get(scenario) ?? [])
        .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
        .map(({ id, status }) => `${scenario}: ${id} ${status}`),
    )
    .sort();
}

describe('2026-07-28', () => {
  it('passes every required scenario and every check', { timeout: 120_000 }, async () => {
    const run = await throughTheGuard('--requirements', '2026-07-28');
    const required = requiredScenarios('2026-07-28');
    expect(required).toHaveLength(37);
    expect(required.filter((scenario) => !run.checks.has(scenario))).toEqual([]);
    expect(troubles(run, required)).toEqual([]);
    expect(run.exitCode, run.output).toBe(0);
    expect(countChecks(run, required)).toMatchObject({ SUCCESS: 120 });
    // Run and not scored: pending ones, which pass, and the tasks extension, which the SDK's server has not.
    const pending = ['json-schema-2020-12', 'http-header-validation', 'http-custom-header-server-validation'];
    expect(troubles(run, pending)).toEqual([]);
    expect(countChecks(run, pending)).toMatchObject({ SUCCESS: 32 });
    const others = [...run.checks.keys()].filter((name) => !required.includes(name) && !pending.includes(name));
    expect(others.filter((name) => !name.startsWith('tasks-'))).toEqual([]);
  });
});

describe('2025-11-25', () => {
  it('passes everything but what needs a back channel', { timeout: 120_000 }, async () => {
    const run = await throughTheGuard('--requirements', '2025-11-25', '--expected-failures', expectedFailures);
    const required = requiredScenarios('2025-11-25');
    expect(required).toHaveLength(30);
    expect(required.filter((scenario) => !run.checks.has(scenario))).toEqual([]);
    expect(troubles(run, required)).toEqual([
      'elicitation-sep1034-defaults: elicitation-sep1034-general FAILURE',
      'elicitation-sep1330-enums: elicitation-sep1330-general FAILURE',
      'server-sse-multiple-streams: server-sse-multiple-streams-session WARNING',
      'tools-call-elicitation: tools-call-elicitation FAILURE',
      'tools-call-sampling: tools-call-sampling FAILURE',
    ]);
    expect(run.exitCode, run.output).toBe(0);
    expect(countChecks(run, required)).toMatchObject({ SUCCESS: 55, FAILURE: 4, WARNING: 1 });
    expect(countChecks(run)).toMatchObject({ SUCCESS: 63, FAILURE: 4 });
  });

  it('expects no failure of a scenario that is not run: the suite would not notice', () => {
    const listed = [...readFileSync(expectedFailures, 'utf8').matchAll(/^ +- (\S+)$/gm)].map(([, name]) => name);
    expect(listed).toHaveLength(5);
    expect(requiredScenarios('2025-11-25')).toEqual(expect.arrayContaining(listed));
  });

  it('fails when an expected failure passes', { timeout: 60_000 }, async () => {
    const stale = join(scratch, 'stale.yaml');
    writeFileSync(stale, 'server:\n  - ping\n');
    const ping = ['--scenario', 'ping', '--spec-version', '2025-11-25'];
    const run = await throughTheGuard(...ping, '--expected-failures', stale);
    expect(run.checks.get('ping')?.map(({ status }) => status)).toContain('SUCCESS');
    expect(run.output).toContain('Baseline is stale');
    expect(run.exitCode).toBe(1);
    expect((await throughTheGuard(...ping, '--expected-failures', expectedFailures)).exitCode).toBe(0);
  });
});

describe('the guard is really in the way', () => {
  it('refuses every request that has no token', { timeout: 60_000 }, async () => {
    const run = await runSuite('server', [
      '--url',
      gateway.resource,
      '--scenario',
      'tools-call-simple-text',
      '--spec-version',
      '2026-07-28',
    ]);
    expect(run.exitCode).toBe(1);
    expect(countChecks(run)).toMatchObject({ SUCCESS: 0 });
    expect(JSON.stringify([...run.checks.values()])).toContain('401');
  });

  it('answers the DNS-rebinding requests itself, before the fixture sees them', { timeout: 60_000 }, async () => {
    const scenario = ['--scenario', 'dns-rebinding-protection', '--spec-version', '2026-07-28'];
    const guarded = await throughTheGuard(...scenario);
    expect(guarded.exitCode, guarded.output).toBe(0);
    // The same scenario, straight at the fixture, fails: it looks at no Host and no Origin.
    const open = await runSuite('server', ['--url', fixture.url, ...scenario]);
    expect(open.exitCode).toBe(1);
    expect(troubles(open, ['dns-rebinding-protection'])).toEqual([
      'dns-rebinding-protection: localhost-host-rebinding-rejected FAILURE',
    ]);
  });
});
