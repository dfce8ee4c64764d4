/** Every client there can be, in the order they are looked for: configured, registered, by metadata document (RFC 7591; CIMD). */
import type { Records } from '@mcp-gatehouse/records';
import { safeFetch } from '../../net/safe-fetch.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import { requestBudget, storedRegistrationAllowance } from '../budget.ts';
import type { Log, Parts } from '../parts.ts';
import type { AuthRecords } from '../records.ts';
import {
  type ConfiguredClient,
  type ConfiguredClientsOptions,
  configuredClientFaults,
  configuredClients,
} from './configured.ts';
import { clientKeys } from './metadata-document/client-keys.ts';
import { type MetadataDocumentOptions, metadataDocumentClients } from './metadata-document.ts';
import { type Registration, statelessRegistry } from './registered.ts';
import { storedRegistry } from './stored-registration.ts';

/** A client that the operator knows. */
export interface KnownClient extends ConfiguredClient {
  /** The resources whose tokens it may introspect (RFC 7662); none unless told. */
  readonly introspects?: readonly string[];
}

export interface KnownClientsOptions {
  readonly records: Records<AuthRecords>;
  readonly clients?: readonly KnownClient[];
  readonly registration?: 'stateless' | 'stored' | 'off';
  readonly metadataDocuments?: Omit<MetadataDocumentOptions, 'log' | 'now' | 'privateUseSchemes'>;
  readonly privateUseSchemes?: readonly string[];
}

export interface KnownClientsContext {
  readonly keyring: Keyring;
  readonly log: Log;
  readonly now: () => number;
}

/** What fetches the keys behind a `jwks_uri`. */
export type FetchKeys = NonNullable<ConfiguredClientsOptions['fetchKeys']>;

type ClientParts = { readonly fetchKeys: FetchKeys } & Pick<
  Parts,
  | 'resolveClient'
  | 'registry'
  | 'registrationBudget'
  | 'machineClients'
  | 'metadataDocuments'
  | 'mayIntrospect'
  | 'introspectors'
>;

/** What is wrong with the configured clients, all of it. */
export function clientFaults({ clients = [], privateUseSchemes }: KnownClientsOptions): readonly string[] {
  return configuredClientFaults(clients, {
    fetchKeys: () => async () => [],
    ...(privateUseSchemes && { privateUseSchemes }),
  });
}

export function knownClients(options: KnownClientsOptions, { keyring, log, now }: KnownClientsContext): ClientParts {
  const { records, clients = [], privateUseSchemes, metadataDocuments } = options;
  const keys = clientKeys(safeFetch(metadataDocuments), now);
  const fetchKeys: FetchKeys = (uri) => (keyId) => keys.get(uri, keyId);
  const configured = configuredClients(clients, { fetchKeys });
  const stateless = statelessRegistry(keyring);
  const open = options.registration !== 'off';
  const stored = options.registration === 'stored' ? storedRegistry({ records, now }) : undefined;
  const byDocument =
    metadataDocuments &&
    metadataDocumentClients({ ...metadataDocuments, ...(privateUseSchemes && { privateUseSchemes }), log, now });
  const introspects = new Map(clients.map(({ id, introspects = [] }) => [id, introspects]));
  return {
    fetchKeys,
    // The stateless one stays, whatever the mode: changing it forgets nobody.
    resolveClient: async (clientId) =>
      (await configured(clientId)) ??
      (await stored?.resolve(clientId)) ??
      (open ? await stateless.resolve(clientId) : undefined) ??
      (await byDocument?.(clientId)),
    registry: stored ?? stateless,
    ...(stored && { registrationBudget: requestBudget<Registration>({ ...storedRegistrationAllowance, now }) }),
    machineClients: clients.some(({ grantTypes }) => grantTypes?.includes('client_credentials')),
    metadataDocuments: byDocument !== undefined,
    mayIntrospect: ({ id }) => introspects.get(id) ?? [],
    introspectors: clients.some(({ introspects = [] }) => introspects.length > 0),
  };
}
