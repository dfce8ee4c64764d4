/** `gatehouse serve`: flags or a file to a running gateway, and what a person needs to know about it. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Config,
  checkConfig,
  connectLines,
  createLog,
  demoUser,
  type LocalOptions,
  type LogFormat,
  loadConfig,
  localConfig,
  type ServedServer,
  serve,
} from '../serve.ts';
import { keepLastServed } from './last-served.ts';
import { note, UsageError, wholeNumber } from './usage.ts';

export { UsageError } from './usage.ts';

export const serveHelp = `gatehouse serve – OAuth 2.1 in front of an MCP server

  gatehouse serve --local --target http://localhost:8000/mcp
      On a laptop, with nothing configured: SQLite in a data directory, a local
      user pool with a demo user, and the lines to paste into MCP clients.

  gatehouse serve --local -- npx -y @modelcontextprotocol/server-everything
      The same for a server that speaks stdio: what stands after -- is its
      command, and one process of it is kept for each person.

  gatehouse serve --config gatehouse.yaml
      With your identity provider and your database. docs/configuration.md
      describes every setting.

Options
  --target URL         the MCP server to protect (Streamable HTTP)
  --transport NAME     streamable-http, or sse for HTTP+SSE of 2024-11-05
  --env NAME           pass a variable on to the command after --; repeatable
  --start-seconds N    how long its first answer may take   (120)
  --local              sign-in, secrets and database on this computer
  --config FILE        configuration, JSON or YAML; not together with the others
  --issuer URL         public URL of the gateway   (http://localhost:PORT)
  --port N             port to listen on           (8080)
  --sign-in-port N     port of the local sign-in   (the one after --port)
  --path PATH          public path of the target   (/mcp)
  --name NAME          what people call the server (the path)
  --data DIR           data directory of --local   (.gatehouse)
  --log FORMAT         json, text or none    (text with --local, else json)
  --json               say what is running as one JSON line: { event:
                       gateway.ready, issuer, port, servers: [{ name, id,
                       path, url, transport }], demoUser?: { username, password } }
  --help               this text

Exit codes: 0 stopped in order, 1 could not start, 2 wrong usage.
`;

interface Plan {
  readonly config: Config;
  readonly local?: LocalOptions;
  readonly logFormat: LogFormat;
  readonly json: boolean;
}

/** Serves until SIGINT or SIGTERM. Resolves to the exit code. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const plan = planFrom(args);
  if (!plan) {
    process.stdout.write(serveHelp);
    return 0;
  }
  // Listened for before anything says that it runs: who waits for that line may stop it at once.
  const asked = new Promise<void>((stop) => {
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  });
  const running = await serve(plan.config, {
    log: createLog(plan.logFormat),
    env: process.env,
    ...(plan.local && {
      local: plan.local,
      settings: { port: '--port', signInPort: '--sign-in-port', host: 'the host' },
    }),
  });
  if (plan.local) keepLastServed(plan.local.dataDir, { ...plan.local, path: plan.config.resources[0]?.path ?? '/mcp' });
  process.stdout.write(
    plan.json
      ? `${JSON.stringify({ event: 'gateway.ready', issuer: running.url, port: running.port, servers: running.servers, ...(plan.local && { demoUser }) })}\n`
      : announcement(running.url, running.servers, plan.local !== undefined),
  );
  await asked;
  // A second signal means now.
  process.once('SIGINT', () => process.exit(1));
  const { drainDelaySeconds = 0, drainSeconds = 10 } = plan.config.listen;
  const told = setTimeout(() => {
    if (!process.stderr.isTTY) return;
    note(`Stopping: calls have up to ${drainDelaySeconds + drainSeconds} s to end. Ctrl+C again cuts them now.`);
  }, 500);
  await running.close();
  clearTimeout(told);
  return 0;
}

function planFrom(args: readonly string[]): Plan | undefined {
  const end = args.indexOf('--');
  const { values } = parse(end < 0 ? args : args.slice(0, end));
  if (values.help) return undefined;
  const command = end < 0 ? undefined : args.slice(end + 1);
  const json = values.json ?? false;
  const logFormat = values.log ?? (values.local ? 'text' : 'json');
  if (logFormat !== 'json' && logFormat !== 'text' && logFormat !== 'none') {
    throw new UsageError('--log takes json, text or none.');
  }
  if (values.config !== undefined) {
    const other = (
      [
        'target',
        'transport',
        'env',
        'start-seconds',
        'local',
        'issuer',
        'port',
        'sign-in-port',
        'path',
        'name',
        'data',
      ] as const
    ).find((name) => values[name] !== undefined);
    if (other) throw new UsageError(`--${other} cannot stand beside --config: set it in the file.`);
    if (command) throw new UsageError('A command cannot stand beside --config: set it in the file.');
    return { config: loadConfig(values.config), logFormat, json };
  }
  const target = targetFrom(values, command);
  if (!values.local) {
    throw new UsageError('Say who signs people in: --local on a laptop, or an identity provider in a --config FILE.');
  }
  const port = portFrom('--port', values.port ?? '8080');
  const issuer = values.issuer ?? new URL(`http://localhost:${port}`).origin;
  const local: LocalOptions = {
    dataDir: resolve(values.data ?? '.gatehouse'),
    issuer,
    signInPort: values['sign-in-port'] === undefined ? port + 1 : portFrom('--sign-in-port', values['sign-in-port']),
  };
  const config = checkConfig('The command line', {
    ...localConfig(local),
    listen: { port },
    resources: [{ path: values.path ?? '/mcp', target, ...(values.name !== undefined && { name: values.name }) }],
  });
  return { config, local, logFormat, json };
}

/** What npm and npx need of this computer to reach their registry; a configuration names what it passes on by itself. */
const forNpm = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS', 'npm_config_registry'];

