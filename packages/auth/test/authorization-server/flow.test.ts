import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import { form, parsed, resource, signedIn, startHarness } from '../harness.ts';

describe('the whole flow', () => {
  it('ends with a token the guard accepts', async () => {
    const harness = startHarness();
    const { reply, tokens } = await signedIn(harness);
    expect(reply?.status).toBe(200);
    expect(reply?.headers['cache-control']).toBe('no-store');
    expect(tokens.scope).toBe('read write');
    const token = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    if (isReply(token)) throw new Error(token.body);
    expect(token).toMatchObject({
      audience: resource,
      scope: ['read', 'write'],
      identity: { issuer: 'https://idp.example', subject: 'person-1' },
    });
  });

  it('refreshes, and answers the token before once more with the same successor', async () => {
    const harness = startHarness();
    const { client, tokens } = await signedIn(harness);
    const refresh = () =>
      harness.server.handle(
        form('/token', {
          grant_type: 'refresh_token',
          client_id: client.client_id,
          refresh_token: tokens.refresh_token,
        }),
      );
    const first = parsed(await refresh());
    const second = parsed(await refresh());
    expect(first.refresh_token).not.toBe(tokens.refresh_token);
    expect(second.refresh_token).toBe(first.refresh_token);
    expect(harness.events.map(({ event }) => event)).toContain('grant.grace_replay');
  });
});
