/** Servers of others as processes of their own, and the doctor as a process beside them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { collect, freePorts, root, waitFor } from '../harness/stack.ts';

/** A test that fails leaves no process behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Peer {
  readonly url: string;
  readonly output: () => string;
  stop(): Promise<void>;
}

/** `peers/NAME.ts` on a port of its own; it says `ready` when it listens. */
export async function startPeer(name: string, ...args: readonly string[]): Promise<Peer> {
  const port = await freePorts();
  const child = spawn(process.execPath, [join(root, `conformance/doctor/peers/${name}.ts`), String(port), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const output = collect(child);
  await waitFor(child, output, /^ready$/m);
  return {
    url: `http://localhost:${port}/mcp`,
    output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

export interface Report {
  readonly code: number | null;
  readonly faults: number;
  readonly warnings: number;
  readonly findings: ReadonlyArray<{
    readonly id: string;
    readonly severity: string;
    readonly saw: string;
    /** With `--fix`. */
    readonly hints?: readonly string[];
  }>;
  readonly clients: ReadonlyArray<{
    readonly client: string;
    readonly outcome: string;
    readonly reasons: readonly string[];
  }>;
  readonly unfinished: readonly string[];
  readonly tookMs: number;
}

/** `gatehouse doctor URL --json`. */
export async function doctor(url: string, ...args: readonly string[]): Promise<Report> {
  const bin = join(root, 'packages/gateway/bin/gatehouse.js');
  const child = spawn(process.execPath, [bin, 'doctor', url, '--json', '--stream-seconds', '1', ...args], {
    env: { ...process.env, GATEHOUSE_DOCTOR_TOKEN: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (stdout === '') throw new Error(`The doctor said nothing: ${stderr}`);
  return { code, ...(JSON.parse(stdout) as Omit<Report, 'code'>) };
}

/** The ids of what was found, each once, in the order of the alphabet. */
export function found({ findings }: Report, ...severities: readonly string[]): readonly string[] {
  const wanted = findings.filter(({ severity }) => severities.length === 0 || severities.includes(severity));
  return [...new Set(wanted.map(({ id }) => id))].sort();
}

/** The clients with this outcome, in the order of the alphabet. */
export function clientsThat({ clients }: Report, outcome: string): readonly string[] {
  return clients
    .filter((one) => one.outcome === outcome)
    .map(({ client }) => client)
    .sort();
}
