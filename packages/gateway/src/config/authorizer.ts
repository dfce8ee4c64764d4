/**
 * What an Amazon API Gateway authorizer is told: of the gateway's own configuration the issuer and the resources, and a
 * section of its own. The gateway's file can be used as it is; what only the gateway needs may be left out.
 */
import * as z from 'zod';
import { authorizerSettings } from './authorizer-settings.ts';
import { ConfigError, faultsOf, parseConfig, readConfig } from './load.ts';
import { configSchema } from './schema.ts';

const { shape } = configSchema;

export const authorizerConfigSchema = z.strictObject({
  ...shape,
  resources: z.array(shape.resources.element.partial({ target: true })).min(1),
  identityProvider: shape.identityProvider.optional(),
  records: shape.records.optional(),
  secrets: shape.secrets.optional(),
  authorizer: authorizerSettings.prefault({}),
});

export type AuthorizerConfig = z.infer<typeof authorizerConfigSchema>;
export type AuthorizerConfigInput = z.input<typeof authorizerConfigSchema>;

/** The environment variable: the path of a file, JSON or YAML, or JSON itself. */
export const configVariable = 'GATEHOUSE_CONFIG';

/** Throws a `ConfigError` that lists every fault with its path. */
export function loadAuthorizerConfig(env: Readonly<NodeJS.ProcessEnv> = process.env): AuthorizerConfig {
  const given = env[configVariable]?.trim() ?? '';
  if (given === '') {
    throw new ConfigError(configVariable, ['is not set: the path of a configuration file, or its JSON']);
  }
  const [source, text] = given.startsWith('{') ? [configVariable, given] : [given, readConfig(given)];
  return checkAuthorizerConfig(source, parseConfig(source, text));
}

export function checkAuthorizerConfig(source: string, value: unknown): AuthorizerConfig {
  const result = authorizerConfigSchema.safeParse(value);
  if (!result.success) {
    throw new ConfigError(source, result.error.issues.flatMap(faultsOf));
  }
  const faults = crossFaults(result.data);
  if (faults.length > 0) throw new ConfigError(source, faults);
  return result.data;
}

/** The resource that is guarded: the one that is named, or the only one. */
export function guardedResource({ resources, authorizer }: AuthorizerConfig): AuthorizerConfig['resources'][number] {
  const [only] = resources;
  const found = authorizer.resource === undefined ? only : resources.find((one) => nameOf(one) === authorizer.resource);
  if (!found) throw new TypeError(`No resource ${authorizer.resource}`);
  return found;
}

/** What the file calls a resource. */
function nameOf({ path, url }: { readonly path?: string | undefined; readonly url?: string | undefined }): string {
  return path ?? url ?? '';
}

/** What one value alone cannot show. */
function crossFaults(config: AuthorizerConfig): readonly string[] {
  const { resources, records, authorizer } = config;
  const { resource, needs, keys, issuers } = authorizer;
  const paths = resources.map(nameOf);
  const faults = resources.flatMap(({ path, url }, index) => {
    if ((path === undefined) === (url === undefined)) return [`resources[${index}].path: give either path or url`];
    const name = nameOf({ path, url });
    return paths.indexOf(name) === index ? [] : [`resources[${index}].path: ${name} stands twice`];
  });
  if (resource === undefined && paths.length > 1) {
    faults.push(`authorizer.resource: say which of ${paths.join(', ')} is guarded`);
  } else if (resource !== undefined && !paths.includes(resource)) {
    faults.push(`authorizer.resource: ${resource} is none of ${paths.join(', ')}`);
  } else {
    // A scope nobody can hold would refuse everybody, at the first call and without a word why.
    const { scopes } = guardedResource(config);
    for (const scope of [needs.scope ?? []].flat()) {
      if (!Object.hasOwn(scopes, scope)) faults.push(`authorizer.needs.scope: ${scope} is no scope of the resource`);
    }
  }
  if (keys === 'none' && issuers.length === 0) faults.push('authorizer.keys: with none, `issuers` needs at least one');
  if (keys === 'records') {
    if (!records) faults.push('authorizer.keys: `records` are missing');
    else if (records.type === 'memory') faults.push('authorizer.keys: the memory of another process cannot be read');
  }
  return faults;
}
