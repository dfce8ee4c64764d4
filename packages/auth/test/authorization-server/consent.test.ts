/** The person's answer: only this form, in this browser, in time, from our own page (SEC-04, SEC-05). */
import { beforeEach, describe, expect, it } from 'vitest';
import { IdentityProviderError } from '../../src/gatehouse.ts';
import {
  authorizePath,
  type browser,
  form,
  type Harness,
  hidden,
  issuer,
  pkce,
  redirectUri,
  refusal,
  registerClient,
  request,
  resource,
  sameOrigin,
  secret,
  startHarness,
} from '../harness.ts';

let harness: Harness;
let person: ReturnType<typeof browser>;
let field: string;

/** A person before the page, whose form is `field`. */
beforeEach(async () => {
  harness = startHarness();
  person = harness.browser();
  const client = await registerClient(harness);
  field = hidden(await person.send(request(authorizePath(client.client_id, pkce().challenge))), 'request');
  harness.events.length = 0;
});

const post = (fields: Record<string, string | undefined>, headers: Record<string, string> = sameOrigin, by = person) =>
  by.send(form('/consent', { request: field, decision: 'allow', ...fields }, headers));

async function unchanged() {
  expect(await harness.records.dump()).toBe('[]');
  expect(harness.identityProvider.started).toEqual([]);
}

describe('allow', () => {
  it('stores the request and sends the browser to the identity provider', async () => {
    const reply = await post({});
    expect(reply.status).toBe(303);
    const [started] = harness.identityProvider.started;
    expect(reply.headers).toMatchObject({
      location: `https://idp.example/authorize?state=${started?.state}`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    expect(started?.redirectUri).toBe(`${issuer}/callback`);
    expect(started?.state).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const { items } = await harness.records.list('authorizationRequest');
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      expiresAt: harness.clock.seconds + 1800 + 600,
      value: {
        signInExpiresAt: harness.clock.seconds + 600,
        clientName: 'Test client',
        redirectUri,
        scope: ['read', 'write'],
        resource,
        sealedState: expect.stringMatching(/^k1\.[A-Za-z0-9_-]+$/),
      },
    });
    expect(await harness.records.dump()).not.toContain('client-state');
    expect(harness.events.map(({ event }) => event)).toEqual(['consent.given']);
  });

  it('state, nonce and verifier are new every time and unlike one another', async () => {
    const path = authorizePath((await registerClient(harness)).client_id, pkce().challenge);
    for (let i = 0; i < 20; i++) {
      const page = await person.send(request(path));
      await person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin));
    }
    const values = harness.identityProvider.started.flatMap(({ state, nonce, codeVerifier }) => [
      state,
      nonce,
      codeVerifier,
    ]);
    expect(new Set(values).size).toBe(60);
    for (const value of values) expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('a button pressed twice begins one sign-in, and a form that was used up begins none', async () => {
    const [first, second] = [await post({}), await post({})];
    expect(second.headers.location).toBe(first.headers.location);
    const [started] = harness.identityProvider.started;
    expect((await harness.records.list('authorizationRequest')).items).toHaveLength(1);
    const back = await person.send(request(`/callback?code=x&state=${started?.state}`));
    expect(back.headers.location).toContain('code=');
    harness.clock.seconds += 1700;
    expect(refusal(harness, await post({}))).toEqual([403, 'invalid_request', 'consent.spent']);
    expect((await harness.records.list('grant')).items).toHaveLength(0);
  });

  it('two first pages at the same moment do not take each other’s cookie away', async () => {
    const fresh = harness.browser();
    const path = authorizePath((await registerClient(harness)).client_id, pkce().challenge);
    // Both requests leave before either answer has set a cookie.
    const pages = await Promise.all([fresh.send(request(path)), fresh.send(request(path))]);
    expect(fresh.cookies.size).toBe(2);
    for (const page of pages) {
      const fields = { request: hidden(page, 'request'), decision: 'allow' };
      expect((await fresh.send(form('/consent', fields, sameOrigin))).status).toBe(303);
    }
  });

  it('a button pressed again when its sign-in is over says so, before anybody signs in for nothing', async () => {
    await post({});
    harness.clock.seconds += 600;
    expect(refusal(harness, await post({}))).toEqual([403, 'invalid_request', 'consent.sign_in_expired']);
  });

  it('a form used up under one secret begins no second sign-in under a newer one', async () => {
    await post({});
    const newer = { id: 'k2', secret: 'a newer operator secret of thirty-two bytes' };
    const { records, clock } = harness;
    const other = startHarness({ secrets: [newer, secret], records, now: () => clock.seconds });
    const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
    const fields = { request: field, decision: 'allow' };
    const again = await other.server.handle(form('/consent', fields, { ...sameOrigin, cookie }));
    const [before] = harness.identityProvider.started;
    expect(again?.headers.location).toContain(`state=${before?.state}`);
  });

  it('works for browsers that send neither Origin nor Sec-Fetch-Site', async () => {
    expect((await post({}, {})).status).toBe(303);
  });
});

