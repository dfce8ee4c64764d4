/** Owns a Redis server of the tests' own, on a free port, with an append-only file. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** One command, by the command line client. */
  command(...words: string[]): string;
  start(): Promise<void>;
  /** SIGKILL: the next start reads the append-only file. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

export interface RedisServerOptions {
  readonly cluster?: boolean;
  readonly fsync?: 'always' | 'everysec';
  readonly password?: string;
}

/** As a cluster it is a single node that holds every slot: enough to refuse what crosses slots. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort(options.cluster ? 10_000 : 0);
  let server: ReturnType<typeof spawn> | undefined;
  const { password } = options;
  const login = password === undefined ? [] : ['--no-auth-warning', '-a', password];
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
  const command = (...words: string[]) =>
    execFileSync('redis-cli', ['-p', String(port), ...login, ...words], { encoding: 'utf8', stdio: 'pipe' }).trim();

  async function start(): Promise<void> {
    const all = [
      ...settings,
      '--appendfsync',
      options.fsync ?? 'everysec',
      ...(options.cluster ? clusterSettings : []),
      ...(password === undefined ? [] : ['--requirepass', password]),
    ];
    server = spawn('redis-server', all, { stdio: 'ignore' });
    await answers(() => command('PING') === 'PONG');
    if (!options.cluster) return;
    if (!command('CLUSTER', 'INFO').includes('cluster_slots_assigned:16384')) {
      command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    }
    await answers(() => command('CLUSTER', 'INFO').includes('cluster_state:ok'));
  }

  async function answers(is: () => boolean): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (server?.exitCode !== null) break;
      try {
        if (is()) return;
      } catch {
        // not yet
      }
      await pause(25);
    }
    throw new Error('Redis did not start: apt-get install redis-server');
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    command,
    start,
    kill,
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Alone it knows no address of its own until it is told, and sends its clients nowhere. */
const clusterSettings = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];

/** A cluster node also listens 10,000 above its port. */
async function freePort(bus: number): Promise<number> {
  for (;;) {
    const port = await bound(0);
    if (port + bus < 65_536 && (bus === 0 || (await bound(port + bus).catch(() => 0)) !== 0)) return port;
  }
}

async function bound(port: number): Promise<number> {
  const probe = createServer();
  probe.listen(port, '127.0.0.1');
  await once(probe, 'listening');
  const { port: found } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return found;
}
