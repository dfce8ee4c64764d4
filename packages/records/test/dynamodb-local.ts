/** Owns a DynamoDB Local of the tests' own: Amazon's own emulator, a Java program that `.ci/run` fetches where it can. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The folder of its jars; undefined: it is not here. */
export const dynamoDbLocal: string | undefined = process.env.DYNAMODB_LOCAL;

export interface DynamoDbLocal {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startDynamoDbLocal(folder: string): Promise<DynamoDbLocal> {
  if (!existsSync(folder)) throw new Error(`DYNAMODB_LOCAL: there is no folder ${folder}`);
  const port = await freePort();
  const main = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
  const options = [`-Djava.library.path=${folder}`, '-cp', join(folder, '*'), main];
  const server = spawn('java', [...options, '-inMemory', '-disableTelemetry', '-port', String(port)], {
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'eu-central-1' },
    stdio: 'ignore',
  });
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    // Any answer at all: it refuses what is not signed.
    if (await fetch(endpoint).catch(() => undefined)) break;
    if (tries > 600 || server.exitCode !== null) throw new Error('DynamoDB Local did not start');
    await pause(100);
  }
  return {
    endpoint,
    async stop() {
      if (server.exitCode !== null) return;
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
