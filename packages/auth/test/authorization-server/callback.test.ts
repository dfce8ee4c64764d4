/** The way back from the identity provider: this browser, this state, once, on success and on error (SEC-01, SEC-04). */
import { beforeEach, describe, expect, it } from 'vitest';
import { digest } from '../../src/authorization-server/credential.ts';
import { IdentityProviderError } from '../../src/gatehouse.ts';
import {
  authorizePath,
  consented,
  type Harness,
  issuer,
  pkce,
  redirectUri,
  refusal,
  registerClient,
  request,
  secondInstance,
  secret,
  startHarness,
} from '../harness.ts';

let harness: Harness;
let clientId: string;
let person: Awaited<ReturnType<typeof consented>>['person'];
let state: string;

/** A person at the identity provider. */
beforeEach(async () => {
  harness = startHarness();
  clientId = (await registerClient(harness)).client_id;
  ({ person, state } = await consented(harness, clientId, pkce().challenge));
  harness.events.length = 0;
});

const back = (query = `code=idp-code&state=${state}`, by = person) => by.send(request(`/callback?${query}`));
const answer = (reply: { headers: Readonly<Record<string, unknown>> }) =>
  Object.fromEntries(new URL(String(reply.headers.location)).searchParams);
const grants = async () => (await harness.records.list('grant')).items;

describe('signed in', () => {
  it('gives the client a code, its state and our iss', async () => {
    const reply = await back();
    expect(reply.status).toBe(303);
    expect(String(reply.headers.location).startsWith(`${redirectUri}?`)).toBe(true);
    expect(answer(reply)).toEqual({
      code: expect.stringMatching(/^ghc_k1\.[A-Za-z0-9_-]{22}\.0\.[A-Za-z0-9_-]{43}$/),
      state: 'client-state',
      iss: issuer,
    });
    expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    expect(await grants()).toMatchObject([
      {
        expiresAt: harness.clock.seconds + 360,
        value: {
          identity: { issuer: 'https://idp.example', subject: 'person-1' },
          scope: ['read', 'write'],
          redirectUri,
          generation: 0,
          codeExpiresAt: harness.clock.seconds + 60,
        },
      },
    ]);
    expect(harness.events.map(({ event }) => event)).toEqual(['code.issued']);
  });

  it('on another instance than the one that asked', async () => {
    const other = secondInstance(harness);
    const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
    const reply = await other.server.handle(request(`/callback?code=x&state=${state}`, { headers: { cookie } }));
    expect(answer({ headers: reply?.headers ?? {} })).toHaveProperty('code');
  });

  it('names a user by issuer and subject, so that no two pairs are one user', async () => {
    const subjects = new Set<string>();
    const pairs = [
      ['https://idp.example', 'person-1'],
      ['https://idp.example', 'person-2'],
      ['https://idp.example/', 'person-1'],
      ['https://idp.example/person', '-1'],
      ['https://idp.exampleperson-1', ''],
    ] as const;
    for (const [idp, subject] of pairs) {
      harness.identityProvider.identity = { issuer: idp, subject };
      const once = await consented(harness, clientId, pkce().challenge);
      await back(`code=x&state=${once.state}`, once.person);
    }
    for (const { value } of await grants()) subjects.add(value.subject);
    expect(subjects.size).toBe(pairs.length);
    for (const subject of subjects) expect(subject).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});

it('the client’s state opens in its own record alone', async () => {
  const other = await consented(harness, clientId, pkce().challenge, { state: 'the state of another' });
  const { items } = await harness.records.list('authorizationRequest');
  const [mine, theirs] = [state, other.state].map((one) => items.find(({ id }) => id === digest(one)));
  if (!mine || !theirs) throw new Error('no requests');
  const sealedState = theirs.value.sealedState as string;
  await harness.records.replace('authorizationRequest', mine, { ...mine.value, sealedState }, mine.expiresAt);
  expect(refusal(harness, await back())).toEqual([400, 'invalid_request', 'callback.key_gone']);
});

describe('refused with a page', () => {
  it.each([
    ['no state', 'code=x', 'callback.state_missing'],
    ['an empty state', 'code=x&state=', 'callback.state_missing'],
    ['an unknown state', `code=x&state=${'A'.repeat(43)}`, 'callback.state_unknown'],
    ['a state of 4,000 characters', `code=x&state=${'A'.repeat(4000)}`, 'callback.state_unknown'],
    ['a state with odd bytes', 'code=x&state=%00%0d%0a', 'callback.state_unknown'],
    ['an error with an unknown state', 'error=access_denied&state=abc', 'callback.state_unknown'],
  ])('%s', async (_, query, reason) => {
    const reply = await back(query);
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', reason]);
    expect(reply.headers).not.toHaveProperty('location');
    expect(answer(await back())).toHaveProperty('code');
  });

  it.each([
    ['the client’s own state', () => 'client-state'],
    ['the digest that is stored', async () => (await harness.records.list('authorizationRequest')).items[0]?.id],
  ])('%s', async (_, stateOf) => {
    const reply = await back(`code=x&state=${await stateOf()}`);
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'callback.state_unknown']);
  });

  it('a state sent twice', async () => {
    const reply = await back(`code=x&state=${state}&state=${state}`);
    expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'parameters.repeated']);
    expect(answer(await back())).toHaveProperty('code');
  });

  it('after ten minutes', async () => {
    harness.clock.seconds += 600;
    expect(refusal(harness, await back())).toEqual([400, 'invalid_request', 'callback.expired']);
  });

  it('when the consent form could not come again either', async () => {
    harness.clock.seconds += 1800 + 600;
    expect(refusal(harness, await back())).toEqual([400, 'invalid_request', 'callback.state_unknown']);
  });

  it('when the secret that bound it is gone', async () => {
    const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
    const { records, clock } = harness;
    const after = startHarness({ secrets: [fresh], records, now: () => clock.seconds });
    const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
    const reply = await after.server.handle(request(`/callback?code=x&state=${state}`, { headers: { cookie } }));
    expect(refusal(after, reply)).toEqual([400, 'invalid_request', 'callback.key_gone']);
  });

  it('and not when the secret was only put behind a new one', async () => {
    const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
    const { records, clock, identityProvider } = harness;
    const after = startHarness({ secrets: [fresh, secret], records, identityProvider, now: () => clock.seconds });
    const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
    const reply = await after.server.handle(request(`/callback?code=x&state=${state}`, { headers: { cookie } }));
    expect(answer({ headers: reply?.headers ?? {} })).toHaveProperty('code');
  });
});

