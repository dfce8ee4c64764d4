/** From a file to a checked configuration, or to one error that lists every fault with its path. */
import { readFileSync } from 'node:fs';
import { defaultLifetimes } from '@mcp-gatehouse/auth';
import { roleRuleFaults } from '@mcp-gatehouse/auth/require';
import { parseDocument } from 'yaml';
import type * as z from 'zod';
import { resourceFaults } from './resource-faults.ts';
import { type Config, configSchema } from './schema.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the operator has to mend; the message is for them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(source: string, faults: readonly string[]) {
    super(`${source} cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

export function loadConfig(file: string): Config {
  return checkConfig(file, parseConfig(file, readConfig(file)));
}

/** The text of a file, or a `ConfigError`. */
export function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [`cannot be read: ${(error as Error).message}`]);
  }
}

/** JSON or YAML, by what it holds: YAML 1.2 reads both. `source` is what messages call it. */
export function parseConfig(source: string, text: string): unknown {
  try {
    const document = parseDocument(text, { logLevel: 'error' });
    // A warning is a fault too: a tag nobody knows is not what somebody meant.
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new ConfigError(source, [`is neither JSON nor YAML: ${(error as Error).message.split('\n', 1)[0]}`]);
  }
}

export function checkConfig(source: string, value: unknown): Config {
  const result = configSchema.safeParse(value);
  const faults = result.success ? [] : result.error.issues.flatMap((issue) => faultsOf(issue));
  faults.push(...crossFaults(result.success ? result.data : soundParts(value)));
  if (!result.success || faults.length > 0) throw new ConfigError(source, faults);
  return result.data;
}

/** The settings that are right by themselves, so that what is wrong between them is said in the same breath. */
function soundParts(value: unknown): Partial<Config> {
  if (typeof value !== 'object' || value === null) return {};
  const settings = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(configSchema.shape).flatMap(([name, schema]) => {
      const one = schema.safeParse(settings[name]);
      return one.success ? [[name, one.data]] : [];
    }),
  ) as Partial<Config>;
}

/** One line an issue: `resources[0].target: must be …`; unknown keys are named one by one. */
export function faultsOf(issue: z.core.$ZodIssue): readonly string[] {
  const at = issue.path.reduce<string>(
    (path, part) =>
      typeof part === 'number' ? `${path}[${part}]` : path === '' ? String(part) : `${path}.${String(part)}`,
    '',
  );
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input' && issue.errors.length > 0) {
    return meantVariant(issue.errors).flatMap((one) => faultsOf({ ...one, path: [...issue.path, ...one.path] }));
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at === '' ? key : `${at}.${key}`}: is not a known setting`);
  }
  return [`${at === '' ? 'configuration' : at}: ${issue.message}`];
}

/** Of the forms that a setting may have, the one that somebody most likely meant: of its type, with the fewest faults. */
function meantVariant(variants: ReadonlyArray<readonly z.core.$ZodIssue[]>): readonly z.core.$ZodIssue[] {
  const ofOtherType = (issues: readonly z.core.$ZodIssue[]) =>
    issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
  const count = (issues: readonly z.core.$ZodIssue[]) =>
    issues.reduce((sum, one) => sum + (one.code === 'unrecognized_keys' ? one.keys.length : 1), 0);
  const fitting = variants.filter((issues) => !ofOtherType(issues));
  return [...(fitting.length > 0 ? fitting : variants)].sort((a, b) => count(a) - count(b))[0] ?? [];
}

/** What one value alone cannot show. */
function crossFaults({
  resources = [],
  issuer,
  secrets = [],
  lifetimes = {},
  roles,
}: Partial<Config>): readonly string[] {
  const faults = [...resourceFaults(resources, issuer)];
  if (roles) faults.push(...roleRuleFaults(withoutUndefined(roles)).map((fault) => `roles.${fault}`));
  const lives = { ...defaultLifetimes, ...withoutUndefined(lifetimes) };
  if (lives.refreshIdleSeconds < lives.accessTokenSeconds) {
    faults.push('lifetimes.refreshIdleSeconds: must not be below accessTokenSeconds');
  }
  if (lives.identityStaleSeconds < lives.identityCheckSeconds) {
    faults.push('lifetimes.identityStaleSeconds: must not be below identityCheckSeconds');
  }
  secrets.forEach(({ id }, index) => {
    if (secrets.findIndex((other) => other.id === id) !== index)
      faults.push(`secrets[${index}].id: ${id} stands twice`);
  });
  return faults;
}
