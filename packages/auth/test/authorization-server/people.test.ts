/** The operator's list of people: nobody else comes in, and who is taken off it is out with their next refresh. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type GatehouseOptions, isReply, type People } from '../../src/gatehouse.ts';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import { jwt, jwtBearer, newKey } from '../clients/server.ts';
import {
  consented,
  form,
  hidden,
  issuer,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  startHarness,
} from '../harness.ts';
import { away, type SessionHarness, startRefreshing, startWithSessions } from './identity-session-harness.ts';

const alice = { issuer: 'https://idp.example', subject: 'alice' };
const aliceSubject = subjectOf(alice);

interface Known {
  readonly groups?: readonly string[];
  readonly emailDomain?: string | null;
}

function start(people: People | undefined, known: Known = {}, options: Partial<GatehouseOptions> = {}) {
  const harness = startWithSessions({ ...(people && { people }), ...options });
  Object.assign(harness.identityProvider, { identity: alice, ...known });
  return harness;
}

/** The whole way to the answer at the client's redirect URI. */
async function signIn(harness: SessionHarness) {
  const client = await registerClient(harness);
  const { person, state } = await consented(harness, client.client_id, pkce().challenge);
  const reply = await person.send(request(`/callback?code=idp-code&state=${state}`));
  return Object.fromEntries(new URL(String(reply.headers.location)).searchParams);
}

describe('a sign-in', () => {
  it.each<[string, People, Known]>([
    ['their sub', { users: [aliceSubject] }, {}],
    ['a group', { groups: ['staff'] }, { groups: ['other', 'staff'] }],
    ['the domain of a verified address', { emailDomains: ['example.com'] }, { emailDomain: 'example.com' }],
    ['a domain below', { emailDomains: ['*.example.com'] }, { emailDomain: 'mail.example.com' }],
    ['a list in capitals', { emailDomains: ['EXAMPLE.com'] }, { emailDomain: 'example.com' }],
    [
      'any of several',
      { users: ['x'.repeat(43)], groups: ['staff'], emailDomains: ['a.example'] },
      { groups: ['staff'] },
    ],
  ])('of somebody the list has by %s comes to a code', async (_, people, known) => {
    expect(await signIn(start(people, known))).toMatchObject({ code: expect.any(String), iss: issuer });
  });

  it.each<[string, People, Known]>([
    ['another sub', { users: [subjectOf({ ...alice, subject: 'bob' })] }, {}],
    ['the same subject at another provider', { users: [subjectOf({ ...alice, issuer: 'https://other.example' })] }, {}],
    ['another group', { groups: ['staff'] }, { groups: ['staf', 'staffs', 'STAFF'] }],
    ['no group', { groups: ['staff'] }, {}],
    ['another domain', { emailDomains: ['example.com'] }, { emailDomain: 'example.org' }],
    ['a domain below', { emailDomains: ['example.com'] }, { emailDomain: 'mail.example.com' }],
    [
      'the domain itself where those below are meant',
      { emailDomains: ['*.example.com'] },
      { emailDomain: 'example.com' },
    ],
    ['a domain that ends like it', { emailDomains: ['*.example.com'] }, { emailDomain: 'badexample.com' }],
    ['an address that is not verified', { emailDomains: ['example.com'] }, { emailDomain: null }],
    ['no address', { emailDomains: ['example.com'] }, {}],
    ['a group that is called like the domain', { emailDomains: ['example.com'] }, { groups: ['example.com'] }],
  ])('of somebody with %s is over before there is a code', async (_, people, known) => {
    const harness = start(people, known);
    const session = harness.identityProvider.session;
    expect(await signIn(harness)).toEqual({
      error: 'access_denied',
      error_description: 'This person may not come in here; the operator keeps a list.',
      state: 'client-state',
      iss: issuer,
    });
    expect(harness.events.at(-1)).toEqual({
      event: 'people.not_listed',
      client: expect.any(String),
      person: aliceSubject.slice(0, 8),
      resource,
      reason: 'people.not_listed',
    });
    // Nothing is kept, and the provider is told that its session is not needed.
    expect(await harness.grant()).toBeUndefined();
    expect(await harness.session()).toBeUndefined();
    expect(harness.identityProvider.ended).toEqual([session]);
  });

  it('keeps of the address the domain the list has, and of another domain nothing', async () => {
    const people = { users: [aliceSubject], emailDomains: ['example.com'] };
    const listed = start(people, { emailDomain: 'example.com' });
    await signIn(listed);
    expect((await listed.grant())?.value.emailDomain).toBe('example.com');
    const other = start(people, { emailDomain: 'private.example' });
    await signIn(other);
    expect(await other.records.dump()).not.toContain('private.example');
    const without = start(undefined, { emailDomain: 'example.com' });
    await signIn(without);
    expect(await without.records.dump()).not.toContain('example.com');
  });

  it('to one’s own page of connections is open to everybody: it gives no access, and takes it away', async () => {
    const harness = start({ groups: ['staff'] });
    const person = harness.browser();
    const landing = await person.send(request('/connections'));
    const fields = { action: 'sign-in', token: hidden(landing, 'token') };
    const sent = await person.send(form('/connections/change', fields, sameOrigin));
    const state = new URL(String(sent.headers.location)).searchParams.get('state');
    const back = await person.send(request(`/callback?code=idp-code&state=${state}`));
    expect(back.headers.location).toBe(`${issuer}/connections`);
    expect((await person.send(request('/connections'))).status).toBe(200);
  });
});

