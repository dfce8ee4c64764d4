/**
 * Whose gateway a command is about: `--config FILE`, or `--data DIR` of `gatehouse serve --local`. And what that
 * configuration says, opened: its records and its keyring, for every command beside running gateways.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type AuthRecords, type Keyring, keyring } from '@mcp-gatehouse/auth';
import type { Records } from '@mcp-gatehouse/records';
import { checkConfig, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { readSecrets } from '../config/secrets.ts';
import { localConfig } from '../local.ts';
import { openRecords } from '../open-records.ts';
import { lastServed } from './last-served.ts';
import type { Progress } from './progress.ts';
import { UsageError } from './usage.ts';

/** For `readArguments`. */
export const placeOptions = {
  config: { type: 'string' },
  data: { type: 'string' },
  issuer: { type: 'string' },
} as const;

/** For the help of a command that takes them. */
export const placeHelp = `  --config FILE        the configuration of the gateways
  --data DIR           or the data directory of gatehouse serve --local
                       (.gatehouse, if there is one here)`;

/** Where `serve --local` keeps its data unless told. */
export const defaultData = '.gatehouse';

export interface Place {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly issuer?: string | undefined;
}

/**
 * `whose` is what the command is about, such as `grants`. `resource`: with a data directory, what the command line of
 * `serve --local` said of its resource; its path is kept, its scopes are not.
 */
export function configFrom(
  { config, data, issuer }: Place,
  whose: string,
  resource?: { readonly path?: string; readonly scopes?: Record<string, string> },
): Config {
  if (config !== undefined) {
    if (data !== undefined || issuer !== undefined) {
      throw new UsageError('--config stands alone: the file says the rest.');
    }
    return loadConfig(config);
  }
  if (data === undefined && !existsSync(defaultData)) {
    throw new UsageError(`Say whose ${whose}: --config FILE, or --data DIR of gatehouse serve --local.`);
  }
  const dataDir = resolve(data ?? defaultData);
  if (!existsSync(dataDir))
    throw new Error(`There is no data directory at ${dataDir}: gatehouse serve --local makes one.`);
  const last = lastServed(dataDir);
  const at = issuer ?? last?.issuer ?? 'http://localhost:8080';
  // As `serve --local` takes the ports, unless it was told others.
  const signInPort = at === last?.issuer ? last.signInPort : (URL.canParse(at) ? Number(new URL(at).port) : 0) + 1;
  return checkConfig('The command line', {
    ...localConfig({ dataDir, issuer: at, signInPort }),
    // Nothing is forwarded here; a configuration has at least one.
    resources: [{ path: last?.path ?? '/mcp', ...resource, target: 'http://localhost/mcp' }],
  });
}

/** Opens the records for `work`, and closes them whatever becomes of it. */
export async function withRecords<T>(
  config: Pick<Config, 'records'>,
  work: (records: Records<AuthRecords>) => Promise<T>,
): Promise<T> {
  const records = await openExisting(config);
  try {
    return await work(records);
  } finally {
    await records.close();
  }
}

/** As `openRecords`; but a path that was mistyped is said, and no new database is the answer to it. */
async function openExisting({ records }: Pick<Config, 'records'>): Promise<Records<AuthRecords>> {
  if (records.type === 'memory') throw memoryIsTheirs();
  if (records.type === 'sqlite' && !existsSync(records.file)) {
    throw new Error(
      `There is no database at ${resolve(records.file)}: is this the configuration, or the folder, of the gateways?`,
    );
  }
  return openRecords(records);
}

/** Before a secret is read or a question is asked for nothing. */
export function refuseMemory({ records }: Pick<Config, 'records'>): void {
  if (records.type === 'memory') throw memoryIsTheirs();
}

function memoryIsTheirs(): UsageError {
  return new UsageError('Records in memory are the running gateway’s own: there is nothing to reach from here.');
}

/** Of the secrets those of the keyring alone: who looks at keys or grants need not know the identity provider's. */
export function keyringOf(config: Config): Keyring {
  const secrets = readSecrets({ secrets: config.secrets, resources: [], clients: [] });
  return keyring(config.issuer, secrets.keyring);
}

/** As `records`, telling `progress` how much was read: a database may hold very much. */
export function watched<R extends Pick<Records<AuthRecords>, 'list'>>(records: R, { show }: Pick<Progress, 'show'>): R {
  let read = 0;
  const list: Records<AuthRecords>['list'] = async (kind, filter, after) => {
    const page = await records.list(kind, filter, after);
    read += page.items.length;
    show(`${read} records read`);
    return page;
  };
  return { ...records, list };
}

export function systemSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
