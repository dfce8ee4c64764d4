/** docs/events.md, made from the catalogue of events so that it cannot be wrong. `--check` only says whether it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EventDescription, events } from '../packages/auth/src/audit/events.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = 'docs/events.md';

export function eventsPage(catalogue: Readonly<Record<string, EventDescription>>): string {
  const all = Object.entries(catalogue);
  const ours = all.filter(([name]) => !isLocalPool(name, catalogue));
  const local = all.filter(([name]) => isLocalPool(name, catalogue));
  return `# Events

<!-- Generated from packages/auth/src/audit/*-events.ts by \`node tools/generate-events.ts\`; do not edit. -->

The library and the gateway say one event an outcome: a line of the log, a count, and, where the outcome matters to security, an audit
event. No event holds a credential, a query or an e-mail address (but see the local user pool); clients and people stand there as the
beginning of a digest.

**Level** – \`info\`: all is well. \`notice\`: somebody was refused, or something ended. \`warning\`: look at it. \`fault\`: ours to mend.

**Audit** – given, the event goes to the audit sinks with this outcome. An audit event is \`id\` (unique; its bytes sort newest first),
\`time\` (seconds), \`instance\`, \`event\`, \`level\`, \`outcome\`, \`person\`, \`client\` and \`grant\` where known, and the other fields as
\`details\`, each at most 512 characters. \`cause\` stays in the log. With ○: anybody can cause it without a credential, or as often as
they like, so the records take a limited number of each a minute (what is over that is counted, and said as \`audit.lost\`).

**Counters** – every event is counted, by \`reason\`, \`grantType\` and the class of \`status\` where it has these fields. Labels come from closed
lists: an unlisted reason counts as its longest listed beginning (\`idp.answered.xyz\` as \`idp.answered\`), anything else as \`other\`.

| Event | Says | Level | Audit | Fields |
|---|---|---|---|---|
${ours.map(row).join('\n')}

## Local user pool (\`gatehouse serve --local\`)

What \`local-cognito\` says, under \`sign_in.\`. It stands for somebody else's system, on a laptop: its users' names are in it, and none of it
is audit.

| Event | Says | Level | Audit | Fields |
|---|---|---|---|---|
${local.map(row).join('\n')}

## Fields

${[...meanings(all)].map(([name, texts]) => `- \`${name}\` – ${[...texts].join(' · ')}`).join('\n')}
`;
}

function isLocalPool(name: string, catalogue: Readonly<Record<string, EventDescription>>): boolean {
  return catalogue[name]?.says.startsWith('Local user pool:') ?? false;
}

function row([name, { says, level, audit, open, fields, sometimes = {} }]: readonly [
  string,
  EventDescription,
]): string {
  const always = Object.keys(fields).map((field) => `\`${field}\``);
  const where = Object.keys(sometimes).map((field) => `(\`${field}\`)`);
  const outcome = audit ? `${audit}${open ? ' ○' : ''}` : '';
  return `| \`${name}\` | ${says.replaceAll('|', '\\|')} | ${level} | ${outcome} | ${[...always, ...where].join(', ')} |`;
}

/** A field means the same wherever it stands, or every meaning is given. */
function meanings(all: ReadonlyArray<readonly [string, EventDescription]>): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const [, { fields, sometimes }] of all) {
    for (const [field, text] of Object.entries({ ...fields, ...sometimes })) {
      found.set(field, (found.get(field) ?? new Set()).add(text));
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  const text = eventsPage(events);
  const stale = readOrNothing(join(root, file)) !== text;
  if (stale && !check) writeFileSync(join(root, file), text);
  if (stale) process.stdout.write(`${check ? 'out of date' : 'written'}: ${file}\n`);
  if (stale && check) {
    process.stderr.write('Run node tools/generate-events.ts and commit what it writes.\n');
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
