/** Every credential is worth something in its own place alone: no refresh token as bearer, no code as state (RFC 8725 §3.12). */
import { describe, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import {
  authorizePath,
  consented,
  form,
  type Harness,
  hidden,
  pkce,
  redirectUri,
  registerClient,
  request,
  resource,
  sameOrigin,
  startHarness,
  withTokens,
} from '../harness.ts';

/** A live credential of each kind, by name, none used up, and all of one client and one browser where they can be. */
async function oneOfEach() {
  const harness = startHarness();
  const { client, tokens } = await withTokens(harness);
  const { verifier, challenge } = pkce();
  const signedIn = await consented(harness, client.client_id, challenge);
  const back = await signedIn.person.send(request(`/callback?code=idp-code&state=${signedIn.state}`));
  const { person, state } = await consented(harness, client.client_id, challenge);
  const sent = harness.identityProvider.started.at(-1);
  const page = await person.send(request(authorizePath(client.client_id, challenge, { state: 'another' })));
  const confidential = await registerClient(harness, { token_endpoint_auth_method: 'client_secret_post' });
  const kinds = {
    'access token': tokens.access_token,
    'refresh token': tokens.refresh_token,
    code: new URL(String(back.headers.location)).searchParams.get('code') ?? '',
    'client id': client.client_id,
    'client secret': String(confidential.client_secret),
    verifier,
    challenge,
    'state at the identity provider': state,
    nonce: sent?.nonce ?? '',
    'our own verifier': sent?.codeVerifier ?? '',
    'consent form': hidden(page, 'request'),
    cookie: [...person.cookies.values()].at(-1) ?? '',
    'grant id': (await harness.records.list('grant')).items[0]?.id ?? '',
  };
  return { harness, person, client, verifier, kinds };
}

type Stage = Awaited<ReturnType<typeof oneOfEach>>;
type Kind = keyof Stage['kinds'];

const redeem = async ({ harness, client }: Stage, fields: Readonly<Record<string, string>>) => {
  const reply = await harness.server.handle(form('/token', { client_id: client.client_id, ...fields }));
  return reply?.status === 200;
};

/** Where one could be taken for another, who belongs there, and whether it was let in; everything else is right. */
const places: ReadonlyArray<[place: string, own: Kind, letIn: (stage: Stage, value: string) => Promise<boolean>]> = [
  ['as bearer', 'access token', async ({ harness }, value) => !isReply(await bearer(harness, value))],
  [
    'as code',
    'code',
    (stage, code) =>
      redeem(stage, {
        grant_type: 'authorization_code',
        code,
        code_verifier: stage.verifier,
        redirect_uri: redirectUri,
      }),
  ],
  [
    'as refresh token',
    'refresh token',
    (stage, token) => redeem(stage, { grant_type: 'refresh_token', refresh_token: token }),
  ],
  [
    'as client id',
    'client id',
    async ({ harness }, value) =>
      (await harness.server.handle(request(authorizePath(value, pkce().challenge))))?.status === 200,
  ],
  [
    'as state at the callback',
    'state at the identity provider',
    async ({ person }, value) =>
      (await person.send(request(`/callback?code=idp-code&state=${encodeURIComponent(value)}`))).status < 400,
  ],
  [
    'as consent form',
    'consent form',
    async ({ person }, value) =>
      (await person.send(form('/consent', { request: value, decision: 'allow' }, sameOrigin))).status < 400,
  ],
];

function bearer({ server }: Harness, token: string) {
  return server.guard(resource)({ authorization: `Bearer ${token}` });
}

/** The one under the prefix and with as many parts as the other, so that only what proves it can tell them apart. */
function dressed(value: string, as: string): string {
  const [prefix = ''] = /^[a-z]*_?/.exec(as) ?? [];
  const parts = value.replace(/^[a-z]+_/, '').split('.');
  const lengths = as.split('.').length;
  return prefix + [...parts.slice(0, lengths - 1), parts.at(-1)].join('.');
}

describe.each(places)('%s', (_, own, letIn) => {
  it('nothing of another kind is taken, and afterwards its own still is', async () => {
    const stage = await oneOfEach();
    const kinds = Object.entries(stage.kinds);
    expect(kinds.filter(([, value]) => value.length < 16)).toEqual([]);
    const taken: string[] = [];
    for (const [name, value] of kinds) {
      for (const one of [value, dressed(value, stage.kinds[own])]) {
        if (name !== own && (await letIn(stage, one))) taken.push(name);
      }
    }
    expect(taken).toEqual([]);
    expect(await letIn(stage, stage.kinds[own])).toBe(true);
  });
});

it('what was presented in every wrong place is still good in its own', async () => {
  const stage = await oneOfEach();
  for (const [, own, letIn] of places) {
    for (const [name, value] of Object.entries(stage.kinds)) if (name !== own) await letIn(stage, value);
  }
  for (const [place, own, letIn] of places) expect(await letIn(stage, stage.kinds[own]), place).toBe(true);
});
