/** Rotation by time: what is published when, who signs with what, and that any number of instances agree (RFC 7517 §5). */
import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { keyring } from '../../src/sealing/keyring.ts';
import { keptSeconds, keySetId, maxKeys, overlapSeconds, promptSeconds } from '../../src/signers/key-set.ts';
import { localSigner } from '../../src/signers/local.ts';
import { listKeys, pruneKeys, revokeKey, rotateKeys } from '../../src/signers/rotation.ts';
import type { Signer, SigningAlgorithm } from '../../src/signers/signer.ts';
import { database, issuer, secret } from '../harness.ts';

const newSecret = { id: 'k2', secret: 'another operator secret of thirty-two bytes' };
const begin = 1_800_000_000;

function start() {
  const clock = { seconds: begin };
  const now = () => clock.seconds;
  const records = database(now);
  const instance = (secrets = [secret], algorithm: SigningAlgorithm = 'ES256') =>
    localSigner({ records, keyring: keyring(issuer, secrets), now, algorithm });
  const operator = (secrets = [secret]) => ({ records, keyring: keyring(issuer, secrets), now: now() });
  return {
    clock,
    records,
    instance,
    operator,
    stored: async () => (await records.get('keySet', keySetId(issuer)))?.value,
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? '';
const published = async (signer: Signer) => (await signer.jwks()).keys.map(({ kid }) => kid);

/** Is the token good at this instance? */
async function accepts(signer: Signer, token: string): Promise<boolean> {
  const end = token.lastIndexOf('.');
  const key = await signer.verificationKey(kidOf(token));
  return key?.verify(token.slice(0, end), token.slice(end + 1)) ?? false;
}

describe('a rotation', () => {
  it('publishes first, signs later, keeps the old key for as long as its tokens live, then drops it', async () => {
    const { clock, instance, operator, stored } = start();
    const [one, two] = [instance(), instance()];
    const old = kidOf(await one.sign('at+jwt', {}));
    await two.jwks();
    const rotation = await rotateKeys(operator());
    if (rotation.outcome !== 'rotated') throw new Error(rotation.outcome);
    expect(rotation).toMatchObject({ algorithm: 'ES256', signsFrom: begin + overlapSeconds });
    clock.seconds += 60;
    for (const signer of [one, two]) {
      await signer.jwks();
      await settled();
      expect(await published(signer)).toEqual([old, rotation.kid]);
      expect(kidOf(await signer.sign('at+jwt', {}))).toBe(old);
    }
    clock.seconds = rotation.signsFrom - 1;
    expect(kidOf(await one.sign('at+jwt', {}))).toBe(old);
    // Without reading anything again: the time alone decides.
    clock.seconds = rotation.signsFrom;
    expect(kidOf(await one.sign('at+jwt', {}))).toBe(rotation.kid);
    expect(kidOf(await two.sign('at+jwt', {}))).toBe(rotation.kid);

    clock.seconds = rotation.signsFrom + keptSeconds - 1;
    expect(await published(one)).toEqual([old, rotation.kid]);
    clock.seconds += 301;
    expect(await published(one)).toEqual([rotation.kid]);
    expect(await one.verificationKey(old)).toBeUndefined();
    expect((await stored())?.keys.map(({ kid }) => kid)).toEqual([rotation.kid]);
  });

  it('destroys the private half of the key that signs no more', async () => {
    const { clock, instance, operator, stored } = start();
    await instance().jwks();
    await rotateKeys({ ...operator(), atOnce: true });
    clock.seconds += promptSeconds;
    expect((await stored())?.keys.filter((key) => key.sealedPrivateKey === '')).toHaveLength(0);
    await instance().jwks();
    const keys = (await stored())?.keys ?? [];
    expect(keys.map((key) => key.sealedPrivateKey !== '')).toEqual([false, true]);
  });

  it('in an emergency signs within seconds, and no instance of ours refuses what another signs', async () => {
    const { clock, instance, operator } = start();
    const [signing, asked, idle] = [instance(), instance(), instance()];
    for (const signer of [signing, asked, idle]) await signer.jwks();
    clock.seconds += 100;
    // Read just before: the rotation is not in it, and the budget for reading again is spent.
    expect(await asked.verificationKey('made-up')).toBeUndefined();
    const rotation = await rotateKeys({ ...operator(), atOnce: true });
    if (rotation.outcome !== 'rotated') throw new Error(rotation.outcome);
    for (let second = 0; second < 30; second++) {
      clock.seconds += 1;
      await signing.verificationKey('also-made-up');
      const token = await signing.sign('at+jwt', { second });
      if (clock.seconds >= rotation.signsFrom) expect(kidOf(token)).toBe(rotation.kid);
      for (const signer of [asked, idle]) expect(await accepts(signer, token)).toBe(true);
    }
  });

  it('asked for twenty times at once is one rotation', async () => {
    const { instance, operator, stored } = start();
    await instance().jwks();
    const all = await Promise.all(Array.from({ length: 20 }, () => rotateKeys(operator())));
    expect(all.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1);
    expect(new Set(all.map((one) => 'kid' in one && one.kid)).size).toBe(1);
    expect((await stored())?.keys).toHaveLength(2);
  });

  it('that is under way is hurried by --now', async () => {
    const { instance, operator, clock } = start();
    const one = instance();
    await one.jwks();
    const first = await rotateKeys(operator());
    const hurried = await rotateKeys({ ...operator(), atOnce: true });
    expect(hurried).toEqual({ ...first, signsFrom: begin + promptSeconds });
    expect(await rotateKeys(operator())).toEqual({ ...hurried, outcome: 'pending' });
    clock.seconds += 300;
    expect(kidOf(await one.sign('at+jwt', {}))).toBe('kid' in first && first.kid);
  });

  it('to another algorithm while one is under way takes its place, and the first stays published', async () => {
    const { instance, operator, clock } = start();
    const one = instance();
    const old = kidOf(await one.sign('at+jwt', {}));
    const first = await rotateKeys(operator());
    const second = await rotateKeys({ ...operator(), algorithm: 'EdDSA' });
    if (first.outcome === 'full' || second.outcome === 'full') throw new Error('full');
    expect(second).toMatchObject({ outcome: 'rotated', algorithm: 'EdDSA' });
    clock.seconds = second.signsFrom + 60;
    const other = instance();
    expect(await published(other)).toEqual([old, first.kid, second.kid]);
    expect(decodeProtectedHeader(await other.sign('at+jwt', {}))).toMatchObject({ alg: 'EdDSA', kid: second.kid });
  });

  it('before there is any key makes the first', async () => {
    const { instance, operator } = start();
    const made = await rotateKeys({ ...operator(), algorithm: 'RS256' });
    expect(made).toMatchObject({ outcome: 'rotated', signsFrom: begin });
    expect(decodeProtectedHeader(await instance().sign('at+jwt', {}))).toMatchObject({ alg: 'RS256' });
  });

  it('with another secret changes nothing', async () => {
    const { instance, operator, stored } = start();
    await instance().jwks();
    const before = await stored();
    await expect(rotateKeys(operator([newSecret]))).rejects.toThrow(/sealed with another secret/);
    expect(await stored()).toEqual(before);
  });

  it('cannot be done so often that the record outgrows a database', async () => {
    const { clock, instance, operator, stored } = start();
    await instance().jwks();
    const outcomes: string[] = [];
    for (let i = 0; i < maxKeys + 5; i++) {
      outcomes.push((await rotateKeys({ ...operator(), atOnce: true })).outcome);
      clock.seconds += promptSeconds;
    }
    expect(outcomes.slice(0, maxKeys - 1).every((outcome) => outcome === 'rotated')).toBe(true);
    expect(outcomes.slice(maxKeys - 1).every((outcome) => outcome === 'full')).toBe(true);
    expect((await stored())?.keys).toHaveLength(maxKeys);
    clock.seconds += keptSeconds;
    expect((await rotateKeys(operator())).outcome).toBe('rotated');
  });

  it.each<[SigningAlgorithm, SigningAlgorithm]>([
    ['ES256', 'RS256'],
    ['RS256', 'EdDSA'],
    ['EdDSA', 'ES256'],
  ])('from %s to %s: tokens of both are good, and each is published as what it is', async (from, to) => {
    const { clock, instance, operator } = start();
    const one = instance([secret], from);
    const before = await one.sign('at+jwt', {});
    expect(one.algorithms).toEqual([from]);
    await rotateKeys({ ...operator(), algorithm: to, atOnce: true });
    clock.seconds += 300;
    const after = await one.sign('at+jwt', {});
    expect([before, after].map((token) => decodeProtectedHeader(token).alg)).toEqual([from, to]);
    for (const token of [before, after]) expect(await accepts(one, token)).toBe(true);
    expect(one.algorithms).toEqual([from, to]);
    const { keys } = await one.jwks();
    expect(keys.map(({ alg, kty }) => [alg, kty])).toEqual(
      [from, to].map((alg) => [alg, { ES256: 'EC', RS256: 'RSA', EdDSA: 'OKP' }[alg]]),
    );
    for (const key of keys) for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(key).not.toHaveProperty(name);
  });
});

describe('revoking a key', () => {
  it('ends the tokens it signed everywhere within a minute, and the next key signs', async () => {
    const { clock, instance, operator } = start();
    const [one, two] = [instance(), instance()];
    const token = await one.sign('at+jwt', {});
    expect(await accepts(two, token)).toBe(true);
    expect(await revokeKey(operator(), kidOf(token))).toBe('only');
    expect(await accepts(two, token)).toBe(true);
    await rotateKeys({ ...operator(), atOnce: true });
    expect(await revokeKey(operator(), kidOf(token))).toBe('revoked');
    clock.seconds += 60;
    for (const signer of [one, two]) {
      await accepts(signer, token); // starts the reading
      await settled();
      expect(await accepts(signer, token)).toBe(false);
      expect(kidOf(await signer.sign('at+jwt', {}))).not.toBe(kidOf(token));
    }
  });

  it('that was to be the next leaves the current one in office', async () => {
    const { clock, instance, operator, stored } = start();
    const one = instance();
    const current = kidOf(await one.sign('at+jwt', {}));
    const rotation = await rotateKeys(operator());
    expect(await revokeKey(operator(), 'kid' in rotation ? rotation.kid : '')).toBe('revoked');
    clock.seconds += overlapSeconds + keptSeconds + 1;
    expect(kidOf(await instance().sign('at+jwt', {}))).toBe(current);
    expect((await stored())?.keys[0]).not.toHaveProperty('retiredAt');
    expect(await revokeKey(operator(), 'nobody')).toBe('unknown');
    expect((await rotateKeys(operator())).outcome).toBe('rotated');
  });
});

describe('looking and pruning', () => {
  it('shows what each key is for, and which secret it still needs', async () => {
    const { clock, instance, operator } = start();
    expect(await listKeys(operator())).toEqual([]);
    expect(await pruneKeys(operator())).toEqual([]);
    await instance().jwks();
    const rotation = await rotateKeys(operator());
    if (rotation.outcome !== 'rotated') throw new Error(rotation.outcome);
    const publishedUntil = rotation.signsFrom + keptSeconds;
    expect(await listKeys(operator())).toMatchObject([
      { state: 'current', sealedWith: 'k1', publishedUntil },
      { state: 'next', sealedWith: 'k1', signsFrom: rotation.signsFrom },
    ]);
    clock.seconds = rotation.signsFrom;
    const shown = await listKeys(operator());
    expect(shown).toMatchObject([
      { state: 'retired', publishedUntil },
      { state: 'current', sealedWith: 'k1' },
    ]);
    expect(shown[0]).not.toHaveProperty('sealedWith');
    expect(JSON.stringify(shown)).not.toContain('sealedPrivateKey');
    expect(await pruneKeys(operator())).toEqual([]);
    clock.seconds = publishedUntil;
    expect(await pruneKeys(operator([newSecret, secret]))).toEqual([shown[0]?.kid]);
    expect(await listKeys(operator())).toMatchObject([{ state: 'current', sealedWith: 'k2' }]);
  });
});

describe('re-sealing on read', () => {
  it('moves the key to the new secret, so that the old one can go', async () => {
    const { instance, operator } = start();
    const token = await instance().sign('at+jwt', {});
    await instance([newSecret, secret]).jwks();
    expect(await listKeys(operator())).toMatchObject([{ sealedWith: 'k2' }]);
    expect(kidOf(await instance([newSecret]).sign('at+jwt', {}))).toBe(kidOf(token));
  });

  it('two instances with another order of secrets do not undo each other’s work for ever', async () => {
    const { clock, records, instance } = start();
    const [old, fresh] = [instance([secret, newSecret]), instance([newSecret, secret])];
    for (let minute = 0; minute < 10; minute++) {
      for (const signer of [old, fresh]) {
        await signer.jwks();
        await settled();
      }
      clock.seconds += 60;
    }
    expect(records.calls.filter((call) => call === 'replace keySet').length).toBeLessThanOrEqual(2);
  });

  it('that cannot be written is no reason not to sign', async () => {
    for (const how of ['away', 'contended'] as const) {
      const { records, instance } = start();
      const token = await instance().sign('at+jwt', {});
      records.interfere = (verb) => (verb === 'replace' ? how : undefined);
      expect(kidOf(await instance([newSecret, secret]).sign('at+jwt', {}))).toBe(kidOf(token));
    }
  });
});
