/** To whom the page offers to remember, what a tick stores, and what it does not (rule 5 of security.md; SEC-08). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../../src/authorization-server/clients/client.ts';
import { isOwnNavigation } from '../../src/authorization-server/own-navigation.ts';
import { form, type Harness, hidden, redirectUri, registerClient, request } from '../harness.ts';
import { type Certificate, certificate, json, type Origin, startOrigin } from '../net/servers.ts';
import {
  type Changes,
  fromSite,
  type inside,
  notes,
  outcome,
  place,
  remembering,
  site,
} from './remembered-consent-setup.ts';

const offered = (body: string) => body.includes('name="remember"');

describe('offered to clients that are proven where the answer goes', () => {
  const { secret: _, ...open } = notes;
  const withoutRefresh = { ...notes, grantTypes: ['authorization_code'] };
  it.each<[string, boolean, Parameters<typeof remembering>[0], Changes]>([
    ['a confidential client', true, {}, {}],
    [
      'a public one that the operator listed, on https alone',
      true,
      { clients: [{ ...open, redirectUris: [place] }] },
      {},
    ],
    ['a public one with a loopback address too', false, { clients: [open] }, {}],
    ['a confidential client on loopback', false, {}, { redirect_uri: 'http://127.0.0.1:7777/callback' }],
    ['one whose grants end with their access token', false, { clients: [withoutRefresh] }, {}],
    ['where no grant lives unused for a day', false, { lifetimes: { refreshIdleSeconds: 86_399 } }, {}],
    ['where none lives a day at all', false, { lifetimes: { grantSeconds: 86_399 } }, {}],
    ['nor unconfirmed', false, { lifetimes: { unconfirmedSeconds: 86_399 } }, {}],
  ])('%s: %s', async (_name, expected, options, changes) => {
    const { ask, harness } = remembering(options);
    expect(offered((await ask(harness.browser(), changes)).body)).toBe(expected);
  });

  it('no longer than an unused grant lives, and the words say so', async () => {
    const { ask, harness } = remembering({ lifetimes: { refreshIdleSeconds: 8 * 24 * 3600 - 1 } });
    expect((await ask(harness.browser())).body).toContain('Do not ask again in this browser for 7 days');
  });

  it('not to one that registered itself, whatever it sends', async () => {
    const { harness, ask, answer, signIn, kept } = remembering();
    for (const uri of [place, redirectUri]) {
      const { client_id } = await registerClient(harness, { redirect_uris: [uri] });
      const person = harness.browser();
      const page = await ask(person, { client_id, redirect_uri: uri });
      expect(offered(page.body)).toBe(false);
      const sent = await answer(person, page);
      expect([...person.cookies.keys()].filter((name) => name.includes('consents'))).toEqual([]);
      await signIn(person, sent);
      expect(outcome(await ask(person, { client_id, redirect_uri: uri }))).toBe('asked');
    }
    expect(await kept()).toEqual([]);
  });
});

describe('clients by metadata document', () => {
  let tls: Certificate;
  let origin: Origin;
  let base: string;
  let name = 'Notes';
  let world: ReturnType<typeof inside> & { harness: Harness };

  beforeAll(async () => {
    tls = certificate('client.example');
    origin = await startOrigin(tls);
    base = `https://client.example:${origin.port}`;
    origin.answer = (incoming, response) =>
      json({
        client_id: `${base}/client.json`,
        client_name: name,
        redirect_uris: [`${base}/callback`, 'http://localhost/callback', place],
      })(incoming, response);
    const metadataDocuments = {
      resolveHost: async () => ['127.0.0.1'],
      dangerouslyAllowLoopback: true,
      extraCertificates: [tls.cert],
    };
    world = remembering({ metadataDocuments });
  });
  afterAll(() => origin.close());

  const here = () => ({ client_id: `${base}/client.json`, redirect_uri: `${base}/callback` });
  const ask = (person: ReturnType<Harness['browser']>, changes: Changes = here(), from = base) =>
    world.ask(person, changes, { ...fromSite, referer: `${from}/` });

  it('not elsewhere than on the document’s origin: neither on loopback nor on another site', async () => {
    for (const redirect_uri of ['http://localhost:7777/callback', place]) {
      const page = await ask(world.harness.browser(), { ...here(), redirect_uri }, site);
      expect([outcome(page), offered(page.body)]).toEqual(['asked', false]);
    }
  });

  it('on its own origin, until the document is another one', async () => {
    const person = world.harness.browser();
    const page = await ask(person);
    expect(offered(page.body)).toBe(true);
    const back = await world.signIn(person, await world.answer(person, page));
    expect(String(back.headers.location)).toContain('code=');
    expect(outcome(await ask(person))).toBe('unasked');

    name = 'Notes, sold to somebody';
    // The copy is no longer fresh; the unredeemed code still lives for a while.
    world.harness.clock.seconds += 301;
    const again = await ask(person);
    expect(outcome(again)).toBe('asked');
    expect(world.harness.events.at(-1)?.reason).toBe('remembered.document');
    expect(again.body).toContain('sold to somebody');
  });
});

describe('the tick', () => {
  const cookieName = '__Host-gatehouse-consents';

  it('sets a cookie for thirty days, and neither page nor plain yes does', async () => {
    const { harness, ask, answer } = remembering();
    const person = harness.browser();
    const page = await ask(person);
    expect(String(page.headers['set-cookie'])).not.toContain('consents');
    expect((await answer(person, page, {})).headers).not.toHaveProperty('set-cookie');
    const ticked = await answer(person, await ask(person));
    expect(ticked.headers['set-cookie']).toMatch(
      /^__Host-gatehouse-consents=k1\.[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure$/,
    );
  });

  it('without TLS the cookie goes without the prefix', async () => {
    const { harness, ask } = remembering({ issuer: 'http://localhost:9000' });
    const person = harness.browser();
    const fields = { request: hidden(await ask(person), 'request'), decision: 'allow', remember: 'yes' };
    const reply = await person.send(form('/consent', fields));
    expect(String(reply.headers['set-cookie'])).toMatch(/^gatehouse-consents=k1\.[^;]{43}; .*Max-Age=2592000$/);
  });

  it('keeps the browser’s cookie, and makes a new one where its key is gone or it is none', async () => {
    const { harness, ask, answer } = remembering();
    const person = harness.browser();
    const set = async () => {
      await answer(person, await ask(person, { prompt: 'consent' }));
      return person.cookies.get(cookieName);
    };
    const first = await set();
    expect(await set()).toBe(first);
    for (const wrong of [`k9.${'A'.repeat(43)}`, 'k1.short', `k1.${'A'.repeat(44)}`, 'A'.repeat(43), 'k1.', '']) {
      person.cookies.set(cookieName, wrong);
      expect(await set()).not.toBe(wrong);
    }
  });

  it.each([undefined, '', 'on', 'no', 'YES'])('of %j is none', async (remember) => {
    const { harness, ask, answer, signIn, kept } = remembering();
    const person = harness.browser();
    await signIn(person, await answer(person, await ask(person), { remember }));
    expect(await kept()).toEqual([]);
  });

  it('stores nothing until somebody signed in', async () => {
    const { harness, ask, answer, signIn, kept } = remembering();
    const person = harness.browser();
    const sent = await answer(person, await ask(person));
    expect(await kept()).toEqual([]);
    expect(outcome(await ask(person))).toBe('asked');
    await signIn(person, sent);
    expect(await kept()).toMatchObject([
      {
        expiresAt: harness.clock.seconds + 30 * 24 * 3600,
        value: {
          scope: ['read', 'write'],
          redirectUri: place,
          givenAt: harness.clock.seconds,
          grantIds: [expect.any(String)],
        },
      },
    ]);
    expect(harness.events.map(({ event }) => event)).toContain('consent.kept');
  });

  it('nor when they did not', async () => {
    const { harness, ask, answer, kept } = remembering();
    const person = harness.browser();
    const sent = await answer(person, await ask(person));
    const state = new URL(String(sent.headers.location)).searchParams.get('state');
    await person.send(request(`/callback?error=access_denied&state=${state}`));
    expect(await kept()).toEqual([]);
  });

  it('leaves nothing in the database that opens anything: the cookie is not in it, nor its digest', async () => {
    const { harness, ask, remember } = remembering();
    const person = harness.browser();
    await remember(person);
    const stored = await harness.records.dump();
    const value = person.cookies.get(cookieName)?.slice(3) ?? '';
    expect(value).toHaveLength(43);
    expect(stored).not.toContain(value);
    // What the database says, sent as the cookie, is nobody's browser.
    for (const word of stored.match(/[A-Za-z0-9_-]{43}/g) ?? []) {
      const thief = harness.browser();
      thief.cookies.set(cookieName, `k1.${word}`);
      expect(outcome(await ask(thief))).toBe('asked');
    }
  });

  it('two cookies that differ are none', async () => {
    const { harness, ask, remember } = remembering();
    const person = harness.browser();
    await remember(person);
    const value = person.cookies.get(cookieName);
    person.cookies.set(cookieName, `${value}; ${cookieName}=k1.${'A'.repeat(43)}`);
    expect(outcome(await ask(person))).toBe('asked');
  });
});

it('who opens the page asks the database for nothing unless a cookie of ours came along', async () => {
  const { harness, ask } = remembering();
  const person = harness.browser();
  await ask(person);
  person.cookies.set('__Host-gatehouse-consents', `k9.${'A'.repeat(43)}`);
  await ask(person);
  expect(harness.records.calls).toEqual([]);
  person.cookies.set('__Host-gatehouse-consents', `k1.${'A'.repeat(43)}`);
  await ask(person);
  expect(harness.records.calls).toEqual(['get rememberedConsent']);
});

it('a client whose answer goes elsewhere may send people from where its document is, and from nowhere else', () => {
  const client = { id: `${site}/client.json`, source: 'metadata-document' } as Client;
  const from = (referer: string) =>
    isOwnNavigation(request('/authorize', { headers: { ...fromSite, referer } }), client, 'https://api.example/cb');
  expect([site, 'https://api.example', 'https://evil.example'].map(from)).toEqual([true, true, false]);
});
