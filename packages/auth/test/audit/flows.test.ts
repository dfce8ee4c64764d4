/** Real flows: each audit event that occurs carries the fields that are documented, exactly, and no secret. */
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/audit-event.ts';
import { describeEvent, type LogEvent } from '../../src/audit/events.ts';
import { functionSink } from '../../src/audit/sinks.ts';
import { auditTrail } from '../../src/audit/trail.ts';
import { IdentityProviderError } from '../../src/gatehouse.ts';
import {
  authorizePath,
  consented,
  form,
  hidden,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  secret,
  startHarness,
  withTokens,
} from '../harness.ts';

const machine = 'a-machine-of-the-operator';
const machineSecret = 'the-secret-of-a-machine-of-the-operator-0123456789';

async function flows() {
  const logged: LogEvent[] = [];
  const seen: AuditEvent[] = [];
  const sink = functionSink('test', (event) => void seen.push(event));
  const trail = auditTrail({ log: (event) => logged.push(event), sinks: [sink], now: () => 1_800_000_000 });
  const harness = startHarness({
    log: trail.log,
    clients: [{ id: machine, secret: machineSecret, grantTypes: ['client_credentials'], scope: ['read'] }],
  });
  harness.identityProvider.identity = { issuer: 'https://idp.example', subject: 'ada@example.com' };
  const { server } = harness;
  const secrets = new Map<string, string>([['operator secret', String(secret.secret)]]);

  // A whole life: registered, consented, signed in, refreshed, replayed within grace, beyond it, and over.
  const { client, code, verifier, tokens, redeem, refresh } = await withTokens(harness);
  secrets.set('code', code).set('verifier', verifier).set('client id', client.client_id);
  const second = parsed(await refresh()) as unknown as typeof tokens;
  await refresh();
  const third = parsed(await refresh({ refresh_token: second.refresh_token })) as unknown as typeof tokens;
  for (const [n, one] of [tokens, second, third].entries()) {
    secrets.set(`access token ${n}`, one.access_token).set(`refresh token ${n}`, one.refresh_token);
  }
  await server.guard(resource)({ authorization: `Bearer ${tokens.access_token}x` });
  await server.guard(resource)({});
  expect((await refresh())?.status).toBe(400);
  await redeem();

  // Revoked by its client; a token that is none.
  const other = await withTokens(harness);
  secrets.set('other refresh token', other.tokens.refresh_token);
  const revoke = (token: string) => server.handle(form('/revoke', { client_id: other.client.client_id, token }));
  await revoke(other.tokens.refresh_token);
  await revoke('a-guess-at-a-refresh-token');

  // A machine; and one with a wrong secret.
  const asMachine = (client_secret: string) =>
    server.handle(form('/token', { grant_type: 'client_credentials', client_id: machine, client_secret, resource }));
  const own = parsed(await asMachine(machineSecret)) as unknown as typeof tokens;
  secrets.set('machine token', own.access_token).set('machine secret', machineSecret);
  await asMachine('wrong-secret-of-a-machine');

  // Refused before and after the consent, denied, and a provider that says no.
  const registered = await registerClient(harness);
  const { challenge } = pkce();
  await server.handle(request(authorizePath(registered.client_id, challenge, { response_type: 'token' })));
  const person = harness.browser();
  const page = await person.send(request(authorizePath(registered.client_id, challenge)));
  secrets.set('consent form', hidden(page, 'request'));
  await person.send(form('/consent', { request: hidden(page, 'request'), decision: 'deny' }, sameOrigin));
  const { person: signing, state } = await consented(harness, registered.client_id, challenge);
  secrets.set('state', state).set('cookie', [...signing.cookies.values()][0] ?? '');
  harness.identityProvider.fail = new IdentityProviderError('idp.answered.access_denied', { transient: false });
  await signing.send(request(`/callback?code=idp-code-0123456789&state=${state}`));
  harness.identityProvider.fail = undefined;
  await server.handle(request(`/callback?code=idp-code-0123456789&state=${state}`));

  // The person's own page.
  const visitor = harness.browser();
  const landing = await visitor.send(request('/connections'));
  const begun = await visitor.send(
    form('/connections/change', { action: 'sign-in', token: hidden(landing, 'token') }, sameOrigin),
  );
  const asked = new URL(String(begun.headers.location)).searchParams.get('state') ?? '';
  secrets.set('state of the page', asked);
  await visitor.send(request(`/callback?code=idp-code-0123456789&state=${asked}`));
  await trail.close();
  return { logged, seen, secrets, trail };
}

