/** `gatehouse grants`: who allowed which client what, and how an operator ends it, beside running gateways (RFC 7009). */
import {
  type GrantDescription,
  type GrantFilter,
  grantFilterFaults,
  listGrants,
  revokeGrant,
  revokeGrantsOf,
} from '@mcp-gatehouse/auth';
import type { Config } from '../config/schema.ts';
import { withoutUndefined } from '../config/without-undefined.ts';
import {
  configFrom,
  placeHelp,
  placeOptions,
  refuseMemory,
  systemSeconds,
  watched,
  withRecords,
} from './configured.ts';
import { type Progress, progress } from './progress.ts';
import { agreed } from './question.ts';
import { withRevoker } from './revoker.ts';
import { cell, count, date, table } from './table.ts';
import { exitCodes, exitCodesHelp, note, readArguments, say, sayJson, UsageError, wholeNumber } from './usage.ts';

export const grantsHelp = `gatehouse grants – who allowed which client what

  gatehouse grants list
      What gives access now at a gateway of this folder (serve --local).

  gatehouse grants list --config gatehouse.yaml --user SUBJECT
      What one person allowed. gatehouse users names the people.

  gatehouse grants revoke ID --config gatehouse.yaml
      Ends one: its refresh tokens at once, its access tokens within seconds at
      running gateways, and the person's session at the identity provider.

  gatehouse grants revoke --user SUBJECT --config gatehouse.yaml
      Ends everything that one person allowed, such as of somebody who left.
      They can sign in and allow it again: shut them out at the provider.

Which (list)
  --user SUBJECT       of this person: their sub, or its first 8 characters
  --client ID          of this client: its id, or the 8 characters that events
                       and lists show
  --resource URL       at this MCP server
  --all                those too that have ended and are not yet removed
  --limit NUMBER       at most so many, 1 to 1000                        (100)
  --after CURSOR       go on where a list ended: its "next"

Options
${placeHelp}
  --issuer URL         with --data: the gateway's URL     (where it was last)
  --yes                revoke several without being asked
  --json               one JSON line: { grants, next? } of list, { ended, over,
                       unknown } of revoke, each a list of ids
  --help               this text

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function grantsCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    say(grantsHelp);
    return exitCodes.done;
  }
  const [action, ...ids] = positionals;
  if (action === 'list') return list(values, ids);
  if (action === 'revoke') return revoke(values, ids);
  throw new UsageError('Say what to do with the grants: list, or revoke.');
}

type Values = ReturnType<typeof parse>['values'];

async function list(values: Values, others: readonly string[]): Promise<number> {
  if (others.length > 0) throw new UsageError(`grants list takes no "${others[0]}".`);
  if (values.yes) throw new UsageError('--yes belongs to grants revoke.');
  const limit = wholeNumber('--limit', values.limit ?? '100', 1, 1000);
  const filter = filterFrom(values);
  const config = configFrom(values, 'grants');
  refuseMemory(config);
  const line = progress();
  const page = await withRecords(config, (records) =>
    listGrants(operatorOptions(config, watched(records, line)), filter, values.after, limit),
  )
    .catch((error: unknown) => {
      if (values.after === undefined || !(error instanceof Error && /after/.test(error.message))) throw error;
      throw new UsageError('--after takes the "next" of a list before, with the same filter.');
    })
    .finally(line.clear);
  if (values.json) sayJson(page);
  else say(page.grants.length === 0 ? nothing(values) : grantTable(page.grants, values.all ?? false));
  if (page.next !== undefined && !values.json) note(`There are more: --after ${page.next} goes on.`);
  return exitCodes.done;
}

function nothing({ all }: Values): string {
  return all ? 'No grants.' : 'No grants that give access; --all shows those that have ended.';
}

async function revoke(values: Values, ids: readonly string[]): Promise<number> {
  const wrong = (['client', 'resource', 'all', 'limit', 'after'] as const).find((name) => values[name] !== undefined);
  if (wrong) throw new UsageError(`--${wrong} belongs to grants list.`);
  const { user } = values;
  if ((user === undefined) === (ids.length === 0)) {
    throw new UsageError('Say which: gatehouse grants revoke ID…, or --user SUBJECT for all of one person.');
  }
  if (user !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(user)) {
    throw new UsageError('--user takes the whole sub of one person, 43 characters: gatehouse users shows it.');
  }
  const config = configFrom(values, 'grants');
  refuseMemory(config);
  if (user === undefined && ids.length > 1) await agree(values, `End these ${ids.length} grants?`);
  const line = progress();
  const done = await withRecords(config, async (records) => {
    if (user !== undefined) {
      const options = operatorOptions(config, records);
      const { grants, next } = await listGrants(options, { subject: user, live: true }, undefined, 1000);
      if (grants.length > 1) {
        const many = next === undefined ? count(grants.length, 'grant') : `more than ${count(grants.length, 'grant')}`;
        await agree(values, `End ${many} of ${user}?`);
      }
    }
    return withRevoker(config, records, async (options) => {
      if (user !== undefined) return { ended: (await revokeGrantsOf(options, user)).ended, over: [], unknown: [] };
      return revokeEach(ids, (id) => revokeGrant(options, id), line);
    });
  }).finally(line.clear);
  if (values.json) sayJson(done);
  else say(inWords(done, user));
  return done.unknown.length > 0 ? exitCodes.failed : exitCodes.done;
}

interface Revoked {
  readonly ended: readonly string[];
  readonly over: readonly string[];
  readonly unknown: readonly string[];
}

async function revokeEach(
  ids: readonly string[],
  end: (id: string) => Promise<keyof Revoked>,
  line: Progress,
): Promise<Revoked> {
  const done = { ended: [] as string[], over: [] as string[], unknown: [] as string[] };
  for (const [index, id] of [...new Set(ids)].entries()) {
    line.show(`${index} of ${ids.length} grants`);
    done[await end(id)].push(id);
  }
  return done;
}

function inWords({ ended, over, unknown }: Revoked, user: string | undefined): string {
  if (user !== undefined) return ended.length === 0 ? 'There was none to end.' : `Ended: ${ended.join(', ')}`;
  return [
    ...(ended.length > 0 ? [`Ended: ${ended.join(', ')}`] : []),
    ...(over.length > 0 ? [`Over before: ${over.join(', ')}`] : []),
    ...(unknown.length > 0
      ? [`No such grant: ${unknown.map((id) => cell(id)).join(', ')}. gatehouse grants list --all shows their ids.`]
      : []),
  ].join('\n');
}

async function agree({ yes }: Values, question: string): Promise<void> {
  if (yes) return;
  const answer = await agreed(question);
  if (answer === undefined) throw new UsageError('Several grants would end: --yes says that it is meant.');
  if (!answer) throw new Error('Nothing was ended.');
}

function grantTable(grants: readonly GrantDescription[], all: boolean): string {
  const rows = grants.map((grant) => {
    const { id, subject, clientName, clientDigest, resource, scope, createdAt, refreshedAt } = grant;
    return [
      id,
      cell(subject, 12),
      cell(clientName ?? clientDigest.slice(0, 8), 28),
      cell(resource),
      cell(scope.join(','), 40),
      date(createdAt),
      date(refreshedAt),
      ...(all ? [stateOf(grant)] : []),
    ];
  });
  const head = ['ID', 'USER', 'CLIENT', 'RESOURCE', 'SCOPE', 'ALLOWED', 'LAST USED'];
  return table([...head, ...(all ? ['STATE'] : [])], rows);
}

function stateOf({ live, endedAt, endReason }: GrantDescription): string {
  if (live) return 'live';
  return endedAt === undefined ? 'expired' : `${endReason ?? 'ended'} ${date(endedAt)}`;
}

function filterFrom({ user, client, resource, all }: Values): GrantFilter {
  const filter = withoutUndefined({ subject: user, client, resource, live: all ? undefined : true });
  const [fault] = grantFilterFaults(filter);
  if (fault !== undefined) throw new UsageError(`${fault.replace(/^subject:/, 'user:').replace(/^/, '--')}.`);
  return filter;
}

function operatorOptions<R>(config: Config, records: R) {
  return { records, now: systemSeconds(), lifetimes: withoutUndefined(config.lifetimes) };
}

function parse(args: readonly string[]) {
  return readArguments({
    args: dashesKept(args),
    allowPositionals: true,
    options: {
      ...placeOptions,
      user: { type: 'string' },
      client: { type: 'string' },
      resource: { type: 'string' },
      all: { type: 'boolean' },
      limit: { type: 'string' },
      after: { type: 'string' },
      yes: { type: 'boolean', short: 'y' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** One id in 64 begins with a dash, and is no option for that. */
function dashesKept(args: readonly string[]): string[] {
  const kept: string[] = [];
  const ids: string[] = [];
  for (const one of args) {
    if (/^-[A-Za-z0-9_-]{42}$/.test(one) && kept.at(-1) === '--user') kept.push(`${kept.pop()}=${one}`);
    else if (/^-[A-Za-z0-9_-]{21}$/.test(one)) ids.push(one);
    else kept.push(one);
  }
  return ids.length === 0 ? kept : [...kept, ...(kept.includes('--') ? [] : ['--']), ...ids];
}
