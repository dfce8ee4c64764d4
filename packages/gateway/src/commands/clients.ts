/** `gatehouse clients`: the MCP clients that are configured, that registered (RFC 7591), and that grants speak of. */
import { type ClientDescription, listClients } from '@mcp-gatehouse/auth';
import { withoutUndefined } from '../config/without-undefined.ts';
import { configFrom, placeHelp, refuseMemory, systemSeconds, watched, withRecords } from './configured.ts';
import { progress } from './progress.ts';
import { cell, date, table } from './table.ts';
import { exitCodes, exitCodesHelp, note, readArguments, say, sayJson } from './usage.ts';

export const clientsHelp = `gatehouse clients – which MCP clients there are

  gatehouse clients
      Those of a gateway of this folder (serve --local).

  gatehouse clients --config gatehouse.yaml
      Those of your configuration, those that registered themselves and are kept
      (registration: stored), and those that somebody has allowed something.

A client that registered itself statelessly is kept nowhere: it is known from
its grants, by what it called itself and by the digest of its id. CLIENT is what
the log, gatehouse audit --client and gatehouse grants list --client know it by.

Options
${placeHelp}
  --json               one JSON line: { clients: [{ digest, id?, name?, source:
                       configured | registered | granted, grantTypes?,
                       redirectUris?, registeredAt?, liveGrants, people,
                       lastActiveAt? }], cut }; times are seconds; cut: there
                       were too many to count
  --help               this text

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function clientsCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args);
  if (values.help) {
    say(clientsHelp);
    return exitCodes.done;
  }
  const config = configFrom(values, 'clients');
  refuseMemory(config);
  const line = progress();
  const { clients, cut } = await withRecords(config, (records) =>
    listClients({
      records: watched(records, line),
      now: systemSeconds(),
      lifetimes: withoutUndefined(config.lifetimes),
      clients: config.clients.map(({ id, name, grantTypes, redirectUris }) =>
        withoutUndefined({ id, name, grantTypes, redirectUris }),
      ),
    }),
  ).finally(line.clear);
  if (values.json) sayJson({ clients, cut });
  else say(clients.length === 0 ? 'No clients yet.' : clientTable(clients));
  if (cut && !values.json) note('There are more than were read: clients may be missing, and counts too low.');
  return exitCodes.done;
}

function clientTable(clients: readonly ClientDescription[]): string {
  const rows = clients.map(({ digest, id, name, source, liveGrants, people, lastActiveAt, redirectUris = [] }) => [
    digest.slice(0, 8),
    cell(name, 28),
    source,
    String(liveGrants),
    String(people),
    date(lastActiveAt),
    cell(id ?? redirectUris[0], 48),
  ]);
  return table(['CLIENT', 'NAME', 'KNOWN AS', 'GRANTS', 'PEOPLE', 'LAST ACTIVE', 'ID'], rows);
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