const done = flows();

describe('in real flows', () => {
  it('every event carries the documented fields, all that are always there, and no other', async () => {
    const { logged } = await done;
    for (const { event, ...values } of logged) {
      const description = describeEvent(event);
      expect(description, event).toBeDefined();
      const { fields = {}, sometimes = {} } = description ?? {};
      const present = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name]));
      const undocumented = present.filter((name) => !(name in fields) && !(name in sometimes));
      const missing = Object.keys(fields).filter((name) => !present.includes(name));
      expect({ event, undocumented, missing }).toEqual({ event, undocumented: [], missing: [] });
    }
  });

  it('every audit event has reached the sink, in order, with those fields and an outcome', async () => {
    const { logged, seen } = await done;
    const expected = logged.filter(({ event }) => describeEvent(event)?.audit !== undefined);
    expect(seen.map(({ event }) => event)).toEqual(expected.map(({ event }) => event));
    for (const [at, audit] of seen.entries()) {
      const { event, cause: _, ...values } = expected[at] as LogEvent;
      const { person, client, grant, details } = audit;
      const kept = JSON.parse(JSON.stringify({ ...details, person, client, grant })) as object;
      expect(kept, event).toEqual(JSON.parse(JSON.stringify(values)));
      expect(audit.outcome).toBe(describeEvent(event)?.audit);
    }
    const names = new Set<string>(seen.map(({ event }) => event));
    for (const name of ['client.registered', 'consent.given', 'consent.denied', 'code.issued', 'token.issued']) {
      expect(names, name).toContain(name);
    }
    for (const name of ['grant.grace_replay', 'grant.replayed', 'grant.revoked', 'revoke.unknown_token', 'refused']) {
      expect(names, name).toContain(name);
    }
    for (const name of ['guard.refused', 'authorize.refused', 'sign_in.failed', 'person.signed_in']) {
      expect(names, name).toContain(name);
    }
  });

  it('neither log nor audit events hold a secret or what a person is called', async () => {
    const { logged, seen, secrets } = await done;
    const all = JSON.stringify([logged, seen], (_, value) => (value instanceof Error ? `${value.stack}` : value));
    expect(secrets.size).toBeGreaterThan(15);
    for (const [name, value] of secrets) {
      expect(value.length, name).toBeGreaterThan(20);
      expect(all.includes(value), name).toBe(false);
      expect(all.includes(value.split('.').at(-1) as string), `${name}, its last part`).toBe(false);
    }
    expect(all).not.toMatch(/@|idp-code|client-state|guess|wrong-secret/);
    // People and clients are digests of fixed length, so no id can hide in one.
    for (const { person, client } of seen) {
      for (const one of [person, client]) if (one !== undefined) expect(one).toMatch(/^[A-Za-z0-9_-]{8}$/);
    }
  });

  it('the counters say how often', async () => {
    const { logged, trail } = await done;
    const { events } = trail.counters();
    for (const name of new Set(logged.map(({ event }) => event))) {
      const total = events.filter(({ event }) => event === name).reduce((sum, { value }) => sum + value, 0);
      expect(total, name).toBe(logged.filter(({ event }) => event === name).length);
    }
    expect(events.some(({ event, labels }) => event === 'other' || labels.reason === 'other')).toBe(false);
    expect(events).toContainEqual({ event: 'token.issued', labels: { grantType: 'client_credentials' }, value: 1 });
  });
});
