/** What the endpoints are made of: each takes of these what it needs. */
import type { Records } from '@mcp-gatehouse/records';
import type { Log } from '../audit/events.ts';
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
import type { Budgets } from './endpoint-budgets.ts';
import type { AssertionIssuer } from './grant-types/jwt-bearer.ts';
import type { IdentitySessions } from './identity-session.ts';
import type { People } from './people.ts';
import type { AuthRecords } from './records.ts';
import type { SingleUse } from './single-use.ts';

export type { Log, LogEvent } from '../audit/events.ts';

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
  /** How often a refresh asks the identity provider whether the person is still welcome, and in which groups. */
  readonly identityCheckSeconds: number;
  /** How long refreshes go on while it gives no answer. */
  readonly identityStaleSeconds: number;
  /** When a grant ends whose identity provider cannot be asked, counted from the sign-in. */
  readonly unconfirmedSeconds: number;
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
  identityCheckSeconds: 3600,
  identityStaleSeconds: 7 * 24 * 3600,
  unconfirmedSeconds: 30 * 24 * 3600,
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
  /** The identity provider's sessions, which hang on grants. */
  readonly sessions: IdentitySessions;
  /** Told of work that outlives its request: the process must not end, nor be frozen, before it is done. */
  readonly background: (work: Promise<void>) => void;
  readonly resolveClient: ClientResolver;
  /** For `private_key_jwt` and ID-JAG. */
  readonly singleUse: SingleUse;
  readonly registry: ClientRegistry;
  /** How many registrations are accepted; no limit where they are stateless. */
  readonly registrationBudget?: RequestBudget<Registration>;
  /** What of the budgets is not the default. */
  readonly budgets?: Budgets;
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
  /** Who may come in; left out: everybody whom the provider signs in. */
  readonly people?: People;
  readonly browserCookie: BrowserCookie;
  readonly privateUseSchemes: readonly string[];
  /** Whether the operator lets answers go there, for clients that are not configured. */
  readonly allowsRedirect: (uri: string) => boolean;
  /** Whether clients may register themselves. */
  readonly registrationOpen: boolean;
  readonly lifetimes: Lifetimes;
  readonly log: Log;
  readonly now: () => number;
}