/** An endpoint or a command, and never both. */
function targetFrom(
  { target: url, transport, env = [], 'start-seconds': start }: ReturnType<typeof parse>['values'],
  command: readonly string[] | undefined,
) {
  if (command) {
    if (url !== undefined) throw new UsageError('Protect one server: --target URL, or a command after --.');
    if (transport !== undefined) throw new UsageError('A command speaks stdio: leave out --transport.');
    const [program, ...args] = command;
    if (program === undefined || program === '') throw new UsageError('After -- stands the command of the server.');
    const faulty = env.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
    if (faulty !== undefined) throw new UsageError('--env takes the name of a variable; its value is taken from here.');
    return {
      command: program,
      args,
      env: Object.fromEntries(
        [...env, ...forNpm.filter((name) => process.env[name])].map((name) => [name, { env: name }]),
      ),
      // The first start of npx fetches the program.
      startSeconds: start === undefined ? 120 : wholeNumber('--start-seconds', start, 1, 600),
    };
  }
  if (url === undefined) {
    throw new UsageError(
      'Say what to protect: --target http://localhost:8000/mcp, a command after --, or --config FILE.',
    );
  }
  if (env.length > 0 || start !== undefined)
    throw new UsageError('--env and --start-seconds are for a command after --.');
  if (!/^https?:\/\//.test(url)) throw new UsageError('--target takes a URL such as http://localhost:8000/mcp.');
  if (transport === undefined) return url;
  if (transport !== 'streamable-http' && transport !== 'sse') {
    throw new UsageError('--transport takes streamable-http or sse.');
  }
  return { url, transport } as const;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        target: { type: 'string' },
        transport: { type: 'string' },
        env: { type: 'string', multiple: true },
        'start-seconds': { type: 'string' },
        local: { type: 'boolean' },
        config: { type: 'string' },
        issuer: { type: 'string' },
        port: { type: 'string' },
        'sign-in-port': { type: 'string' },
        path: { type: 'string' },
        name: { type: 'string' },
        data: { type: 'string' },
        log: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    const { message } = error as Error;
    // `serve --local npx -y some-server`: what was meant is clear, and nothing says so.
    const meant = /^Unexpected argument|^Unknown option '-[^-]/.test(message);
    const way = 'The command of a server stands after --: gatehouse serve --local -- npx -y some-server';
    throw new UsageError(meant ? `${message}\n${way}` : message);
  }
}

function portFrom(flag: string, text: string): number {
  const port = Number(text);
  // Not 0: the issuer names the port, and tokens name the issuer.
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_534)
    throw new UsageError(`${flag} takes a port from 1 to 65534.`);
  return port;
}

/** For a person at a terminal. */
export function announcement(issuer: string, servers: readonly ServedServer[], local: boolean): string {
  const lines = ['', `Gatehouse is running at ${issuer}`, ''];
  if (local) lines.push(`  Demo user   ${demoUser.username}`, `  Password    ${demoUser.password}`, '');
  for (const { name, id, url, transport } of servers) {
    lines.push(`  ${name}`, `  ${url}`, '');
    for (const { client, where, text } of connectLines(id, url, transport)) {
      lines.push(`  ${client} (${where})`, `    ${text}`);
    }
    lines.push('');
  }
  lines.push('Open the first address in a browser for the same lines; press Ctrl+C to stop.', '');
  return `${lines.join('\n')}\n`;
}