it.each(['"', '\\', '~'])('the largest request there is can be answered: a state full of %j', async (character) => {
  const long = `https://app.example/${'x'.repeat(1000)}`;
  const client = await registerClient(harness, { client_name: '"'.repeat(200), redirect_uris: [long] });
  const changes = { state: character.repeat(4096), redirect_uri: long };
  const page = await person.send(request(authorizePath(client.client_id, pkce().challenge, changes)));
  expect((await post({ request: hidden(page, 'request') })).status).toBe(303);
});

describe('deny', () => {
  it('goes back to the client with state and iss, and asks nobody', async () => {
    const reply = await post({ decision: 'deny' });
    expect(reply.status).toBe(303);
    const back = new URL(String(reply.headers.location));
    expect(back.origin + back.pathname).toBe(redirectUri);
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: 'access_denied',
      error_description: 'The person said no.',
      state: 'client-state',
      iss: issuer,
    });
    expect(harness.events.map(({ event }) => event)).toEqual(['consent.denied']);
    await unchanged();
  });
});

describe('refused with a page, and nothing happens', () => {
  it.each<[string, Record<string, string>]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['no origin to speak of', { origin: 'null' }],
    ['our host without TLS', { origin: 'http://auth.example' }],
    ['our host on another port', { origin: 'https://auth.example:8443' }],
    ['a sub-domain', { origin: 'https://x.auth.example' }],
    ['a cross-site form', { 'sec-fetch-site': 'cross-site' }],
    ['a form of a sibling site', { 'sec-fetch-site': 'same-site' }],
    ['a form from nowhere', { 'sec-fetch-site': 'none' }],
    ['our origin, cross-site', { origin: issuer, 'sec-fetch-site': 'cross-site' }],
  ])('%s', async (_, headers) => {
    for (const decision of ['allow', 'deny']) {
      const reply = await post({ decision }, headers);
      expect(refusal(harness, reply)).toEqual([403, 'invalid_request', 'consent.other_origin']);
      expect(reply.headers).not.toHaveProperty('location');
    }
    await unchanged();
  });

  const other = 'A'.repeat(43);
  it.each<[string, (form: string) => string | undefined, string]>([
    ['no form', () => undefined, 'consent.forged'],
    ['something else', () => 'hello', 'consent.forged'],
    ['a form without MAC', (text) => text.slice(0, text.lastIndexOf('.')), 'consent.forged'],
    ['a form with another MAC', (text) => text.slice(0, -43) + other, 'consent.forged'],
    ['a form with a cut MAC', (text) => text.slice(0, -1), 'consent.forged'],
    ['a form with an unknown key', (text) => text.replace('k1.', 'k9.'), 'consent.forged'],
    [
      'a form with another content',
      (text) => text.replace(/\.[^.]+\./, `.${Buffer.from('{}').toString('base64url')}.`),
      'consent.forged',
    ],
    ['a form that is the MAC of another purpose', () => `k1.${other}.${other}`, 'consent.forged'],
  ])('%s', async (_, change, reason) => {
    expect(refusal(harness, await post({ request: change(field) }))).toEqual([403, 'invalid_request', reason]);
    await unchanged();
  });

  it('a client id in place of the form', async () => {
    const client = await registerClient(harness);
    const reply = await post({ request: client.client_id.replace('dcr_', '') });
    expect(refusal(harness, reply)).toEqual([403, 'invalid_request', 'consent.forged']);
  });

  it('the form of another issuer with the same secret', async () => {
    const sibling = startHarness({ issuer: 'https://other.example' });
    const client = await registerClient(sibling);
    const reply = await sibling.server.handle(
      request(authorizePath(client.client_id, pkce().challenge), {
        headers: { cookie: [...person.cookies].map((pair) => pair.join('=')).join('; ') },
      }),
    );
    if (!reply) throw new Error('no page');
    expect(refusal(harness, await post({ request: hidden(reply, 'request') }))).toEqual([
      403,
      'invalid_request',
      'consent.forged',
    ]);
    await unchanged();
  });

  it('in another browser, that has a cookie of its own', async () => {
    const other = harness.browser();
    const client = await registerClient(harness);
    await other.send(request(authorizePath(client.client_id, pkce().challenge)));
    expect(refusal(harness, await post({}, sameOrigin, other))).toEqual([
      403,
      'invalid_request',
      'consent.other_browser',
    ]);
    await unchanged();
    expect((await post({})).status).toBe(303);
  });

  it('in a browser without cookies, or with two', async () => {
    const [value = ''] = person.cookies.values();
    for (const cookie of [
      '',
      `__Host-gatehouse=${value}x`,
      `__Host-gatehouse=${value}; __Host-gatehouse=${'B'.repeat(43)}`,
    ]) {
      const sent = form('/consent', { request: field, decision: 'allow' }, { ...sameOrigin, cookie });
      expect(refusal(harness, await harness.server.handle(sent))).toEqual([
        403,
        'invalid_request',
        'consent.other_browser',
      ]);
    }
    await unchanged();
  });

  it('after half an hour', async () => {
    harness.clock.seconds += 30 * 60 - 1;
    expect((await post({ decision: 'deny' })).status).toBe(303);
    harness.clock.seconds += 1;
    for (const decision of ['allow', 'deny']) {
      expect(refusal(harness, await post({ decision }))).toEqual([403, 'invalid_request', 'consent.expired']);
    }
    await unchanged();
  });

  it.each([undefined, '', 'yes', 'ALLOW', 'allow '])('a decision of %j', async (decision) => {
    expect(refusal(harness, await post({ decision }))).toEqual([403, 'invalid_request', 'consent.no_decision']);
    await unchanged();
  });

  it('both decisions at once', async () => {
    const body = `request=${field}&decision=deny&decision=allow`;
    const sent = { ...form('/consent', {}, sameOrigin), body: Buffer.from(body) };
    expect(refusal(harness, await person.send(sent))).toEqual([400, 'invalid_request', 'parameters.repeated']);
    await unchanged();
  });

  it('JSON, a query and a body of 100 KB', async () => {
    const json = {
      ...form('/consent', {}, { ...sameOrigin, 'content-type': 'application/json' }),
      body: Buffer.from('{}'),
    };
    expect(refusal(harness, await person.send(json))).toEqual([400, 'invalid_request', 'parameters.content_type']);
    const query = request(`/consent?request=${field}&decision=allow`, form('/consent', {}, sameOrigin));
    expect(refusal(harness, await person.send({ ...query, method: 'POST' }))).toEqual([
      403,
      'invalid_request',
      'consent.forged',
    ]);
    expect(refusal(harness, await post({ more: 'x'.repeat(100_000) }))).toEqual([
      413,
      'invalid_request',
      'body.too_large',
    ]);
    await unchanged();
  });
});

