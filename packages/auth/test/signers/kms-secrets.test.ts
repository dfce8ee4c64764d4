/** Data keys: wrapped in the records, the same for every instance, changed without losing what the old one made. */
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { describe, expect, it } from 'vitest';
import { keyring } from '../../src/sealing/keyring.ts';
import {
  addDataKey,
  type DataKeyRecords,
  kmsSecrets,
  promoteDataKey,
  removeDataKey,
} from '../../src/signers/kms-secrets.ts';
import { fakeKms } from './fake-kms.ts';

const issuer = 'https://auth.example';

function start() {
  const now = () => 1_800_000_000;
  const client = fakeKms();
  const records = memoryRecords<DataKeyRecords>({ kinds: { dataKeys: {} }, now });
  const options = { client, records, keyId: 'alias/gatehouse', issuer, now, timeoutSeconds: 0.05 };
  const ring = async () => keyring(issuer, await kmsSecrets(options));
  return { client, records, options, ring };
}

describe('data keys', () => {
  it('are one for all instances that start at once, and in no record in the clear', async () => {
    const { records, options } = start();
    const all = await Promise.all(Array.from({ length: 8 }, () => kmsSecrets(options)));
    const hex = all.map(([first]) => Buffer.from(first?.secret as Uint8Array).toString('hex'));
    expect(new Set(hex).size).toBe(1);
    expect(hex[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(/^0+$/.test(hex[0] ?? '')).toBe(false);
    const stored = JSON.stringify((await records.list('dataKeys')).items);
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(stored).not.toContain(Buffer.from(hex[0] ?? '', 'hex').toString(encoding));
    }
  });

  it('are changed in three steps, and instances of neighbouring steps understand each other', async () => {
    const { options, ring } = start();
    const before = await ring();
    expect(await addDataKey(options)).toBe('d2');
    const added = await ring();
    expect([before.currentKeyId, added.currentKeyId]).toEqual(['d1', 'd1']);
    expect(await promoteDataKey(options, 'd2')).toBe(true);
    const promoted = await ring();
    expect(promoted.currentKeyId).toBe('d2');
    expect(added.open('place', promoted.seal('place', 'new'))).toBe('new');
    expect(promoted.opened('place', before.seal('place', 'old'))).toEqual({ text: 'old', stale: true });
    expect(await removeDataKey(options, 'd1')).toBe(true);
    const removed = await ring();
    expect(removed.open('place', promoted.seal('place', 'new'))).toBe('new');
    expect(removed.open('place', before.seal('place', 'old'))).toBeUndefined();
  });

  it('refuse what would lose somebody', async () => {
    const { options } = start();
    await kmsSecrets(options);
    expect(await removeDataKey(options, 'd1')).toBe(false);
    expect(await removeDataKey(options, 'd9')).toBe(false);
    expect(await promoteDataKey(options, 'd9')).toBe(false);
    await addDataKey(options);
    await removeDataKey(options, 'd2');
    // An id is never given twice.
    expect(await addDataKey(options)).toBe('d3');
    for (let made = 4; made <= 11; made++) expect(await addDataKey(options)).toBe(`d${made}`);
    expect(await addDataKey(options)).toBeUndefined();
  });

  it('of one deployment are not unwrapped for another', async () => {
    const { options } = start();
    await kmsSecrets(options);
    await expect(kmsSecrets({ ...options, issuer: 'https://other.example' })).rejects.toMatchObject({ status: 503 });
  });

  it.each(['throttled', 'silent'] as const)('%s: 503, nothing half-written, and then they are there', async (how) => {
    const { client, records, options, ring } = start();
    client.trouble = () => how;
    await expect(kmsSecrets(options)).rejects.toMatchObject({ status: 503, reason: 'kms.unavailable' });
    expect((await records.list('dataKeys')).items).toEqual([]);
    client.trouble = undefined;
    expect((await ring()).currentKeyId).toBe('d1');
    client.trouble = () => how;
    await expect(addDataKey(options)).rejects.toMatchObject({ status: 503 });
    await expect(ring()).rejects.toMatchObject({ status: 503 });
  });
});
