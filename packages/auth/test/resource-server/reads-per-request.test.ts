/**
 * Verifying a token reads no database: counted over ten thousand guarded calls on many tokens and a clock that moves,
 * with every record kept by the same database the authorization server writes (architecture §4; performance.md).
 */
import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import { form, type Harness, resource, secondInstance, signedIn, startHarness } from '../harness.ts';

/** How long an answer about a grant counts, and the oldest a key set gets before it is looked at again. */
const [freshSeconds, reloadSeconds] = [5, 60];

/** Several tokens of each of several grants, as clients hold them that refresh. */
async function manyTokens(harness: Harness, grants: number, perGrant: number) {
  const held: Array<{ clientId: string; refreshToken: string; tokens: string[] }> = [];
  for (let grant = 0; grant < grants; grant++) {
    const { client, tokens } = await signedIn(harness);
    const one = { clientId: client.client_id, refreshToken: tokens.refresh_token, tokens: [tokens.access_token] };
    for (let n = 1; n < perGrant; n++) {
      const fields = { grant_type: 'refresh_token', client_id: one.clientId, refresh_token: one.refreshToken };
      const reply = await harness.server.handle(form('/token', fields));
      const answer = JSON.parse(reply?.body ?? '') as { access_token: string; refresh_token: string };
      one.refreshToken = answer.refresh_token;
      one.tokens.push(answer.access_token);
    }
    held.push(one);
  }
  return held;
}

/** The reads of these calls, by what was read. */
function counted(calls: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const call of calls) found[call] = (found[call] ?? 0) + 1;
  return found;
}

async function call({ server }: Pick<Harness, 'server'>, token: string): Promise<string> {
  const result = await server.guard(resource)({ authorization: `Bearer ${token}` });
  return isReply(result) ? `${result.status}` : 'accepted';
}

describe('ten thousand guarded calls', () => {
  it('at one moment: one read a grant, none a call, and nothing is written', async () => {
    const harness = startHarness();
    const held = await manyTokens(harness, 20, 5);
    const tokens = held.flatMap((one) => one.tokens);
    const guarded = secondInstance(harness);
    harness.records.calls.length = 0;
    for (let n = 0; n < 10_000; n++) expect(await call(guarded, tokens[n % tokens.length] as string)).toBe('accepted');
    expect(counted(harness.records.calls)).toEqual({ 'get grant': 20, 'get keySet': 1 });
  });

  it('through ten minutes: one read a grant and five seconds at most', async () => {
    const harness = startHarness();
    const held = await manyTokens(harness, 20, 5);
    const tokens = held.flatMap((one) => one.tokens);
    const guarded = secondInstance(harness);
    harness.records.calls.length = 0;
    const seconds = 600;
    for (let n = 0; n < 10_000; n++) {
      if (n % 500 === 0) harness.clock.seconds += seconds / 20;
      expect(await call(guarded, tokens[(n * 7) % tokens.length] as string)).toBe('accepted');
    }
    const { 'get grant': grants = 0, 'get keySet': keys = 0, ...others } = counted(harness.records.calls);
    // Twenty moments, further apart than an answer counts: each grant is looked at once at each.
    expect(grants).toBe(20 * 20);
    expect(grants).toBeLessThanOrEqual(held.length * (seconds / freshSeconds));
    expect(keys).toBeLessThanOrEqual(1 + seconds / reloadSeconds);
    // Nothing is listed, taken or written; the key set may be put in order when it is read.
    expect(others).toEqual({});
  });

  it('second by second: a grant is read every five, however many calls a second and however they come', async () => {
    const harness = startHarness();
    const held = await manyTokens(harness, 4, 5);
    const tokens = held.flatMap((one) => one.tokens);
    const guarded = secondInstance(harness);
    harness.records.calls.length = 0;
    const seconds = 100;
    for (let second = 0; second < seconds; second++) {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => call(guarded, tokens[n % 20] as string)));
      expect(new Set(answers)).toEqual(new Set(['accepted']));
      harness.clock.seconds += 1;
    }
    expect(counted(harness.records.calls)['get grant']).toBe(held.length * (seconds / freshSeconds));
  });

  it('that are refused: none by made-up tokens, one for ever by an ended grant', async () => {
    const harness = startHarness();
    const [one] = await manyTokens(harness, 1, 1);
    if (!one) throw new Error('no tokens');
    const fields = { client_id: one.clientId, token: one.refreshToken };
    expect((await harness.server.handle(form('/revoke', fields)))?.status).toBe(200);
    const guarded = secondInstance(harness);
    const [token = ''] = one.tokens;
    expect(await call(guarded, token)).toBe('401');
    harness.records.calls.length = 0;
    for (let n = 0; n < 5000; n++) {
      if (n % 1000 === 0) harness.clock.seconds += 10;
      expect(await call(guarded, token)).toBe('401');
      const forged = `${token.slice(0, -8)}${String(n).padStart(8, '0')}`;
      expect(await call(guarded, forged)).toBe('401');
    }
    expect(counted(harness.records.calls)).toEqual({});
  });

  it('with key ids that strangers make up: a look at the keys every five seconds, and no more', async () => {
    const harness = startHarness();
    const [one] = await manyTokens(harness, 1, 1);
    const [, claims = '', signature = ''] = one?.tokens[0]?.split('.') ?? [];
    const guarded = secondInstance(harness);
    harness.records.calls.length = 0;
    const seconds = 50;
    for (let n = 0; n < 10_000; n++) {
      if (n % 200 === 0) harness.clock.seconds += 1;
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `made-up-${n}` })).toString(
        'base64url',
      );
      expect(await call(guarded, `${header}.${claims}.${signature}`)).toBe('401');
    }
    const { 'get keySet': keys = 0, ...others } = counted(harness.records.calls);
    expect(keys).toBeGreaterThan(0);
    expect(keys).toBeLessThanOrEqual(1 + seconds / 5);
    expect(others).toEqual({});
  });
});
