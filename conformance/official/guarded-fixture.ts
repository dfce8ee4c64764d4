/** A gateway of our own with a local sign-in, in front of whatever the official suite is to meet. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConfig, createLog, localConfig, serve } from '../../packages/gateway/src/serve.ts';
import { authorize, redeem, type Tokens } from '../harness/client.ts';
import { freePorts } from '../harness/stack.ts';

export interface GuardedFixture {
  readonly issuer: string;
  readonly resource: string;
  /** Of the gateway. */
  readonly origin: string;
  readonly signInOrigin: string;
  /** Everything the gateway logged. */
  readonly log: () => string;
  /** An access token that outlives any run, through the real pages. */
  accessToken(): Promise<string>;
  close(): Promise<void>;
}

/** `issuerPath` is empty for an issuer at the root, or a path such as `/tenant1`. */
export async function startGuardedFixture(target: string, issuerPath = ''): Promise<GuardedFixture> {
  const port = await freePorts();
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const origin = `http://localhost:${port}`;
  const local = { dataDir, issuer: origin + issuerPath, signInPort: port + 1 };
  let log = '';
  const config = checkConfig('the conformance run', {
    ...localConfig(local),
    listen: { port },
    resources: [{ path: '/mcp', name: 'Conformance fixture', target }],
    // A run that outlives its token would fail in the middle, scenario by scenario.
    lifetimes: { accessTokenSeconds: 3600 },
    metadataDocuments: {},
  });
  const gateway = await serve(config, {
    local,
    log: createLog('json', (line) => {
      log += line;
    }),
  });
  const fixture: GuardedFixture = {
    issuer: local.issuer,
    resource: `${origin}/mcp`,
    origin,
    signInOrigin: `http://localhost:${local.signInPort}`,
    log: () => log,
    async accessToken() {
      const authorized = await authorize(fixture.issuer, fixture.resource, fixture.signInOrigin);
      const response = await redeem(fixture.issuer, authorized);
      if (response.status !== 200) throw new Error(await response.text());
      return ((await response.json()) as Tokens).access_token;
    },
    async close() {
      await gateway.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return fixture;
}
