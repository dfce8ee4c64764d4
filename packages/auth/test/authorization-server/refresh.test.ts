/** The token endpoint, refresh grant: rotation, grace, replay, races (OAuth 2.1 §4.3). */
import { beforeEach, describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import {
  form,
  type Harness,
  parsed,
  refusal,
  registerClient,
  resource,
  secondInstance,
  secret,
  startHarness,
  type TokenAnswer,
  withTokens,
} from '../harness.ts';

let harness: Harness;
beforeEach(() => {
  harness = startHarness();
});

const invalidGrant = (reason: string) => [400, 'invalid_grant', reason];
const tokensOf = (reply: Parameters<typeof parsed>[0]) => parsed(reply) as unknown as TokenAnswer;
const generationOf = (token: string) => Number(token.split('.')[2]);
const grant = async () => (await harness.records.list('grant')).items[0]?.value;
async function guarded(token: string): Promise<number> {
  const result = await harness.server.guard(resource)({ authorization: `Bearer ${token}` });
  return isReply(result) ? result.status : 200;
}

describe('rotation', () => {
  it('every refresh gives new tokens, and they work', async () => {
    const { refresh, tokens } = await withTokens(harness);
    let current = tokens;
    for (let n = 2; n < 12; n++) {
      harness.clock.seconds += 600;
      const reply = await refresh({ refresh_token: current.refresh_token });
      expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
      const next = tokensOf(reply);
      expect(generationOf(next.refresh_token)).toBe(n);
      expect(next.access_token).not.toBe(current.access_token);
      expect(await guarded(next.access_token)).toBe(200);
      current = next;
    }
    expect(current.scope).toBe('read write');
  });

  it('a confidential client rotates too, and proves itself every time', async () => {
    const { refresh } = await withTokens(harness, { token_endpoint_auth_method: 'client_secret_post' });
    expect(refusal(harness, await refresh({ client_secret: undefined }))).toEqual([
      401,
      'invalid_client',
      'client.secret_missing',
    ]);
    expect(refusal(harness, await refresh({ client_secret: 'x' }))).toEqual([
      401,
      'invalid_client',
      'client.secret_wrong',
    ]);
    expect((await refresh())?.status).toBe(200);
  });

  it('a narrower scope is for this access token alone', async () => {
    const { refresh } = await withTokens(harness);
    const narrow = tokensOf(await refresh({ scope: 'read' }));
    expect(narrow.scope).toBe('read');
    expect(tokensOf(await refresh({ refresh_token: narrow.refresh_token })).scope).toBe('read write');
    expect((await grant())?.scope).toEqual(['read', 'write']);
  });

  it('unknown scopes beside known ones are dropped', async () => {
    const { refresh } = await withTokens(harness);
    expect(tokensOf(await refresh({ scope: ' write offline_access' })).scope).toBe('write');
  });

  it.each([
    ['the same resource', resource],
    ['its host in capitals', 'https://AUTH.example/mcp'],
  ])('%s may be named', async (_, named) => {
    const { refresh } = await withTokens(harness);
    expect((await refresh({ resource: named }))?.status).toBe(200);
  });

  it('goes on with a new secret in front of the old one', async () => {
    const { tokens, refresh } = await withTokens(harness);
    const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
    const { records, clock } = harness;
    const after = startHarness({ secrets: [fresh, secret], records, now: () => clock.seconds });
    const next = tokensOf(await refresh({}, after.server));
    expect(next.refresh_token).toMatch(/^ghr_k2\./);
    expect(generationOf(next.refresh_token)).toBe(generationOf(tokens.refresh_token) + 1);
    const only = startHarness({ secrets: [fresh], records, now: () => clock.seconds });
    // The client's own id is from the old secret: gone with it.
    expect(refusal(only, await refresh({}, only.server))).toEqual([401, 'invalid_client', 'client.unknown']);
  });
});

describe('refused, nothing changes, and the right request succeeds afterwards', () => {
  const forged = 'refresh.forged';
  it.each<[string, (token: string) => Record<string, string | undefined>, readonly unknown[]]>([
    ['no token', () => ({ refresh_token: undefined }), [400, 'invalid_request', 'refresh.missing']],
    ['nonsense', () => ({ refresh_token: 'x' }), invalidGrant(forged)],
    ['another MAC', (token) => ({ refresh_token: token.slice(0, -43) + 'A'.repeat(43) }), invalidGrant(forged)],
    ['a cut MAC', (token) => ({ refresh_token: token.slice(0, -1) }), invalidGrant(forged)],
    ['the next generation', (token) => ({ refresh_token: token.replace('.1.', '.2.') }), invalidGrant(forged)],
    ['generation zero', (token) => ({ refresh_token: token.replace('.1.', '.0.') }), invalidGrant(forged)],
    [
      'another grant',
      (token) => ({ refresh_token: token.replace(/\.[^.]{22}\./, `.${'A'.repeat(22)}.`) }),
      invalidGrant(forged),
    ],
    [
      'another resource',
      () => ({ resource: 'https://other.example' }),
      [400, 'invalid_target', 'grant.other_resource'],
    ],
  ])('%s', async (_, changes, expected) => {
    const { refresh, tokens } = await withTokens(harness);
    const before = await harness.records.dump();
    expect(refusal(harness, await refresh(changes(tokens.refresh_token)))).toEqual(expected);
    expect(await harness.records.dump()).toBe(before);
    expect((await refresh())?.status).toBe(200);
  });

  it('another client, also with an old token', async () => {
    const { refresh, tokens } = await withTokens(harness);
    const { client_id: other } = await registerClient(harness);
    expect(refusal(harness, await refresh({ client_id: other }))).toEqual(invalidGrant('grant.other_client'));
    const second = tokensOf(await refresh());
    await refresh({ refresh_token: second.refresh_token });
    const stolen = { client_id: other, refresh_token: tokens.refresh_token };
    expect(refusal(harness, await refresh(stolen))).toEqual(invalidGrant('grant.other_client'));
    expect((await grant())?.endedAt).toBeUndefined();
  });

  it('a genuine token from before a back-up was restored', async () => {
    const { refresh } = await withTokens(harness);
    const backup = await harness.records.list('grant');
    const next = tokensOf(await refresh());
    const [old] = backup.items;
    const [now] = (await harness.records.list('grant')).items;
    if (!old || !now) throw new Error('no grant');
    await harness.records.replace('grant', now, old.value, old.expiresAt);
    expect(refusal(harness, await refresh({ refresh_token: next.refresh_token }))).toEqual(
      invalidGrant('grant.generation'),
    );
    expect((await refresh())?.status).toBe(200);
  });
});

describe('the token before', () => {
  it('is answered with the same successor for sixty seconds, and that is logged', async () => {
    const { refresh } = await withTokens(harness);
    const first = tokensOf(await refresh());
    harness.clock.seconds += 60;
    harness.events.length = 0;
    const again = tokensOf(await refresh());
    expect(again.refresh_token).toBe(first.refresh_token);
    expect(again.access_token).not.toBe(first.access_token);
    expect(harness.events.map(({ event }) => event)).toEqual(['grant.grace_replay']);
    expect((await refresh({ refresh_token: first.refresh_token }))?.status).toBe(200);
  });

  it('ends the grant after that, and every access token with it', async () => {
    const { refresh, tokens } = await withTokens(harness);
    const first = tokensOf(await refresh());
    expect(await guarded(tokens.access_token)).toBe(200);
    expect(await guarded(first.access_token)).toBe(200);
    harness.clock.seconds += 61;
    expect(refusal(harness, await refresh())).toEqual(invalidGrant('grant.refresh_token_replayed'));
    expect(await grant()).toMatchObject({ endedAt: harness.clock.seconds, endReason: 'refresh_token_replayed' });
    expect(refusal(harness, await refresh({ refresh_token: first.refresh_token }))).toEqual(
      invalidGrant('grant.ended'),
    );
    for (const { access_token: token } of [tokens, first]) expect(await guarded(token)).toBe(401);
  });

  it('and an ended grant is kept for as long as its last access token could live, not for thirty days', async () => {
    const { refresh } = await withTokens(harness);
    await refresh();
    harness.clock.seconds += 61;
    await refresh();
    const [ended] = (await harness.records.list('grant')).items;
    expect(ended?.value.endReason).toBe('refresh_token_replayed');
    expect(ended?.expiresAt).toBe(harness.clock.seconds + 900 + 300);
  });

  it('ends it at once when it is older than one', async () => {
    const { refresh, tokens } = await withTokens(harness);
    const second = tokensOf(await refresh());
    const third = tokensOf(await refresh({ refresh_token: second.refresh_token }));
    expect(refusal(harness, await refresh({ refresh_token: tokens.refresh_token }))).toEqual(
      invalidGrant('grant.refresh_token_replayed'),
    );
    expect(refusal(harness, await refresh({ refresh_token: third.refresh_token }))).toEqual(
      invalidGrant('grant.ended'),
    );
  });

  it('is answered ten times in a generation, and the count begins anew in the next', async () => {
    const { refresh, tokens } = await withTokens(harness);
    const second = tokensOf(await refresh());
    for (let i = 0; i < 10; i++) expect((await refresh())?.status).toBe(200);
    const third = tokensOf(await refresh({ refresh_token: second.refresh_token }));
    for (let i = 0; i < 10; i++) expect((await refresh({ refresh_token: second.refresh_token }))?.status).toBe(200);
    expect(refusal(harness, await refresh({ refresh_token: second.refresh_token }))).toEqual(
      invalidGrant('grant.refresh_token_replayed'),
    );
    expect(third.refresh_token).not.toBe(tokens.refresh_token);
  });

  it('by settings: no grace at all', async () => {
    harness = startHarness({ lifetimes: { graceSeconds: 0, graceReplays: 0 } });
    const { refresh } = await withTokens(harness);
    await refresh();
    expect(refusal(harness, await refresh())).toEqual(invalidGrant('grant.refresh_token_replayed'));
  });
});

describe('races', () => {
  it('eight parallel refreshes on two instances end in one generation, with the same successor', async () => {
    const { refresh } = await withTokens(harness);
    const other = secondInstance(harness);
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, i) => refresh({}, (i % 2 ? harness : other).server)),
    );
    expect(replies.map((reply) => reply?.status)).toEqual(Array(8).fill(200));
    const successors = new Set(replies.map((reply) => tokensOf(reply).refresh_token));
    expect(successors.size).toBe(1);
    expect(await grant()).toMatchObject({ generation: 2, graceReplays: 7 });
    const [successor = ''] = successors;
    expect((await refresh({ refresh_token: successor }))?.status).toBe(200);
  });

  it('a replay and a refresh at once: the grant is over, whoever was first', async () => {
    const { refresh, tokens } = await withTokens(harness);
    const second = tokensOf(await refresh());
    const third = tokensOf(await refresh({ refresh_token: second.refresh_token }));
    const [stolen] = await Promise.all([
      refresh({ refresh_token: tokens.refresh_token }),
      refresh({ refresh_token: third.refresh_token }),
    ]);
    expect(stolen?.status).toBe(400);
    expect(await grant()).toMatchObject({ endReason: 'refresh_token_replayed' });
  });
});