describe('one client’s consent is no other’s (confused deputy)', () => {
  it('the form names the client, so the code is the client’s that was shown', async () => {
    await post({});
    const other = await registerClient(harness, { client_name: 'Other' });
    const page = await person.send(request(authorizePath(other.client_id, pkce().challenge)));
    // The same person, the same browser, signed in a moment ago: asked all the same.
    expect(page.status).toBe(200);
    expect(page.body).toContain('Other');
    expect(harness.identityProvider.started).toHaveLength(1);
  });
});

describe('when a part is away', () => {
  it('the database: 503 with Retry-After, and it works afterwards', async () => {
    harness.records.interfere = () => 'away';
    const reply = await post({});
    expect(refusal(harness, reply)).toEqual([503, 'temporarily_unavailable', 'records.unavailable']);
    expect(reply.headers['retry-after']).toBe('2');
    expect(reply.headers).not.toHaveProperty('location');
    harness.records.interfere = undefined;
    expect((await post({})).status).toBe(303);
  });

  it.each<[string, boolean, string]>([
    ['for a while', true, 'temporarily_unavailable'],
    ['for good', false, 'server_error'],
  ])('the identity provider, %s: the client is told, and nothing is stored', async (_, transient, code) => {
    harness.identityProvider.start = async () => {
      throw new IdentityProviderError('idp.unreachable', { transient });
    };
    const reply = await post({});
    expect(refusal(harness, reply)).toEqual([303, code, 'idp.unreachable']);
    const back = new URL(String(reply.headers.location)).searchParams;
    expect([back.get('state'), back.get('iss')]).toEqual(['client-state', issuer]);
    await unchanged();
  });

  it('a fault in the identity provider’s code is ours, and is not shown', async () => {
    harness.identityProvider.start = async () => {
      throw new TypeError('hunter2');
    };
    const reply = await post({});
    expect(refusal(harness, reply)).toEqual([500, 'server_error', 'fault']);
    expect(reply.body).not.toContain('hunter2');
  });
});

it('a form from before a new secret is still good while the old one is kept', async () => {
  const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
  const after = startHarness({ secrets: [fresh, secret], now: () => harness.clock.seconds });
  const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
  const reply = await after.server.handle(
    form('/consent', { request: field, decision: 'allow' }, { ...sameOrigin, cookie }),
  );
  expect(reply?.status).toBe(303);
});
