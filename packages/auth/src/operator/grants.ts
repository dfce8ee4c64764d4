/** What an operator sees of the grants, and how they end one: the revocation endpoint's own way, by another hand (RFC 7009). */
import type { Records, Stored } from '@mcp-gatehouse/records';
import { isLive, liveGrants } from '../authorization-server/connection-list.ts';
import { digest } from '../authorization-server/credential.ts';
import { endOf, type Grant } from '../authorization-server/grant.ts';
import { identitySessions } from '../authorization-server/identity-session.ts';
import { defaultLifetimes, type Lifetimes, type Log } from '../authorization-server/parts.ts';
import type { AuthRecords } from '../authorization-server/records.ts';
import { type EndGrant, revocation } from '../authorization-server/revocation.ts';
import type { IdentityProvider } from '../identity-providers/identity-provider.ts';
import { resourceMatches } from '../oauth/resource.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { maxLooked, walk } from './walk.ts';

export interface GrantListOptions {
  readonly records: Pick<Records<AuthRecords>, 'list'>;
  /** Seconds since the epoch. */
  readonly now: number;
  /** The gateway's, for `endsAt`; the defaults unless given. */
  readonly lifetimes?: Partial<Lifetimes>;
  /** Grants read for one answer at most; 100,000 unless told. */
  readonly maxLooked?: number;
}

/** Everything that is given must fit. */
export interface GrantFilter {
  /** The person's whole `sub` (43 characters), or as much of its beginning as the log shows: at least 8. */
  readonly subject?: string;
  /** The client's id, the digest of it, or the beginning of the digest that the log shows: 8 characters. */
  readonly client?: string;
  /** The MCP server's URI. */
  readonly resource?: string;
  /** True: only those that still give access; false: only those that no longer do. */
  readonly live?: boolean;
}

/** A grant in plain words; times are seconds since the epoch. No credential is among them. */
export interface GrantDescription {
  readonly id: string;
  /** The person here: `sub` of their tokens. */
  readonly subject: string;
  /** The person at the identity provider. */
  readonly identity: { readonly issuer: string; readonly subject: string };
  readonly groups?: readonly string[];
  /** That admitted them, where the list of people goes by addresses. */
  readonly emailDomain?: string;
  /** What the client called itself. */
  readonly clientName?: string;
  /** SHA-256 of the client id, base64url; the log shows its first 8 characters. */
  readonly clientDigest: string;
  readonly scope: readonly string[];
  readonly resource: string;
  readonly createdAt: number;
  /** When its client last got new tokens; absent: its code was never redeemed. */
  readonly refreshedAt?: number;
  /** How often it got new ones: 1 after the code. */
  readonly generation: number;
  /** Gives access. */
  readonly live: boolean;
  /** When it is over at the latest, however often it is refreshed. */
  readonly endsAt: number;
  /** When it is over unless it is refreshed before; of an ended one: when its record goes. */
  readonly expiresAt?: number;
  readonly endedAt?: number;
  readonly endReason?: NonNullable<Grant['endReason']>;
}

export interface GrantPage {
  /** In the order of their ids, which are random. */
  readonly grants: readonly GrantDescription[];
  /** Pass it as `after` for the rest; a page may be short or empty although it is there. */
  readonly next?: string;
}

/** A whole subject is answered from that person's grants alone; anything else looks at all of them. `limit`: 1 to 1000. */
export async function listGrants(
  options: GrantListOptions,
  filter: GrantFilter = {},
  after?: string,
  limit = 100,
): Promise<GrantPage> {
  const faults = grantFilterFaults(filter, limit);
  if (faults.length > 0) throw new TypeError(faults.join('; '));
  const { records, now } = options;
  const lifetimes = { ...defaultLifetimes, ...options.lifetimes };
  const { subject } = filter;
  const { items, next } = await walk<AuthRecords, 'grant'>(records, 'grant', {
    ...(isSubject(subject) && { group: subject }),
    wanted: (grant) => fits(grant, filter, lifetimes, now),
    after,
    limit,
    looked: options.maxLooked ?? maxLooked,
  });
  return {
    grants: items.map((stored) => describeGrant(stored, lifetimes, now)),
    ...(next !== undefined && { next }),
  };
}

/** What is wrong with a filter, each as a sentence after its name; empty: nothing. */
export function grantFilterFaults({ subject, client, resource }: GrantFilter, limit = 100): readonly string[] {
  const faults: string[] = [];
  if (subject !== undefined && !/^[A-Za-z0-9_-]{8,43}$/.test(subject))
    faults.push('subject: give the `sub` of a person, 43 characters, or at least its first 8');
  if (client === '') faults.push('client: give an id, its digest, or the first 8 characters of that');
  if (resource === '') faults.push('resource: give the URI of an MCP server');
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    faults.push('limit: must be a whole number from 1 to 1000');
  return faults;
}