/** Signed in under one list; `restarted` is the same house under another. */
async function signedInUnder(before: People, known: Known) {
  const harness = start(before, known);
  const refreshing = await startRefreshing(harness);
  const restarted = (people: People | undefined) => harness.another({ ...(people && { people }) });
  return { harness, restarted, ...refreshing };
}

describe('somebody taken off the list', () => {
  it.each<[string, People, People, Known]>([
    ['user', { users: [aliceSubject] }, { users: ['x'.repeat(43)] }, {}],
    ['group', { groups: ['staff'] }, { groups: ['board'] }, { groups: ['staff'] }],
    ['domain', { emailDomains: ['example.com'] }, { emailDomains: ['example.org'] }, { emailDomain: 'example.com' }],
  ])('by %s is out with the next refresh, access tokens and all', async (_, before, after, known) => {
    const { harness, restarted, tokens, next } = await signedInUnder(before, known);
    const server = restarted(after);
    const session = harness.identityProvider.session;
    harness.clock.seconds += 60;
    const { reply } = await next(server);
    expect([reply?.status, parsed(reply).error]).toEqual([400, 'invalid_grant']);
    expect(harness.events.filter(({ event }) => event === 'grant.not_listed')).toMatchObject([
      { person: aliceSubject.slice(0, 8), reason: 'people.not_listed' },
    ]);
    expect((await harness.grant())?.value).toMatchObject({ endReason: 'not_listed', endedAt: harness.clock.seconds });
    const guarded = await server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    expect(isReply(guarded) && guarded.status).toBe(401);
    expect(await harness.session()).toBeUndefined();
    // Asked once more for what might have been left out of the records, it was another session that ended.
    expect(harness.identityProvider.ended).toHaveLength(1);
    expect([session, harness.identityProvider.session]).toContain(harness.identityProvider.ended[0]);
    expect(parsed((await next(server)).reply).error).toBe('invalid_grant');
  });

  it('is out also with a refresh token that is answered again within its grace', async () => {
    const { refresh, tokens, next, restarted } = await signedInUnder({ users: [aliceSubject] }, {});
    await next();
    const server = restarted({ users: ['x'.repeat(43)] });
    expect(parsed(await refresh({ refresh_token: tokens.refresh_token }, server)).error).toBe('invalid_grant');
  });

  it('cannot redeem a code from before', async () => {
    const harness = start({ users: [aliceSubject] });
    const client = await registerClient(harness);
    const { verifier, challenge } = pkce();
    const { person, state } = await consented(harness, client.client_id, challenge);
    const reply = await person.send(request(`/callback?code=idp-code&state=${state}`));
    const code = new URL(String(reply.headers.location)).searchParams.get('code') ?? '';
    const server = harness.another({ people: { users: ['x'.repeat(43)] } });
    const fields = { grant_type: 'authorization_code', client_id: client.client_id, code, code_verifier: verifier };
    expect(parsed(await server.handle(form('/token', fields))).error).toBe('invalid_grant');
    expect((await harness.grant())?.value.endReason).toBe('not_listed');
  });
});

