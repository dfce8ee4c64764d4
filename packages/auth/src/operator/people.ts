/** Who has allowed what to which clients, counted over the grants: nothing else is kept of people or of most clients. */
import type { Records } from '@mcp-gatehouse/records';
import type { ConfiguredClient } from '../authorization-server/clients/configured.ts';
import { digest } from '../authorization-server/credential.ts';
import { defaultLifetimes, type Lifetimes } from '../authorization-server/parts.ts';
import type { AuthRecords } from '../authorization-server/records.ts';
import { givesAccess } from './grants.ts';
import { maxLooked, walk } from './walk.ts';

export interface CountOptions {
  readonly records: Pick<Records<AuthRecords>, 'list'>;
  /** Seconds since the epoch. */
  readonly now: number;
  /** The gateway's; the defaults unless given. */
  readonly lifetimes?: Partial<Lifetimes>;
  /** Records read at most; 100,000 unless told. */
  readonly maxLooked?: number;
}

/** Somebody with at least one grant that has not been removed yet; times are seconds since the epoch. */
export interface PersonDescription {
  /** `sub` of their tokens. */
  readonly subject: string;
  readonly identity: { readonly issuer: string; readonly subject: string };
  /** Grants that give access now. */
  readonly liveGrants: number;
  /** How many different clients have them. */
  readonly clients: number;
  /** The last sign-in or refresh. */
  readonly lastActiveAt: number;
}

export interface PeopleList {
  /** Who was active last comes first. */
  readonly people: readonly PersonDescription[];
  /** There were more grants than were read: people may be missing and counts too low. */
  readonly cut: boolean;
}

export async function listPeople(options: CountOptions): Promise<PeopleList> {
  const found = new Map<string, { person: PersonDescription; clients: Set<string> }>();
  const cut = await eachGrant(options, (grant, live) => {
    const known = found.get(grant.subject);
    const clients = known?.clients ?? new Set<string>();
    if (live) clients.add(grant.clientDigest);
    const person = {
      subject: grant.subject,
      identity: { issuer: grant.identity.issuer, subject: grant.identity.subject },
      liveGrants: (known?.person.liveGrants ?? 0) + (live ? 1 : 0),
      clients: clients.size,
      lastActiveAt: Math.max(known?.person.lastActiveAt ?? 0, grant.advancedAt),
    };
    found.set(grant.subject, { person, clients });
  });
  const people = [...found.values()].map(({ person }) => person);
  return { people: people.sort((a, b) => b.lastActiveAt - a.lastActiveAt || (a.subject < b.subject ? -1 : 1)), cut };
}

export interface ClientDescription {
  /** SHA-256 of its id, base64url; the log shows its first 8 characters. */
  readonly digest: string;
  /** Absent where only grants speak of it: they hold the digest alone. */
  readonly id?: string;
  readonly name?: string;
  /** `configured`: by the operator. `registered`: kept in the records. `granted`: known from grants alone. */
  readonly source: 'configured' | 'registered' | 'granted';
  readonly grantTypes?: readonly string[];
  readonly redirectUris?: readonly string[];
  readonly registeredAt?: number;
  readonly liveGrants: number;
  /** How many different people gave them. */
  readonly people: number;
  /** The last sign-in or refresh; absent: no grant speaks of it. */
  readonly lastActiveAt?: number;
}

export interface ClientList {
  /** Configured ones in their order, then who was active last. */
  readonly clients: readonly ClientDescription[];
  /** There was more than was read: clients may be missing and counts too low. */
  readonly cut: boolean;
}

export interface ClientListOptions extends CountOptions {
  /** As the gateway's configuration has them. */
  readonly clients?: ReadonlyArray<Pick<ConfiguredClient, 'id' | 'name' | 'grantTypes' | 'redirectUris'>>;
}

export async function listClients(options: ClientListOptions): Promise<ClientList> {
  const known = new Map<string, ClientDescription>();
  for (const { id, name, grantTypes, redirectUris } of options.clients ?? []) {
    known.set(digest(id), {
      digest: digest(id),
      id,
      ...(name !== undefined && { name }),
      source: 'configured',
      ...(grantTypes && { grantTypes }),
      ...(redirectUris && { redirectUris }),
      liveGrants: 0,
      people: 0,
    });
  }
  const looked = options.maxLooked ?? maxLooked;
  const registered = await walk<AuthRecords, 'registeredClient'>(options.records, 'registeredClient', {
    wanted: () => true,
    limit: looked,
    looked,
  });
  for (const { id, value } of registered.items) {
    const { name, grantTypes, redirectUris, createdAt } = value;
    const facts = { ...(name !== undefined && { name }), grantTypes, redirectUris, registeredAt: createdAt };
    known.set(digest(id), { digest: digest(id), id, source: 'registered', ...facts, liveGrants: 0, people: 0 });
  }
  const people = new Map<string, Set<string>>();
  const cut = await eachGrant(options, (grant, live) => {
    const { clientDigest, clientName, advancedAt, subject } = grant;
    const before = known.get(clientDigest);
    const givers = people.get(clientDigest) ?? new Set<string>();
    if (live) givers.add(subject);
    people.set(clientDigest, givers);
    const newest = advancedAt >= (before?.lastActiveAt ?? 0);
    // A client may change its name: what it was called at the latest counts, unless somebody vouches for another.
    const name = before?.source === 'configured' || !newest ? before?.name : (clientName ?? before?.name);
    known.set(clientDigest, {
      ...(before ?? { digest: clientDigest, source: 'granted' as const }),
      ...(name !== undefined && { name }),
      liveGrants: (before?.liveGrants ?? 0) + (live ? 1 : 0),
      people: givers.size,
      lastActiveAt: Math.max(before?.lastActiveAt ?? 0, advancedAt),
    });
  });
  const all = [...known.values()];
  const others = all
    .filter(({ source }) => source !== 'configured')
    .sort((a, b) => (b.lastActiveAt ?? 0) - (a.lastActiveAt ?? 0) || (a.digest < b.digest ? -1 : 1));
  return {
    clients: [...all.filter(({ source }) => source === 'configured'), ...others],
    cut: cut || registered.next !== undefined,
  };
}

/** True: there are more than were read. Nothing is kept of a grant but what is counted. */
async function eachGrant(
  { records, now, lifetimes: changed, maxLooked: looked = maxLooked }: CountOptions,
  count: (grant: AuthRecords['grant'], live: boolean) => void,
): Promise<boolean> {
  const lifetimes = { ...defaultLifetimes, ...changed };
  const { next } = await walk<AuthRecords, 'grant'>(records, 'grant', {
    wanted: (grant) => {
      count(grant, givesAccess(grant, lifetimes, now));
      return false;
    },
    limit: 1,
    looked,
  });
  return next !== undefined;
}
