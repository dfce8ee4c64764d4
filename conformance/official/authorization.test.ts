/**
 * The official suite's `authorization` command, at a root issuer and at a path issuer. Its code-grant scenario prints the
 * authorize URL and waits for a person with a browser, who is played here; without a client id it would be skipped and
 * the exit code be 0 all the same.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register } from '../harness/client.ts';
import { walkThrough } from '../harness/person.ts';
import { type FixtureServer, startFixtureServer } from './fixture-server.ts';
import { type GuardedFixture, startGuardedFixture } from './guarded-fixture.ts';
import { countChecks, runSuite, type SuiteRun } from './suite.ts';

const scenarios = ['authorization-code-grant', 'authorization-server-metadata-endpoint'];

let target: FixtureServer;

beforeAll(async () => {
  target = await startFixtureServer();
});

afterAll(() => target?.close());

describe.each([
  { where: 'at the root', issuerPath: '' },
  { where: 'with a path', issuerPath: '/tenant1' },
])('an issuer $where', ({ issuerPath }) => {
  let gateway: GuardedFixture;

  beforeAll(async () => {
    gateway = await startGuardedFixture(target.url, issuerPath);
  });

  afterAll(() => gateway?.close());

  it('passes every check of both scenarios', { timeout: 120_000 }, async () => {
    const run = await runWithPerson(gateway);
    expect(run.exitCode, run.output).toBe(0);
    expect([...run.checks.keys()].sort()).toEqual(scenarios);
    expect(run.checks.get('authorization-code-grant'), run.output).toEqual([
      expect.objectContaining({ id: 'authorization-code-grant', status: 'SUCCESS' }),
    ]);
    expect(gateway.log()).toContain('"event":"token.issued"');

    const document = await fetch(`${gateway.origin}/.well-known/oauth-authorization-server${issuerPath}`);
    expect(((await document.json()) as { issuer: string }).issuer).toBe(gateway.issuer);
    expect(run.checks.get('authorization-server-metadata-endpoint')).toEqual([
      expect.objectContaining({ id: 'authorization-server-metadata', status: 'SUCCESS' }),
      expect.objectContaining({ id: 'authorization-server-metadata-cimd', status: 'SUCCESS' }),
    ]);
    expect(countChecks(run)).toEqual({ SUCCESS: 3, WARNING: 0, FAILURE: 0, SKIPPED: 0, INFO: 0 });
  });

  it('ends well without a client id, and has then skipped the grant: what the first test rules out', async () => {
    const run = await runSuite('authorization', ['--url', gateway.issuer]);
    expect(run.exitCode).toBe(0);
    expect(run.checks.get('authorization-code-grant')?.map(({ status }) => status)).toEqual(['SKIPPED']);
  });
});

/** With a registered client, and somebody who opens the printed address and goes through with it. */
async function runWithPerson(gateway: GuardedFixture): Promise<SuiteRun> {
  const port = await freePort();
  const { client_id: clientId } = await register(gateway.issuer, {
    redirect_uris: [`http://127.0.0.1:${port}/callback`],
  });
  const stuck = new AbortController();
  let journey: Promise<void> | undefined;
  const run = await runSuite(
    'authorization',
    ['--url', gateway.issuer, '--client-id', clientId, '--resource', gateway.resource, '--port', String(port)],
    {
      signal: stuck.signal,
      onOutput(text) {
        const url = /^https?:\/\/\S+[?&]response_type=code\S*(?=\s)/m.exec(text)?.[0];
        if (url !== undefined) journey ??= visit(url, gateway);
        journey?.catch(() => stuck.abort());
      },
    },
  );
  await journey;
  return run;
}

async function visit(authorizeUrl: string, { origin, signInOrigin }: GuardedFixture): Promise<void> {
  const { callback } = await walkThrough(authorizeUrl, [origin, signInOrigin]);
  await (await fetch(callback)).text();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
