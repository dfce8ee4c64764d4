/** Keys read from the records by a process without the operator's secret: what it sees, when, and how often it looks. */
import { describe, expect, it } from 'vitest';
import { guard, isReply } from '../../src/resource-server/guard.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { recordedKeys } from '../../src/signers/recorded-keys.ts';
import { revokeKey, rotateKeys } from '../../src/signers/rotation.ts';
import { issuer, resource, secret, startHarness, withTokens } from '../harness.ts';

async function scene() {
  const harness = startHarness();
  const { tokens, refresh } = await withTokens(harness);
  const state = { opened: 0, openable: true };
  const now = () => harness.clock.seconds;
  const keys = recordedKeys({
    issuer,
    now,
    records: async () => {
      if (!state.openable) throw new Error('cannot be opened');
      state.opened += 1;
      return harness.records;
    },
  });
  const seen: Array<{ reason: string; status: number }> = [];
  const check = guard({
    issuer,
    resource: { uri: resource, scopes: { read: 'read', write: 'write' } },
    keys,
    now,
    onRefusal: ({ reason, status }) => seen.push({ reason, status }),
  });
  const judge = async (token: string): Promise<number> => {
    const result = await check({ authorization: `Bearer ${token}` });
    return isReply(result) ? result.status : 200;
  };
  const reads = () => harness.records.calls.filter((call) => call === 'get keySet').length;
  const [header = '', claims = ''] = tokens.access_token.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  const unknown = (name: string) =>
    `${Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: name })).toString('base64url')}.${claims}.${'A'.repeat(86)}`;
  const rotation = () => ({ records: harness.records, keyring: keyring(issuer, [secret]), now: now() });
  harness.records.calls.length = 0;
  return { harness, token: tokens.access_token, refresh, keys, judge, reads, seen, state, kid, unknown, rotation };
}

describe('recorded keys', () => {
  it('verify what the server signed, with one read a minute, and write nothing', async () => {
    const { harness, token, judge, reads, state } = await scene();
    expect(state.opened).toBe(0);
    for (let turn = 0; turn < 5; turn++) expect(await judge(token)).toBe(200);
    expect(reads()).toBe(1);
    harness.clock.seconds += 59;
    expect(await judge(token)).toBe(200);
    expect(reads()).toBe(1);
    harness.clock.seconds += 1;
    expect(await judge(token)).toBe(200);
    expect(reads()).toBe(2);
    expect(new Set(harness.records.calls)).toEqual(new Set(['get keySet']));
  });

  it('let go of a key that was revoked within a minute', async () => {
    const { harness, token, judge, rotation, kid, seen } = await scene();
    expect(await judge(token)).toBe(200);
    await rotateKeys({ ...rotation(), atOnce: true });
    harness.clock.seconds += 20;
    expect(await judge(token)).toBe(200); // retired, and not revoked
    expect(await revokeKey(rotation(), kid)).toBe('revoked');
    harness.clock.seconds += 60;
    expect(await judge(token)).toBe(401);
    expect(seen.at(-1)).toEqual({ reason: 'token.key_unknown', status: 401 });
  });

  it('strangers’ key ids cause a read in five seconds at most', async () => {
    const { harness, token, judge, reads, unknown } = await scene();
    expect(await judge(token)).toBe(200);
    for (let turn = 0; turn < 50; turn++) expect(await judge(unknown(`made-up-${turn}`))).toBe(401);
    expect(reads()).toBe(1);
    harness.clock.seconds += 5;
    await Promise.all(Array.from({ length: 50 }, (_, turn) => judge(unknown(`another-${turn}`))));
    expect(reads()).toBe(2);
  });

  it('records that are away stop no verification of what is known, and refuse nothing for good', async () => {
    const { harness, token, judge, reads, unknown, seen } = await scene();
    expect(await judge(token)).toBe(200);
    harness.records.interfere = () => 'away';
    harness.clock.seconds += 300;
    expect(await judge(token)).toBe(200);
    expect(await judge(unknown('new'))).toBe(503);
    expect(seen.at(-1)).toEqual({ reason: 'guard.fault', status: 503 });
    const before = reads();
    for (let turn = 0; turn < 20; turn++) expect(await judge(unknown('new'))).toBe(503);
    expect(reads()).toBe(before);
    harness.records.interfere = undefined;
    harness.clock.seconds += 5;
    expect(await judge(unknown('new'))).toBe(401);
    expect(await judge(token)).toBe(200);
  });

  it('records that could not be opened are opened by a later call', async () => {
    const { harness, token, judge, state } = await scene();
    state.openable = false;
    expect(await judge(token)).toBe(503);
    state.openable = true;
    harness.clock.seconds += 5;
    expect(await judge(token)).toBe(200);
  });

  it('a database without a key of this issuer is a fault: nobody’s good token is called bad', async () => {
    const empty = startHarness();
    const { token } = await scene();
    const keys = recordedKeys({ issuer, now: () => empty.clock.seconds, records: async () => empty.records });
    await expect((async () => keys.verificationKey('any'))()).rejects.toThrow(/no signing key/);
    expect(token).toBeTypeOf('string');
  });
});
