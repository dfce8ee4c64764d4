/** Every endpoint of the route table has its budget, and says so in its own way: JSON to programs, a page to people (SEC-10). */
import { describe, expect, it } from 'vitest';
import { gatehouse } from '../../src/gatehouse.ts';
import {
  authorizePath,
  fakeIdentityProvider,
  form,
  hidden,
  issuer,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  secret,
  startHarness,
} from '../harness.ts';

const one = { total: { burst: 1, perMinute: 1 } };
const post = (path: string, fields: Record<string, string>) => form(path, fields);

describe('over its budget', () => {
  it.each([
    ['register', post('/register', {})],
    ['token', post('/token', { grant_type: 'refresh_token', client_id: 'x', refresh_token: 'y' })],
    ['revoke', post('/revoke', { client_id: 'x', token: 'y' })],
    ['introspect', post('/introspect', { client_id: 'x', token: 'y' })],
  ])('%s answers 429 in JSON, which any page may read', async (name, sent) => {
    const harness = startHarness({ budgets: { [name]: one } });
    expect((await harness.server.handle(sent))?.status).not.toBe(429);
    const reply = await harness.server.handle(sent);
    expect(reply).toMatchObject({
      status: 429,
      headers: {
        'content-type': 'application/json',
        'retry-after': '60',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
        'access-control-expose-headers': expect.stringContaining('retry-after'),
      },
    });
    expect(parsed(reply).error).toBe('temporarily_unavailable');
    expect(harness.events.at(-1)).toMatchObject({ event: 'refused', status: 429, reason: `budget.${name}` });
    harness.clock.seconds += 60;
    expect((await harness.server.handle(sent))?.status).not.toBe(429);
  });

  it('authorize, consent and connections show a page, and a person who comes back gets on', async () => {
    const harness = startHarness({ budgets: { authorize: one, consent: one, connectionsChange: one } });
    const { client_id: clientId } = await registerClient(harness);
    const person = harness.browser();
    const ask = () => person.send(request(authorizePath(clientId, pkce().challenge)));
    const page = await ask();
    const again = await ask();
    const allow = () =>
      person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin));
    expect((await allow()).status).toBe(303);
    const consentAgain = await allow();
    const token = hidden(await person.send(request('/connections')), 'token');
    const signIn = () => person.send(form('/connections/change', { action: 'sign-in', token }, sameOrigin));
    expect((await signIn()).status).toBe(303);
    const signInAgain = await signIn();
    for (const reply of [again, consentAgain, signInAgain]) {
      expect(reply.status).toBe(429);
      expect(reply.headers['content-type']).toContain('text/html');
      expect(reply.headers['retry-after']).toBe('60');
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(harness.events.filter(({ status }) => status === 429).map(({ reason }) => reason)).toEqual([
      'budget.authorize',
      'budget.consent',
      'budget.connectionsChange',
    ]);
    harness.clock.seconds += 60;
    expect((await ask()).status).toBe(200);
  });

  it('a preflight request and another method cost nothing', async () => {
    const harness = startHarness({ budgets: { register: one } });
    for (const method of ['OPTIONS', 'GET', 'PUT']) {
      expect((await harness.server.handle(request('/register', { method })))?.status).not.toBe(429);
    }
    expect((await registerClient(harness)).client_id).toBeTypeOf('string');
  });
});

it('settings that would let nobody in stop the start, each with its path', () => {
  const start = () =>
    gatehouse({
      issuer,
      resources: [{ uri: resource, scopes: { read: 'read' } }],
      identityProvider: fakeIdentityProvider(),
      records: startHarness().records,
      secrets: [secret],
      budgets: { token: { total: { burst: 0, perMinute: 1 } } },
    });
  expect(start).toThrow('budgets.token.total: needs a burst of at least 1');
});
