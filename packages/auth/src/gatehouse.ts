/**
 * The library: options in, one handler and one guard per resource out. It knows no process, no environment and no
 * framework; whoever mounts it brings records, secrets and an identity provider.
 */
import type { Counters } from './audit/counters.ts';
import { auditTrail } from './audit/trail.ts';
import { authorizationServer } from './authorization-server/authorization-server.ts';
import { browserCookie } from './authorization-server/browser.ts';
import { knownClients } from './authorization-server/clients/known-clients.ts';
import { identitySessions } from './authorization-server/identity-session.ts';
import { within } from './authorization-server/identity-session-record.ts';
import { defaultLifetimes, type Log, type Parts } from './authorization-server/parts.ts';
import { type ProviderTokenOutcome, providerTokens } from './authorization-server/provider-token.ts';
import { singleUse } from './authorization-server/single-use.ts';
import { type GatehouseOptions, optionFaults } from './gatehouse-options.ts';
import { describeCause } from './oauth/error.ts';
import { comparableHost, hostOf } from './oauth/hosts.ts';
import { type HttpHandler, jsonError, preflight, withCors, wrongMethod } from './oauth/http.ts';
import { endpointPaths } from './oauth/metadata.ts';
import { redirectHosts } from './oauth/redirect-hosts.ts';
import { knownPrivateUseSchemes } from './oauth/redirect-uri.ts';
import type { AccessToken } from './resource-server/access-token.ts';
import { grantStates } from './resource-server/grant-states.ts';
import { type Guard, guard } from './resource-server/guard.ts';
import { type IdentityAssertions, identityAssertions } from './resource-server/identity-assertion.ts';
import { resourceMetadataReplies } from './resource-server/metadata.ts';
import { keyring } from './sealing/keyring.ts';
import { localSigner } from './signers/local.ts';

export { fetchHandler } from './adapters/fetch.ts';
export { type NodeHandler, nodeHandler, repeatedHeader, requestTarget, sendReply } from './adapters/node.ts';
export type { KnownClient } from './authorization-server/clients/known-clients.ts';
export type { MetadataDocumentOptions } from './authorization-server/clients/metadata-document.ts';
export { logName } from './authorization-server/credential.ts';
export { type Budgets, budgetedEndpoints, defaultBudgets } from './authorization-server/endpoint-budgets.ts';
export type { AssertionIssuer, TrustedAssertionIssuer } from './authorization-server/grant-types/jwt-bearer.ts';
export { defaultLifetimes, type Lifetimes, type Log, type LogEvent } from './authorization-server/parts.ts';
export { type People, peopleFaults } from './authorization-server/people.ts';
export type { ProviderTokenOutcome } from './authorization-server/provider-token.ts';
export { type AuthRecords, authKinds } from './authorization-server/records.ts';
export type { GatehouseOptions } from './gatehouse-options.ts';
export { type CognitoOptions, cognito } from './identity-providers/cognito.ts';
export { type GithubOptions, github } from './identity-providers/github.ts';
export type { ClaimPath } from './identity-providers/groups.ts';
export {
  type Identity,
  type IdentityProvider,
  IdentityProviderError,
  type ProviderToken,
  type RenewedSession,
  type SignIn,
  type SignInBinding,
} from './identity-providers/identity-provider.ts';
export { type OidcOptions, oidc } from './identity-providers/oidc.ts';
export {
  type Auth0Options,
  auth0,
  type EntraOptions,
  entra,
  type GoogleOptions,
  google,
  type KeycloakOptions,
  keycloak,
  type OktaOptions,
  okta,
  type PresetOptions,
} from './identity-providers/presets.ts';
export { type HttpHandler, type HttpReply, type HttpRequest, maxBodyBytes, preflight, withCors } from './oauth/http.ts';
export { type SigningAlgorithm, signingAlgorithms } from './oauth/jws.ts';
export { endpointPaths, protectedResourceMetadataUrl } from './oauth/metadata.ts';
export { publicUrlFaults } from './oauth/public-url.ts';
export type { Resource } from './oauth/resource.ts';
export {
  type DevelopmentToken,
  type DevelopmentTokenOptions,
  type DevelopmentTokenRequest,
  developmentClientId,
  issueDevelopmentToken,
} from './operator/development-token.ts';
export {
  type GrantDescription,
  type GrantFilter,
  type GrantListOptions,
  type GrantPage,
  grantFilterFaults,
  listGrants,
  type OperatorRevocation,
  type RevokedGrants,
  type RevokeGrantOptions,
  revokeGrant,
  revokeGrantsOf,
} from './operator/grants.ts';
export {
  type ClientDescription,
  type ClientList,
  type ClientListOptions,
  type CountOptions,
  listClients,
  listPeople,
  type PeopleList,
  type PersonDescription,
} from './operator/people.ts';
export type { AccessToken } from './resource-server/access-token.ts';
export { type Guard, isReply } from './resource-server/guard.ts';
export { assertionAudienceFault, type IdentityAssertions } from './resource-server/identity-assertion.ts';
export type { RoleRules } from './resource-server/require.ts';
export { type Keyring, type KeyringSecret, keyring } from './sealing/keyring.ts';
export { KeySetSealedError } from './signers/key-set.ts';
export type { EncryptionContext, KmsClient, KmsSigningAlgorithm, KmsSignRequest } from './signers/kms-client.ts';
export { addDataKey, type DataKeyRecords, kmsSecrets, promoteDataKey, removeDataKey } from './signers/kms-secrets.ts';
export { type KmsKey, kmsSigner } from './signers/kms-signer.ts';
export {
  type KeyDescription,
  listKeys,
  pruneKeys,
  type Revocation,
  type Rotation,
  revokeKey,
  rotateKeys,
} from './signers/rotation.ts';
export type { Signer } from './signers/signer.ts';

