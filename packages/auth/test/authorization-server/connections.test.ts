/** The person's own page: whose it is, what it shows, what it takes back, and who cannot (SEC-02, SEC-04, SEC-12, N15). */
import { beforeEach, describe, expect, it } from 'vitest';
import { digest } from '../../src/authorization-server/credential.ts';
import { type HttpReply, IdentityProviderError, isReply } from '../../src/gatehouse.ts';
import { form, hidden, issuer, refusal, request, sameOrigin, startHarness, withCode, withTokens } from '../harness.ts';
import { asHarness, type Composition, compose, otherResource } from './composition.ts';

let all: Composition;
type Browser = ReturnType<Composition['browser']>;

beforeEach(() => {
  all = compose();
});

const sessionCookie = '__Host-gatehouse-person';
const look = (person: Browser, query = '') => person.send(request(`/connections${query}`));
const refused = (reply: HttpReply) => refusal(asHarness(all), reply);
const textOf = (reply: HttpReply) =>
  reply.body
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

/** The hidden fields of the form that does `action` (for the `nth` connection). */
function formOf(reply: HttpReply, action: string, nth = 0): Record<string, string> {
  const forms = [...reply.body.matchAll(/<form[\s\S]*?<\/form>/g)].map(([text]) => text);
  const found = forms.filter((text) => text.includes(`name="action" value="${action}"`))[nth] ?? '';
  return Object.fromEntries(
    [...found.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
}
const press = (
  person: Browser,
  fields: Record<string, string>,
  headers: Readonly<Record<string, string>> = sameOrigin,
) => person.send(form('/connections/change', fields, headers));

/** A browser at the identity provider; gives the state it was sent. */
async function atIdentityProvider(person = all.browser()) {
  const reply = await press(person, formOf(await look(person), 'sign-in'));
  return { person, state: new URL(String(reply.headers.location)).searchParams.get('state') ?? '' };
}
const back = (person: Browser, state: string, query = '') =>
  person.send(request(`/callback?code=idp-code&state=${state}${query}`));

async function signedIn(subject = 'person-1'): Promise<Browser> {
  all.identityProvider.identity = { issuer: 'https://idp.example', subject };
  const { person, state } = await atIdentityProvider();
  expect((await back(person, state)).headers.location).toBe(`${issuer}/connections`);
  return person;
}
const allow = (name: string, changes: Readonly<Record<string, unknown>> = {}) =>
  withTokens(asHarness(all), { client_name: name, ...changes });
const grants = async () => (await all.records.list('grant')).items;

describe('signing in', () => {
  it('looking stores nothing, and says what the page is for', async () => {
    const reply = await look(all.browser());
    expect(reply.status).toBe(200);
    expect(textOf(reply)).toContain('Sign in with Example Login');
    for (const kind of ['personSignIn', 'personSession', 'authorizationRequest'] as const) {
      expect((await all.records.list(kind)).items).toEqual([]);
    }
  });

  it('leads to the identity provider and back, to a session of fifteen minutes', async () => {
    const person = await signedIn();
    const value = person.cookies.get(sessionCookie) ?? '';
    expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const { items } = await all.records.list('personSession');
    expect(items).toMatchObject([{ id: digest(value), expiresAt: all.clock.seconds + 900 }]);
    expect(JSON.stringify(items)).not.toContain(value);
    expect(textOf(await look(person))).toContain('Nothing is connected');
    expect(all.events.map(({ event }) => event)).toEqual(['person.signed_in']);
  });

  it('with a cookie for this host alone that no script sees', async () => {
    const { person, state } = await atIdentityProvider();
    expect((await back(person, state)).headers['set-cookie']).toMatch(
      /^__Host-gatehouse-person=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  it('gives a new session each time, and ends the one before', async () => {
    const person = await signedIn();
    const before = person.cookies.get(sessionCookie);
    const again = person.cookies.get('__Host-gatehouse') ?? '';
    const state = (await all.browser().send(request('/connections'))) && (await signInAgain(person));
    await back(person, state);
    expect(person.cookies.get(sessionCookie)).not.toBe(before);
    person.cookies.set(sessionCookie, before ?? '').set('__Host-gatehouse', again);
    expect(textOf(await look(person))).toContain('Sign in with');
  });

  async function signInAgain(person: Browser): Promise<string> {
    const session = person.cookies.get(sessionCookie) ?? '';
    person.cookies.delete(sessionCookie);
    const { state } = await atIdentityProvider(person);
    person.cookies.set(sessionCookie, session);
    return state;
  }

  it('works once', async () => {
    const { person, state } = await atIdentityProvider();
    expect((await back(person, state)).status).toBe(303);
    expect(refused(await back(person, state))).toEqual([400, 'invalid_request', 'person.state_unknown']);
  });

  it('works once, however many come at the same time', async () => {
    const { person, state } = await atIdentityProvider();
    const replies = await Promise.all(Array.from({ length: 5 }, () => back(person, state)));
    expect(replies.filter(({ status }) => status === 303)).toHaveLength(1);
    expect((await all.records.list('personSession')).items).toHaveLength(1);
  });

  it('in the browser that began it, and another changes nothing', async () => {
    const { person, state } = await atIdentityProvider();
    const other = all.browser();
    for (const open of [false, true]) {
      if (open) await look(other);
      expect(refused(await back(other, state))).toEqual([400, 'invalid_request', 'person.other_browser']);
      expect(other.cookies.has(sessionCookie)).toBe(false);
    }
    expect((await back(person, state)).status).toBe(303);
  });

  it('within ten minutes', async () => {
    const { person, state } = await atIdentityProvider();
    all.clock.seconds += 600;
    expect(refused(await back(person, state))[2]).toBe('person.state_unknown');
  });

  it('a client’s state opens no session, and a person’s state gives no client a code', async () => {
    const { state } = await atIdentityProvider();
    expect((await all.records.get('authorizationRequest', digest(state)))?.id).toBeUndefined();
    await withCode(asHarness(all));
    expect((await all.records.list('personSession')).items).toEqual([]);
  });

  it('that is refused or fails is said, with a way to try again', async () => {
    const { person, state } = await atIdentityProvider();
    const no = await back(person, state, '&error=access_denied');
    expect(refused(no)).toEqual([403, 'access_denied', 'idp.answered.access_denied']);
    expect(no.body).toContain('href="/connections"');
    all.identityProvider.fail = new IdentityProviderError('idp.away', { transient: true });
    const again = await atIdentityProvider(person);
    const away = await back(again.person, again.state);
    expect(refused(away)).toEqual([503, 'temporarily_unavailable', 'idp.away']);
    expect(away.headers).toHaveProperty('retry-after');
    expect(person.cookies.has(sessionCookie)).toBe(false);
  });
});

describe('the session', () => {
  it('ends after fifteen minutes without use, and lives on with it, for four hours', async () => {
    const person = await signedIn();
    const signedInAt = all.clock.seconds;
    const isIn = async () => !textOf(await look(person)).includes('Sign in with');
    for (let minutes = 14; minutes < 240; minutes += 14) {
      all.clock.seconds = signedInAt + minutes * 60;
      expect(await isIn()).toBe(true);
    }
    all.clock.seconds = signedInAt + 240 * 60;
    expect(await isIn()).toBe(false);
    const other = await signedIn();
    all.clock.seconds += 900;
    expect(textOf(await look(other))).toContain('Sign in with');
  });

  it('is worth nothing in another browser, nor with an altered cookie', async () => {
    const person = await signedIn();
    const value = person.cookies.get(sessionCookie) ?? '';
    const thief = all.browser();
    thief.cookies.set(sessionCookie, value);
    for (let i = 0; i < 2; i++) expect(textOf(await look(thief))).toContain('Sign in with');
    person.cookies.set(sessionCookie, digest(value));
    expect(textOf(await look(person))).toContain('Sign in with');
  });

  it('ends when the person signs out', async () => {
    const person = await signedIn();
    const value = person.cookies.get(sessionCookie) ?? '';
    const reply = await press(person, formOf(await look(person), 'sign-out'));
    expect(reply).toMatchObject({ status: 303, headers: { location: `${issuer}/connections` } });
    expect(reply.headers['set-cookie']).toMatch(/^__Host-gatehouse-person=; .*Max-Age=0$/);
    person.cookies.set(sessionCookie, value);
    expect(textOf(await look(person))).toContain('Sign in with');
  });

  it('what is pressed after its end is not done, and that is said', async () => {
    await allow('Notes');
    const person = await signedIn();
    const fields = formOf(await look(person), 'revoke');
    all.clock.seconds += 900;
    const reply = await press(person, fields);
    expect(reply.status).toBe(403);
    expect(textOf(reply)).toContain('Nothing was changed');
    expect((await grants())[0]?.value.endedAt).toBeUndefined();
  });
});

describe('what it shows', () => {
  it('each connection in words: who, what, since when, last used', async () => {
    await allow('Notes');
    all.clock.seconds += 3 * 86_400;
    const text = textOf(await look(await signedIn()));
    expect(text).toContain('Notes Uses Example tools May read your things change your things');
    expect(text).toContain('Connected from a program on your computer');
    expect(text).toMatch(/Allowed 15 January 2027, 08:00 UTC/);
    expect(text).toMatch(/Last used 3 days ago \( 15 January 2027, 08:00 UTC \)/);
    expect(text).not.toContain('more time');
  });

  it('the newest first, twenty a page', async () => {
    for (let i = 0; i < 45; i++) {
      all.clock.seconds += 10;
      await allow(`App ${i}.`);
    }
    const person = await signedIn();
    const names = async (query: string) =>
      [...(await look(person, query)).body.matchAll(/<bdi>App (\d+)\./g)].map(([, number]) => Number(number));
    const expected = Array.from({ length: 45 }, (_, i) => 44 - i);
    expect(await names('')).toEqual(expected.slice(0, 20));
    expect(await names('?page=2')).toEqual(expected.slice(20, 40));
    expect(await names('?page=3')).toEqual(expected.slice(40));
    for (const page of ['99', '0', '-1', '1e9', 'x', '2%00']) {
      expect(await names(`?page=${page}`)).toEqual(expected.slice(...(page === '99' ? [40] : [0, 20])));
    }
  });

  it('only the person’s own, and none that has ended', async () => {
    const { client, tokens } = await allow('Ended');
    await all.server.handle(form('/revoke', { token: tokens.refresh_token, client_id: client.client_id }));
    all.identityProvider.identity = { issuer: 'https://idp.example', subject: 'person-2' };
    await allow('Another person’s');
    const text = textOf(await look(await signedIn()));
    expect(text).toContain('Nothing is connected');
    expect(text).not.toContain('Ended');
  });

  it('a code until it has expired unused', async () => {
    await withCode(asHarness(all), { client_name: 'Slow' });
    const person = await signedIn();
    expect(textOf(await look(person))).toContain('Last used not used yet');
    all.clock.seconds += 60;
    expect(textOf(await look(person))).toContain('Nothing is connected');
  });

  it('repeated renewals, because somebody else may make them', async () => {
    const { refresh } = await allow('Twice');
    for (let i = 0; i < 3; i++) await refresh();
    expect(textOf(await look(await signedIn()))).toContain('last renewal was asked for 2 more times');
  });

  it('names of strangers as text; a resource that is no longer configured by its host', async () => {
    const changes = { redirect_uris: ['https://app.example/cb'] };
    const { client } = await withCode(
      asHarness(all),
      { ...changes, client_name: '<b>\u202eevil</b>' },
      {
        redirect_uri: 'https://app.example/cb',
      },
    );
    expect(client.client_id).toBeTruthy();
    await withCode(asHarness(all), { client_name: '\u200b' }, { resource: otherResource, scope: 'look' });
    for (const stored of await grants()) {
      if (stored.value.resource === otherResource) {
        const gone = { ...stored.value, resource: 'https://gone.example/mcp' };
        await all.records.replace('grant', stored, gone, stored.expiresAt);
      }
    }
    const reply = await look(await signedIn());
    expect(reply.body).toContain('<bdi>&#60;b&#62; evil&#60;/b&#62;</bdi>');
    expect(textOf(reply)).toContain('Connected from app.example');
    expect(textOf(reply)).toContain('An application Uses gone.example May look');
  });

  it('no script, nothing from elsewhere, not framed, not cached', async () => {
    await allow('Notes');
    const person = await signedIn();
    for (const reply of [await look(person), await look(person, '?revoke=all'), await look(all.browser())]) {
      expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', 'x-frame-options': 'DENY' });
      expect(reply.headers['content-security-policy']).toMatch(
        /^default-src 'none'; style-src 'sha256-[^']+'; base-uri/,
      );
      expect(reply.body).not.toMatch(/<script|\son[a-z]+=|<img|\sstyle=|\ssrc=|url\(/i);
    }
  });
});

describe('revoking', () => {
  it('one: this one is over at once, and the others live', async () => {
    const kept = await allow('Kept');
    all.clock.seconds += 1;
    const gone = await allow('Gone');
    const guarded = async (token: string) => isReply(await all.guards.here({ authorization: `Bearer ${token}` }));
    expect(await guarded(gone.tokens.access_token)).toBe(false);
    const person = await signedIn();
    const reply = await press(person, formOf(await look(person), 'revoke'));
    expect(reply.status).toBe(303);
    expect(all.events.at(-1)).toMatchObject({ event: 'grant.revoked', by: 'person' });
    expect(await guarded(gone.tokens.access_token)).toBe(true);
    expect((await gone.refresh())?.status).toBe(400);
    expect((await kept.refresh())?.status).toBe(200);
    const location = new URL(String(reply.headers.location));
    expect(textOf(await look(person, location.search))).toContain('The access is revoked.');
    const text = textOf(await look(person));
    expect(text).toContain('Kept');
    expect(text).not.toContain('Gone');
    expect(text).not.toContain('is revoked');
  });

  it('all, in two steps; another person’s stay', async () => {
    all.identityProvider.identity = { issuer: 'https://idp.example', subject: 'person-2' };
    const theirs = await allow('Theirs');
    all.identityProvider.identity = { issuer: 'https://idp.example', subject: 'person-1' };
    const mine = await Promise.all(['a', 'b', 'c'].map((name) => allow(name)));
    const person = await signedIn();
    const question = await look(person, '?revoke=all');
    expect(textOf(question)).toContain('Revoke all 3 connections?');
    for (const { refresh } of mine) expect((await refresh())?.status).toBe(200);
    const reply = await press(person, formOf(question, 'revoke-all'));
    const location = new URL(String(reply.headers.location));
    expect(textOf(await look(person, location.search))).toMatch(/All access is revoked.*Nothing is connected/);
    for (const { refresh } of mine) expect((await refresh())?.status).toBe(400);
    expect((await theirs.refresh())?.status).toBe(200);
  });

  it('a second time is no fault', async () => {
    await allow('Notes');
    const person = await signedIn();
    const fields = formOf(await look(person), 'revoke');
    expect([(await press(person, fields)).status, (await press(person, fields)).status]).toEqual([303, 303]);
  });

  it('while the records are away is 503, and then it works', async () => {
    await allow('Notes');
    const person = await signedIn();
    const fields = formOf(await look(person), 'revoke');
    all.records.interfere = (verb) => (verb === 'replace' ? 'away' : undefined);
    expect(refused(await press(person, fields))).toEqual([503, 'temporarily_unavailable', 'records.unavailable']);
    all.records.interfere = undefined;
    await press(person, fields);
    expect((await grants())[0]?.value.endReason).toBe('revoked');
  });
});

describe('nobody else’s hand', () => {
  let person: Browser;
  let fields: Record<string, string>;

  beforeEach(async () => {
    await allow('Notes');
    person = await signedIn();
    fields = formOf(await look(person), 'revoke');
    all.events.length = 0;
  });
  const untouched = async () => expect((await grants()).every(({ value }) => value.endedAt === undefined)).toBe(true);

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['no origin at all', { origin: 'null' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling', { 'sec-fetch-site': 'same-site' }],
  ])('from %s', async (_, headers) => {
    expect(refused(await press(person, fields, headers as Record<string, string>))[2]).toBe('connections.other_origin');
    await untouched();
  });

  it.each([
    ['no proof', { token: '' }],
    ['a made-up proof', { token: `k1.${'A'.repeat(43)}` }],
    ['a proof of an unknown key', { token: `k9.${'A'.repeat(43)}` }],
    ['another grant', { grant: 'A'.repeat(22) }],
    ['another action', { action: 'revoke-all' }],
    ['an unknown action', { action: 'nonsense' }],
    ['the proof of a consent', { token: 'k1.e30.AAAA' }],
  ])('with %s', async (_, changes) => {
    expect(refused(await press(person, { ...fields, ...changes }))).toEqual([
      403,
      'invalid_request',
      'connections.forged',
    ]);
    await untouched();
  });

  it('with the form of another person, or of another session of the same one', async () => {
    for (const other of [await signedIn('person-2'), await signedIn('person-1')]) {
      expect(refused(await press(other, fields))).toEqual([403, 'invalid_request', 'connections.forged']);
    }
    await untouched();
  });

  it('on a grant that is not theirs, were its proof right all the same', async () => {
    const other = await signedIn('person-2');
    const session = digest(other.cookies.get(sessionCookie) ?? '');
    const token = `k1.${all.keyring.mac('consent', `connections ${session} revoke ${fields.grant}`)}`;
    const reply = await press(other, { action: 'revoke', grant: fields.grant ?? '', token });
    expect(refused(reply)).toEqual([403, 'invalid_request', 'connections.other_person']);
    await untouched();
  });

  it('to sign somebody in, without the form of their browser', async () => {
    const victim = all.browser();
    await look(victim);
    const planted = formOf(await look(all.browser()), 'sign-in');
    expect(refused(await press(victim, planted))[2]).toBe('connections.forged');
    expect(refused(await press(all.browser(), planted))[2]).toBe('connections.forged');
    expect((await all.records.list('personSignIn')).items).toEqual([]);
  });

  it('to tell them what did not happen', async () => {
    for (const query of ['?done=all', `?done=all&proof=k1.${'A'.repeat(43)}`, '?done=<b>', '?done=one&proof=x']) {
      expect(textOf(await look(person, query))).not.toContain('revoked.');
    }
  });
});

it('the form’s fields are what the page says', async () => {
  const reply = await look(all.browser());
  expect(hidden(reply, 'action')).toBe('sign-in');
  expect(reply.body.match(/<form [^>]*>/g)).toEqual(['<form method="post" action="/connections/change">']);
});

it('revoking all waits for no provider: every access is over before the first session is', async () => {
  const harness = startHarness();
  const ended: string[] = [];
  const { identityProvider } = harness;
  identityProvider.session = 'a session at the provider';
  identityProvider.renew = async () => ({ groups: [], session: 'another' });
  identityProvider.end = async () => {
    const page = await harness.records.list('grant', { limit: 100 });
    ended.push(page.items.every(({ value }) => value.endedAt !== undefined) ? 'after all' : 'too early');
  };
  for (let i = 0; i < 20; i++) await withTokens(harness);
  const person = harness.browser();
  const landing = await person.send(request('/connections'));
  const start = await person.send(
    form('/connections/change', { action: 'sign-in', token: hidden(landing, 'token') }, sameOrigin),
  );
  const state = new URL(String(start.headers.location)).searchParams.get('state');
  await person.send(request(`/callback?code=idp-code&state=${state}`));
  ended.length = 0; // the sign-in to the page left a session of its own, which is ended at once
  const sure = await person.send(request('/connections?revoke=all'));
  const reply = await person.send(
    form('/connections/change', { action: 'revoke-all', token: hidden(sure, 'token') }, sameOrigin),
  );
  expect(reply.status).toBe(303);
  await harness.server.flush();
  expect(ended).toEqual(Array.from({ length: 20 }, () => 'after all'));
});
