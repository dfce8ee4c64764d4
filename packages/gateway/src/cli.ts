/** The command line `gatehouse`: picks the command, loads it and nothing else, and turns what it throws into words and an exit code. */
import { readFileSync } from 'node:fs';
import { exitCodes, UsageError } from './commands/usage.ts';

export interface Command {
  /** One line of the list of commands. */
  readonly says: string;
  /** Loads what it needs: `gatehouse --help` waits for no database driver. */
  load(): Promise<{ readonly run: (args: readonly string[]) => Promise<number>; readonly help: string }>;
}

/** In the order in which somebody comes to need them. */
export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  [
    'init',
    {
      says: 'ask a few questions and write a configuration',
      load: async () => {
        const { initCommand, initHelp } = await import('./commands/init.ts');
        return { run: initCommand, help: initHelp };
      },
    },
  ],
  [
    'check',
    {
      says: 'try a configuration: settings, secrets, sign-in, database, targets',
      load: async () => {
        const { checkCommand, checkHelp } = await import('./commands/check.ts');
        return { run: checkCommand, help: checkHelp };
      },
    },
  ],
  [
    'serve',
    {
      says: 'put OAuth in front of an MCP server',
      load: async () => {
        const { serveCommand, serveHelp } = await import('./commands/serve.ts');
        return { run: serveCommand, help: serveHelp };
      },
    },
  ],
  [
    'doctor',
    {
      says: 'examine any MCP server from outside, as its clients see it',
      load: async () => {
        const { doctorCommand, doctorHelp } = await import('./commands/doctor.ts');
        return { run: doctorCommand, help: doctorHelp };
      },
    },
  ],
  [
    'tail',
    {
      says: 'a gateway’s log as lines that people can read',
      load: async () => {
        const { tailCommand, tailHelp } = await import('./commands/tail.ts');
        return { run: tailCommand, help: tailHelp };
      },
    },
  ],
  [
    'users',
    {
      says: 'who has signed in and allowed something',
      load: async () => {
        const { usersCommand, usersHelp } = await import('./commands/users.ts');
        return { run: usersCommand, help: usersHelp };
      },
    },
  ],
  [
    'clients',
    {
      says: 'which MCP clients there are',
      load: async () => {
        const { clientsCommand, clientsHelp } = await import('./commands/clients.ts');
        return { run: clientsCommand, help: clientsHelp };
      },
    },
  ],
  [
    'grants',
    {
      says: 'who allowed which client what; and end it',
      load: async () => {
        const { grantsCommand, grantsHelp } = await import('./commands/grants.ts');
        return { run: grantsCommand, help: grantsHelp };
      },
    },
  ],
  [
    'audit',
    {
      says: 'what happened: consents, sign-ins, tokens, refusals, revocations',
      load: async () => {
        const { auditCommand, auditHelp } = await import('./commands/audit.ts');
        return { run: (args) => auditCommand(args), help: auditHelp };
      },
    },
  ],
  [
    'token',
    {
      says: 'an access token for trying things out on this computer',
      load: async () => {
        const { tokenCommand, tokenHelp } = await import('./commands/token.ts');
        return { run: tokenCommand, help: tokenHelp };
      },
    },
  ],
  [
    'keys',
    {
      says: 'look at and rotate the keys that sign access tokens',
      load: async () => {
        const { keysCommand, keysHelp } = await import('./commands/keys.ts');
        return { run: keysCommand, help: keysHelp };
      },
    },
  ],
  [
    'records',
    {
      says: 'make the database ready; count what is in it',
      load: async () => {
        const { recordsCommand, recordsHelp } = await import('./commands/records.ts');
        return { run: recordsCommand, help: recordsHelp };
      },
    },
  ],
]);

export const help = `gatehouse – OAuth 2.1 for MCP servers

Start here
  gatehouse serve --local --target http://localhost:8000/mcp
      on a laptop, with nothing configured
  gatehouse init
      writes a configuration with your identity provider and database

Commands
${[...commands].map(([name, { says }]) => `  ${name.padEnd(9)}  ${says}`).join('\n')}
  help       this text; gatehouse help COMMAND for the command's own
  version    the version

Every command takes --help, and --json for a program in place of a person.

Exit codes: 0 done, 1 could not, 2 wrong usage, 3 check or doctor found faults.
`;

/** Resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  // `gatehouse audit | head`: who reads no more is no reason for a stack.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const [name, ...rest] = args;
  try {
    switch (name) {
      case 'version':
      case '--version':
      case '-V':
        process.stdout.write(`${version()}\n`);
        return exitCodes.done;
      case 'help':
      case '--help':
      case '-h':
        process.stdout.write(await helpOf(rest[0]));
        return exitCodes.done;
      case undefined:
        throw new UsageError('Say what to do.');
    }
    const command = commands.get(name);
    if (!command) throw new UsageError(`There is no command "${name}".${meant(name)}`);
    const { run } = await command.load();
    return await run(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      const way = commands.has(name ?? '') ? `gatehouse ${name} --help shows how.\n` : help;
      process.stderr.write(`${error.message}\n\n${way}`);
      return exitCodes.usage;
    }
    // What the operator can mend is said without a stack; anything else is a fault of ours and shows one.
    const bug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
    process.stderr.write(`${error instanceof Error ? (bug ? error.stack : error.message) : String(error)}\n`);
    return exitCodes.failed;
  }
}

async function helpOf(name: string | undefined): Promise<string> {
  if (name === undefined) return help;
  const command = commands.get(name);
  if (!command) throw new UsageError(`There is no command "${name}".${meant(name)}`);
  return (await command.load()).help;
}

/** A slip of one letter, or the beginning of a name. */
function meant(name: string): string {
  const near = [...commands.keys()].find((one) => one.startsWith(name) || name.startsWith(one) || oneSlip(one, name));
  return near === undefined || name === '' ? '' : ` Is it ${near}?`;
}

function oneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  const rest = (text: string, skip: number) => text.slice(start + skip);
  const swapped = a[start] === b[start + 1] && a[start + 1] === b[start] && rest(a, 2) === rest(b, 2);
  return swapped || rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1);
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