/** Every endpoint and document of the authorization server and of its resources, and a guard for each. */
export interface Gatehouse extends HttpHandler {
  /** Rejects if it could not sign: its keys are sealed with a secret it lacks, or the records are away. */
  ready(): Promise<void>;
  /** The identity provider's access token for the target of a resource with `providerToken`; `token`: as its guard gave it. */
  providerToken(token: AccessToken): Promise<ProviderTokenOutcome>;
  /** The guard of one of the resources, by its URI. */
  guard(resource: string): Guard;
  /** What makes assertions of a caller's identity for the target of a resource that has an `assertionAudience`. */
  identityAssertions(resource: string): IdentityAssertions;
  /** Where the identity provider sends people back to: register it there. */
  readonly callbackUrl: string;
  /** What happened how often since the start: for dashboards. */
  counters(): Counters;
  /**
   * Resolves once what outlived its request is done and every audit sink has what was said so far: for a runtime that is
   * frozen between requests.
   */
  flush(): Promise<void>;
  /** Waits for what outlived its request, then a few seconds for the audit sinks. The records are their owner's to close. */
  close(): Promise<void>;
}

/** Throws one `TypeError` that lists everything wrong with the options. */
export function gatehouse(options: GatehouseOptions): Gatehouse {
  const { issuer, resources, identityProvider, records } = options;
  const lifetimes = { ...defaultLifetimes, ...options.lifetimes };
  const faults = optionFaults(options, lifetimes);
  if (faults.length > 0) throw new TypeError(`Gatehouse cannot start:\n- ${faults.join('\n- ')}`);

  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const trail = auditTrail({ log: options.log, sinks: options.audit, now });
  const { log } = trail;
  const keys = keyring(issuer, options.secrets);
  const { signing = 'ES256' } = options;
  const signer =
    typeof signing === 'string' ? localSigner({ records, keyring: keys, now, algorithm: signing }) : signing;
  const { fetchKeys, ...known } = knownClients(options, { keyring: keys, log, now });
  const grantAlive = async (grantId: string) => {
    const stored = await records.get('grant', grantId);
    return stored !== undefined && stored.value.endedAt === undefined;
  };
  const states = grantStates({ read: grantAlive, now, freshSeconds: 5, staleSeconds: 60, size: 100_000 });
  const underWay = new Set<Promise<void>>();
  const background = (work: Promise<void>): void => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  };
  const sessions = identitySessions({
    ...options,
    keyring: keys,
    lifetimes,
    grantEnded: states.ended,
    background,
    log,
    now,
  });
  const settled = () => within(settleSeconds, Promise.all(underWay));
  const paths = endpointPaths(issuer);
  const parts: Parts = {
    issuer,
    paths,
    callbackUrl: new URL(issuer).origin + paths.callback,
    resources,
    records,
    keyring: keys,
    signer,
    identityProvider,
    sessions,
    background,
    ...known,
    singleUse: singleUse(records, now),
    assertionIssuers: (options.assertionIssuers ?? []).map((one) =>
      'jwksUri' in one ? { issuer: one.issuer, keys: fetchKeys(one.jwksUri) } : one,
    ),
    grantEnded: states.ended,
    browserCookie: browserCookie(issuer, lifetimes.consentSeconds + lifetimes.signInSeconds),
    ...(options.roles && { roles: options.roles }),
    ...(options.people && { people: options.people }),
    ...(options.budgets && { budgets: options.budgets }),
    allowsRedirect: redirectHosts(options.redirectHosts),
    registrationOpen: options.registration !== 'off',
    privateUseSchemes: options.privateUseSchemes ?? knownPrivateUseSchemes,
    lifetimes,
    log,
    now,
  };
  const server = authorizationServer(parts);
  const resourceMetadata = resourceMetadataReplies(resources, issuer);
  const issuerHost = hostOf(issuer);
  const oneHost = resources.every(({ uri }) => hostOf(uri) === issuerHost);
  // With several hosts the authorization server is at its own alone: elsewhere its paths are the resource's (RFC 8414 §3).
  const atIssuer = (host: string | undefined) => oneHost || host === undefined || comparableHost(host) === issuerHost;
  const guards = new Map(
    resources.map((resource) => [
      resource.uri,
      guard({
        issuer,
        resource,
        keys: signer,
        grantAlive: states,
        now,
        onRefusal: ({ reason, status, cause }) => {
          if (reason !== 'token.missing')
            log({ event: 'guard.refused', resource: resource.uri, status, reason, cause: describeCause(cause) });
        },
      }),
    ]),
  );
  const assertions = new Map(
    resources.flatMap(({ uri, assertionAudience: audience }) =>
      audience === undefined ? [] : [[uri, identityAssertions({ signer, issuer, audience, now })] as const],
    ),
  );

  return {
    callbackUrl: parts.callbackUrl,
    ready: () => signer.ready(),
    providerToken: providerTokens({ issuer, resources, records, keyring: keys, sessions, log, now }),
    counters: trail.counters,
    async flush() {
      await settled();
      await trail.flush();
    },
    async close() {
      await settled();
      await trail.close();
    },
    owns: (path, host) => (atIssuer(host) && server.owns(path)) || resourceMetadata(path, host) !== undefined,
    async handle(request) {
      const { host } = request.headers;
      const document = resourceMetadata(request.path, host);
      if (!document) return atIssuer(host) ? server.handle(request) : undefined;
      if (request.method === 'OPTIONS') return preflight('GET, OPTIONS');
      return withCors(request.method === 'GET' || request.method === 'HEAD' ? document : jsonError(wrongMethod('GET')));
    },
    identityAssertions(resource) {
      const found = assertions.get(resource);
      if (!found) throw new TypeError(`No resource ${resource} with an assertionAudience`);
      return found;
    },
    guard(resource) {
      const found = guards.get(resource);
      if (!found) throw new TypeError(`No resource ${resource}: it is one of ${[...guards.keys()].join(', ')}`);
      return found;
    },
  };
}

/** A renewal asks for at most 30 seconds: what a provider rotated and we did not store would be a person's last session. */
const settleSeconds = 30;

/** A log that fails is no reason to refuse anybody, and none to end a process. */
export function harmless(log: Log = () => {}): Log {
  return (event) => {
    try {
      log(event);
    } catch {
      // nowhere left to say so
    }
  };
}
