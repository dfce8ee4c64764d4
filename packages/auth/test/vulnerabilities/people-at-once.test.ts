/** Many people at once are never taken for one another (shared state swaps users under load: CVE-2026-33544, CVE-2026-25536). */
import { setImmediate as turn } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { expect, it } from 'vitest';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import {
  consented,
  fakeIdentityProvider,
  form,
  parsed,
  pkce,
  redirectUri,
  registerClient,
  request,
  resource,
  startHarness,
} from '../harness.ts';

const people = 60;

/** Waits so many turns of the event loop that requests end in another order than they came in, the same every time. */
async function wander(seed: number): Promise<void> {
  for (let i = (seed * 7919) % 13; i > 0; i--) await turn();
}

it('each gets the token of whom they signed in as, with the scope and the state they asked for', async () => {
  const provider = fakeIdentityProvider();
  const harness = startHarness({
    identityProvider: {
      ...provider,
      async finish(query, binding, callbackUrl) {
        const name = query.get('code') ?? '';
        await wander(Number(name.slice(1)));
        const answer = await provider.finish(query, binding, callbackUrl);
        return { ...answer, identity: { issuer: 'https://idp.example', subject: name } };
      },
    },
  });
  const one = async (n: number) => {
    await wander(n);
    const { client_id } = await registerClient(harness, { client_name: `Client ${n}` });
    const { verifier, challenge } = pkce();
    const scope = n % 2 === 0 ? 'read' : 'read write';
    const { person, page, state } = await consented(harness, client_id, challenge, { state: `state-${n}`, scope });
    await wander(n + 1);
    const reply = await person.send(request(`/callback?code=p${n}&state=${state}`));
    const back = new URL(String(reply.headers.location));
    const fields = { grant_type: 'authorization_code', client_id, redirect_uri: redirectUri, code_verifier: verifier };
    const code = back.searchParams.get('code') ?? '';
    const first = parsed(await harness.server.handle(form('/token', { ...fields, code })));
    await wander(n + 2);
    const refresh = { grant_type: 'refresh_token', client_id, refresh_token: String(first.refresh_token) };
    const second = parsed(await harness.server.handle(form('/token', refresh)));
    const judged = await harness.server.guard(resource)({ authorization: `Bearer ${second.access_token}` });
    return {
      shown: /Client \d+/.exec(page.body)?.[0],
      state: back.searchParams.get('state'),
      subjects: [first, second].map(({ access_token }) => decodeJwt(String(access_token)).sub),
      judged: 'subject' in judged && { subject: judged.subject, clientId: judged.clientId, scope: judged.scope },
      clientId: client_id,
    };
  };
  const seen = await Promise.all(Array.from({ length: people }, (_, n) => one(n)));
  seen.forEach(({ shown, state, subjects, judged, clientId }, n) => {
    const subject = subjectOf({ issuer: 'https://idp.example', subject: `p${n}` });
    const scope = n % 2 === 0 ? ['read'] : ['read', 'write'];
    expect({ shown, state, subjects, judged }).toEqual({
      shown: `Client ${n}`,
      state: `state-${n}`,
      subjects: [subject, subject],
      judged: { subject, clientId, scope },
    });
  });
  expect(new Set(seen.map(({ clientId }) => clientId)).size).toBe(people);
});
