/** From a file to a checked configuration, or to one error that lists every fault with its path. */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import type * as z from 'zod';
import { type Config, configSchema } from './schema.ts';

/** What the operator has to mend; the message is for them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(source: string, faults: readonly string[]) {
    super(`${source} cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** JSON or YAML, by what it holds: YAML 1.2 reads both. */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [`cannot be read: ${(error as Error).message}`]);
  }
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new ConfigError(file, [`is neither JSON nor YAML: ${(error as Error).message.split('\n', 1)[0]}`]);
  }
  return checkConfig(file, value);
}

export function checkConfig(source: string, value: unknown): Config {
  const result = configSchema.safeParse(value);
  if (!result.success)
    throw new ConfigError(
      source,
      result.error.issues.flatMap((issue) => faultsOf(issue)),
    );
  const faults = crossFaults(result.data);
  if (faults.length > 0) throw new ConfigError(source, faults);
  return result.data;
}

/** One line an issue: `resources[0].target: must be …`; unknown keys are named one by one. */
function faultsOf(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.reduce<string>(
    (path, part) =>
      typeof part === 'number' ? `${path}[${part}]` : path === '' ? String(part) : `${path}.${String(part)}`,
    '',
  );
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at === '' ? key : `${at}.${key}`}: is not a known setting`);
  }
  return [`${at === '' ? 'configuration' : at}: ${issue.message}`];
}

/** What one value alone cannot show. */
function crossFaults({ resources, issuer, secrets }: Config): readonly string[] {
  const faults: string[] = [];
  if (issuer.endsWith('/')) faults.push('issuer: must not end with a slash');
  const seen = new Map<string, string>();
  const claim = (path: string, at: string) => {
    const before = seen.get(path);
    if (before) faults.push(`${at}: ${path} is already ${before}`);
    seen.set(path, at);
  };
  resources.forEach((resource, index) => {
    claim(resource.path, `resources[${index}].path`);
    resource.open.forEach((open, openIndex) => {
      claim(open.path, `resources[${index}].open[${openIndex}].path`);
    });
    for (const scope of resource.defaultScope ?? []) {
      if (!(scope in resource.scopes))
        faults.push(`resources[${index}].defaultScope: ${scope} is not one of its scopes`);
    }
  });
  secrets.forEach(({ id }, index) => {
    if (secrets.findIndex((other) => other.id === id) !== index)
      faults.push(`secrets[${index}].id: ${id} stands twice`);
  });
  return faults;
}
