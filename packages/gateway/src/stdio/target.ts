/** An MCP server that is a command, as a Streamable HTTP endpoint of this computer: the gateway's proxy forwards to it as to any other target (SEC-17). */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessOptions } from './backend.ts';
import { stdioEndpoint } from './endpoint.ts';
import { perUser } from './per-user.ts';
import { shared } from './shared.ts';

export interface StdioTargetOptions extends Omit<ProcessOptions, 'now'> {
  /** `perUser`: no process ever serves two users. `shared`: see shared.ts for what that cannot keep apart. */
  readonly processes: 'perUser' | 'shared';
  /** Of one message of the command; as of a client unless told. */
  readonly maxLineBytes?: number;
  /** Seconds after which a silent answer says that it lives; 15 unless told, 0: never. */
  readonly keepAliveSeconds?: number;
  /** Seconds, of a clock that never goes back; the process's own unless told. */
  readonly now?: () => number;
}

export interface StdioTarget {
  /** A Unix domain socket in a folder that is ours alone; on Windows a named pipe. */
  readonly socketPath: string;
  readonly url: 'http://stdio.localhost/mcp';
  /** For the identity headers of every request: who does not know it is no gateway. */
  readonly secret: string;
  /** Resolves if the command runs, or could be started and answered lately; rejects with words. */
  health(): Promise<void>;
  /** Ends every process and resolves once none is left. Safe to call twice. */
  close(): Promise<void>;
}

/** Seconds in which clients take what was left to be said. */
const lastWordsSeconds = 1;
/** Seconds for which a trial start is believed, so that a question for health is not a start each time. */
const [believedSeconds, doubtedSeconds] = [60, 5];

/** Starts no process yet: that is done when somebody needs it. Rejects if the socket cannot be made. */
export async function startStdioTarget(options: StdioTargetOptions): Promise<StdioTarget> {
  const { processes, keepAliveSeconds = 15, now = () => performance.now() / 1000 } = options;
  const backend = (processes === 'shared' ? shared : perUser)({
    ...options,
    maxMessageBytes: options.maxLineBytes ?? options.maxMessageBytes,
    now,
  });
  const secret = randomBytes(32).toString('base64url');
  const { maxMessageBytes } = options;
  const handle = stdioEndpoint({ backend, secret, maxMessageBytes, keepAliveSeconds, now });
  // Time limits are the gateway's; identity headers of a token with many claims are long.
  const server = createServer(
    { requestTimeout: 0, keepAliveTimeout: 60_000, maxHeaderSize: 128 * 1024 },
    (req, res) => {
      handle(req, res).catch((cause: unknown) => {
        options.log({ event: 'fault', path: '/mcp', status: 500, reason: 'stdio', cause });
        if (res.headersSent) res.destroy();
        else res.writeHead(500).end();
      });
    },
  );
  const place = socketPlace();
  try {
    server.listen(place.path);
    await once(server, 'listening');
  } catch (error) {
    place.remove();
    throw new Error(`No socket for the stdio target can be made at ${place.path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const sweeper = setInterval(() => backend.sweep(), Math.min(10, options.idleSeconds / 4) * 1000);
  sweeper.unref();

  let trial: { readonly outcome: Promise<void>; until: number } | undefined;
  let closing: Promise<void> | undefined;
  return {
    socketPath: place.path,
    url: 'http://stdio.localhost/mcp',
    secret,
    health() {
      if (trial && now() < trial.until) return trial.outcome;
      const begun = { outcome: backend.probe(), until: Number.POSITIVE_INFINITY };
      trial = begun;
      begun.outcome.then(
        () => {
          begun.until = now() + believedSeconds;
        },
        () => {
          begun.until = now() + doubtedSeconds;
        },
      );
      return begun.outcome;
    },
    close() {
      closing ??= (async () => {
        clearInterval(sweeper);
        // Processes first: what is in flight is answered with their end.
        await backend.close();
        await closed(server);
        place.remove();
      })();
      return closing;
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), lastWordsSeconds * 1000);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

/** Nobody else of this computer may ask: a folder of mode 0700, or a pipe whose name cannot be guessed. */
function socketPlace(): { readonly path: string; remove(): void } {
  const name = randomBytes(9).toString('hex');
  if (process.platform === 'win32') return { path: `\\\\.\\pipe\\gatehouse-${name}`, remove() {} };
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  // `mkdtemp` makes it so; a file system with its own rights might not.
  chmodSync(folder, 0o700);
  return { path: join(folder, 's'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
