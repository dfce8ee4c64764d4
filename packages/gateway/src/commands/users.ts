/** `gatehouse users`: the people who have signed in and allowed something, counted over the grants. */
import { listPeople, type PersonDescription } from '@mcp-gatehouse/auth';
import { withoutUndefined } from '../config/without-undefined.ts';
import { configFrom, placeHelp, refuseMemory, systemSeconds, watched, withRecords } from './configured.ts';
import { progress } from './progress.ts';
import { cell, date, table } from './table.ts';
import { exitCodes, exitCodesHelp, note, readArguments, say, sayJson } from './usage.ts';

export const usersHelp = `gatehouse users – who has signed in and allowed something

  gatehouse users
      The people with live grants at a gateway of this folder (serve --local).

  gatehouse users --config gatehouse.yaml --all
      Those too whose grants have all ended and are not yet removed.

Gatehouse keeps no accounts: a person is the pair of issuer and subject that the
identity provider gave, and USER is the sub that MCP servers see. What they
allowed: gatehouse grants list --user USER. What they did: gatehouse audit
--person USER.

Options
${placeHelp}
  --all                people without a live grant, too
  --json               one JSON line: { users: [{ subject, identity: { issuer,
                       subject }, liveGrants, clients, lastActiveAt }], cut };
                       times are seconds; cut: there were too many to count
  --help               this text

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function usersCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args);
  if (values.help) {
    say(usersHelp);
    return exitCodes.done;
  }
  const config = configFrom(values, 'users');
  refuseMemory(config);
  const line = progress();
  const { people, cut } = await withRecords(config, (records) =>
    listPeople({
      records: watched(records, line),
      now: systemSeconds(),
      lifetimes: withoutUndefined(config.lifetimes),
    }),
  ).finally(line.clear);
  const users = values.all ? people : people.filter(({ liveGrants }) => liveGrants > 0);
  if (values.json) sayJson({ users, cut });
  else say(users.length === 0 ? 'Nobody has a live grant.' : userTable(users));
  if (cut && !values.json) note('There are more grants than were read: people may be missing, and counts too low.');
  return exitCodes.done;
}

/** The whole subject: other commands ask for it. */
function userTable(users: readonly PersonDescription[]): string {
  const rows = users.map(({ subject, identity, liveGrants, clients, lastActiveAt }) => [
    subject,
    String(liveGrants),
    String(clients),
    date(lastActiveAt),
    `${cell(identity.subject, 40)} at ${cell(identity.issuer)}`,
  ]);
  return table(['USER', 'GRANTS', 'CLIENTS', 'LAST ACTIVE', 'AT THE IDENTITY PROVIDER'], rows);
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      all: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
