/** A gateway whose tokens KMS signs: throttled or silent, it answers 503 and nobody's code or token is spent (REL-02). */
import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import { kmsSigner } from '../../src/signers/kms-signer.ts';
import { parsed, refusal, request, resource, startHarness, withCode, withTokens } from '../harness.ts';
import { fakeKms } from '../signers/fake-kms.ts';

function start() {
  const client = fakeKms({ tokens: 'RS256' });
  const now = () => 1_800_000_000;
  const signing = kmsSigner({ client, keyId: 'tokens', algorithm: 'RS256', now, timeoutSeconds: 0.05 });
  return { client, harness: startHarness({ signing }) };
}

const away = [503, 'temporarily_unavailable', 'kms.unavailable'];

describe.each(['throttled', 'silent'] as const)('KMS is %s', (how) => {
  it('when a code is redeemed: the same code works afterwards', async () => {
    const { client, harness } = start();
    const { redeem } = await withCode(harness);
    await redeem({ code_verifier: 'x'.repeat(43) });
    client.trouble = (call) => (call === 'sign' ? how : undefined);
    for (let i = 0; i < 3; i++) {
      const reply = await redeem();
      expect(refusal(harness, reply)).toEqual(away);
      expect(reply?.headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' });
    }
    client.trouble = undefined;
    const reply = await redeem();
    expect(reply?.status).toBe(200);
    const token = String(parsed(reply).access_token);
    expect(decodeProtectedHeader(token).alg).toBe('RS256');
    expect(isReply(await harness.server.guard(resource)({ authorization: `Bearer ${token}` }))).toBe(false);
    // A code is still good once.
    expect(refusal(harness, await redeem())).toEqual([400, 'invalid_grant', 'grant.code_replayed']);
  });

  it('when a token is refreshed: the same token works afterwards, and no replay was used up', async () => {
    const { client, harness } = start();
    const { refresh } = await withTokens(harness);
    client.trouble = (call) => (call === 'sign' ? how : undefined);
    for (let i = 0; i < 15; i++) expect(refusal(harness, await refresh())).toEqual(away);
    client.trouble = undefined;
    expect((await refresh())?.status).toBe(200);
    expect(harness.events.at(-1)).toMatchObject({ event: 'token.issued' });
  });
});

it('the metadata names the algorithm', async () => {
  const { harness } = start();
  const reply = await harness.server.handle(request('/.well-known/oauth-authorization-server'));
  expect(parsed(reply).id_token_signing_alg_values_supported).toEqual(['RS256']);
});
