/** The command `gatehouse` at a pseudo-terminal, with somebody who types: Python's `pty`, which Debian has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll } from 'vitest';

const bin = fileURLToPath(new URL('../bin/gatehouse.js', import.meta.url));

/** Copies between its own streams and a terminal of 100 columns, and ends as the command did. */
const copy = `
import fcntl, os, pty, select, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 100, 0, 0))
sources = [terminal, 0]
while True:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b''
        if source == 0:
            if data: os.write(terminal, data)
            else: sources.remove(0)
        elif data: os.write(1, data)
        else: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
`;

/** A test that fails leaves no process behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

export const keys = { down: '\u001b[B', enter: '\r', cancel: '\u0003' } as const;

export interface Terminal {
  type(text: string): void;
  /** Everything shown so far, without colours and movements. */
  text(): string;
  /** Resolves once these words were shown after what was waited for before; rejects if it ends without. */
  said(words: string): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null }>;
}

export function terminal(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Terminal {
  const child = spawn('python3', ['-c', copy, process.execPath, bin, ...args], {
    cwd: options.cwd,
    env: { ...process.env, TERM: 'xterm', CI: '', NO_COLOR: '1', ...options.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let shown = '';
  let seen = 0;
  child.stdout.on('data', (chunk) => {
    shown += String(chunk);
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null }));
  const text = () => stripVTControlCharacters(shown);
  return {
    type: (typed) => void child.stdin.write(typed),
    text,
    async said(words) {
      for (;;) {
        const at = text().indexOf(words, seen);
        if (at >= 0) {
          seen = at + words.length;
          return;
        }
        const first = await Promise.race([once(child.stdout, 'data'), ended]);
        if (!Array.isArray(first)) throw new Error(`It ended before it showed "${words}":\n${text()}`);
      }
    },
    ended,
  };
}
