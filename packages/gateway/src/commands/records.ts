/**
 * `gatehouse records`: makes the database ready before the first gateway, with rights that gateways need not have; and
 * says what is in it.
 */
import { loadConfig } from '../config/load.ts';
import { openRecords } from '../open-records.ts';
import { configFrom, placeHelp, systemSeconds, watched, withRecords } from './configured.ts';
import { progress } from './progress.ts';
import { type KindStats, type RecordsStats, recordsStats, type StoredRecordsConfig } from './records-stats.ts';
import { date, table } from './table.ts';
import { exitCodes, exitCodesHelp, readArguments, say, sayJson, UsageError, wholeNumber } from './usage.ts';

export const recordsHelp = `gatehouse records – the database of the gateways

  gatehouse records create --config gatehouse.yaml
      Makes what the records need and leaves what is there: DynamoDB's table
      (on demand, with its index and time to live), PostgreSQL's table, SQLite's
      file. Redis needs nothing made; that it answers and evicts nothing is
      checked. Safe to run again, and by several at once.

  gatehouse records stats --config gatehouse.yaml
      How many of each kind there are, how large they are, and how old. Reads
      all of them, a page at a time: of a large DynamoDB table this costs.
      docs/records.md says what each kind is.

Options
${placeHelp}
  --most NUMBER        stats: read at most so many of each kind      (100000)
  --json               one JSON line: { type, place, created } of create (null:
                       not known); { type, place, bytes?, about?, kinds: [{
                       kind, live, expired?, bytes, oldest?, newest?, cut? }] }
                       of stats; times are seconds; cut: there are more
  --help               this text

Rights that create needs and gateways do not: CREATE in PostgreSQL's schema;
dynamodb:CreateTable, DescribeTable and UpdateTimeToLive. Those of stats: to
read, and dynamodb:DescribeTable.

${exitCodesHelp}
`;

/** Resolves to the exit code. */
export async function recordsCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    say(recordsHelp);
    return exitCodes.done;
  }
  const [action, ...others] = positionals;
  if ((action !== 'create' && action !== 'stats') || others.length > 0) {
    throw new UsageError('Say what to do: gatehouse records create, or gatehouse records stats.');
  }
  return action === 'create' ? create(values) : stats(values);
}

type Values = ReturnType<typeof parse>['values'];

async function create({ config, data, most, json }: Values): Promise<number> {
  if (most !== undefined) throw new UsageError('--most belongs to records stats.');
  if (data !== undefined) throw new UsageError('gatehouse serve --local makes its own database.');
  if (config === undefined) throw new UsageError('Say whose: --config FILE.');
  const { records } = loadConfig(config);
  if (records.type === 'memory') throw new UsageError('Records in memory need nothing made.');
  const created = await make(records);
  const what = { type: records.type, place: placeOf(records), created: created ?? null };
  if (json) sayJson(what);
  else say(inWords(what));
  return exitCodes.done;
}

/** Undefined: whether it was there is not known, only that it is. */
async function make(config: StoredRecordsConfig): Promise<boolean | undefined> {
  if (config.type === 'dynamodb') {
    const { createTable, dynamoDbConnection } = await import('@mcp-gatehouse/records/dynamodb');
    const { region, endpoint } = config;
    const { send, close } = dynamoDbConnection({ ...(region && { region }), ...(endpoint && { endpoint }) });
    try {
      return await createTable(send, config.table);
    } finally {
      await close();
    }
  }
  const records = await openRecords(config);
  try {
    // The first verb makes what is missing.
    await records.get('keySet', 'gatehouse records create');
    return undefined;
  } finally {
    await records.close();
  }
}

/** Without a password: none stands in a connection string or URL. */
export function placeOf(config: StoredRecordsConfig): string {
  switch (config.type) {
    case 'sqlite':
      return config.file;
    case 'postgres':
      return config.connectionString.replace(/\?.*$/, '');
    case 'redis':
      return config.url.replace(/\?.*$/, '');
    case 'dynamodb':
      return config.table;
  }
}

function inWords({ type, place, created }: { type: string; place: string; created: boolean | null }): string {
  if (created === null) return `Ready: ${type} at ${place}.`;
  return created ? `Made: the ${type} table ${place}.` : `It was there: the ${type} table ${place}.`;
}

async function stats(values: Values): Promise<number> {
  const most = wholeNumber('--most', values.most ?? '100000', 1, 100_000_000);
  const config = configFrom(values, 'records');
  const line = progress();
  const found = await withRecords(config, (records) => {
    const stored = config.records as StoredRecordsConfig;
    let of = '';
    return recordsStats({
      records: watched(records, { show: (text) => line.show(`${of}: ${text}`) }),
      config: stored,
      now: systemSeconds(),
      most,
      onKind(kind) {
        of = kind;
      },
    });
  }).finally(line.clear);
  const { type } = config.records;
  const place = placeOf(config.records as StoredRecordsConfig);
  if (values.json) sayJson({ type, place, ...found });
  else say(`${type} at ${place}${sizeOf(found)}\n\n${statsTable(found.kinds)}`);
  return exitCodes.done;
}

function sizeOf({ bytes, about }: RecordsStats): string {
  if (bytes === undefined) return '';
  return `: ${size(bytes)} on disk${about === undefined ? '' : ` (${about})`}`;
}

function statsTable(kinds: readonly KindStats[]): string {
  const rows = kinds.map(({ kind, live, expired, bytes, oldest, newest, cut }) => [
    kind,
    `${live}${cut ? ' or more' : ''}`,
    expired === undefined ? '' : String(expired),
    live === 0 ? '' : size(bytes),
    date(oldest),
    date(newest),
  ]);
  return table(['KIND', 'LIVE', 'EXPIRED', 'SIZE', 'OLDEST', 'NEWEST'], rows);
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

function parse(args: readonly string[]) {
  return readArguments({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      most: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
