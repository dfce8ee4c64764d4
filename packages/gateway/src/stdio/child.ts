/** One process of a stdio server: started without a shell, in a group of its own, read and written within bounds, and ended whole (MCP, stdio transport, Shutdown). */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason, StdioLog } from './events.ts';
import { harmless, type LongLine, lineReader, rateGate } from './lines.ts';

export interface ChildOptions {
  /** For the log. */
  readonly target: string;
  readonly person?: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Bytes of one message, in either direction. */
  readonly maxMessageBytes: number;
  readonly log: StdioLog;
  /** Seconds, of a clock that never goes back. */
  readonly now: () => number;
  readonly onLine: (line: Buffer) => void;
  readonly onLong: (line: LongLine) => void;
  /** Once, after the last line. */
  readonly onEnded: (exit: Exit) => void;
}

export interface Exit {
  readonly reason: EndReason;
  /** In words, for whoever waits for an answer and for the log. */
  readonly words: string;
}

export interface Child {
  readonly pid: number | undefined;
  /** False: as much as may wait for the process to read does, and nothing was written. */
  write(text: string): boolean;
  /** Stops reading what the process writes, which stops it in turn; each call needs its `resume`. */
  pause(): void;
  resume(): void;
  /** Says what could not be read, at a bounded rate. */
  unreadable(reason: string, bytes: number, text: string): void;
  /** In order, then by force; resolves once nothing of its group is left. Safe to call twice. */
  end(reason: EndReason): Promise<void>;
}

/** Seconds for a process whose input was closed, and again for one that was told to end. */
const graceSeconds = 2;
/** Seconds for what a process that ended left behind: children, and output nobody has read yet. */
const leftSeconds = 1;
/** Of the group of a process, in the log: a person reads it. */
const [stderrLength, sampleLength] = [1000, 200];
const logRate = { burst: 50, perSecond: 5 };

/** Groups that must not outlive us. */
const alive = new Set<number>();
const endAll = () => {
  for (const pid of alive) signal(pid, 'SIGKILL');
};

export function startChild(options: ChildOptions): Child {
  const { target, maxMessageBytes, log, now } = options;
  const started = now();
  const outcome = spawned(options);
  if (outcome instanceof Error) return stillborn(options, outcome);
  const child = outcome;
  const { pid } = child;
  if (pid !== undefined) {
    if (alive.size === 0) process.on('exit', endAll);
    alive.add(pid);
    log({ event: 'stdio.started', target, pid, ...(options.person !== undefined && { person: options.person }) });
  }

  let reason: EndReason | undefined;
  let exited = false;
  let cause: Error | undefined;
  let pauses = 0;
  let endedFully = () => {};
  const ended = new Promise<void>((resolve) => {
    endedFully = resolve;
  });

  const stdout = lineReader(maxMessageBytes, options.onLine, options.onLong);
  const said = bounded(rateGate(logRate, now));
  const unread = bounded(rateGate(logRate, now));
  const stderr = lineReader(
    stderrLength,
    (line) => say(line.toString('utf8')),
    (line) => say(`${line.head}…`),
  );
  function say(text: string): void {
    if (pid === undefined || text.trim() === '') return;
    said((leftOut) =>
      log({ event: 'stdio.stderr', target, pid, text: harmless(text.trimEnd(), stderrLength), ...leftOut }),
    );
  }
  child.stdout.on('data', stdout.push);
  child.stderr.on('data', stderr.push);
  // A process that ended does not read: what was not written is answered when its end is known.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  child.on('error', (error) => {
    cause = error;
    // Without a process there is no `exit`.
    if (pid === undefined) void finish(null, null);
  });
  child.on('exit', (code, name) => void finish(code, name));

  async function finish(code: number | null, name: NodeJS.Signals | null): Promise<void> {
    if (exited) return;
    exited = true;
    pauses = 0;
    child.stdout.resume();
    if (pid !== undefined) {
      signal(pid, 'SIGTERM');
      await Promise.race([groupEnd(pid), pause(leftSeconds * 1000)]);
      signal(pid, 'SIGKILL');
      await Promise.race([closed(child), pause(leftSeconds * 1000)]);
      alive.delete(pid);
      if (alive.size === 0) process.off('exit', endAll);
    }
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    stdout.end();
    stderr.end();
    const why = reason ?? (pid === undefined ? 'unstartable' : code === 0 ? 'exited' : 'crashed');
    log({
      event: 'stdio.ended',
      target,
      ...(pid !== undefined && { pid }),
      reason: why,
      seconds: Math.round(now() - started),
      ...(code !== null && { code }),
      ...(name !== null && { signal: name }),
      ...(cause && { cause: harmless(cause.message, sampleLength) }),
    });
    options.onEnded({ reason: why, words: inWords(why, code, name) });
    endedFully();
  }

  return {
    pid,
    write(text) {
      const { stdin } = child;
      if (exited || reason !== undefined || !stdin.writable) return true; // its end answers for it
      if (stdin.writableLength > 0 && stdin.writableLength + text.length > 4 * maxMessageBytes) return false;
      stdin.write(`${text}\n`);
      return true;
    },
    pause() {
      if (pauses++ === 0 && !exited) child.stdout.pause();
    },
    resume() {
      if (pauses > 0 && --pauses === 0) child.stdout.resume();
    },
    unreadable(why, bytes, text) {
      if (pid === undefined) return;
      unread((leftOut) =>
        log({
          event: 'stdio.unreadable',
          target,
          pid,
          reason: why,
          bytes,
          text: harmless(text, sampleLength),
          ...leftOut,
        }),
      );
    },
    async end(why) {
      if (!exited && reason === undefined) {
        reason = why;
        void endInOrder(child, () => exited);
      }
      await ended;
    },
  };
}

