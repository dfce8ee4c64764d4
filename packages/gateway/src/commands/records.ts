/** `gatehouse records`: makes the database ready before the first gateway, with rights that gateways need not have. */
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import type { RecordsConfig } from '../config/records.ts';
import { openRecords } from '../open-records.ts';
import { UsageError } from './serve.ts';

export const recordsHelp = `gatehouse records – the database of the gateways

  gatehouse records create --config gatehouse.yaml
      Makes what the records need and leaves what is there: DynamoDB's table
      (on demand, with its index and time to live), PostgreSQL's table, SQLite's
      file. Redis needs nothing made; that it answers and evicts nothing is
      checked. Safe to run again, and by several at once.

Options
  --config FILE        the configuration of the gateways
  --json               print what was done as one JSON line
  --help               this text

Rights it needs and gateways do not: CREATE in PostgreSQL's schema;
dynamodb:CreateTable, DescribeTable and UpdateTimeToLive.

Exit codes: 0 done, 1 could not, 2 wrong usage.
`;

/** Resolves to the exit code. */
export async function recordsCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(recordsHelp);
    return 0;
  }
  const [action, ...others] = positionals;
  if (action !== 'create' || others.length > 0) throw new UsageError('Say what to do: gatehouse records create.');
  if (values.config === undefined) throw new UsageError('Say whose: --config FILE.');
  const { records } = loadConfig(values.config);
  if (records.type === 'memory') throw new UsageError('Records in memory need nothing made.');
  const created = await create(records);
  const what = { type: records.type, place: placeOf(records), created };
  process.stdout.write(values.json ? `${JSON.stringify(what)}\n` : `${inWords(what)}\n`);
  return 0;
}

/** Undefined: whether it was there is not known, only that it is. */
async function create(config: Exclude<RecordsConfig, { type: 'memory' }>): Promise<boolean | undefined> {
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
function placeOf(config: Exclude<RecordsConfig, { type: 'memory' }>): string {
  switch (config.type) {
    case 'sqlite':
      return config.file;
    case 'postgres':
      return config.connectionString.replace(/\?.*$/, '');
    case 'redis':
      return config.url;
    case 'dynamodb':
      return config.table;
  }
}

function inWords({ type, place, created }: { type: string; place: string; created: boolean | undefined }): string {
  if (created === undefined) return `Ready: ${type} at ${place}.`;
  return created ? `Made: the ${type} table ${place}.` : `It was there: the ${type} table ${place}.`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
