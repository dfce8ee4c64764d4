/** The KMS signer: what it makes is what `jose` accepts, and what KMS fails at is 503 and nobody's fault (REL-02). */
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import { signingAlgorithms } from '../../src/oauth/jws.ts';
import { kmsSigner } from '../../src/signers/kms-signer.ts';
import { fakeKms } from './fake-kms.ts';

const keys = { 'es-1': 'ES256', 'es-2': 'ES256', 'rs-1': 'RS256', 'ed-1': 'EdDSA' } as const;

function start() {
  const clock = { seconds: 1_800_000_000 };
  const client = fakeKms(keys);
  const signer = (options: Partial<Parameters<typeof kmsSigner>[0]> = {}) =>
    kmsSigner({
      client,
      keyId: 'es-1',
      algorithm: 'ES256',
      now: () => clock.seconds,
      timeoutSeconds: 0.05,
      ...options,
    });
  return { clock, client, signer };
}

async function refused(work: unknown): Promise<[status: number, reason: string]> {
  try {
    await work;
  } catch (error) {
    if (error instanceof OAuthError) return [error.status, error.reason];
    throw error;
  }
  throw new Error('It was not refused.');
}

describe.each(signingAlgorithms)('%s', (algorithm) => {
  const keyId = `${algorithm.slice(0, 2).toLowerCase()}-1`;

  it('makes tokens that jose verifies with the published keys', async () => {
    const { client, signer } = start();
    const one = signer({ keyId, algorithm });
    const jwks = createLocalJWKSet((await one.jwks()) as JSONWebKeySet);
    for (let i = 0; i < 100; i++) {
      const { payload, protectedHeader } = await jwtVerify(await one.sign('at+jwt', { i }), jwks);
      expect(payload).toEqual({ i });
      expect(protectedHeader).toMatchObject({ alg: algorithm, typ: 'at+jwt' });
    }
    expect(client.calls.filter((call) => call === 'getPublicKey')).toHaveLength(1);
    const [published] = (await one.jwks()).keys;
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(published).not.toHaveProperty(name);
  });

  it('has the same key id in every instance', async () => {
    const { signer } = start();
    const [one, two] = [signer({ keyId, algorithm }), signer({ keyId, algorithm })];
    const { kid = '' } = decodeProtectedHeader(await one.sign('at+jwt', {}));
    expect(kid).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await two.verificationKey(kid)).toMatchObject({ algorithm });
    expect(two.verificationKey('another')).toBeUndefined();
  });
});

it('a token longer than KMS takes is signed by its digest', async () => {
  const { client, signer } = start();
  const one = signer();
  const jwks = createLocalJWKSet((await one.jwks()) as JSONWebKeySet);
  await jwtVerify(await one.sign('at+jwt', { scope: 'x'.repeat(6000) }), jwks);
  expect(client.signed.map(({ messageType, message }) => [messageType, message.length])).toEqual([['DIGEST', 32]]);
});

it('a rotation: published beside, then signing, then only published', async () => {
  const { signer } = start();
  const [first, second] = [
    { keyId: 'es-1', algorithm: 'ES256' },
    { keyId: 'rs-1', algorithm: 'RS256' },
  ] as const;
  const stages = [
    signer({ ...first, otherKeys: [] }),
    signer({ ...first, otherKeys: [second] }),
    signer({ ...second, otherKeys: [first] }),
  ];
  const tokens = await Promise.all(stages.map((one) => one.sign('at+jwt', {})));
  expect(tokens.map((token) => decodeProtectedHeader(token).alg)).toEqual(['ES256', 'ES256', 'RS256']);
  // Neighbours in time run together, and each knows what the other signs.
  for (const [at, neighbour] of [
    [0, 1],
    [1, 0],
    [1, 2],
    [2, 1],
  ] as const) {
    const jwks = createLocalJWKSet((await (stages[neighbour] as (typeof stages)[0]).jwks()) as JSONWebKeySet);
    await jwtVerify(tokens[at] as string, jwks);
  }
});

describe('when KMS fails', () => {
  it.each(['throttled', 'silent'] as const)('%s while the public key is read: 503, and later it works', async (how) => {
    const { clock, client, signer } = start();
    const one = signer();
    client.trouble = () => how;
    for (const work of [
      () => one.ready(),
      () => one.sign('at+jwt', {}),
      () => one.jwks(),
      async () => one.verificationKey('any'),
    ]) {
      expect(await refused(work())).toEqual([503, 'kms.unavailable']);
    }
    // A service in trouble is not asked again by every request.
    expect(client.calls).toEqual(['getPublicKey']);
    client.trouble = undefined;
    clock.seconds += 2;
    await one.ready();
    expect((await one.jwks()).keys).toHaveLength(1);
  });

  it.each(['throttled', 'silent'] as const)('%s while it signs: 503, and tokens are verified on', async (how) => {
    const { client, signer } = start();
    const one = signer();
    const { kid = '' } = decodeProtectedHeader(await one.sign('at+jwt', {}));
    client.trouble = () => how;
    const error = await one.sign('at+jwt', {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 503, code: 'temporarily_unavailable', headers: { 'retry-after': '2' } });
    expect((error as OAuthError).cause).toBeInstanceOf(Error);
    expect(one.verificationKey(kid)).toMatchObject({ algorithm: 'ES256' });
    await one.ready();
    client.trouble = undefined;
    expect(await one.sign('at+jwt', {})).toContain('.');
  });

  it('a hundred first calls ask for the public key once', async () => {
    const { client, signer } = start();
    const one = signer();
    await Promise.all(Array.from({ length: 100 }, () => one.jwks()));
    expect(client.calls).toEqual(['getPublicKey']);
  });

  it('an alias that was pointed at another key signs nothing that anybody gets', async () => {
    const { client, signer } = start();
    client.alias('alias/tokens', 'es-1');
    const one = signer({ keyId: 'alias/tokens' });
    await one.ready();
    client.alias('alias/tokens', 'es-2');
    expect(await refused(one.sign('at+jwt', {}))).toEqual([503, 'kms.other_key']);
  });

  it('a key of another kind than configured is a fault at the first use', async () => {
    await expect(start().signer({ keyId: 'rs-1' }).ready()).rejects.toThrow('The key is none for ES256');
  });
});
