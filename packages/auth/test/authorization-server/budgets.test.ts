/** Budgets around the real endpoints: what a flood gets, what everybody else still gets, and that nobody waits for long (SEC-10). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { browserCookie } from '../../src/authorization-server/browser.ts';
import { budgeted, type EndpointBudget, openPurse } from '../../src/authorization-server/budget.ts';
import {
  type BudgetedEndpoint,
  type Budgets,
  budgetedEndpoints,
  budgetFaults,
  defaultBudgets,
  endpointBudgets,
} from '../../src/authorization-server/endpoint-budgets.ts';
import { OAuthError } from '../../src/oauth/error.ts';
import type { Endpoint, HttpReply, HttpRequest } from '../../src/oauth/http.ts';
import {
  authorizePath,
  browser,
  form,
  hidden,
  issuer,
  pkce,
  registerClient,
  request,
  sameOrigin,
  startHarness,
  withTokens,
} from '../harness.ts';

const paths: Readonly<Record<BudgetedEndpoint, string>> = {
  authorize: '/authorize',
  consent: '/consent',
  connectionsChange: '/connections/change',
  token: '/token',
  register: '/register',
  revoke: '/revoke',
  introspect: '/introspect',
};

/** A whole server whose endpoints have budgets; a refusal is its status, wait and private reason. */
function startBudgeted(budgets: Budgets = {}) {
  const harness = startHarness();
  const all = endpointBudgets({
    budgets,
    browserCookie: browserCookie(issuer, 2400),
    now: () => harness.clock.seconds,
  });
  const endpoint: Endpoint = async (sent) => {
    const reply = await harness.server.handle(sent);
    if (!reply) throw new Error(`not our path: ${sent.path}`);
    return reply;
  };
  const routes = new Map(budgetedEndpoints.map((name) => [paths[name], budgeted(endpoint, all[name])]));
  const handle = async (sent: HttpRequest): Promise<HttpReply> => {
    try {
      return await (routes.get(sent.path) ?? endpoint)(sent);
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return { status: error.status, headers: { ...error.headers, reason: error.reason }, body: error.code };
    }
  };
  return { ...harness, server: { ...harness.server, handle }, browser: () => browser(handle) };
}

const statuses = async (count: number, send: (index: number) => Promise<HttpReply | undefined>) => {
  const seen: number[] = [];
  for (let index = 0; index < count; index++) seen.push((await send(index))?.status ?? 0);
  return seen;
};

const few = { total: { burst: 3, perMinute: 6 } };
const registration = (name = 'Tests') =>
  request('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: name, redirect_uris: ['http://127.0.0.1:7777/callback'] }),
  });
const guess = (changes: Record<string, string> = {}) =>
  form('/token', { grant_type: 'refresh_token', client_id: 'nobody', refresh_token: 'guess', ...changes });

describe('a budget that is used up', () => {
  it('answers 429 with the seconds to wait and a private reason, and after those seconds goes on', async () => {
    const harness = startBudgeted({ register: few });
    expect(await statuses(4, () => harness.server.handle(registration()))).toEqual([201, 201, 201, 429]);
    const refused = await harness.server.handle(registration());
    expect(refused.headers).toMatchObject({ 'retry-after': '10', reason: 'budget.register' });
    expect(refused.body).toBe('temporarily_unavailable');
    harness.clock.seconds += 9;
    expect((await harness.server.handle(registration())).status).toBe(429);
    harness.clock.seconds += 1;
    expect(await statuses(2, () => harness.server.handle(registration()))).toEqual([201, 429]);
    harness.clock.seconds += 3600;
    expect(await statuses(4, () => harness.server.handle(registration()))).toEqual([201, 201, 201, 429]);
  });

  it.each(budgetedEndpoints)('of %s takes nothing from the other endpoints', async (name) => {
    const one = { total: { burst: 1, perMinute: 1 } };
    const harness = startBudgeted(Object.fromEntries(budgetedEndpoints.map((other) => [other, one])));
    const { client_id: clientId } = await registerClient(startHarness());
    const honest: Record<BudgetedEndpoint, (person: ReturnType<typeof browser>) => Promise<HttpReply>> = {
      register: (person) => person.send(registration()),
      authorize: (person) => person.send(request(authorizePath(clientId, pkce().challenge))),
      consent: (person) => person.send(form('/consent', {}, sameOrigin)),
      connectionsChange: (person) => person.send(form('/connections/change', {}, sameOrigin)),
      token: (person) => person.send(guess()),
      revoke: (person) => person.send(form('/revoke', { client_id: clientId, token: 'x' })),
      introspect: (person) => person.send(form('/introspect', { client_id: clientId, token: 'x' })),
    };
    const person = harness.browser();
    await honest[name](person);
    // What is given back was never used up: these two are filled by what they store, and seen below.
    const used = await honest[name](person);
    expect(used.status === 429).toBe(name !== 'consent' && name !== 'connectionsChange');
    for (const other of budgetedEndpoints) {
      if (other === name) continue;
      expect((await honest[other](harness.browser())).status, other).not.toBe(429);
    }
  });

  it('is refused before anything is read: no record is touched, no client looked for', async () => {
    const harness = startBudgeted({ token: few });
    await statuses(3, (index) => harness.server.handle(guess({ refresh_token: `guess-${index}` })));
    harness.records.calls.length = 0;
    harness.events.length = 0;
    expect((await harness.server.handle(guess({ refresh_token: 'another' }))).status).toBe(429);
    expect(harness.records.calls).toEqual([]);
    expect(harness.events).toEqual([]);
  });
});

