/** The signer whose keys live in the records: one key set for all instances, read again, never stuck (SEC-08, SEC-19). */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { RecordsUnavailableError } from '@mcp-gatehouse/records';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { keyring } from '../../src/sealing/keyring.ts';
import { keySetId } from '../../src/signers/key-set.ts';
import { localSigner } from '../../src/signers/local.ts';
import { database, issuer, secret } from '../harness.ts';

const otherSecret = { id: 'k2', secret: 'another operator secret of thirty-two bytes' };

function start() {
  const clock = { seconds: 1_800_000_000 };
  const now = () => clock.seconds;
  const records = database(now);
  const signer = (secrets = [secret], on = issuer) => localSigner({ records, keyring: keyring(on, secrets), now });
  const kid = async (one: ReturnType<typeof signer>) => decodeProtectedHeader(await one.sign('at+jwt', {})).kid ?? '';
  return { clock, records, signer, kid };
}

/** Lets what was started in the background end. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('signing', () => {
  it('makes a JWS that jose verifies with the published key', async () => {
    const one = start().signer();
    const token = await one.sign('at+jwt', { sub: 'é', n: 1 });
    const { keys } = await one.jwks();
    const { payload, protectedHeader } = await jwtVerify(
      token,
      createPublicKey({ key: keys[0] as JsonWebKey, format: 'jwk' }),
    );
    expect(payload).toEqual({ sub: 'é', n: 1 });
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: keys[0]?.kid });
  });

  it('publishes public members and nothing else', async () => {
    const { keys } = await start().signer().jwks();
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
  });
});

describe('one key set for everybody', () => {
  it('instances that start at once on empty records agree', async () => {
    const { records, signer, kid } = start();
    const instances = Array.from({ length: 8 }, () => signer());
    const kids = await Promise.all(instances.map(kid));
    expect(new Set(kids).size).toBe(1);
    expect((await records.list('keySet')).items).toHaveLength(1);
    for (const one of instances) expect(await one.verificationKey(kids[0] as string)).toBeDefined();
  });

  it('a restart keeps the key', async () => {
    const { signer, kid } = start();
    expect(await kid(signer())).toBe(await kid(signer()));
  });

  it('a new secret in front of the old one keeps the key', async () => {
    const { signer, kid } = start();
    expect(await kid(signer())).toBe(await kid(signer([otherSecret, secret])));
  });

  it('twenty first calls read the records once', async () => {
    const { records, signer } = start();
    await signer().jwks();
    records.calls.length = 0;
    const one = signer();
    await Promise.all(Array.from({ length: 20 }, () => one.sign('at+jwt', {})));
    expect(records.calls).toEqual(['get keySet']);
  });
});

describe('the private key', () => {
  it('is in no record in the clear', async () => {
    const { records, signer } = start();
    await signer().sign('at+jwt', {});
    const stored = (await records.get('keySet', keySetId(issuer)))?.value.keys[0];
    const opened = keyring(issuer, [secret]).open(`keySet ${stored?.kid}`, stored?.sealedPrivateKey ?? '');
    const { d } = JSON.parse(opened ?? '') as { d: string };
    const text = await records.dump();
    expect(d).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(text).not.toContain(d);
    expect(text).not.toContain('"d"');
    expect(text).not.toContain('PRIVATE');
    expect(Buffer.from(stored?.sealedPrivateKey.slice(3) ?? '', 'base64url').includes(d)).toBe(false);
  });

  it.each([
    ['another secret', [otherSecret]],
    ['another secret under the same id', [{ ...otherSecret, id: 'k1' }]],
  ])('does not open with %s, and the error says what to do', async (_, secrets) => {
    const { signer } = start();
    await signer().jwks();
    const one = signer(secrets);
    for (const call of [() => one.jwks(), () => one.sign('at+jwt', {}), async () => one.verificationKey('any')]) {
      await expect(call()).rejects.toThrow(/sealed with another secret\. Put that secret back into `secrets`/);
    }
  });

  it('is of one issuer: another on the same database has keys of its own, and both stay', async () => {
    const { signer, kid } = start();
    const [here, there] = [await kid(signer()), await kid(signer([secret], 'https://other.example'))];
    expect(there).not.toBe(here);
    expect([await kid(signer()), await kid(signer([secret], 'https://other.example'))]).toEqual([here, there]);
  });

  it('moved to another record, does not open', async () => {
    const { records, signer } = start();
    await signer().jwks();
    const stored = await records.get('keySet', keySetId(issuer));
    if (!stored) throw new Error('no keys');
    const keys = stored.value.keys.map((key) => ({ ...key, kid: 'other' }));
    await records.replace('keySet', stored, { current: 'other', keys });
    await expect(signer().jwks()).rejects.toThrow(/sealed with another secret/);
  });
});

describe('reading again', () => {
  it('a storm of unknown key ids reads at most once in five seconds', async () => {
    const { clock, records, signer } = start();
    const one = signer();
    await one.jwks();
    records.calls.length = 0;
    for (let tenths = 0; tenths < 200; tenths++) {
      clock.seconds = 1_800_000_000 + Math.floor(tenths / 10);
      await Promise.all([one.verificationKey(`unknown-${tenths}`), one.verificationKey(`other-${tenths}`)]);
    }
    expect(records.calls).toEqual(['get keySet', 'get keySet', 'get keySet']); // at 5, 10 and 15 of 20 seconds
  });

  it('also while the records are away, when nobody can know whether the key is new', async () => {
    const { clock, records, signer } = start();
    const one = signer();
    await one.jwks();
    clock.seconds += 10;
    records.calls.length = 0;
    records.interfere = () => 'away';
    for (let i = 0; i < 100; i++) {
      await expect((async () => one.verificationKey(`unknown-${i}`))()).rejects.toBeInstanceOf(RecordsUnavailableError);
    }
    expect(records.calls).toHaveLength(1);
    records.interfere = undefined;
    clock.seconds += 5;
    expect(await one.verificationKey('unknown')).toBeUndefined();
    expect(await one.verificationKey('another')).toBeUndefined();
  });

  it('a known key id is answered at once, and the set is read again in the background once a minute', async () => {
    const { clock, records, signer, kid } = start();
    const one = signer();
    const known = await kid(one);
    records.calls.length = 0;
    for (let seconds = 0; seconds < 300; seconds++) {
      clock.seconds += 1;
      for (let i = 0; i < 3; i++) expect(one.verificationKey(known)).toMatchObject({ algorithm: 'ES256' });
      await settled();
    }
    expect(records.calls).toEqual(Array.from({ length: 5 }, () => 'get keySet'));
  });

  it('an instance that slept for long reads the set before it trusts a key in it', async () => {
    const { clock, records, signer, kid } = start();
    const one = signer();
    const known = await kid(one);
    clock.seconds += 24 * 3600;
    await records.take('keySet', keySetId(issuer));
    expect(await one.verificationKey(known)).toBeUndefined();
    expect(await kid(one)).not.toBe(known);
  });

  it('sees a key another instance put there, and lets one go that was taken away', async () => {
    const { clock, records, signer, kid } = start();
    const one = signer();
    const first = await kid(one);
    const mine = await records.take('keySet', keySetId(issuer));
    const second = await kid(signer());
    expect(second).not.toBe(first);
    expect(mine?.current).toBe(first);
    clock.seconds += 5;
    expect(await one.verificationKey(second)).toBeDefined();
    expect(one.verificationKey(first)).toBeUndefined();
    expect(await kid(one)).toBe(second);
  });

  it('signs on with what it has while the database is away', async () => {
    const { clock, records, signer, kid } = start();
    const one = signer();
    const known = await kid(one);
    records.interfere = () => 'away';
    clock.seconds += 3600;
    expect(await kid(one)).toBe(known);
    await settled();
    expect(await kid(one)).toBe(known);
    expect(one.verificationKey(known)).toBeDefined();
  });

  it('a load that failed is tried again', async () => {
    const { records, signer, kid } = start();
    const one = signer();
    records.interfere = () => 'away';
    await expect(one.jwks()).rejects.toBeInstanceOf(RecordsUnavailableError);
    await expect(one.sign('at+jwt', {})).rejects.toBeInstanceOf(RecordsUnavailableError);
    records.interfere = undefined;
    expect((await one.jwks()).keys[0]?.kid).toBe(await kid(one));
  });

  it('keys that were refused for their secret are read again when it is right', async () => {
    const { records, signer } = start();
    const wrong = signer([otherSecret]);
    await signer().jwks();
    await expect(wrong.jwks()).rejects.toThrow(/another secret/);
    await records.take('keySet', keySetId(issuer));
    expect((await wrong.jwks()).keys).toHaveLength(1);
  });
});
