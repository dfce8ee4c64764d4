/** The command `gatehouse` as a process of its own, started by the Node that is pinned. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const bin = fileURLToPath(new URL('../bin/gatehouse.js', import.meta.url));

/** A test that fails leaves no process behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly child: ChildProcess;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves once it has written these words on standard output; rejects if it ends before. */
  said(words: string): Promise<void>;
  readonly ended: Promise<Ended>;
  /** SIGTERM, then its end. */
  stop(): Promise<Ended>;
}

export function gatehouse(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Command {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async said(words) {
      while (!stdout.includes(words)) {
        const first = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
        if (!Array.isArray(first)) throw new Error(`It ended before it said "${words}":\n${stdout}\n${stderr}`);
      }
    },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** Runs it to its end. */
export function run(args: readonly string[], options?: Parameters<typeof gatehouse>[1]): Promise<Ended> {
  return gatehouse(args, options).ended;
}
