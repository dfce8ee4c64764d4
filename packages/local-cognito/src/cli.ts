/** The command `local-cognito`: arguments in, a running pool and its log out. */
import { writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { greeting, logLine } from './cli-output.ts';
import { DEFAULT_CONFIG } from './default-config.ts';
import { hashPassword } from './password.ts';
import { ConfigError, StateError, startLocalCognito } from './server.ts';

const USAGE = `local-cognito - an Amazon Cognito user pool on your laptop

  local-cognito                       a ready-made pool with a demo user
  local-cognito --init                write local-cognito.json to start from
  local-cognito --config local-cognito.json

  --config <file>    the pool: users, clients, resource servers, groups
  --port <number>    default 9229; 0 takes any free port
  --host <address>   default 127.0.0.1
  --origin <origin>  how browsers and apps reach it, if not at http://<host>:<port>
  --state <file>     keep sign-ups, passwords, refresh tokens and keys across restarts
  --json             log one JSON object a line
  --init             write an example configuration (to --config, or local-cognito.json) and stop
  --hash             read a password from standard input, print its passwordHash and stop
  --help             this text
`;

const OPTIONS = {
  config: { type: 'string' },
  port: { type: 'string', default: '9229' },
  host: { type: 'string', default: '127.0.0.1' },
  origin: { type: 'string' },
  state: { type: 'string' },
  json: { type: 'boolean', default: false },
  init: { type: 'boolean', default: false },
  hash: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** What the user did wrong, in a line that says what to do. */
class UsageError extends Error {}

/** Runs the command. Leaves the exit code in `process.exitCode`; the process ends when the pool is closed. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await run(args);
  } catch (error) {
    process.stderr.write(`local-cognito: ${explain(error)}\n`);
    process.exitCode = 1;
  }
}

async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true });
  if (values.help) return print(USAGE);
  if (values.init) return init(values.config ?? 'local-cognito.json');
  if (values.hash) return print(`${await hashPassword((await text(process.stdin)).replace(/\r?\n$/, ''))}\n`);

  const { config: configPath, host, json } = values;
  if (configPath === undefined && !isLoopback(host)) {
    throw new UsageError(
      'the ready-made pool has well-known passwords and stays on 127.0.0.1; give a --config to use --host',
    );
  }
  const pool = await startLocalCognito({
    config: configPath ?? DEFAULT_CONFIG,
    port: parsePort(values.port),
    host,
    publicOrigin: values.origin,
    stateFile: values.state,
    log: (event) => print(`${json ? JSON.stringify({ time: new Date().toISOString(), ...event }) : logLine(event)}\n`),
  });
  const { origin, issuer } = pool;
  if (json) {
    const clients = pool.config.clients.map((client) => client.clientId);
    print(
      `${JSON.stringify({ time: new Date().toISOString(), event: 'server.listening', origin, issuer, clients })}\n`,
    );
  } else {
    print(greeting(pool, configPath === undefined));
  }
  await stopped();
  await pool.close();
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process the hard way. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

async function init(path: string): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(DEFAULT_CONFIG, undefined, 2)}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError(`${path} exists already and is left as it is; name another file with --config`);
  }
  print(`Wrote ${path}. Change it, then: local-cognito --config ${path}\n`);
}

function parsePort(value: string): number {
  const port = Number(value);
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port;
  throw new UsageError(`--port ${value}: a number from 0 to 65535 is needed`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StateError || error instanceof UsageError) return error.message;
  const { code, message, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === 'EADDRINUSE') return `port ${port} is in use; choose another with --port, or 0 for any free one`;
  if (code === 'EACCES' && port !== undefined)
    return `port ${port} needs privileges; choose one above 1023 with --port`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `--host ${address ?? ''} is no address of this machine`;
  if (code?.startsWith('ERR_PARSE_ARGS')) return `${message.split('. ')[0]}. See local-cognito --help`;
  return message;
}

function print(output: string): void {
  process.stdout.write(output);
}
