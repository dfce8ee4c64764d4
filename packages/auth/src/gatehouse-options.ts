/** What the library is told, and everything that can be wrong with it, said at once and before the first request (architecture §7). */
import type { Records } from '@mcp-gatehouse/records';
import type { AuditSink } from './audit/audit-event.ts';
import { clientFaults, type KnownClient } from './authorization-server/clients/known-clients.ts';
import type { MetadataDocumentOptions } from './authorization-server/clients/metadata-document.ts';
import { type Budgets, budgetFaults } from './authorization-server/endpoint-budgets.ts';
import { assertionIssuerFaults, type TrustedAssertionIssuer } from './authorization-server/grant-types/jwt-bearer.ts';
import type { Lifetimes, Log } from './authorization-server/parts.ts';
import { type People, peopleFaults } from './authorization-server/people.ts';
import type { AuthRecords } from './authorization-server/records.ts';
import type { IdentityProvider } from './identity-providers/identity-provider.ts';
import type { SigningAlgorithm } from './oauth/jws.ts';
import { redirectHostFaults } from './oauth/redirect-hosts.ts';
import type { Resource } from './oauth/resource.ts';
import { lifetimeFaults, resourceFaults } from './option-faults.ts';
import { type RoleRules, roleRuleFaults } from './resource-server/require.ts';
import { type KeyringSecret, secretFaults } from './sealing/keyring.ts';
import type { Signer } from './signers/signer.ts';

export interface GatehouseOptions {
  /** The authorization server's identifier: https (or http on loopback), no trailing slash, never taken from a request. */
  readonly issuer: string;
  /**
   * The MCP servers tokens are issued for; at least one. They may be on other hosts than the issuer: then requests must
   * come with the Host they were sent to, and are answered by it.
   */
  readonly resources: readonly Resource[];
  readonly identityProvider: IdentityProvider;
  readonly records: Records<AuthRecords>;
  /** The first makes new values, all are accepted. How to change one: docs/guides/rotating-secrets.md. */
  readonly secrets: readonly KeyringSecret[];
  /** Of the first signing key, ES256 unless given (`gatehouse keys rotate` changes it later); or a signer, such as `kmsSigner`. */
  readonly signing?: SigningAlgorithm | Signer;
  /** Schemes such as `cursor` that redirect URIs may use although they hold no period. */
  readonly privateUseSchemes?: readonly string[];
  /** Clients known beforehand: confidential ones, and machines that act for themselves. */
  readonly clients?: readonly KnownClient[];
  /**
   * `stateless`, the default: the id carries the registration. `stored`: in the records, gone after 30 days unused. `off`:
   * nobody registers, and whoever did before is unknown.
   */
  readonly registration?: 'stateless' | 'stored' | 'off';
  /** Where answers may go for clients that are not configured: `claude.ai`, `*.example.com`, `localhost`, `cursor:`; anywhere unless given. */
  readonly redirectHosts?: readonly string[];
  /** Clients whose id is the address of their metadata document (CIMD); off unless given. */
  readonly metadataDocuments?: Omit<MetadataDocumentOptions, 'log' | 'now' | 'privateUseSchemes'>;
  /** Identity providers whose ID-JAG is accepted (enterprise-managed authorization). */
  readonly assertionIssuers?: readonly TrustedAssertionIssuer[];
  /** Roles and permissions of people, from the provider's groups or by name; tokens carry them. */
  readonly roles?: RoleRules;
  /** Who may use the house at all; everybody whom the identity provider signs in unless given. */
  readonly people?: People;
  /** How much of what anybody may ask for is answered, beside `defaultBudgets`; false: without a limit. */
  readonly budgets?: Budgets;
  readonly lifetimes?: Partial<Lifetimes>;
  readonly log?: Log;
  /** Where security-relevant events go besides: docs/events.md says which they are. */
  readonly audit?: readonly AuditSink[];
  /** Whole seconds since the epoch; the clock hook of the tests. */
  readonly now?: () => number;
}

/** `lifetimes`: with the defaults. Empty: it can start. */
export function optionFaults(options: GatehouseOptions, lifetimes: Lifetimes): readonly string[] {
  return [
    ...resourceFaults(options.issuer, options.resources),
    ...lifetimeFaults(lifetimes),
    ...secretFaults(options.secrets),
    ...clientFaults(options),
    ...budgetFaults(options.budgets ?? {}),
    ...redirectHostFaults(options.redirectHosts ?? []),
    ...assertionIssuerFaults(options.assertionIssuers ?? []),
    ...providerTokenFaults(options),
    ...(options.people ? peopleFaults(options.people) : []),
    ...(options.roles ? roleRuleFaults(options.roles).map((fault) => `roles.${fault}`) : []),
  ];
}

/** Said here, because a target that waits for a token which never comes says it to people. */
function providerTokenFaults({ resources, identityProvider }: GatehouseOptions): readonly string[] {
  if (identityProvider.renew !== undefined) return [];
  return resources.flatMap(({ providerToken }, index) =>
    providerToken
      ? [`resources[${index}].providerToken: the identity provider cannot be asked again, so none is kept`]
      : [],
  );
}
