/** Owns the starting, asking and ending of further processes for the tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Job } from './worker.ts';

const worker = fileURLToPath(new URL('./worker.ts', import.meta.url));

export interface Process {
  ask(job: Job): Promise<unknown>;
  /** Further lines the process says by itself; undefined once it has ended. */
  line(): Promise<string | undefined>;
  send(job: Job): void;
  /** As `kill -9`: no handler of the process runs. */
  kill(): Promise<void>;
  /** Lets it end by itself, and gives its exit code. */
  end(): Promise<number | null>;
}

/** @param shell Limits to set before the process starts, e.g. `ulimit -f 100`. */
export function startProcess(module: URL, shell?: string): Process {
  const args = [worker, module.href];
  const child: ChildProcess =
    shell === undefined
      ? spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
      : spawn('/bin/sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, ...args], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  stdin.on('error', () => {});
  const exited = once(child, 'exit');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();

  async function line(): Promise<string | undefined> {
    const next = await lines.next();
    return next.done ? undefined : next.value;
  }

  function send(job: Job): void {
    stdin?.write(`${JSON.stringify(job)}\n`);
  }

  return {
    line,
    send,
    async ask(job) {
      send(job);
      const answer = await line();
      if (answer === undefined) throw new Error(`the process ended while asked to ${job.do}`);
      return JSON.parse(answer);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async end() {
      stdin.end();
      const [code] = await exited;
      return code;
    },
  };
}
