/**
 * `--local`: everything a gateway needs, on this computer and without a question. Secrets are made at the first start
 * and kept in the data directory; the user pool is `local-cognito`, with a demo user.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Log } from '@mcp-gatehouse/auth';
import { type Config as PoolConfig, startLocalCognito } from 'local-cognito';
import type { ConfigInput } from './config/schema.ts';
import { readSecret } from './config/secrets.ts';

export const demoUser = { username: 'demo', password: 'Gatehouse-Demo-1' } as const;

const userPoolId = 'eu-central-1_Gatehouse1';
const clientId = 'gatehouse';
const clientSecretFile = 'cognito-client.secret';
const operatorSecretFile = 'gatehouse.secret';

export interface LocalOptions {
  readonly dataDir: string;
  readonly issuer: string;
  /** Port of the sign-in page; people's browsers go there. */
  readonly signInPort: number;
}

/** The parts of a configuration that `--local` fills in; nothing is written yet. */
export function localConfig({
  dataDir,
  issuer,
  signInPort,
}: LocalOptions): Pick<ConfigInput, 'identityProvider' | 'records' | 'secrets' | 'issuer'> {
  const signIn = `http://localhost:${signInPort}`;
  return {
    issuer,
    identityProvider: {
      type: 'cognito',
      userPoolId,
      domain: signIn,
      issuerOrigin: signIn,
      clientId,
      clientSecret: { file: resolve(dataDir, clientSecretFile) },
      name: 'the local user pool',
    },
    records: { type: 'sqlite', file: resolve(dataDir, 'gatehouse.sqlite') },
    secrets: [{ id: 'local', secret: { file: resolve(dataDir, operatorSecretFile) } }],
  };
}

/** Makes what `localConfig` names and is not there yet: the data directory and the secrets. */
export function prepareLocal({ dataDir }: LocalOptions): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // 60 hexadecimal digits: an app client's secret has 64 characters at most.
  makeOnce(resolve(dataDir, clientSecretFile), randomBytes(30).toString('hex'));
  makeOnce(resolve(dataDir, operatorSecretFile), randomBytes(48).toString('base64url'));
}

/** The user pool that `localConfig` names. Rejects with `EADDRINUSE` if something else has the port. */
export async function startLocalSignIn({ dataDir, signInPort }: LocalOptions, callbackUrl: string, log: Log) {
  const config: PoolConfig = {
    poolId: userPoolId,
    users: [{ ...demoUser, email: 'demo@example.com', attributes: { name: 'Demo User' } }],
    clients: [
      {
        clientId,
        clientName: 'Gatehouse',
        clientSecret: readSecret(clientSecretFile, { file: resolve(dataDir, clientSecretFile) }),
        callbackUrls: [callbackUrl],
        allowedScopes: ['openid', 'email', 'profile'],
      },
    ],
  };
  return startLocalCognito({
    config,
    stateFile: join(dataDir, 'user-pool.json'),
    port: signInPort,
    publicOrigin: `http://localhost:${signInPort}`,
    log: ({ event, ...fields }) => log({ event: `sign_in.${event}`, ...fields }),
  });
}

/** Of two processes that start together, both use the secret that was there first. */
function makeOnce(file: string, secret: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${secret}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
}
