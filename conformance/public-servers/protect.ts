/** A public MCP server behind the gateway as a user puts it there: one command, with everything else at its defaults. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { collect, freePorts, root, waitFor } from '../harness/stack.ts';

const gatehouse = join(root, 'packages/gateway/bin/gatehouse.js');

/** A test that fails leaves no process behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Words that are in the gateway's environment, and nobody else's business. */
export const operatorsSecret = 'what-only-the-operator-knows-0123456789';

export interface Protected {
  readonly issuer: string;
  /** The MCP endpoint, and the resource. */
  readonly url: string;
  /** Origins of the gateway's pages and of the sign-in's. */
  readonly pageOrigins: readonly string[];
  /** Everything it wrote. */
  readonly output: () => string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

/** `gatehouse serve --local --port N …`: what stands after it is the test's. Waits until it says that it is ready. */
export async function protect(args: readonly string[]): Promise<Protected> {
  const port = await freePorts();
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-public-'));
  const child = spawn(process.execPath, [gatehouse, 'serve', '--local', '--json', '--port', String(port), ...args], {
    cwd: folder,
    env: { ...process.env, GATEHOUSE_TEST_OPERATOR: operatorsSecret },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const output = collect(child);
  await waitFor(child, output, /"gateway\.ready".*\n/);
  const line = output()
    .split('\n')
    .find((one) => one.includes('"gateway.ready"'));
  const { issuer, servers } = JSON.parse(line ?? '') as { issuer: string; servers: Array<{ url: string }> };
  return {
    issuer,
    url: servers[0]?.url ?? '',
    pageOrigins: [issuer, `http://localhost:${port + 1}`],
    output,
    async stop() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
      return child.exitCode;
    },
  };
}

/** The file that a server's package runs. */
export function serverFile(packageName: string): string {
  const manifest = join(root, 'node_modules', packageName, 'package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  return join(dirname(manifest), Object.values(bin)[0] ?? '');
}

export interface EverythingServer {
  readonly url: string;
  readonly output: () => string;
  stop(): Promise<void>;
}

/** `@modelcontextprotocol/server-everything` as a process that listens. */
export async function startEverything(form: 'streamableHttp' | 'sse'): Promise<EverythingServer> {
  const port = await freePorts();
  const child = spawn(process.execPath, [serverFile('@modelcontextprotocol/server-everything'), form], {
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const output = collect(child);
  await waitFor(child, output, /(listening|running) on port \d+/);
  return {
    url: `http://localhost:${port}/${form === 'sse' ? 'sse' : 'mcp'}`,
    output,
    stop: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
