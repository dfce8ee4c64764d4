/** What a budget must not do: let strangers take from people what is theirs, cheaper than without it (SEC-10). */
import { expect, it } from 'vitest';
import { authorizePath, form, hidden, pkce, request, sameOrigin, startHarness, withTokens } from '../harness.ts';

it('strangers who use up the sign-ins to the person’s page keep nobody from revoking', async () => {
  const harness = startHarness({ budgets: { connectionsChange: { total: { burst: 3, perMinute: 1 } } } });
  await withTokens(harness);
  const signIn = async (person = harness.browser()) => {
    const token = hidden(await person.send(request('/connections')), 'token');
    return { person, reply: await person.send(form('/connections/change', { action: 'sign-in', token }, sameOrigin)) };
  };
  const { person, reply } = await signIn();
  const state = new URL(String(reply.headers.location)).searchParams.get('state');
  await person.send(request(`/callback?code=idp-code&state=${state}`));
  const page = await person.send(request('/connections'));
  for (let n = 0; n < 2; n++) expect((await signIn()).reply.status).toBe(303);
  await expect(signIn()).resolves.toMatchObject({ reply: { status: 429 } });
  const [grant] = (await harness.records.list('grant')).items;
  const fields = { action: 'revoke', grant: grant?.id, token: hidden(page, 'token') };
  const revoked = [...page.body.matchAll(/name="token" value="([^"]*)"/g)].map(([, token]) => token);
  const replies = [];
  for (const token of revoked) {
    replies.push((await person.send(form('/connections/change', { ...fields, token }, sameOrigin))).status);
  }
  expect(replies).toContain(303);
  expect(replies).not.toContain(429);
  expect((await harness.records.list('grant')).items[0]?.value.endReason).toBe('revoked');
});

it('five thousand empty requests in a client’s name shut none of its people out', async () => {
  const harness = startHarness();
  const { client } = await withTokens(harness);
  for (let n = 0; n < 5000; n++) await harness.server.handle(request(`/authorize?client_id=${client.client_id}`));
  const reply = await harness.server.handle(request(authorizePath(client.client_id, pkce().challenge)));
  expect(reply?.status).toBe(200);
});
