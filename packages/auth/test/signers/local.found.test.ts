/** A fault found in src/signers/local.ts; the test passes once it is mended. */
import { expect, it } from 'vitest';
import { keyring } from '../../src/sealing/keyring.ts';
import { localSigner } from '../../src/signers/local.ts';
import { database, issuer, secret } from '../harness.ts';

// `loadedAt` is only moved by a load that succeeds. While the records are away every token with a made-up key id makes
// one more read, one after the other: the flood the five seconds are there for falls on a database that is already down.
it('a storm of unknown key ids reads at most once in five seconds, also while the records are away', async () => {
  const clock = { seconds: 1_800_000_000 };
  const now = () => clock.seconds;
  const records = database(now);
  const signer = localSigner({ records, keyring: keyring(issuer, [secret]), now });
  await signer.jwks();
  clock.seconds += 10;
  records.calls.length = 0;
  records.interfere = () => 'away';
  for (let i = 0; i < 100; i++) {
    await Promise.resolve(signer.verificationKey(`unknown-${i}`)).catch(() => undefined);
  }
  expect(records.calls.length).toBeLessThanOrEqual(1);
});