describe('another browser changes nothing, and the honest one succeeds afterwards', () => {
  const others: ReadonlyArray<[string, () => Promise<typeof person>]> = [
    ['without cookies', async () => harness.browser()],
    [
      'with a cookie of its own',
      async () => {
        const other = harness.browser();
        await other.send(request(authorizePath(clientId, pkce().challenge)));
        return other;
      },
    ],
    [
      'that is at the identity provider itself',
      async () => (await consented(harness, clientId, pkce().challenge)).person,
    ],
  ];
  const queries: ReadonlyArray<[string, string]> = [
    ['success', 'code=idp-code'],
    ['error', 'error=access_denied'],
    ['transient error', 'error=temporarily_unavailable'],
    ['neither', 'x=y'],
  ];
  it.each(others.flatMap(([who, make]) => queries.map(([path, query]) => [who, path, make, query] as const)))(
    '%s, %s path',
    async (_who, _path, make, query) => {
      const other = await make();
      const before = await harness.records.dump();
      const reply = await back(`${query}&state=${state}`, other);
      expect(refusal(harness, reply)).toEqual([400, 'invalid_request', 'callback.other_browser']);
      expect(reply.headers).not.toHaveProperty('location');
      expect(await harness.records.dump()).toBe(before);
      expect(answer(await back())).toHaveProperty('code');
    },
  );
});

describe('a state is used once', () => {
  it('of fifty parallel callbacks one succeeds', async () => {
    const other = secondInstance(harness);
    const cookie = [...person.cookies].map((pair) => pair.join('=')).join('; ');
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 ? harness : other).server.handle(request(`/callback?code=x&state=${state}`, { headers: { cookie } })),
      ),
    );
    const statuses = replies.map((reply) => reply?.status);
    expect(statuses.filter((status) => status === 303)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(49);
    const spent = harness.events.filter(({ reason }) => reason === 'callback.state_spent');
    expect(spent).toHaveLength(49);
    expect(await grants()).toHaveLength(1);
  });

  it('also when the first answer was an error', async () => {
    expect(answer(await back(`error=access_denied&state=${state}`))).toHaveProperty('error');
    expect(refusal(harness, await back())).toEqual([400, 'invalid_request', 'callback.state_spent']);
    expect(await grants()).toEqual([]);
  });

  it('for its whole life', async () => {
    await back();
    harness.clock.seconds += 599;
    expect(refusal(harness, await back())).toEqual([400, 'invalid_request', 'callback.state_spent']);
  });
});

describe('the identity provider says no', () => {
  it.each<[string, IdentityProviderError, string]>([
    ['definitely', new IdentityProviderError('idp.answered.access_denied', { transient: false }), 'access_denied'],
    ['for a while', new IdentityProviderError('idp.unreachable', { transient: true }), 'temporarily_unavailable'],
  ])('%s', async (_, fail, code) => {
    harness.identityProvider.fail = fail;
    const reply = await back();
    expect(refusal(harness, reply)).toEqual([303, code, fail.reason]);
    expect(answer(reply)).toEqual({
      error: code,
      error_description: expect.not.stringContaining('idp'),
      state: 'client-state',
      iss: issuer,
    });
    expect(await grants()).toEqual([]);
  });

  it('its words never reach the client', async () => {
    const reply = await back(
      `error=access_denied&error_description=%3Cscript%3E&error_uri=https://x.example&state=${state}`,
    );
    expect(refusal(harness, reply)).toEqual([303, 'access_denied', 'idp.answered.access_denied']);
    expect(String(reply.headers.location)).not.toMatch(/<|%3C|x\.example/i);
  });
});

describe('when a part is away', () => {
  it('the database before the state is spent: 503, and then it works', async () => {
    harness.records.interfere = () => 'away';
    const reply = await back();
    expect(refusal(harness, reply)).toEqual([503, 'temporarily_unavailable', 'records.unavailable']);
    expect(reply.headers['retry-after']).toBe('2');
    harness.records.interfere = undefined;
    expect(answer(await back())).toHaveProperty('code');
  });

  it('a fault in the identity provider’s code is ours, is logged, and is not shown', async () => {
    harness.identityProvider.finish = async () => {
      throw new TypeError('cannot read properties of undefined (hunter2)');
    };
    const reply = await back();
    expect(refusal(harness, reply)).toEqual([303, 'temporarily_unavailable', 'callback.fault']);
    const location = new URL(String(reply.headers.location));
    expect([location.searchParams.get('state'), location.searchParams.get('iss')]).toEqual(['client-state', issuer]);
    expect(location.href).not.toContain('hunter2');
    expect(harness.events.at(-1)).toMatchObject({ event: 'fault', cause: expect.stringContaining('hunter2') });
  });
});
