/** A gateway as a process of its own, from a configuration file, with a user pool beside it that the test holds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalCognito } from 'local-cognito';
import type { ConfigInput } from '../src/serve.ts';
import { type Command, gatehouse } from './command.ts';
import { freePort, password, poolSecretEnv, type ResourceInput, secretEnv, username } from './harness.ts';

export interface GatewayProcess {
  readonly issuer: string;
  readonly port: number;
  readonly signInOrigin: string;
  readonly folder: string;
  readonly command: Command;
  close(): Promise<void>;
}

const poolId = 'eu-central-1_Process01';

/** `changes` may name the folder, where a database can be. */
export async function startGatewayProcess(
  resources: readonly ResourceInput[],
  changes: (folder: string) => Partial<ConfigInput> = () => ({}),
): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-process-'));
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const pool = await startLocalCognito({
    config: {
      poolId,
      users: [{ username, password, email: 'ada@example.com' }],
      clients: [
        {
          clientId: 'gatehouse',
          clientSecret: process.env[poolSecretEnv] as string,
          callbackUrls: [`${issuer}/callback`],
          allowedScopes: ['openid'],
        },
      ],
    },
  });
  const { listen, ...others } = changes(folder);
  const config: ConfigInput = {
    issuer,
    listen: { port, ...listen },
    resources: [...resources],
    identityProvider: {
      type: 'cognito',
      userPoolId: poolId,
      domain: pool.origin,
      issuerOrigin: pool.origin,
      clientId: 'gatehouse',
      clientSecret: { env: poolSecretEnv },
    },
    records: { type: 'memory' },
    secrets: [{ id: 't1', secret: { env: secretEnv } }],
    ...others,
  };
  const file = join(folder, 'gatehouse.json');
  writeFileSync(file, JSON.stringify(config));
  const command = gatehouse(['serve', '--config', file, '--json']);
  await command.said('"gateway.ready"');
  return {
    issuer,
    port,
    signInOrigin: pool.origin,
    folder,
    command,
    async close() {
      await command.stop();
      await pool.close();
      rmSync(folder, { recursive: true });
    },
  };
}