function fits(grant: Grant, filter: GrantFilter, lifetimes: Lifetimes, now: number): boolean {
  const { subject, client, resource, live } = filter;
  return (
    (subject === undefined || grant.subject.startsWith(subject)) &&
    (client === undefined || isClient(grant.clientDigest, client)) &&
    (resource === undefined || resourceMatches(resource, grant.resource)) &&
    (live === undefined || live === givesAccess(grant, lifetimes, now))
  );
}

function isClient(clientDigest: string, client: string): boolean {
  return clientDigest === client || clientDigest === digest(client) || clientDigest.slice(0, 8) === client;
}

/** As `present` in grant.ts judges it: one that is past its end is over, although nothing has ended it. */
export function givesAccess(grant: Grant, lifetimes: Lifetimes, now: number): boolean {
  return isLive(grant, now) && now < endOf(grant, lifetimes);
}

function describeGrant({ id, value, expiresAt }: Stored<Grant>, lifetimes: Lifetimes, now: number): GrantDescription {
  const { subject, identity, groups, emailDomain, clientName, clientDigest, scope, resource, createdAt, generation } =
    value;
  const { endedAt, endReason, advancedAt } = value;
  return {
    id,
    subject,
    identity: { issuer: identity.issuer, subject: identity.subject },
    ...(groups && { groups }),
    ...(emailDomain !== undefined && { emailDomain }),
    ...(clientName !== undefined && { clientName }),
    clientDigest,
    scope,
    resource,
    createdAt,
    ...(generation > 0 && { refreshedAt: advancedAt }),
    generation,
    live: givesAccess(value, lifetimes, now),
    endsAt: endOf(value, lifetimes),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(endReason !== undefined && { endReason }),
  };
}

export interface RevokeGrantOptions {
  readonly records: Records<AuthRecords>;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly lifetimes?: Partial<Lifetimes>;
  /** Those of the gateways, so that the person's session at the provider is ended too; left out, it runs out by itself. */
  readonly keyring?: Pick<Keyring, 'seal' | 'open'>;
  readonly identityProvider?: Pick<IdentityProvider, 'renew' | 'end'>;
  readonly log?: Log;
}

/** `over`: it had ended before. `unknown`: there is no such grant, or its record is gone already. */
export type OperatorRevocation = 'ended' | 'over' | 'unknown';

/**
 * Its refresh tokens end at once; running gateways let its access tokens go within seconds. Throws what records throw, and
 * 503 (`OAuthError`) under contention: then it has not ended.
 */
export async function revokeGrant(options: RevokeGrantOptions, grantId: string): Promise<OperatorRevocation> {
  if (!/^[A-Za-z0-9_-]{22}$/.test(grantId)) return 'unknown';
  if (!(await options.records.get('grant', grantId))) return 'unknown';
  // Nothing an operator may not end.
  const outcome = await endGrantWith(options)(grantId, 'operator', () => true);
  return outcome === 'ended' ? 'ended' : 'over';
}

export interface RevokedGrants {
  /** Ids of those that were ended now. */
  readonly ended: readonly string[];
}

/** All that one person allowed, by their whole `sub`; bears repetition. */
export async function revokeGrantsOf(options: RevokeGrantOptions, subject: string): Promise<RevokedGrants> {
  if (!isSubject(subject)) throw new TypeError('subject: give the whole `sub` of one person, 43 characters');
  const endGrant = endGrantWith(options);
  const ended: string[] = [];
  for (;;) {
    // However many there are: a list is bounded, and what is ended no longer stands in the next one.
    const live = await liveGrants(options.records, subject, options.now);
    for (const { id } of live) {
      if ((await endGrant(id, 'operator', (grant) => grant.subject === subject)) === 'ended') ended.push(id);
    }
    if (live.length === 0) return { ended };
  }
}

function endGrantWith(options: RevokeGrantOptions): EndGrant {
  const { records, keyring, identityProvider, log = () => {} } = options;
  const lifetimes = { ...defaultLifetimes, ...options.lifetimes };
  const now = () => options.now;
  const sessions =
    keyring &&
    identityProvider &&
    identitySessions({ records, keyring, identityProvider, lifetimes, grantEnded: () => {}, log, now });
  return revocation({ records, lifetimes, log, now, ...(sessions && { endSession: sessions.end }) });
}

/** SHA-256 as base64url: `subjectOf`. */
export function isSubject(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9_-]{43}$/.test(text);
}