describe('/consent', () => {
  it('counts what it stores, in all and in each browser', async () => {
    const harness = startBudgeted({
      consent: { total: { burst: 5, perMinute: 60 }, perKey: { burst: 2, perMinute: 1 } },
    });
    const { client_id: clientId } = await registerClient(harness);
    const allow = async (person: ReturnType<typeof browser>) => {
      const page = await person.send(request(authorizePath(clientId, pkce().challenge)));
      return person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin));
    };
    const [ada, bob, eve] = [harness.browser(), harness.browser(), harness.browser()];
    expect(await statuses(3, () => allow(ada))).toEqual([303, 303, 429]);
    expect(await statuses(3, () => allow(bob))).toEqual([303, 303, 429]);
    expect(await statuses(2, () => allow(eve))).toEqual([303, 429]); // the fifth of all
    expect((await harness.records.list('authorizationRequest', { limit: 100 })).items).toHaveLength(5);
  });

  it('garbage stores nothing and takes nothing', async () => {
    const harness = startBudgeted({ consent: { total: { burst: 1, perMinute: 1 } } });
    const { client_id: clientId } = await registerClient(harness);
    const person = harness.browser();
    const page = await person.send(request(authorizePath(clientId, pkce().challenge)));
    const fields = { request: hidden(page, 'request'), decision: 'allow' };
    const garbage = [
      form('/consent', {}, sameOrigin),
      form('/consent', { ...fields, request: `${fields.request}x` }, sameOrigin),
      form('/consent', fields, { origin: 'https://evil.example' }),
      form('/consent', fields, sameOrigin), // without the cookie
      request('/consent', { method: 'POST', body: '%' }),
    ];
    for (const one of garbage) expect((await harness.server.handle(one)).status).not.toBe(429);
    // All at once, too: what they take for a moment they give back.
    await Promise.all(garbage.map((one) => harness.server.handle(one)));
    expect((await person.send(form('/consent', fields, sameOrigin))).status).toBe(303);
  });

  it('at the same moment no more get through than there is', async () => {
    const harness = startBudgeted({ consent: { total: { burst: 4, perMinute: 1 } } });
    const { client_id: clientId } = await registerClient(harness);
    const people = Array.from({ length: 12 }, () => harness.browser());
    const forms = await Promise.all(
      people.map(async (person) => {
        const page = await person.send(request(authorizePath(clientId, pkce().challenge)));
        return form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin);
      }),
    );
    const replies = await Promise.all(people.map((person, index) => person.send(forms[index] as HttpRequest)));
    expect(replies.filter(({ status }) => status === 303)).toHaveLength(4);
    expect((await harness.records.list('authorizationRequest', { limit: 100 })).items).toHaveLength(4);
  });
});

it('/consent that goes on to the identity provider is counted, pages and errors are not', async () => {
  const budgets = { consent: { total: { burst: 2, perMinute: 1 } } };
  const { consent } = endpointBudgets({ budgets, browserCookie: browserCookie(issuer, 60), now: () => 0 });
  const replies = {
    page: { status: 200, headers: {}, body: '' },
    error: { status: 303, headers: { location: 'http://127.0.0.1:1/cb?error=invalid_scope&iss=x' }, body: '' },
    on: { status: 303, headers: { location: 'https://idp.example/authorize?state=error&x=error=' }, body: '' },
  };
  const ask = (kind: keyof typeof replies) => budgeted(async () => replies[kind], consent)(request('/consent'));
  for (let turn = 0; turn < 5; turn++) for (const kind of ['page', 'error'] as const) await ask(kind);
  await ask('on');
  await ask('page');
  await ask('on');
  await expect(ask('on')).rejects.toMatchObject({ status: 429, reason: 'budget.consent' });
});