describe('time', () => {
  const day = 24 * 3600;
  it('a token that is not used for thirty days is dead', async () => {
    const { refresh } = await withTokens(harness);
    harness.clock.seconds += 30 * day - 1;
    const next = tokensOf(await refresh());
    harness.clock.seconds += 30 * day;
    expect(refusal(harness, await refresh({ refresh_token: next.refresh_token }))).toEqual(
      invalidGrant('grant.unknown'),
    );
  });

  it('however often it is refreshed, a grant ends after a year, and its last access token with it', async () => {
    harness = startHarness({ lifetimes: { unconfirmedSeconds: 365 * day } });
    const { refresh, tokens } = await withTokens(harness);
    const end = harness.clock.seconds + 365 * day;
    let token = tokens.refresh_token;
    while (harness.clock.seconds + 20 * day < end) {
      harness.clock.seconds += 20 * day;
      token = tokensOf(await refresh({ refresh_token: token })).refresh_token;
    }
    harness.clock.seconds = end - 1;
    const last = tokensOf(await refresh({ refresh_token: token }));
    expect(await guarded(last.access_token)).toBe(200);
    harness.clock.seconds = end;
    expect(refusal(harness, await refresh({ refresh_token: last.refresh_token }))).toEqual(
      invalidGrant('grant.unknown'),
    );
    harness.clock.seconds = end + 5;
    expect(await guarded(last.access_token)).toBe(401);
  });
});

it('a scope of the resource that was not granted is refused; one that nobody knows is not missed', async () => {
  const { refresh, tokens } = await withTokens(harness, {}, { scope: 'read' });
  expect(refusal(harness, await refresh({ scope: 'write' }))).toEqual([400, 'invalid_scope', 'grant.scope']);
  expect(tokensOf(await refresh({ refresh_token: tokens.refresh_token, scope: 'openid' })).scope).toBe('read');
});

it('a hundred forged tokens write nothing and end nothing', async () => {
  const { client, tokens, refresh } = await withTokens(harness);
  const [start, , generation] = tokens.refresh_token.split('.');
  harness.records.calls.length = 0;
  for (let i = 0; i < 100; i++) {
    const id = Buffer.from(String(i).padStart(16)).toString('base64url');
    const forged = `${start}.${id}.${generation}.${'A'.repeat(43)}`;
    const fields = { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: forged };
    expect((await harness.server.handle(form('/token', fields)))?.status).toBe(400);
  }
  expect(harness.records.calls).toEqual([]);
  expect((await refresh())?.status).toBe(200);
});
