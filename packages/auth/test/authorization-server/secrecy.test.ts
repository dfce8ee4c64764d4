/** Whoever reads the database or the log learns no credential (SEC-08, SEC-13). */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import {
  authorizePath,
  consented,
  form,
  type Harness,
  hidden,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  secret,
  startHarness,
  type TokenAnswer,
} from '../harness.ts';

/** Every credential of a whole life of a grant, by name, and the database after every step. */
async function wholeLife(harness: Harness) {
  const issued = new Map<string, string>([['operator secret', String(secret.secret)]]);
  const dumps: string[] = [];
  const seen = async () => dumps.push(await harness.records.dump());

  for (const method of ['none', 'client_secret_basic', 'client_secret_post']) {
    const client = await registerClient(harness, { token_endpoint_auth_method: method });
    if (client.client_secret) issued.set(`client secret ${method}`, client.client_secret as string);
    issued.set(`client id ${method}`, client.client_id);
    const { verifier, challenge } = pkce();
    issued.set(`verifier ${method}`, verifier);
    const clientState = randomBytes(24).toString('base64url');
    issued.set(`client's state ${method}`, clientState);
    const { person, page, state } = await consented(harness, client.client_id, challenge, { state: clientState });
    await seen();
    const sent = harness.identityProvider.started.at(-1);
    issued.set(`state ${method}`, state);
    issued.set(`nonce ${method}`, sent?.nonce ?? '');
    issued.set(`our verifier ${method}`, sent?.codeVerifier ?? '');
    issued.set(`cookie ${method}`, [...person.cookies.values()][0] ?? '');
    issued.set(`consent form ${method}`, hidden(page, 'request'));
    const idpCode = randomBytes(24).toString('base64url');
    issued.set(`provider's code ${method}`, idpCode);
    const back = new URL(
      String((await person.send(request(`/callback?code=${idpCode}&state=${state}`))).headers.location),
    );
    await seen();
    const code = back.searchParams.get('code') ?? '';
    issued.set(`code ${method}`, code);
    const authenticated = { client_id: client.client_id, client_secret: client.client_secret as string | undefined };
    const redeem = { grant_type: 'authorization_code', code, code_verifier: verifier, ...authenticated };
    await harness.server.handle(form('/token', { ...redeem, code_verifier: pkce().verifier }));
    let tokens = parsed(await harness.server.handle(form('/token', redeem))) as unknown as TokenAnswer;
    for (let i = 0; i < 3; i++) {
      issued.set(`access token ${method} ${i}`, tokens.access_token);
      issued.set(`refresh token ${method} ${i}`, tokens.refresh_token);
      await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
      await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}x` });
      const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...authenticated };
      tokens = parsed(await harness.server.handle(form('/token', refresh))) as unknown as TokenAnswer;
      await seen();
    }
    // Refusals and faults of every kind, which log more than outcomes do.
    await harness.server.handle(form('/token', redeem));
    await harness.server.handle(form('/token', { ...redeem, client_secret: 'x' }));
    await harness.server.handle(request(authorizePath(client.client_id, challenge, { response_type: 'token' })));
    await harness.server.handle(request(`/callback?code=${idpCode}&state=${state}`));
    await person.send(form('/consent', { request: `${hidden(page, 'request')}x`, decision: 'allow' }, sameOrigin));
    harness.records.interfere = () => 'away';
    await harness.server.handle(form('/token', redeem));
    await person.send(request(`/callback?code=${idpCode}&state=${state}`));
    harness.records.interfere = undefined;
    await seen();
  }
  return { issued, dumps };
}

describe('after a whole flow', () => {
  it('no record ever held a code, token, verifier, state, cookie, nonce or secret', async () => {
    const { issued, dumps } = await wholeLife(startHarness());
    const all = dumps.join('\n');
    expect(issued.size).toBeGreaterThan(40);
    for (const [name, value] of issued) {
      expect(value.length, name).toBeGreaterThan(20);
      expect(all.includes(value), name).toBe(false);
      // Nor its last part, which is what proves it: the MAC, the signature.
      expect(all.includes(value.split('.').at(-1) as string), `${name}, its last part`).toBe(false);
    }
  });

  it('no event of the log held one either, nor a query, nor what the person is called at the provider', async () => {
    const harness = startHarness();
    harness.identityProvider.identity = { issuer: 'https://idp.example', subject: 'somebody@idp.example' };
    const { issued } = await wholeLife(harness);
    // A log keeps an Error as its stack, which JSON would drop.
    const all = JSON.stringify(harness.events, (_, value) => (value instanceof Error ? `${value.stack}` : value));
    expect(harness.events.length).toBeGreaterThan(40);
    for (const [name, value] of issued) {
      expect(all.includes(value), name).toBe(false);
      expect(all.includes(value.split('.').at(-1) as string), `${name}, its last part`).toBe(false);
    }
    expect(all).not.toContain('somebody@');
    expect(all).not.toContain('?');
  });

  it('what the database holds makes no credential: its values are worth nothing as code, token, state or cookie', async () => {
    const harness = startHarness();
    const { dumps } = await wholeLife(harness);
    const client = await registerClient(harness);
    const values = new Set(dumps.join('').match(/[A-Za-z0-9_.-]{20,}/g));
    expect(values.size).toBeGreaterThan(10);
    for (const value of values) {
      const fields = { client_id: client.client_id, code: value, refresh_token: value, code_verifier: value };
      for (const grant_type of ['authorization_code', 'refresh_token']) {
        expect((await harness.server.handle(form('/token', { grant_type, ...fields })))?.status).toBe(400);
      }
      const headers = { cookie: `__Host-gatehouse=${value}` };
      expect((await harness.server.handle(request(`/callback?code=x&state=${value}`, { headers })))?.status).toBe(400);
      const result = await harness.server.guard(resource)({ authorization: `Bearer ${value}` });
      expect(isReply(result) && result.status).toBe(401);
    }
  });
});

it('no answer to the world says a private reason', async () => {
  const harness = startHarness();
  const client = await registerClient(harness);
  const replies = [
    await harness.server.handle(
      form('/token', { grant_type: 'authorization_code', code: 'x', client_id: client.client_id }),
    ),
    await harness.server.handle(request('/authorize')),
    await harness.server.handle(request('/callback?state=x')),
  ];
  const result = await harness.server.guard(resource)({ authorization: 'Bearer a.b.c' });
  const text = JSON.stringify([...replies, result]);
  for (const { reason } of harness.events) if (reason) expect(text).not.toContain(reason);
  expect(harness.events.filter(({ reason }) => reason)).toHaveLength(4);
});