it('a no at /consent stores nothing and costs nothing', async () => {
  const harness = startBudgeted({ consent: { total: { burst: 1, perMinute: 1 } } });
  const { client_id: clientId } = await registerClient(harness);
  const person = harness.browser();
  const decide = async (decision: string) => {
    const page = await person.send(request(authorizePath(clientId, pkce().challenge)));
    return person.send(form('/consent', { request: hidden(page, 'request'), decision }, sameOrigin));
  };
  expect(await statuses(3, () => decide('deny'))).toEqual([303, 303, 303]);
  expect(await statuses(2, () => decide('allow'))).toEqual([303, 429]);
});

it('/connections/change counts the sign-ins it stores', async () => {
  const harness = startBudgeted({
    connectionsChange: { total: { burst: 10, perMinute: 1 }, perKey: { burst: 2, perMinute: 1 } },
  });
  const person = harness.browser();
  const token = hidden(await person.send(request('/connections')), 'token');
  const signIn = () => person.send(form('/connections/change', { action: 'sign-in', token }, sameOrigin));
  expect(await statuses(3, signIn)).toEqual([303, 303, 429]);
  expect((await harness.records.list('personSignIn', { limit: 100 })).items).toHaveLength(2);
  const other = harness.browser();
  const theirs = hidden(await other.send(request('/connections')), 'token');
  const reply = await other.send(form('/connections/change', { action: 'sign-in', token: theirs }, sameOrigin));
  expect(reply.status).toBe(303);
});

describe('/token', () => {
  it('stops a program that repeats its mistake, and nobody else', async () => {
    const harness = startBudgeted({ token: { perKey: { burst: 3, perMinute: 1 } } });
    const { client, refresh } = await withTokens(harness);
    const wrong = { client_id: client.client_id, refresh_token: 'lost' };
    expect(await statuses(5, () => harness.server.handle(guess(wrong)))).toEqual([400, 400, 400, 429, 429]);
    // The same client with what it was given: failing in somebody's name shuts nobody out.
    expect((await refresh())?.status).toBe(200);
  });

  it('the same words with other credentials are another’s', async () => {
    const harness = startBudgeted({ token: { perKey: { burst: 1, perMinute: 1 } } });
    const basic = (secret: string) => ({
      ...guess(),
      headers: { ...guess().headers, authorization: `Basic ${Buffer.from(`nobody:${secret}`).toString('base64')}` },
    });
    expect(await statuses(2, () => harness.server.handle(basic('one')))).toEqual([401, 429]);
    expect(await statuses(2, () => harness.server.handle(basic('two')))).toEqual([401, 429]);
  });

  it('success costs nothing, however often', async () => {
    const harness = startBudgeted({ token: { total: { burst: 1, perMinute: 1 }, perKey: { burst: 1, perMinute: 1 } } });
    const { refresh, tokens } = await withTokens(harness);
    let token = tokens.refresh_token;
    for (let turn = 0; turn < 20; turn++) {
      const reply = await refresh({ refresh_token: token });
      expect(reply?.status).toBe(200);
      token = (JSON.parse(reply?.body ?? '') as { refresh_token: string }).refresh_token;
    }
  });

  it('a database that is away is not the client’s failure', async () => {
    const harness = startBudgeted({ token: { total: { burst: 2, perMinute: 1 } } });
    const { refresh } = await withTokens(harness);
    harness.records.interfere = (verb, kind) => (verb === 'get' && kind === 'grant' ? 'away' : undefined);
    expect(await statuses(5, () => refresh())).toEqual([503, 503, 503, 503, 503]);
    harness.records.interfere = undefined;
    expect((await refresh())?.status).toBe(200);
  });

  it('guesses that differ use up the total', async () => {
    const harness = startBudgeted({ token: few });
    const { client_id: clientId } = await registerClient(harness);
    const wrong = (index: number) => guess({ client_id: clientId, refresh_token: `g${index}` });
    expect(await statuses(5, (index) => harness.server.handle(wrong(index)))).toEqual([400, 400, 400, 429, 429]);
  });
});

it('/authorize: one client’s name that is used up leaves the others alone', async () => {
  const harness = startBudgeted({ authorize: { perKey: { burst: 2, perMinute: 1 } } });
  const [one, two] = [await registerClient(harness), await registerClient(harness, { client_name: 'Another' })];
  const ask = (id: string) => harness.server.handle(request(authorizePath(id, pkce().challenge)));
  expect(await statuses(3, () => ask(one.client_id))).toEqual([200, 200, 429]);
  expect((await ask(two.client_id)).status).toBe(200);
  expect((await harness.server.handle(request('/authorize'))).status).toBe(400); // counted in all alone
});

