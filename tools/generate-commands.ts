/** docs/commands.md, made from the help texts so that it cannot be wrong. `--check` only says whether it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, commands, help } from '../packages/gateway/src/cli.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = 'docs/commands.md';

export async function commandsPage(all: ReadonlyMap<string, Command>): Promise<string> {
  const parts = await Promise.all(
    [...all].map(async ([name, command]) => ({
      name,
      says: command.says,
      text: (await command.load()).help.trimEnd(),
    })),
  );
  return `# Commands

<!-- Generated from the help texts in packages/gateway/src/commands by \`node tools/generate-commands.ts\`; do not edit. -->

Every command says this itself: \`gatehouse COMMAND --help\`.

| Command | |
|---|---|
${parts.map(({ name, says }) => `| [\`${name}\`](#${name}) | ${says} |`).join('\n')}

## For programs

- **Exit codes**, of every command: \`0\` done, or there was nothing to do · \`1\` it could not, and the message says what to do · \`2\` what was
  typed is no command, and nothing was touched · \`3\` \`check\` or \`doctor\` did their work and found faults.
- **Standard output** is what was asked for and nothing else; words beside it, questions, progress and the log go to standard error.
- **\`--json\`** prints one line of JSON (\`audit\`: one for each event), in the shape that the command's help describes. Names in it stay; new ones
  may be added. Times are seconds since the epoch. Nothing is asked and no progress is shown unless standard error is a terminal.
- **Whose gateway**: \`--config FILE\`; or \`--data DIR\` of \`gatehouse serve --local\`, which is \`.gatehouse\` where there is one in the working
  directory. They read and write the records themselves, so the gateway may be up or down, and \`records: memory\` cannot be reached.
- **Nothing secret** is printed, but what was asked for: \`gatehouse token\` prints a token.

## gatehouse

\`\`\`text
${help.trimEnd()}
\`\`\`

${parts.map(({ name, text }) => `## ${name}\n\n\`\`\`text\n${text}\n\`\`\``).join('\n\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  const text = await commandsPage(commands);
  const stale = readOrNothing(join(root, file)) !== text;
  if (stale && !check) writeFileSync(join(root, file), text);
  if (stale) process.stdout.write(`${check ? 'out of date' : 'written'}: ${file}\n`);
  if (stale && check) {
    process.stderr.write('Run node tools/generate-commands.ts and commit what it writes.\n');
    process.exitCode = 1;
  }
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
