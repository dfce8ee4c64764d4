/** The whole product as a user starts it: `npm start`'s own script on ports of its own, in a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Stack {
  readonly issuer: string;
  /** The MCP endpoint, and the resource. */
  readonly mcp: string;
  readonly dataDir: string;
  /** Everything the processes wrote, standard output and standard error. */
  readonly output: () => string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

/** Starts it and waits until it says that it runs. `dataDir` and `port` of an earlier stack make it a restart. */
export async function startStack(
  options: { dataDir?: string; port?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<Stack> {
  const port = options.port ?? (await freePorts());
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const child = spawn(process.execPath, [join(root, 'tools/start.ts')], {
    env: { ...process.env, ...options.env, PORT: String(port), GATEHOUSE_DATA: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  await waitFor(child, output, 'Gatehouse is running');
  const issuer = `http://localhost:${port}`;
  return {
    issuer,
    mcp: `${issuer}/ankify/mcp`,
    dataDir,
    output,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
      return child.exitCode;
    },
  };
}

/** What a child writes, both streams together. */
export function collect(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer) => {
    text += chunk.toString('utf8');
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text;
}

/** Resolves once the child has written `words`; rejects, with all it wrote, if it ends before. */
export async function waitFor(child: ChildProcess, output: () => string, words: string | RegExp): Promise<void> {
  const said = () => (typeof words === 'string' ? output().includes(words) : words.test(output()));
  while (!said()) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`ended before it said ${words}:\n${output()}`);
    await Promise.race([
      once(child.stdout as NodeJS.ReadableStream, 'data'),
      once(child.stderr as NodeJS.ReadableStream, 'data'),
      once(child, 'exit'),
    ]);
  }
}

/** The first of three free ports in a row: the gateway's, the local sign-in's after it, and the page's. */
export async function freePorts(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = await listenOn(0);
    const { port } = first.address() as { port: number };
    const others = await Promise.all([1, 2].map((after) => listenOn(port + after).catch(() => undefined)));
    first.close();
    for (const one of others) one?.close();
    if (others.every((one) => one !== undefined)) return port;
  }
  throw new Error('no three free ports in a row');
}

async function listenOn(port: number) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
