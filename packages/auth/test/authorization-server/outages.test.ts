/** Records that are away or contended: 503 with Retry-After, and never a word that makes clients drop their tokens (REL-02). */

import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import { keySetId } from '../../src/signers/key-set.ts';
import {
  consented,
  type Harness,
  issuer,
  parsed,
  pkce,
  refusal,
  registerClient,
  request,
  resource,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';

const away = [503, 'temporarily_unavailable', 'records.unavailable'];
type Verb = 'get' | 'create' | 'replace' | 'take' | 'list';

/** Makes one verb on grants fail, and everything else work. */
function breakGrants(harness: Harness, verb: Verb, how: 'away' | 'contended') {
  harness.records.interfere = (called, kind) => (called === verb && kind === 'grant' ? how : undefined);
}

describe('the database is away', () => {
  it.each(['get', 'replace'] as const)('redeeming, at %s: 503, and the same code works afterwards', async (verb) => {
    const harness = startHarness();
    const { redeem } = await withCode(harness);
    breakGrants(harness, verb, 'away');
    const reply = await redeem();
    expect(refusal(harness, reply)).toEqual(away);
    expect(reply?.headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' });
    harness.records.interfere = undefined;
    expect((await redeem())?.status).toBe(200);
  });

  it.each(['get', 'replace'] as const)('refreshing, at %s: 503, and the same token works afterwards', async (verb) => {
    const harness = startHarness();
    const { refresh } = await withTokens(harness);
    breakGrants(harness, verb, 'away');
    const reply = await refresh();
    expect(refusal(harness, reply)).toEqual(away);
    expect(reply?.headers).toMatchObject({ 'retry-after': '2' });
    harness.records.interfere = undefined;
    expect((await refresh())?.status).toBe(200);
  });

  it('while a replay is being punished: 503, never a refusal that only looks final', async () => {
    const harness = startHarness();
    const { redeem } = await withCode(harness);
    const tokens = parsed(await redeem());
    breakGrants(harness, 'replace', 'away');
    expect(refusal(harness, await redeem())).toEqual(away);
    harness.records.interfere = undefined;
    expect(refusal(harness, await redeem())).toEqual([400, 'invalid_grant', 'grant.code_replayed']);
    harness.clock.seconds += 5;
    const result = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    expect(isReply(result) && result.status).toBe(401);
  });

  it('issuing a code: the client is told, because the sign-in cannot be repeated', async () => {
    const harness = startHarness();
    const client = await registerClient(harness);
    const { person, state } = await consented(harness, client.client_id, pkce().challenge);
    breakGrants(harness, 'create', 'away');
    const reply = await person.send(request(`/callback?code=x&state=${state}`));
    expect(refusal(harness, reply)).toEqual([303, 'temporarily_unavailable', 'callback.fault']);
    expect(String(reply.headers.location)).toContain('state=client-state');
  });

  it('discovery and registration need no database', async () => {
    const harness = startHarness();
    harness.records.interfere = () => 'away';
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/oauth-protected-resource']) {
      expect((await harness.server.handle(request(path)))?.status).toBe(200);
    }
    expect(await registerClient(harness)).toHaveProperty('client_id');
  });

  it('keys that were never read: 503 for everybody who asks, and then they are there', async () => {
    const harness = startHarness();
    harness.records.interfere = () => 'away';
    const reply = await harness.server.handle(request('/.well-known/jwks.json'));
    expect(refusal(harness, reply)).toEqual(away);
    harness.records.interfere = undefined;
    expect((await harness.server.handle(request('/.well-known/jwks.json')))?.status).toBe(200);
  });

  // On a cold instance the keys are read at the first request: before the grant moves, or the retry were a replay.
  it('keys that cannot be read spend no code and rotate no token', async () => {
    const harness = startHarness();
    const { redeem } = await withCode(harness);
    harness.records.interfere = (_, kind) => (kind === 'keySet' ? 'away' : undefined);
    expect(refusal(harness, await redeem())).toEqual(away);
    harness.records.interfere = undefined;
    const tokens = parsed(await redeem());
    expect(tokens).toHaveProperty('access_token');
  });

  it('keys that are sealed with another secret spend no code either: a fault, and then the operator mends it', async () => {
    const harness = startHarness();
    const { redeem } = await withCode(harness);
    const other = startHarness({
      secrets: [{ id: 'k9', secret: 'a secret that this instance never learns of' }],
      records: harness.records,
    });
    await other.server.handle(request('/.well-known/jwks.json'));
    expect(refusal(harness, await redeem())).toEqual([500, 'server_error', 'fault']);
    expect(harness.events.at(-1)).toMatchObject({ cause: expect.stringContaining('sealed with another secret') });
    await harness.records.take('keySet', keySetId(issuer));
    expect((await redeem())?.status).toBe(200);
  });

  it('the cause is in the log and not in the answer', async () => {
    const harness = startHarness();
    const { refresh } = await withTokens(harness);
    harness.records.interfere = () => 'away';
    const reply = await refresh();
    expect(harness.events.at(-1)).toMatchObject({
      event: 'fault',
      status: 503,
      cause: expect.stringContaining('away'),
    });
    expect(reply?.body).not.toContain('database');
  });
});

describe('the record is contended', () => {
  it('a race that is lost some times is won in the end', async () => {
    const harness = startHarness();
    const { refresh } = await withTokens(harness);
    let lost = 0;
    harness.records.interfere = (verb) => (verb === 'replace' && ++lost < 4 ? 'contended' : undefined);
    expect((await refresh())?.status).toBe(200);
    expect(lost).toBe(4);
  });

  it('one that is lost every time is 503, and the token works afterwards', async () => {
    const harness = startHarness();
    const { refresh } = await withTokens(harness);
    breakGrants(harness, 'replace', 'contended');
    const reply = await refresh();
    expect(refusal(harness, reply)).toEqual([503, 'temporarily_unavailable', 'grant.contention']);
    expect(reply?.headers).toMatchObject({ 'retry-after': '2' });
    harness.records.interfere = undefined;
    expect((await refresh())?.status).toBe(200);
  });
});