/** Without a shell: what is configured is one program and its arguments, whatever characters are in them. */
function spawned({ command, args, cwd, environment }: ChildOptions): ChildProcessWithoutNullStreams | Error {
  try {
    const child = spawn(command, args, {
      cwd,
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      windowsHide: true,
      // A group of its own: what it starts ends with it, and a Ctrl-C meant for us is not meant for it.
      detached: process.platform !== 'win32',
    });
    // Where there are no descriptors left, there are no streams.
    if (child.stdin) return child as ChildProcessWithoutNullStreams;
    child.on('error', () => {});
    return new Error('no descriptors left');
  } catch (error) {
    return error as Error;
  }
}

function stillborn({ target, log, onEnded }: ChildOptions, cause: Error): Child {
  const ended = new Promise<void>((resolve) => {
    setImmediate(() => {
      log({
        event: 'stdio.ended',
        target,
        reason: 'unstartable',
        seconds: 0,
        cause: harmless(cause.message, sampleLength),
      });
      resolve();
      onEnded({ reason: 'unstartable', words: inWords('unstartable', null, null) });
    });
  });
  return {
    pid: undefined,
    write: () => true,
    pause() {},
    resume() {},
    unreadable() {},
    end: () => ended,
  };
}

/** MCP, stdio transport: close the input, wait, terminate, wait, kill. */
async function endInOrder(child: ChildProcessWithoutNullStreams, exited: () => boolean): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  child.stdin.end();
  // What it still writes must not keep it from ending.
  child.stdout.resume();
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    await Promise.race([exit(child), pause(graceSeconds * 1000, undefined, { ref: false })]);
    if (exited()) return;
    signal(pid, name);
  }
}

/** To the whole group. That it is gone already is what was wanted. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  if (process.platform === 'win32') {
    if (name !== 0) execFile('taskkill', ['/pid', String(pid), '/t', '/f'], () => {});
    return false;
  }
  try {
    return process.kill(-pid, name);
  } catch {
    return false;
  }
}

async function groupEnd(pid: number): Promise<void> {
  while (signal(pid, 0)) await pause(20);
}

function exit(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function closed(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve) => {
    if (child.stdout.closed && child.stderr.closed) resolve();
    else child.once('close', () => resolve());
  });
}

/** Lets pass what the gate lets pass, and says with the next how many it did not. */
function bounded(gate: () => boolean): (pass: (leftOut: { readonly leftOut?: number }) => void) => void {
  let leftOut = 0;
  return (pass) => {
    if (!gate()) {
      leftOut += 1;
      return;
    }
    pass(leftOut > 0 ? { leftOut } : {});
    leftOut = 0;
  };
}

function inWords(reason: EndReason, code: number | null, name: string | null): string {
  if (reason === 'unstartable') return 'could not be started';
  if (reason === 'too_slow') return 'did not answer in time after its start';
  if (reason === 'crashed' || reason === 'exited') {
    return name === null ? `ended with exit code ${code}` : `was ended by ${name}`;
  }
  return 'was ended by the gateway';
}
