/** The gateway as a Lambda function for a test file: the bundle, two instances, DynamoDB, a user pool and a Function URL. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthRecords } from '@mcp-gatehouse/auth';
import { authKinds } from '@mcp-gatehouse/auth';
import type { Records } from '@mcp-gatehouse/records';
import { createTable, dynamoDbConnection, dynamoDbRecords } from '@mcp-gatehouse/records/dynamodb';
import dynalite from 'dynalite';
import { startLocalCognito } from 'local-cognito';
import { buildLambda, type LambdaRecords } from '../../../tools/build-lambda.ts';
import type { ConfigInput } from '../src/serve.ts';
import { freePort, password, poolSecretEnv, type ResourceInput, secretEnv, username } from './harness.ts';
import { type FunctionUrl, functionUrl, type Instance, startInstance } from './lambda-function.ts';

export interface LambdaGateway {
  readonly issuer: string;
  readonly instances: readonly [Instance, Instance];
  readonly config: ConfigInput;
  readonly records: Records<AuthRecords>;
  /** A further instance, with a configuration and a bundle of its own if need be; closed with the others. */
  start(config?: ConfigInput | string, folder?: string): Promise<Instance>;
  /** How long every request to DynamoDB takes longer from now on, in milliseconds. */
  slowDown(ms: number): void;
  close(): Promise<void>;
}

/** As `node tools/build-lambda.ts` makes it; the folder is the caller's to remove. */
export async function bundle(records: readonly LambdaRecords[] = ['dynamodb']): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-lambda-'));
  await buildLambda({ folder, records });
  return folder;
}

const poolId = 'eu-central-1_Lambda001';
const aws = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'of the tests' };

export async function startLambdaGateway(resources: readonly ResourceInput[]): Promise<LambdaGateway> {
  const folder = await bundle();
  const dynamoDb = dynalite({ createTableMs: 0 });
  dynamoDb.listen(0, '127.0.0.1');
  await once(dynamoDb, 'listening');
  const endpoint = `http://127.0.0.1:${(dynamoDb.address() as AddressInfo).port}`;
  const connection = dynamoDbConnection({
    region: aws.AWS_REGION,
    endpoint,
    credentials: async () => ({ accessKeyId: 'test', secretAccessKey: 'of the tests' }),
  });
  await createTable(connection.send, 'gatehouse');
  let delayMs = 0;
  const slow = createServer((req, res) => {
    const pass = () => {
      const { method, url, headers } = req;
      const onward = request(endpoint + url, { method, headers }, (answer) => {
        res.writeHead(answer.statusCode as number, answer.headers);
        answer.pipe(res);
      });
      req.pipe(onward);
    };
    setTimeout(pass, delayMs);
  });
  slow.listen(0, '127.0.0.1');
  await once(slow, 'listening');
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
  const config: ConfigInput = {
    issuer,
    resources: [...resources],
    identityProvider: {
      type: 'cognito',
      userPoolId: poolId,
      domain: pool.origin,
      issuerOrigin: pool.origin,
      clientId: 'gatehouse',
      clientSecret: { env: poolSecretEnv },
    },
    records: {
      type: 'dynamodb',
      table: 'gatehouse',
      endpoint: `http://127.0.0.1:${(slow.address() as AddressInfo).port}`,
    },
    secrets: [{ id: 't1', secret: { env: secretEnv } }],
  };
  const started: Instance[] = [];
  const start = async (given: ConfigInput | string = config, code = folder): Promise<Instance> => {
    const instance = await startInstance(code, {
      ...aws,
      [poolSecretEnv]: process.env[poolSecretEnv] as string,
      [secretEnv]: process.env[secretEnv] as string,
      GATEHOUSE_CONFIG: typeof given === 'string' ? given : JSON.stringify(given),
    });
    started.push(instance);
    return instance;
  };
  const instances: [Instance, Instance] = [await start(), await start()];
  await Promise.all(instances.map((instance) => instance.ready()));
  const url: FunctionUrl = await functionUrl(port, instances);
  return {
    issuer,
    instances,
    config,
    records: dynamoDbRecords<AuthRecords>({ kinds: authKinds, table: 'gatehouse', send: connection.send }),
    start,
    slowDown(ms) {
      delayMs = ms;
    },
    async close() {
      await url.close();
      await Promise.all(started.map((instance) => instance.close()));
      await pool.close();
      await connection.close();
      slow.close();
      slow.closeAllConnections();
      dynamoDb.close();
      rmSync(folder, { recursive: true });
    },
  };
}
