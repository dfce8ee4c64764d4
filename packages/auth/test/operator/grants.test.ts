/** What an operator sees of grants, people and clients, and that a grant they end is over everywhere it was good for something. */
import { describe, expect, it } from 'vitest';
import {
  type AuthRecords,
  type GrantDescription,
  isReply,
  keyring,
  listClients,
  listGrants,
  listPeople,
  revokeGrant,
  revokeGrantsOf,
} from '../../src/gatehouse.ts';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import { startWithSessions } from '../authorization-server/identity-session-harness.ts';
import {
  database,
  type Harness,
  issuer,
  parsed,
  resource,
  secret,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';

const now = ({ clock }: Harness) => clock.seconds;
const options = (harness: Harness) => ({ records: harness.records, now: now(harness) });

const person = (name: string) => ({ issuer: 'https://idp.example', subject: name });

async function signedInAs(harness: Harness, name: string, client: Readonly<Record<string, unknown>> = {}) {
  harness.identityProvider.identity = person(name);
  return withTokens(harness, client);
}

/** Every page of a list, one after the other. */
async function all(harness: Harness, limit: number, filter = {}): Promise<readonly GrantDescription[]> {
  const found: GrantDescription[] = [];
  let after: string | undefined;
  do {
    const page = await listGrants(options(harness), filter, after, limit);
    expect(page.grants.length).toBeLessThanOrEqual(limit);
    found.push(...page.grants);
    after = page.next;
  } while (after !== undefined);
  return found;
}

const guarded = async (harness: Harness, token: string) => {
  const answer = await harness.server.guard(resource)({ authorization: `Bearer ${token}` });
  return isReply(answer) ? answer.status : answer.subject;
};

describe('the list of grants', () => {
  it('says all there is to know of a grant and nothing that could be used', async () => {
    const harness = startHarness();
    const { client, tokens, refresh } = await signedInAs(harness, 'alice', { client_name: 'Notes' });
    harness.clock.seconds += 100;
    const again = parsed(await refresh());
    const { grants, next } = await listGrants(options(harness));
    expect(next).toBeUndefined();
    expect(grants).toEqual([
      {
        id: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
        subject: subjectOf(person('alice')),
        identity: person('alice'),
        clientName: 'Notes',
        clientDigest: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
        scope: ['read', 'write'],
        resource,
        createdAt: 1_800_000_000,
        refreshedAt: 1_800_000_100,
        generation: 2,
        live: true,
        // This provider cannot be asked again: 30 days.
        endsAt: 1_800_000_000 + 30 * 24 * 3600,
        expiresAt: 1_800_000_000 + 30 * 24 * 3600,
      },
    ]);
    const text = JSON.stringify(grants);
    for (const credential of [tokens.access_token, tokens.refresh_token, again.refresh_token, client.client_id])
      expect(text).not.toContain(String(credential));
  });

  it('finds by person, client, resource and whether it still gives access', async () => {
    const harness = startHarness();
    const first = await signedInAs(harness, 'alice', { client_name: 'Notes' });
    await signedInAs(harness, 'bob', { client_name: 'Calendar' });
    await withCode(harness); // bob's code, never redeemed
    harness.clock.seconds += 61;
    const alice = subjectOf(person('alice'));
    const names = async (filter: object) => (await all(harness, 10, filter)).map(({ clientName }) => clientName).sort();
    expect(await names({})).toEqual(['Calendar', 'Notes', 'Test client']);
    expect(await names({ live: true })).toEqual(['Calendar', 'Notes']);
    expect(await names({ live: false })).toEqual(['Test client']);
    expect(await names({ subject: alice })).toEqual(['Notes']);
    expect(await names({ subject: alice.slice(0, 8) })).toEqual(['Notes']);
    expect(await names({ client: first.client.client_id })).toEqual(['Notes']);
    const [{ clientDigest = '' } = {}] = await all(harness, 10, { subject: alice });
    expect(await names({ client: clientDigest })).toEqual(['Notes']);
    expect(await names({ client: clientDigest.slice(0, 8) })).toEqual(['Notes']);
    expect(await names({ resource: resource.toUpperCase().replace('/MCP', '/mcp') })).toHaveLength(3);
    expect(await names({ resource: 'https://auth.example/other' })).toEqual([]);
    expect(await names({ subject: alice, live: false })).toEqual([]);
    // Nothing has ended it; under shorter lifetimes it is over all the same.
    const shorter = { ...options(harness), lifetimes: { unconfirmedSeconds: 30 } };
    expect((await listGrants(shorter, { live: true })).grants).toEqual([]);
    expect((await listPeople(shorter)).people.map(({ liveGrants }) => liveGrants)).toEqual([0, 0]);
    harness.clock.seconds += 31 * 24 * 3600;
    expect(await names({ live: true })).toEqual([]);
  });

  it('looks at a subject’s grants alone where the whole subject is given', async () => {
    const harness = startHarness();
    await signedInAs(harness, 'alice');
    await signedInAs(harness, 'bob');
    const asked: unknown[] = [];
    const list: typeof harness.records.list = (kind, filter, after) => {
      asked.push(filter?.group);
      return harness.records.list(kind, filter, after);
    };
    const subject = subjectOf(person('alice'));
    const { grants } = await listGrants({ records: { list }, now: now(harness) }, { subject });
    expect(grants).toHaveLength(1);
    expect(asked).toEqual([subject]);
  });

  it('comes in pages that miss nothing and give nothing twice, and stops after so many records', async () => {
    const harness = startHarness();
    for (let n = 0; n < 7; n++) await signedInAs(harness, `person ${n}`);
    for (const limit of [1, 2, 3, 7, 8]) {
      const found = await all(harness, limit);
      expect(new Set(found.map(({ subject }) => subject)).size).toBe(7);
      expect(found).toHaveLength(7);
    }
    const bounded = { ...options(harness), maxLooked: 3 };
    const first = await listGrants(bounded, { live: false });
    expect(first.grants).toEqual([]);
    expect(first.next).toBeDefined();
    const second = await listGrants(bounded, { live: true }, first.next);
    const third = await listGrants(bounded, { live: true }, second.next);
    expect([second.grants.length, third.grants.length, third.next]).toEqual([3, 1, undefined]);
  });

  it.each([
    [{ subject: 'alice' }, 10, /^subject: /],
    [{ subject: 'a'.repeat(44) }, 10, /^subject: /],
    [{ client: '' }, 10, /^client: /],
    [{ resource: '' }, 10, /^resource: /],
    [{}, 0, /^limit: /],
    [{}, 1001, /^limit: /],
  ])('refuses what it cannot look for: %j, %i', async (filter, limit, words) => {
    await expect(listGrants(options(startHarness()), filter, undefined, limit)).rejects.toThrow(words);
  });

  it('refuses an `after` that is none', async () => {
    const harness = startHarness();
    for (const after of ['', 'x', Buffer.from('[1,2]').toString('base64url'), Buffer.from('{}').toString('base64url')])
      await expect(listGrants(options(harness), {}, after)).rejects.toThrow(/^after: /);
  });
});

describe('a grant that an operator ends', () => {
  it('is over for its access token, its refresh token and the person’s session at the provider, and is said', async () => {
    const harness = startWithSessions();
    const { tokens, refresh } = await withTokens(harness);
    expect(await guarded(harness, tokens.access_token)).toBe(subjectOf(harness.identityProvider.identity));
    const [{ id } = { id: '' }] = await all(harness, 10);
    const session = harness.identityProvider.session;
    const operator = {
      ...options(harness),
      keyring: keyring(issuer, [secret]),
      identityProvider: harness.identityProvider,
      log: (event: (typeof harness.events)[number]) => harness.events.push(event),
    };
    expect(await revokeGrant(operator, id)).toBe('ended');
    expect(harness.events.at(-1)).toMatchObject({ event: 'grant.revoked', grant: id, by: 'operator' });
    expect(harness.identityProvider.ended).toEqual([session]);
    expect(await harness.session()).toBeUndefined();
    expect(parsed(await refresh()).error).toBe('invalid_grant');
    // The guards of a running gateway look again after five seconds.
    harness.clock.seconds += 6;
    expect(await guarded(harness, tokens.access_token)).toBe(401);
    const [ended] = await all(harness, 10);
    expect(ended).toMatchObject({ live: false, endReason: 'revoked', endedAt: harness.clock.seconds - 6 });
    expect(await revokeGrant(operator, id)).toBe('over');
  });

  it('ends without the provider’s part as well, and changes nothing under a name that is none', async () => {
    const harness = startWithSessions();
    const { refresh } = await withTokens(harness);
    const [{ id } = { id: '' }] = await all(harness, 10);
    for (const other of ['', 'x', `${id.slice(0, -1)}!`, 'A'.repeat(22), '../grant'])
      expect(await revokeGrant(options(harness), other)).toBe('unknown');
    expect((await all(harness, 10, { live: true })).length).toBe(1);
    expect(await revokeGrant(options(harness), id)).toBe('ended');
    expect(harness.identityProvider.ended).toEqual([]);
    expect(parsed(await refresh()).error).toBe('invalid_grant');
  });

  it('can be all of one person’s, and nobody else’s', async () => {
    const harness = startHarness();
    const mine = [await signedInAs(harness, 'alice'), await signedInAs(harness, 'alice')];
    const other = await signedInAs(harness, 'bob');
    const { ended } = await revokeGrantsOf(options(harness), subjectOf(person('alice')));
    expect(new Set(ended).size).toBe(2);
    for (const { refresh } of mine) expect(parsed(await refresh()).error).toBe('invalid_grant');
    expect((await other.refresh())?.status).toBe(200);
    expect(await revokeGrantsOf(options(harness), subjectOf(person('alice')))).toEqual({ ended: [] });
    await expect(revokeGrantsOf(options(harness), subjectOf(person('bob')).slice(0, 8))).rejects.toThrow(/^subject: /);
    expect((await all(harness, 10, { live: true })).length).toBe(1);
  });
});

describe('people and clients', () => {
  it('are counted over the grants that still give access', async () => {
    const harness = startHarness();
    await signedInAs(harness, 'alice', { client_name: 'Notes' });
    harness.clock.seconds += 10;
    await signedInAs(harness, 'bob', { client_name: 'Calendar' });
    const gone = await signedInAs(harness, 'alice', { client_name: 'Mail' });
    const [grant] = await all(harness, 10, { client: gone.client.client_id });
    await revokeGrant(options(harness), grant?.id ?? '');
    const people = await listPeople(options(harness));
    expect(people.cut).toBe(false);
    expect(people.people).toHaveLength(2);
    expect(people.people).toContainEqual({
      subject: subjectOf(person('alice')),
      identity: person('alice'),
      liveGrants: 1,
      clients: 1,
      lastActiveAt: 1_800_000_010,
    });
    const { clients } = await listClients(options(harness));
    expect(
      clients.map(({ name, source, liveGrants, people: givers }) => [name, source, liveGrants, givers]).sort(),
    ).toEqual([
      ['Calendar', 'granted', 1, 1],
      ['Mail', 'granted', 0, 0],
      ['Notes', 'granted', 1, 1],
    ]);
    expect((await listPeople({ ...options(harness), maxLooked: 2 })).cut).toBe(true);
    expect((await listPeople({ ...options(harness), maxLooked: 3 })).cut).toBe(false);
  });

  it('names configured clients and stored registrations, used or not', async () => {
    const configured = { id: 'desk', name: 'Desk', redirectUris: ['https://desk.example/cb'] };
    const harness = startHarness({ registration: 'stored', clients: [configured] });
    const { client } = await signedInAs(harness, 'alice', { client_name: 'Notes' });
    const { clients } = await listClients({ ...options(harness), clients: [configured] });
    expect(clients).toMatchObject([
      { id: 'desk', name: 'Desk', source: 'configured', liveGrants: 0, people: 0 },
      {
        id: client.client_id,
        name: 'Notes',
        source: 'registered',
        liveGrants: 1,
        people: 1,
        registeredAt: now(harness),
      },
    ]);
    expect(clients[0]).not.toHaveProperty('lastActiveAt');
    expect(JSON.stringify(clients)).not.toContain('secretDigest');
  });
});

it('walks more grants than one page of records holds', async () => {
  const records = database(() => 1_800_000_000);
  const ids = Array.from({ length: 1200 }, (_, n) => `grant-${String(n).padStart(4, '0')}`);
  for (const id of ids) await records.create('grant', id, { ...grantOf('carol'), createdAt: 1_800_000_000 });
  const options = { records, now: 1_800_000_000 };
  expect(await listPeople(options)).toMatchObject({ people: [{ liveGrants: 1200 }], cut: false });
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await listGrants(options, {}, after, 333);
    found.push(...page.grants.map(({ id }) => id));
    after = page.next;
  } while (after !== undefined);
  expect(found).toEqual(ids);
});

function grantOf(name: string): AuthRecords['grant'] {
  return {
    clientDigest: 'c'.repeat(43),
    subject: subjectOf(person(name)),
    identity: person(name),
    scope: ['read'],
    resource,
    redirectUri: 'http://127.0.0.1/cb',
    codeChallenge: 'x'.repeat(43),
    createdAt: 0,
    codeExpiresAt: 0,
    generation: 1,
    advancedAt: 0,
    graceReplays: 0,
  };
}
