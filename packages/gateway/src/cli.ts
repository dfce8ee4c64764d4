/** The command line `gatehouse`: picks the command, and turns what it throws into words and an exit code. */
import { readFileSync } from 'node:fs';
import { auditCommand, auditHelp } from './commands/audit.ts';
import { keysCommand, keysHelp } from './commands/keys.ts';
import { recordsCommand, recordsHelp } from './commands/records.ts';
import { serveCommand, serveHelp, UsageError } from './commands/serve.ts';
import { openRecords } from './open-records.ts';

const help = `gatehouse – OAuth 2.1 for MCP servers

Commands
  serve      put OAuth in front of an MCP server
  keys       look at and rotate the keys that sign access tokens
  records    make the database ready
  audit      what happened: consents, sign-ins, tokens, refusals, revocations
  help       this text; gatehouse serve --help for the command's own
  version    the version

Start here
  gatehouse serve --local --target http://localhost:8000/mcp
`;

/** Resolves to the exit code: 0 fine, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case 'serve':
        return await serveCommand(rest);
      case 'keys':
        return await keysCommand(rest);
      case 'records':
        return await recordsCommand(rest);
      case 'audit':
        return await auditCommand(rest, openRecords);
      case 'version':
      case '--version':
      case '-V':
        process.stdout.write(`${version()}\n`);
        return 0;
      case 'help':
      case '--help':
      case '-h':
        process.stdout.write(helpOf(rest[0]) ?? help);
        return 0;
      case undefined:
        throw new UsageError('Say what to do.');
      default:
        throw new UsageError(`There is no command "${command}".`);
    }
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(
        `${error.message}\n\n${helpOf(command) === undefined ? help : `gatehouse ${command} --help shows how.`}\n`,
      );
      return 2;
    }
    // What the operator can mend is said without a stack; anything else is a fault of ours and shows one.
    const bug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
    process.stderr.write(`${error instanceof Error ? (bug ? error.stack : error.message) : String(error)}\n`);
    return 1;
  }
}

function helpOf(command: string | undefined): string | undefined {
  return new Map([
    ['serve', serveHelp],
    ['keys', keysHelp],
    ['audit', auditHelp],
    ['records', recordsHelp],
  ]).get(command ?? '');
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