describe('the settings', () => {
  it('false: no budget at all', async () => {
    const all = endpointBudgets({ budgets: { token: false }, browserCookie: browserCookie(issuer, 60), now: () => 0 });
    expect(all.token).toBeUndefined();
    expect(all.consent).toBeDefined();
    const endpoint: Endpoint = async () => ({ status: 200, headers: {}, body: '' });
    expect(budgeted(endpoint, all.token)).toBe(endpoint);
  });

  it('what is left out keeps its default', async () => {
    const harness = startBudgeted({ token: { total: { burst: 100, perMinute: 1 } } });
    const { burst } = defaultBudgets.token.perKey ?? { burst: 0 };
    const seen = await statuses(burst + 1, () => harness.server.handle(guess()));
    expect(seen.indexOf(429)).toBe(burst);
  });

  it('that would let nobody through are said with their path', () => {
    const budgets = {
      token: { total: { burst: 0, perMinute: 1 } },
      consent: { perKey: { burst: 5, perMinute: Number.NaN } },
      register: { total: { burst: Number.POSITIVE_INFINITY, perMinute: 1 } },
      revoke: false,
      jwks: {},
    } as Budgets;
    expect(budgetFaults(budgets)).toEqual([
      'budgets.token.total: needs a burst of at least 1 and some a minute',
      'budgets.consent.perKey: needs a burst of at least 1 and some a minute',
      'budgets.register.total: needs a burst of at least 1 and some a minute',
      'budgets.jwks: is no endpoint with a budget',
    ]);
    expect(budgetFaults(defaultBudgets)).toEqual([]);
  });
});

describe('a purse', () => {
  it('never lets more through than its allowance, whoever asks when, and whatever is given back', () => {
    const step = fc.record({
      key: fc.constantFrom(undefined, 'a', 'b', 'c'),
      wait: fc.integer({ min: -5, max: 40 }),
      back: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let now = 1000;
        const total = { burst: 5, perMinute: 6 };
        const purse = openPurse({ total, perKey: { burst: 2, perMinute: 3 }, maxKeys: 2, now: () => now });
        let passed = 0;
        let forward = 0;
        for (const { key, wait, back } of steps) {
          now += wait;
          forward += Math.max(0, wait);
          const waitSeconds = purse.take(key);
          expect(Number.isInteger(waitSeconds) && waitSeconds >= 0).toBe(true);
          if (waitSeconds > 0) continue;
          if (back) purse.giveBack(key);
          else passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(total.burst + (forward * total.perMinute) / 60 + 1e-6);
      }),
    );
  });

  it('what one request gives back is not what another of the same key has used', () => {
    const purse = openPurse({ total: { burst: 9, perMinute: 1 }, perKey: { burst: 2, perMinute: 1 }, now: () => 0 });
    expect([purse.take('a'), purse.take('a')]).toEqual([0, 0]);
    purse.giveBack('a');
    expect([purse.take('a'), purse.take('a')]).toEqual([0, 60]);
    purse.giveBack('unknown');
    expect(purse.take('a')).toBe(60);
  });

  it('whoever waits as long as told gets through', () => {
    const allowance = fc.record({ burst: fc.integer({ min: 1, max: 3 }), perMinute: fc.integer({ min: 1, max: 97 }) });
    fc.assert(
      fc.property(allowance, allowance, (total, perKey) => {
        let now = 1_800_000_000;
        const purse = openPurse({ total, perKey, now: () => now });
        for (let turn = 0; turn < 30; turn++) {
          const waitSeconds = purse.take('a');
          now += waitSeconds;
          if (waitSeconds > 0) expect(purse.take('a')).toBe(0);
        }
      }),
    );
  });
});

it('an endpoint that throws what is no refusal is charged as it would be for any fault', async () => {
  const purse = openPurse({ total: { burst: 1, perMinute: 1 }, now: () => 0 });
  const budget = (counts: EndpointBudget['counts']): EndpointBudget => ({ name: 'x', purse, counts });
  const broken: Endpoint = async () => {
    throw new TypeError('a bug');
  };
  const seen: unknown[] = [];
  const counted = budgeted(
    broken,
    budget((outcome) => seen.push(outcome) < 0),
  );
  await expect(counted(request('/x'))).rejects.toThrow('a bug');
  await expect(counted(request('/x'))).rejects.toThrow('a bug'); // given back
  expect(seen).toEqual([
    { status: 500, refused: true },
    { status: 500, refused: true },
  ]);
});
