/** Two gateway processes that share one SQLite file and one set of secrets, as two instances behind a load balancer do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfigInput, localConfig } from '../../packages/gateway/src/serve.ts';
import { collect, freePorts, root, waitFor } from '../harness/stack.ts';

export interface TwoGateways {
  readonly issuer: string;
  readonly resource: string;
  readonly signInOrigin: string;
  /** Where each process listens; the issuer is the first one's. */
  readonly origins: readonly [string, string];
  /** What both processes wrote. */
  readonly log: () => string;
  close(): Promise<void>;
}

export async function startTwoGateways(): Promise<TwoGateways> {
  // Whatever passes a guard is answered with 200.
  const target = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const targetUrl = `http://127.0.0.1:${(target.address() as AddressInfo).port}/mcp`;

  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const port = await freePorts();
  const issuer = `http://localhost:${port}`;
  const signInPort = port + 1;
  const otherPort = await freePorts();
  const config: ConfigInput = {
    ...localConfig({ dataDir, issuer, signInPort }),
    listen: { port: otherPort },
    resources: [{ path: '/mcp', name: 'Races', target: targetUrl }],
  };
  const configFile = join(dataDir, 'second.json');
  writeFileSync(configFile, JSON.stringify(config));

  const first = await gatehouse('--local', '--target', targetUrl, '--port', String(port), '--data', dataDir);
  const second = await gatehouse('--config', configFile);
  return {
    issuer,
    resource: `${issuer}/mcp`,
    signInOrigin: `http://localhost:${signInPort}`,
    origins: [issuer, `http://localhost:${otherPort}`],
    log: () => first.output() + second.output(),
    async close() {
      await Promise.all([first.stop(), second.stop()]);
      target.closeAllConnections();
      target.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function gatehouse(...args: string[]) {
  const bin = join(root, 'packages/gateway/bin/gatehouse.js');
  const child: ChildProcess = spawn(process.execPath, [bin, 'serve', ...args, '--json', '--log', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  await waitFor(child, output, '"event":"gateway.ready"');
  return {
    output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
