/** What of a configuration can be tried on this computer: its secrets, whether its parts fit, and its database. */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { RecordsUnavailableError } from '@mcp-gatehouse/records';
import { assemble } from '../assemble.ts';
import { placeOf } from '../commands/records.ts';
import { ConfigError } from '../config/load.ts';
import type { ResourceConfig } from '../config/resource.ts';
import type { Config } from '../config/schema.ts';
import { readSecrets, type Secrets } from '../config/secrets.ts';
import { isStdio } from '../config/target.ts';
import { openRecords } from '../open-records.ts';
import { type Check, type Finding, whyNot } from './finding.ts';
import { peopleFindings } from './people.ts';

/** Every secret that the configuration names, and what is wrong with them. */
export function secretsOf(config: Config): { readonly secrets?: Secrets; readonly findings: readonly Finding[] } {
  const check = 'secrets';
  try {
    const secrets = readSecrets(config);
    const places = referencesOf(config);
    const open = places.flatMap((one) => ('file' in one && readByOthers(one.file) ? [one.file] : []));
    return {
      secrets,
      findings: [
        { check, outcome: 'ok', says: `${places.length} found, none is missing` },
        ...open.map(
          (file): Finding => ({
            check,
            outcome: 'warning',
            says: `everybody on this computer can read ${file}`,
            cure: `chmod 600 ${file}`,
          }),
        ),
      ],
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const cure = 'set it in the environment of this command, as in the gateway’s';
    return {
      findings: error.faults.map((says) => ({
        check,
        outcome: 'fault',
        says,
        ...(/environment variable/.test(says) && { cure }),
      })),
    };
  }
}

/** Everything that `serve` would make, made and let go of: what only the library can judge is said here. */
export async function partsOf(config: Config): Promise<readonly Finding[]> {
  const check = 'configuration';
  try {
    // In memory: the database has a check of its own, and nothing of it is touched here.
    const house = await assemble(
      { ...config, resources: config.resources.map(untouched), records: { type: 'memory' }, audit: { records: false } },
      { log: () => {} },
    );
    await house.close();
    return [
      { check, outcome: 'ok', says: 'every setting is known, and all of them fit together' },
      ...peopleFindings(config),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((says) => ({ check, outcome: 'fault', says }));
  }
}

/** No command is started and no target looked at: each has a check of its own. */
function untouched(resource: ResourceConfig): ResourceConfig {
  const { target } = resource;
  if (isStdio(target)) return { ...resource, target: { url: 'http://127.0.0.1:1/' } };
  const { healthCheck: _, ...rest } = target;
  return { ...resource, target: rest };
}

export function recordsCheck({ records: config }: Pick<Config, 'records'>): Check {
  const name = 'database';
  const found = (outcome: Finding['outcome'], says: string, cure?: string): readonly Finding[] => [
    { check: name, outcome, says, ...(cure !== undefined && { cure }) },
  ];
  return {
    name,
    async run() {
      if (config.type === 'memory') {
        return found(
          'warning',
          'records are in memory: a restart forgets everybody',
          'sqlite needs nothing but a file',
        );
      }
      const place = `${config.type} at ${placeOf(config)}`;
      if (config.type === 'sqlite' && !existsSync(config.file)) return [willBeMade(name, config.file)];
      const began = performance.now();
      try {
        const records = await openRecords(config);
        try {
          // A record that is not there: the read is what is asked.
          await records.get('keySet', 'gatehouse check');
          return found('ok', `${place} answers (${Math.round(performance.now() - began)} ms)`);
        } finally {
          await records.close();
        }
      } catch (error) {
        if (error instanceof TypeError) throw error;
        const { says, cure } = whyNot(error);
        const words = error instanceof RecordsUnavailableError ? `${error.message}: ${says}` : says;
        return found('fault', `${place}: ${words}`, cure ?? cureOf(config.type));
      }
    },
  };
}

function willBeMade(check: string, file: string): Finding {
  let folder = dirname(resolve(file));
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  if (statSync(folder).isDirectory()) {
    return { check, outcome: 'ok', says: `sqlite at ${file} will be made at the first start` };
  }
  return {
    check,
    outcome: 'fault',
    says: `${folder} is no folder, so ${file} cannot be made`,
    cure: 'correct records.file',
  };
}

function cureOf(type: Config['records']['type']): string {
  return type === 'dynamodb'
    ? 'gatehouse records create makes the table; see that the credentials may read and write it'
    : 'see docs/records.md, and what the database’s own log says';
}

type Reference = Config['secrets'][number]['secret'];

/** Wherever they stand in it. */
export function referencesOf(value: unknown): readonly Reference[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isReference(value)) return [value];
  return Object.values(value).flatMap(referencesOf);
}

export function isReference(value: object): value is Reference {
  const entries = Object.entries(value);
  const [name, place] = entries[0] ?? [];
  return entries.length === 1 && (name === 'env' || name === 'file') && typeof place === 'string';
}

function readByOthers(file: string): boolean {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  return process.platform !== 'win32' && (mode & 0o004) !== 0;
}
