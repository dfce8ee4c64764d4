/** The library's part of a gateway: a configuration's authorization server and guards. */
import {
  type AuthRecords,
  type Budgets,
  type Gatehouse,
  gatehouse,
  type IdentityProvider,
  type KnownClient,
  type Log,
  type Resource,
} from '@mcp-gatehouse/auth';
import type { Records } from '@mcp-gatehouse/records';
import { ConfigError } from './config/load.ts';
import { type ResourceConfig, resourceUri } from './config/resource.ts';
import type { Config } from './config/schema.ts';
import type { Secrets } from './config/secrets.ts';
import { withoutUndefined } from './config/without-undefined.ts';

export interface HouseParts {
  readonly secrets: Pick<Secrets, 'keyring' | 'clientSecrets'>;
  readonly provider: IdentityProvider;
  readonly records: Records<AuthRecords>;
  readonly log: Log;
  readonly now?: () => number;
}

/** Throws a `ConfigError` for what only the library can judge. */
export function houseFrom(config: Config, { secrets, provider, records, log, now }: HouseParts): Gatehouse {
  const { origin } = new URL(config.issuer);
  return inWords(() =>
    gatehouse({
      issuer: config.issuer,
      resources: config.resources.map((resource) => resourceFrom(resource, config.issuer)),
      identityProvider: provider,
      records,
      secrets: secrets.keyring,
      lifetimes: withoutUndefined(config.lifetimes),
      clients: config.clients.map(({ introspects = [], secret: _, ...client }, index) => ({
        ...(withoutUndefined(client) as Omit<KnownClient, 'secret'>),
        ...(secrets.clientSecrets[index] !== undefined && { secret: secrets.clientSecrets[index] }),
        introspects: introspects.map((place) => (place.startsWith('/') ? origin + place : place)),
      })),
      ...(config.signing && { signing: config.signing }),
      ...(config.registration && { registration: config.registration }),
      ...(config.redirectHosts && { redirectHosts: config.redirectHosts }),
      assertionIssuers: config.assertionIssuers,
      budgets: deeplyWithoutUndefined(config.budgets) as Budgets,
      ...(config.roles && { roles: withoutUndefined(config.roles) }),
      ...(config.people && { people: withoutUndefined(config.people) }),
      ...(config.metadataDocuments && { metadataDocuments: { domains: withoutUndefined(config.metadataDocuments) } }),
      log,
      ...(now && { now }),
    }),
  );
}

/** As the library takes it. */
export function resourceFrom(config: ResourceConfig, issuer: string): Resource {
  const { name, scopes, defaultScope, identity } = config;
  return {
    uri: resourceUri(config, issuer),
    scopes,
    ...(name !== undefined && { name }),
    ...(defaultScope && { defaultScope }),
    ...(identity === 'providerToken' && { providerToken: true }),
    ...(typeof identity === 'object' && { assertionAudience: identity.assertion.audience }),
  };
}

/** What only the library can judge is a fault of the configuration too, and no bug. */
function inWords<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError) || !error.message.startsWith('Gatehouse cannot start:')) throw error;
    const faults = error.message.split('\n- ').slice(1);
    throw new ConfigError('The configuration', faults.map(asConfigured));
  }
}

/** The library's names for settings, as the configuration has them. */
function asConfigured(fault: string): string {
  return fault
    .replace(/^(resources\[\d+\])\.assertionAudience/, '$1.identity.assertion.audience')
    .replace(/^(resources\[\d+\])\.providerToken/, '$1.identity');
}

function deeplyWithoutUndefined(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === undefined ? [] : [[name, deeplyWithoutUndefined(one)]])),
  );
}
