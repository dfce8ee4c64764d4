/** When the page is skipped, and each of the reasons to show it again (SEC-04, SEC-05; N13, PX-01). */
import { beforeEach, describe, expect, it } from 'vitest';
import { form, hidden, issuer, request, sameOrigin, secret } from '../harness.ts';
import {
  type Changes,
  codeOf,
  fromSite,
  mail,
  notes,
  otherResource,
  outcome,
  type Person,
  place,
  remembering,
  type Sent,
  scopeOf,
  site,
  type World,
} from './remembered-consent-setup.ts';

const days = 24 * 3600;
let world: World;
let person: Person;
let tokens: Readonly<Record<string, unknown>>;

/** A person who ticked the box for `read write`, and whose client has its tokens. */
beforeEach(async () => {
  world = remembering();
  person = world.harness.browser();
  ({ tokens } = await world.remember(person));
  world.harness.events.length = 0;
});

const asked = async (changes: Changes = {}, headers: Sent = fromSite, by = person) =>
  outcome(await world.ask(by, changes, headers));
const lastEvent = () => world.harness.events.at(-1);

describe('the page is skipped', () => {
  it('and the sign-in is not: the person comes back with a code of their own', async () => {
    const sent = await world.ask(person);
    expect(outcome(sent)).toBe('unasked');
    expect(sent.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    expect(lastEvent()).toMatchObject({ event: 'consent.remembered', scope: 'read write' });
    const back = await world.signIn(person, sent);
    const answer = new URL(String(back.headers.location));
    expect(answer.origin + answer.pathname).toBe(place);
    expect([answer.searchParams.get('state'), answer.searchParams.get('iss')]).toEqual(['client-state', issuer]);
    expect(await scopeOf(world.harness, await world.redeem(back))).toEqual(['read', 'write']);
  });

  it('for less than was allowed, which then is all that is granted, and the rest is still remembered', async () => {
    const back = await world.signIn(person, await world.ask(person, { scope: 'read' }));
    expect(await scopeOf(world.harness, await world.redeem(back))).toEqual(['read']);
    expect(await asked()).toBe('unasked');
  });

  it('until the last second of the 30 days, and use does not prolong them', async () => {
    world.harness.clock.seconds += 29 * days;
    const ends = (await world.kept())[0]?.expiresAt;
    await world.redeem(await world.signIn(person, await world.ask(person)));
    expect((await world.kept())[0]?.expiresAt).toBe(ends);
    world.harness.clock.seconds += days - 1;
    expect(await asked()).toBe('unasked');
    world.harness.clock.seconds += 1;
    expect(await asked()).toBe('asked');
  });

  it('whether the client says prompt=none or nothing', async () => {
    expect(await asked({ prompt: 'none' })).toBe('unasked');
  });

  it('while a new secret stands before the old one', async () => {
    const { records, clock } = world.harness;
    const newer = { id: 'k2', secret: 'a newer operator secret of thirty-two bytes' };
    const after = remembering({ secrets: [newer, secret], records, now: () => clock.seconds });
    const moved = after.harness.browser();
    for (const [name, value] of person.cookies) moved.cookies.set(name, value);
    expect(outcome(await after.ask(moved))).toBe('unasked');
  });

  it('for several clients in one browser', async () => {
    await world.remember(person, { client_id: 'mail' });
    expect([await asked(), await asked({ client_id: 'mail' })]).toEqual(['unasked', 'unasked']);
  });

  it('stores the request for the ten minutes of its sign-in, and the code is for who was remembered', async () => {
    const before = (await world.harness.records.list('authorizationRequest')).items.map(({ id }) => id);
    await world.ask(person);
    const { items } = await world.harness.records.list('authorizationRequest');
    const [stored] = items.filter(({ id }) => !before.includes(id));
    expect(stored?.expiresAt).toBe(world.harness.clock.seconds + 600);
    expect(stored?.value).toMatchObject({ remembered: { clientId: 'notes' }, redirectUri: place });
  });
});

describe('the page is shown again', () => {
  it.each<[string, Changes, string | undefined]>([
    ['another redirect host', { redirect_uri: 'https://elsewhere.example/callback' }, undefined],
    ['another path there', { redirect_uri: `${site}/other` }, 'remembered.redirect_uri'],
    ['a loopback address', { redirect_uri: 'http://127.0.0.1:7777/callback' }, undefined],
    ['another resource', { resource: otherResource }, undefined],
    ['another client', { client_id: 'mail' }, undefined],
    ['prompt=consent', { prompt: 'consent' }, undefined],
    ['prompt=login', { prompt: 'login' }, undefined],
    ['prompt=select_account', { prompt: 'select_account' }, undefined],
    ['prompt=none consent', { prompt: 'none consent' }, undefined],
  ])('%s', async (_, changes, reason) => {
    expect(await asked(changes)).toBe('asked');
    expect(lastEvent()).toMatchObject({ event: 'consent.asked', ...(reason !== undefined && { reason }) });
    expect(lastEvent()?.reason).toBe(reason);
    // Nothing of it was lost.
    expect(await asked()).toBe('unasked');
  });

  it('another redirect host, from that host itself', async () => {
    const headers = { ...fromSite, referer: 'https://elsewhere.example/' };
    expect(await asked({ redirect_uri: 'https://elsewhere.example/callback' }, headers)).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.redirect_uri');
  });

  it('for more than was allowed', async () => {
    const other = world.harness.browser();
    await world.remember(other, { scope: 'read' });
    expect(await asked({ scope: 'read' }, fromSite, other)).toBe('unasked');
    expect(await asked({ scope: 'read write' }, fromSite, other)).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.scope');
  });

  it('in another browser, without the cookie or with one of its own', async () => {
    const other = world.harness.browser();
    expect(await asked({}, fromSite, other)).toBe('asked');
    await world.remember(other, { client_id: 'mail' });
    expect(await asked({}, fromSite, other)).toBe('asked');
  });

  it('when the no came after the yes', async () => {
    const page = await world.ask(person, { prompt: 'consent' });
    await world.answer(person, page, { decision: 'deny' });
    expect(await world.kept()).toEqual([]);
    expect(await asked()).toBe('asked');
  });

  it('when the box was not ticked, which it is not by itself', async () => {
    const other = world.harness.browser();
    const page = await world.ask(other);
    expect(page.body).toMatch(/<input type="checkbox" name="remember" value="yes">/);
    await world.redeem(await world.signIn(other, await world.answer(other, page, {})));
    expect(await asked({}, fromSite, other)).toBe('asked');
    expect(await world.kept()).toHaveLength(1);
  });

  it('when the secret is another, and when the issuer is', async () => {
    const { records, clock } = world.harness;
    for (const changed of [
      { secrets: [{ ...secret, secret: 'another secret under the same id, 32 bytes' }] },
      { secrets: [{ ...secret, id: 'k2' }] },
      { issuer: 'https://other.example', resources: [{ uri: 'https://auth.example/mcp', scopes: { read: 'read' } }] },
    ]) {
      const after = remembering({ ...changed, records, now: () => clock.seconds });
      const moved = after.harness.browser();
      for (const [name, value] of person.cookies) moved.cookies.set(name, value);
      expect(outcome(await after.ask(moved))).toBe('asked');
    }
  });

  it('when the client is no longer proven', async () => {
    const { records, clock } = world.harness;
    const { secret: _, ...open } = notes;
    const after = remembering({ clients: [open, mail], records, now: () => clock.seconds });
    const moved = after.harness.browser();
    for (const [name, value] of person.cookies) moved.cookies.set(name, value);
    const page = await after.ask(moved);
    expect(outcome(page)).toBe('asked');
    expect(page.body).not.toContain('checkbox');
  });

  it('while the database is away, which the page does not need', async () => {
    world.harness.records.interfere = (verb) => (verb === 'get' ? 'away' : undefined);
    expect(await asked()).toBe('asked');
    expect(lastEvent()?.reason).toBe('records.unavailable');
    world.harness.records.interfere = undefined;
    expect(await asked()).toBe('unasked');
  });
});

describe('what ends a connection ends the consent that it stands on', () => {
  it('the client revokes', async () => {
    await world.revoke(tokens.refresh_token);
    expect(await asked()).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.grant_ended');
  });

  it('still when the ended grant is gone', async () => {
    await world.revoke(tokens.refresh_token);
    world.harness.clock.seconds += days;
    expect(await asked()).toBe('asked');
  });

  it('the client revokes a later connection, which never saw a page', async () => {
    const later = await world.redeem(await world.signIn(person, await world.ask(person)));
    await world.revoke(later.refresh_token);
    expect(await asked()).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.grant_ended');
  });

  it('a code is replayed', async () => {
    const other = world.harness.browser();
    const { back } = await world.remember(other);
    expect(await asked({}, fromSite, other)).toBe('unasked');
    await world.redeem(back);
    expect(await asked({}, fromSite, other)).toBe('asked');
  });

  it('the person revokes on their own page', async () => {
    const { send } = person;
    const signInForm = { action: 'sign-in', token: hidden(await send(request('/connections')), 'token') };
    const sent = await send(form('/connections/change', signInForm, sameOrigin));
    await world.signIn(person, sent);
    const page = await send(request('/connections'));
    const fields = { action: 'revoke', token: hidden(page, 'token'), grant: hidden(page, 'grant') };
    const done = await send(form('/connections/change', fields, sameOrigin));
    expect(String(done.headers.location)).toContain('done=one');
    expect(await asked()).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.grant_ended');
  });

  it('nobody redeemed its code', async () => {
    const other = world.harness.browser();
    const page = await world.ask(other);
    await world.signIn(other, await world.answer(other, page));
    world.harness.clock.seconds += 360;
    expect(await asked({}, fromSite, other)).toBe('asked');
  });

  it('between the request and the way back: nobody gets a code, the page is shown', async () => {
    const sent = await world.ask(person);
    await world.revoke(tokens.refresh_token);
    const back = await world.signIn(person, sent);
    expect(codeOf(back)).toBeNull();
    expect(String(back.headers.location)).toContain(`${issuer}/authorize?`);
    expect(lastEvent()).toMatchObject({ event: 'consent.asked_again', reason: 'remembered.grant_ended' });
  });
});

describe('another person in the same browser', () => {
  const another = { issuer: 'https://idp.example', subject: 'person-2' };

  it('gets no code but the page, for the same request, and decides for themselves', async () => {
    const sent = await world.ask(person, { scope: 'read', state: 'a "state" &=' });
    world.harness.identityProvider.identity = another;
    const before = (await world.harness.records.list('grant')).items.length;
    const back = await world.signIn(person, sent);
    expect(codeOf(back)).toBeNull();
    expect((await world.harness.records.list('grant')).items).toHaveLength(before);
    expect(lastEvent()).toMatchObject({ event: 'consent.asked_again', reason: 'remembered.other_person' });

    const again = new URL(String(back.headers.location));
    expect([again.origin, again.pathname, again.searchParams.get('prompt')]).toEqual([issuer, '/authorize', 'consent']);
    const page = await person.send(request(again.pathname + again.search, { headers: fromSite }));
    expect(outcome(page)).toBe('asked');
    const home = await world.signIn(person, await world.answer(person, page, {}));
    expect(new URL(String(home.headers.location)).searchParams.get('state')).toBe('a "state" &=');
    expect(await scopeOf(world.harness, await world.redeem(home))).toEqual(['read']);
  });

  it('ends what the browser remembered: neither of them passes unseen', async () => {
    const sent = await world.ask(person);
    world.harness.identityProvider.identity = another;
    await world.signIn(person, sent);
    expect(await world.kept()).toEqual([]);
    expect(await asked()).toBe('asked');
  });

  it('who ticks the box takes the first one’s place', async () => {
    world.harness.identityProvider.identity = another;
    await world.redeem(
      await world.signIn(person, await world.answer(person, await world.ask(person, { prompt: 'consent' }))),
    );
    expect(codeOf(await world.signIn(person, await world.ask(person)))).not.toBeNull();
    world.harness.identityProvider.identity = { ...another, subject: 'person-1' };
    expect(codeOf(await world.signIn(person, await world.ask(person)))).toBeNull();
  });
});

describe('only where the client itself sent the browser (own-navigation.ts)', () => {
  const { referer: _, ...withoutReferer } = fromSite;
  it.each<[string, Sent]>([
    ['nothing is said of where from', {}],
    ['no referrer', withoutReferer],
    ['another site', { ...fromSite, referer: 'https://evil.example/' }],
    ['a site that looks alike', { ...fromSite, referer: 'https://notes.example.evil.example/' }],
    ['the site in a path', { ...fromSite, referer: 'https://evil.example/https://notes.example/' }],
    ['the site as userinfo', { ...fromSite, referer: 'https://notes.example@evil.example/' }],
    ['the site without TLS', { ...fromSite, referer: 'http://notes.example/' }],
    ['the site on another port', { ...fromSite, referer: 'https://notes.example:8443/' }],
    ['a sub-domain of it', { ...fromSite, referer: 'https://users.notes.example/' }],
    ['our own pages', { ...fromSite, referer: `${issuer}/` }],
    ['no URL', { ...fromSite, referer: 'notes.example' }],
    ['in a frame', { ...fromSite, 'sec-fetch-dest': 'iframe' }],
    ['embedded', { ...fromSite, 'sec-fetch-dest': 'embed' }],
    ['as a picture', { ...fromSite, 'sec-fetch-dest': 'image', 'sec-fetch-mode': 'no-cors' }],
    ['by a script', { ...fromSite, 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' }],
    ['in a nested navigation of old', { ...fromSite, 'sec-fetch-mode': 'nested-navigate' }],
    ['before anybody clicked', { ...fromSite, 'sec-purpose': 'prefetch' }],
    ['prerendered', { ...fromSite, 'sec-purpose': 'prefetch;prerender' }],
    ['prefetched by an older browser', { ...fromSite, purpose: 'prefetch' }],
  ])('%s: the page, and nothing is stored', async (_name, headers) => {
    const before = await world.harness.records.dump();
    expect(await asked({}, headers)).toBe('asked');
    expect(await world.harness.records.dump()).toBe(before);
    expect(await asked()).toBe('unasked');
  });
});

describe('within bounds', () => {
  it('after ten requests the page comes again, so that no loop of redirects runs on without a person', async () => {
    for (let grants = 1; grants < 10; grants++) {
      world.harness.clock.seconds += 3600;
      await world.redeem(await world.signIn(person, await world.ask(person)));
    }
    world.harness.clock.seconds += 3600;
    expect(await asked()).toBe('asked');
    expect(lastEvent()?.reason).toBe('remembered.used_up');
    await world.remember(person, { prompt: 'consent' });
    expect(await asked()).toBe('unasked');
  });

  it('of requests at once, five are stored and the rest get the page; a minute later one more', async () => {
    const outcomes: string[] = [];
    for (let i = 0; i < 8; i++) outcomes.push(await asked());
    expect(outcomes).toEqual([...Array(5).fill('unasked'), ...Array(3).fill('asked')]);
    expect(lastEvent()?.reason).toBe('remembered.too_often');
    world.harness.clock.seconds += 60;
    expect([await asked(), await asked()]).toEqual(['unasked', 'asked']);
  });

  it('of parallel ways back every grant is written down', async () => {
    const sent = [await world.ask(person), await world.ask(person), await world.ask(person)];
    const backs = await Promise.all(sent.map((reply) => world.signIn(person, reply)));
    const granted = (await world.harness.records.list('grant')).items.map(({ id }) => id);
    expect(backs.map(codeOf)).not.toContain(null);
    expect(granted).toHaveLength(4);
    expect([...((await world.kept())[0]?.value.grantIds ?? [])].sort()).toEqual(granted.sort());
  });

  it('when it cannot be written down there is no code, and the client may try again', async () => {
    const sent = await world.ask(person);
    const before = (await world.harness.records.list('grant')).items.length;
    world.harness.records.interfere = (verb, kind) =>
      verb === 'replace' && kind === 'rememberedConsent' ? 'away' : undefined;
    const back = await world.signIn(person, sent);
    expect(new URL(String(back.headers.location)).searchParams.get('error')).toBe('temporarily_unavailable');
    expect((await world.harness.records.list('grant')).items).toHaveLength(before);
  });

  it('fifty are kept of one person, and the oldest leaves', async () => {
    const first = (await world.kept())[0]?.id;
    for (let i = 0; i < 50; i++) {
      world.harness.clock.seconds += 1;
      await world.remember(world.harness.browser());
    }
    const ids = (await world.kept()).map(({ id }) => id);
    expect(ids).toHaveLength(50);
    expect(ids).not.toContain(first);
    expect(await asked()).toBe('asked');
  });
});
