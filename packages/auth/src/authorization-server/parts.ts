/** What the endpoints are made of: each takes of these what it needs. */
import type { Records } from '@mcp-gatehouse/records';
import type { IdentityProvider } from '../identity-providers/identity-provider.ts';
import type { EndpointPaths } from '../oauth/metadata.ts';
import type { Resource } from '../oauth/resource.ts';
import type { RoleRules } from '../resource-server/require.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Signer } from '../signers/signer.ts';
import type { BrowserCookie } from './browser.ts';
import type { RequestBudget } from './budget.ts';
import type { Client, ClientResolver } from './clients/client.ts';
import type { ClientRegistry, Registration } from './clients/registered.ts';
import type { AssertionIssuer } from './grant-types/jwt-bearer.ts';
import type { AuthRecords } from './records.ts';
import type { SingleUse } from './single-use.ts';

/** One structured event an outcome. Values are safe to keep: no credential, no query string, no e-mail address. */
export interface LogEvent {
  readonly event: string;
  /** The private reason of a refusal. */
  readonly reason?: string;
  readonly [field: string]: unknown;
}

export type Log = (event: LogEvent) => void;

/** How long things live, in seconds, and how lenient a rotation is. */
export interface Lifetimes {
  readonly accessTokenSeconds: number;
  readonly codeSeconds: number;
  /** A refresh token that is not used for this long is dead. */
  readonly refreshIdleSeconds: number;
  /** However often it is refreshed, a grant ends then and the person is asked again. */
  readonly grantSeconds: number;
  readonly graceSeconds: number;
  readonly graceReplays: number;
  /** From the consent page to the decision. */
  readonly consentSeconds: number;
  /** From the consent to the way back from the identity provider. */
  readonly signInSeconds: number;
}

export const defaultLifetimes: Lifetimes = {
  accessTokenSeconds: 15 * 60,
  codeSeconds: 60,
  refreshIdleSeconds: 30 * 24 * 3600,
  grantSeconds: 365 * 24 * 3600,
  graceSeconds: 60,
  graceReplays: 10,
  consentSeconds: 30 * 60,
  signInSeconds: 10 * 60,
};

export interface Parts {
  readonly issuer: string;
  readonly paths: EndpointPaths;
  /** Absolute; registered at the identity provider. */
  readonly callbackUrl: string;
  readonly resources: readonly Resource[];
  readonly records: Records<AuthRecords>;
  readonly keyring: Keyring;
  readonly signer: Signer;
  readonly identityProvider: IdentityProvider;
  readonly resolveClient: ClientResolver;
  /** For `private_key_jwt` and ID-JAG. */
  readonly singleUse: SingleUse;
  readonly registry: ClientRegistry;
  /** How many registrations are accepted; no limit where they are stateless. */
  readonly registrationBudget?: RequestBudget<Registration>;
  /** Whether a configured client may act for itself (`client_credentials`). */
  readonly machineClients: boolean;
  /** Whether clients may be metadata documents (CIMD). */
  readonly metadataDocuments: boolean;
  /** Identity providers whose ID-JAG is accepted (`jwt-bearer`). */
  readonly assertionIssuers: readonly AssertionIssuer[];
  /** The resources whose tokens a client may introspect. */
  readonly mayIntrospect: (client: Client) => readonly string[];
  /** Whether any client may. */
  readonly introspectors: boolean;
  /** Told of an ended grant, so that the guards of this process see it at once. */
  readonly grantEnded: (grantId: string) => void;
  /** Who may do what; left out: tokens say nothing of roles. */
  readonly roles?: RoleRules;
  readonly browserCookie: BrowserCookie;
  readonly privateUseSchemes: readonly string[];
  readonly lifetimes: Lifetimes;
  readonly log: Log;
  readonly now: () => number;
}