describe('a list that is new or has grown', () => {
  it.each<[string, People, Known]>([
    ['group', { groups: ['staff'] }, { groups: ['staff'] }],
    ['domain', { emailDomains: ['example.com'] }, { emailDomain: 'example.com' }],
  ])('throws nobody out of whom too little was kept: the provider is asked for the %s', async (_, people, known) => {
    const harness = start(undefined, known, { roles: { roles: {} } });
    const { next } = await startRefreshing(harness);
    const stored = (await harness.grant())?.value;
    expect([stored?.groups, stored?.emailDomain]).toEqual([undefined, undefined]);
    const server = harness.another({ people });
    expect((await next(server)).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect((await harness.grant())?.value).toMatchObject(known);
    // What it said is kept: nobody is asked again.
    expect((await next(server)).status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('lets nobody in, and throws nobody out, while the provider cannot say', async () => {
    const harness = start(undefined, { groups: ['staff'] }, { roles: { roles: {} } });
    const { next } = await startRefreshing(harness);
    const server = harness.another({ people: { groups: ['staff'] } });
    harness.identityProvider.instead = () => Promise.reject(away());
    for (let n = 0; n < 2; n++) {
      const { reply } = await next(server);
      expect([reply?.status, parsed(reply).error]).toEqual([503, 'temporarily_unavailable']);
      expect(Number(reply?.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect((await harness.grant())?.value.endedAt).toBeUndefined();
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 61;
    expect((await next(server)).status).toBe(200);
  });

  it('of users alone needs no word of the provider', async () => {
    const harness = start(undefined);
    const { next } = await startRefreshing(harness);
    const server = harness.another({ people: { users: ['x'.repeat(43)] } });
    expect(parsed((await next(server)).reply).error).toBe('invalid_grant');
    expect(harness.identityProvider.asked).toEqual([]);
  });
});

describe('a confirmation by the provider', () => {
  it.each<[string, People, Known, Known]>([
    ['has left the group', { groups: ['staff'] }, { groups: ['staff'] }, { groups: [] }],
    [
      'has another address',
      { emailDomains: ['a.example'] },
      { emailDomain: 'a.example' },
      { emailDomain: 'b.example' },
    ],
    ['has an unverified address', { emailDomains: ['a.example'] }, { emailDomain: 'a.example' }, { emailDomain: null }],
  ])('ends the grant of somebody who %s', async (_, people, before, after) => {
    const { harness, next } = await signedInUnder(people, before);
    Object.assign(harness.identityProvider, after);
    expect((await next()).status).toBe(200);
    harness.clock.seconds += 3600;
    expect(parsed((await next()).reply).error).toBe('invalid_grant');
    expect((await harness.grant())?.value.endReason).toBe('not_listed');
  });

  it('that says nothing of an address leaves what was known', async () => {
    const { harness, next } = await signedInUnder({ emailDomains: ['a.example'] }, { emailDomain: 'a.example' });
    harness.identityProvider.emailDomain = undefined;
    for (let n = 0; n < 3; n++) {
      harness.clock.seconds += 3600;
      expect((await next()).status).toBe(200);
    }
    expect(harness.identityProvider.asked).toHaveLength(3);
  });
});

describe('an ID-JAG', () => {
  const key = newKey('RS256', 'idp-1');
  const app = { id: 'app', secret: 'a-client-secret-of-thirty-two-bytes', grantTypes: [jwtBearer] };
  const subject = subjectOf({ issuer: 'https://corp.example', subject: 'carol' });

  async function ask(people: People, changes: Readonly<Record<string, unknown>> = {}) {
    const assertionIssuers = [{ issuer: 'https://corp.example', keys: { keys: [key.jwk] } }];
    const harness = startHarness({ people, clients: [app], assertionIssuers });
    const { seconds } = harness.clock;
    const claims = {
      iss: 'https://corp.example',
      sub: 'carol',
      aud: issuer,
      client_id: 'app',
      jti: randomUUID(),
      resource,
    };
    const times = { iat: seconds, exp: seconds + 300 };
    const assertion = await jwt(key, { ...claims, ...times, ...changes }, { typ: 'oauth-id-jag+jwt' });
    const fields = { grant_type: jwtBearer, assertion, client_id: 'app', client_secret: app.secret };
    const reply = await harness.server.handle(form('/token', fields));
    return { reply, harness };
  }

  it.each<[string, People, Readonly<Record<string, unknown>>]>([
    ['the person', { users: [subject] }, {}],
    ['a verified address', { emailDomains: ['corp.example'] }, { email: 'carol@Corp.Example', email_verified: true }],
  ])('is judged by %s', async (_, people, claims) => {
    expect((await ask(people, claims)).reply?.status).toBe(200);
  });

  it.each<[string, People, Readonly<Record<string, unknown>>]>([
    ['nothing fits', { users: [aliceSubject] }, {}],
    ['the address is not verified', { emailDomains: ['corp.example'] }, { email: 'carol@corp.example' }],
    [
      'only a text says so',
      { emailDomains: ['corp.example'] },
      { email: 'carol@corp.example', email_verified: 'true' },
    ],
    ['the groups are another provider’s', { groups: ['staff'] }, { groups: ['staff'] }],
  ])('is refused where %s, and not spent', async (_, people, claims) => {
    const { reply, harness } = await ask(people, claims);
    expect([reply?.status, parsed(reply).error]).toEqual([400, 'invalid_grant']);
    expect(harness.events.at(-1)).toMatchObject({ event: 'refused', reason: 'people.not_listed' });
    expect(harness.records.calls.filter((call) => call.endsWith('spentAssertion'))).toEqual([]);
  });
});

it('a machine is no person: the list is not asked', async () => {
  const machine = { id: 'machine', secret: 'a-client-secret-of-thirty-two-bytes', grantTypes: ['client_credentials'] };
  const { server } = startHarness({ people: { users: [aliceSubject] }, clients: [machine] });
  const fields = { grant_type: 'client_credentials', client_id: 'machine', client_secret: machine.secret };
  expect((await server.handle(form('/token', fields)))?.status).toBe(200);
});

describe('a list that is wrong stops the start:', () => {
  it.each<[People, string]>([
    [{}, 'people: names nobody; leave it out to admit everybody who signs in'],
    [{ users: [], groups: [] }, 'people: names nobody'],
    [
      { users: ['alice@example.com'] },
      'people.users[0]: "alice@example.com" is not the `sub` of a person, 43 characters',
    ],
    [{ groups: [''] }, 'people.groups[0]: must have 1 to 256 characters'],
    [{ emailDomains: ['a.example', 'alice@a.example'] }, 'people.emailDomains[1]: "alice@a.example" is an address'],
    [{ emailDomains: ['*'] }, 'people.emailDomains[0]: "*" is not a domain such as example.com or *.example.com'],
    [{ emailDomains: ['*.com'] }, 'people.emailDomains[0]: "*.com" is not a domain'],
    [{ emailDomains: ['com'] }, 'people.emailDomains[0]: "com" is not a domain'],
    [{ emailDomains: ['*.*.example.com'] }, 'is not a domain'],
    [{ emailDomains: ['a.*.example.com'] }, 'is not a domain'],
    [{ emailDomains: ['.example.com'] }, 'is not a domain'],
    [{ emailDomains: ['example.com.'] }, 'is not a domain'],
    [{ emailDomains: ['10.0.0.1'] }, 'is not a domain'],
    [{ emailDomains: ['https://example.com'] }, 'is not a domain'],
    [{ emailDomains: [''] }, 'is not a domain'],
  ])('%j', (people, words) => {
    expect(() => startHarness({ people })).toThrow(words);
  });
});
