/** The official suite says of a server behind the gateway what it says of the server itself, at both revisions: check by check. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEverything } from '../public-servers/protect.ts';
import { startFixtureServer } from './fixture-server.ts';
import { type GuardedFixture, startGuardedFixture } from './guarded-fixture.ts';
import { type Check, requiredScenarios, runSuite, type SuiteRun } from './suite.ts';
import { startTokenProxy, type TokenProxy } from './token-proxy.ts';

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Scenarios of each revision that the suite runs to their end: a comparison of nothing would succeed as well. */
const servers = [
  {
    name: 'the fixture, which passes',
    start: async (): Promise<Server> => {
      const { url, close } = await startFixtureServer();
      return { url, stop: close };
    },
    scenarios: { '2025-11-25': 33, '2026-07-28': 50 },
  },
  {
    name: 'server-everything, which was not made for it',
    start: (): Promise<Server> => startEverything('streamableHttp'),
    scenarios: { '2025-11-25': 33, '2026-07-28': 49 },
  },
] as const;

/** The one on which the gateway has a word of its own: it refuses other Hosts and Origins before a server sees them. */
const ours = 'dns-rebinding-protection';

describe.each(servers)('$name', ({ start, scenarios }) => {
  let server: Server;
  let gateway: GuardedFixture;
  let proxy: TokenProxy;
  beforeAll(async () => {
    server = await start();
    gateway = await startGuardedFixture(server.url);
    proxy = await startTokenProxy(gateway.origin, await gateway.accessToken());
  });
  afterAll(async () => {
    await proxy?.close();
    await gateway?.close();
    await server?.stop();
  });

  it.each(['2025-11-25', '2026-07-28'] as const)(
    'has the same result at %s',
    { timeout: 120_000 },
    async (revision) => {
      // One after the other: a server that says the same to everybody at once is another test.
      const direct = await runSuite('server', ['--url', server.url, '--requirements', revision]);
      const through = await runSuite('server', ['--url', `${proxy.origin}/mcp`, '--requirements', revision]);

      expect(direct.checks.size).toBe(scenarios[revision]);
      expect([...through.checks.keys()].sort()).toEqual([...direct.checks.keys()].sort());
      expect(through.brokenOff).toEqual(direct.brokenOff);
      const required = requiredScenarios(revision);
      expect(required.filter((scenario) => !through.checks.has(scenario))).toEqual([]);

      for (const scenario of direct.checks.keys()) {
        if (scenario === ours) continue;
        expect(found(through, scenario), scenario).toEqual(found(direct, scenario));
      }
      const verdicts = (run: SuiteRun) => (run.checks.get(ours) ?? []).map(({ id, status }) => `${id} ${status}`);
      const [rejected, accepted] = verdicts(direct);
      expect(rejected).toMatch(/^localhost-host-rebinding-rejected /);
      expect(verdicts(through)).toEqual(['localhost-host-rebinding-rejected SUCCESS', accepted]);
    },
  );
});

/** Every check of a scenario with all that it saw, but for what is another in every run. */
function found(run: SuiteRun, scenario: string): readonly unknown[] {
  return (run.checks.get(scenario) ?? []).map(({ id, name, status, errorMessage, details }: Check) => ({
    id,
    name,
    status,
    errorMessage: errorMessage && anyRun(errorMessage),
    details: details && JSON.parse(anyRun(JSON.stringify(details, withoutHeaders))),
  }));
}

/** HTTP headers of an answer: those of a proxy's connection are its own. That it changes no others has tests of its own. */
function withoutHeaders(key: string, value: unknown): unknown {
  return key === 'headers' ? undefined : value;
}

function anyRun(text: string): string {
  return text
    .replace(/(localhost|127\.0\.0\.1):\d+/g, 'HOST')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/"requestState":"[^"]+"/g, '"requestState":"STATE"')
    .replace(/("[\w./]*subscriptionId"):\d+/g, '$1:0');
}
