/** Keys, sealing and secrets change while people refresh, call and sign in at two instances: nobody is lost. */
import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { isReply, type KeyringSecret } from '../../src/gatehouse.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { overlapSeconds } from '../../src/signers/key-set.ts';
import { listKeys, pruneKeys, rotateKeys } from '../../src/signers/rotation.ts';
import {
  authorizePath,
  form,
  type Harness,
  hidden,
  issuer,
  secret as k1,
  parsed,
  pkce,
  redirectUri,
  registerClient,
  request,
  resource,
  sameOrigin,
  startHarness,
  type TokenAnswer,
} from '../harness.ts';

const k2 = { id: 'k2', secret: 'the operator secret that comes next, thirty-two' };
type Name = 'A' | 'B';

/** Two instances on one database; `restart` is what a deployment does to one of them. */
function twoInstances() {
  const first = startHarness({ secrets: [k1] });
  const { records, clock, events, identityProvider } = first;
  const start = (secrets: readonly KeyringSecret[]): Harness => ({
    ...startHarness({
      records,
      secrets,
      identityProvider,
      now: () => clock.seconds,
      log: (event) => events.push(event),
    }),
    records,
    clock,
    events,
    identityProvider,
  });
  const running = { A: first, B: start([k1]) };
  return {
    records,
    clock,
    events,
    at: (name: Name) => running[name],
    restart: (name: Name, secrets: readonly KeyringSecret[]) => {
      running[name] = start(secrets);
    },
    operator: (secrets: readonly KeyringSecret[] = [k1]) => ({
      records,
      keyring: keyring(issuer, secrets),
      now: clock.seconds,
    }),
  };
}

type House = ReturnType<typeof twoInstances>;
const other = (name: Name): Name => (name === 'A' ? 'B' : 'A');

/** One sign-in in five steps, each at the instance it is given; `confidential` clients have a secret to prove as well. */
async function begin(house: House, at: Name, confidential = false) {
  const client = await registerClient(house.at(at), {
    token_endpoint_auth_method: confidential ? 'client_secret_post' : 'none',
  });
  const { verifier, challenge } = pkce();
  const cookies = new Map<string, string>();
  const send = async (name: Name, sent: Parameters<Harness['server']['handle']>[0]) => {
    const person = house.at(name).browser();
    for (const [key, value] of cookies) person.cookies.set(key, value);
    const reply = await person.send(sent);
    for (const [key, value] of person.cookies) cookies.set(key, value);
    return reply;
  };
  const credentials = { client_id: client.client_id, client_secret: client.client_secret as string | undefined };
  let [field, state, code] = ['', '', ''];
  return {
    credentials,
    async openConsent(name: Name) {
      field = hidden(await send(name, request(authorizePath(client.client_id, challenge))), 'request');
      expect(field).not.toBe('');
    },
    async consent(name: Name) {
      const reply = await send(name, form('/consent', { request: field, decision: 'allow' }, sameOrigin));
      state = new URL(String(reply.headers.location)).searchParams.get('state') ?? '';
      expect(state).not.toBe('');
    },
    async comeBack(name: Name) {
      const reply = await send(name, request(`/callback?code=idp-code&state=${state}`));
      const location = new URL(String(reply.headers.location));
      expect(location.searchParams.get('state')).toBe('client-state');
      code = location.searchParams.get('code') ?? '';
      expect(code).not.toBe('');
    },
    async redeem(name: Name): Promise<TokenAnswer> {
      const reply = await house.at(name).server.handle(
        form('/token', {
          ...credentials,
          grant_type: 'authorization_code',
          code,
          code_verifier: verifier,
          redirect_uri: redirectUri,
        }),
      );
      expect([reply?.status, reply?.body]).toEqual([200, reply?.body]);
      return parsed(reply) as unknown as TokenAnswer;
    },
  };
}

/** Somebody who refreshes and calls, at either instance, and keeps every access token until it expires. */
async function person(house: House, at: Name, confidential: boolean) {
  const flow = await begin(house, at, confidential);
  for (const step of ['openConsent', 'consent', 'comeBack'] as const) await flow[step](at);
  let tokens = await flow.redeem(at);
  const held: Array<{ token: string; until: number }> = [];
  const keep = () => held.push({ token: tokens.access_token, until: house.clock.seconds + tokens.expires_in });
  keep();
  const refresh = async (name: Name, refreshToken = tokens.refresh_token): Promise<TokenAnswer> => {
    const reply = await house
      .at(name)
      .server.handle(form('/token', { ...flow.credentials, grant_type: 'refresh_token', refresh_token: refreshToken }));
    expect([reply?.status, reply?.body]).toEqual([200, reply?.body]);
    return parsed(reply) as unknown as TokenAnswer;
  };
  return {
    refreshToken: () => tokens.refresh_token,
    /** Parallel refreshes of one token at both instances, as clients do, then every token held at both. */
    async act(name: Name) {
      const spent = tokens.refresh_token;
      const [one, two] = await Promise.all([refresh(name, spent), refresh(other(name), spent)]);
      tokens = house.clock.seconds % 2 ? one : two;
      keep();
      const live = held.filter(({ until }) => house.clock.seconds < until);
      held.splice(0, held.length, ...live);
      for (const { token } of live) {
        for (const instance of ['A', 'B'] as const) {
          const answer = await house.at(instance).server.guard(resource)({ authorization: `Bearer ${token}` });
          expect(isReply(answer) ? [answer.status, decodeProtectedHeader(token)] : 'accepted').toBe('accepted');
        }
      }
      return decodeProtectedHeader(tokens.access_token);
    },
  };
}

/** The documented order, one instance after the other; `k1` stays, for the client ids it made. */
const deployments: ReadonlyArray<readonly [Name, readonly KeyringSecret[]]> = [
  ['A', [k1, k2]],
  ['B', [k1, k2]],
  ['A', [k2, k1]],
  ['B', [k2, k1]],
];

describe('a secret is changed: added at the end everywhere, then moved to the front everywhere', () => {
  it('people who refresh and call throughout stay signed in', async () => {
    const house = twoInstances();
    const people = await Promise.all(
      Array.from({ length: 6 }, (_, i) => person(house, i % 2 ? 'A' : 'B', i % 3 === 0)),
    );
    const everybody = () => Promise.all(people.map((one, i) => one.act((i + house.clock.seconds) % 2 ? 'A' : 'B')));
    await everybody();
    for (const [name, secrets] of deployments) {
      // The instance is exchanged while requests are under way.
      const busy = everybody();
      await new Promise((resolve) => setImmediate(resolve));
      house.restart(name, secrets);
      await busy;
      for (let round = 0; round < 3; round++) {
        house.clock.seconds += 61;
        await everybody();
      }
    }
    for (const one of people) expect(one.refreshToken()).toMatch(/^ghr_k2\./);
    expect(
      house.events.filter(({ event }) => ['fault', 'refused', 'grant.replayed', 'guard.refused'].includes(event)),
    ).toEqual([]);
    // The signing key has moved to the new secret by being read: the old one is needed for client ids alone.
    expect(await listKeys(house.operator())).toMatchObject([{ state: 'current', sealedWith: 'k2' }]);
  });

  // Every place where a sign-in can be when a deployment comes, and every deployment.
  const steps = ['openConsent', 'consent', 'comeBack'] as const;
  const cases = deployments.flatMap((_, deployed) =>
    (['A', 'B'] as const).flatMap((at) => steps.map((_, done) => ({ deployed, at, done: done + 1 }))),
  );
  it.each(cases)(
    'a sign-in at $at with $done steps done ends well after deployment $deployed',
    async ({ deployed, at, done }) => {
      const house = twoInstances();
      for (const [name, secrets] of deployments.slice(0, deployed)) house.restart(name, secrets);
      const flow = await begin(house, at, true);
      for (const step of steps.slice(0, done)) await flow[step](at);
      const [name, secrets] = deployments[deployed] as (typeof deployments)[number];
      house.restart(name, secrets);
      for (const step of steps.slice(done)) await flow[step](other(at));
      expect((await flow.redeem(other(at))).access_token).toContain('.');
    },
  );

  it('in the wrong order somebody is lost: the test above can fail', async () => {
    const house = twoInstances();
    house.restart('A', [k2, k1]);
    const flow = await begin(house, 'B');
    await flow.openConsent('A');
    await expect(flow.consent('B')).rejects.toThrow();
  });
});

describe('signing keys are rotated', () => {
  it('through every algorithm, in emergencies and in order, while people refresh and call', async () => {
    const house = twoInstances();
    const people = await Promise.all([person(house, 'A', false), person(house, 'B', true), person(house, 'A', false)]);
    const used = new Map<string, string>();
    const live = async (seconds: number, step: number) => {
      for (const end = house.clock.seconds + seconds; house.clock.seconds < end; house.clock.seconds += step) {
        const headers = await Promise.all(people.map((one, i) => one.act(i % 2 ? 'A' : 'B')));
        for (const { kid, alg } of headers) used.set(kid ?? '', alg ?? '');
      }
    };
    await live(60, 20);
    for (const algorithm of ['RS256', 'EdDSA', 'ES256'] as const) {
      const busy = Promise.all(people.map((one) => one.act('A')));
      expect(await rotateKeys({ ...house.operator(), algorithm, atOnce: true })).toMatchObject({ outcome: 'rotated' });
      await busy;
      await live(20, 1);
      await live(400, 40);
    }
    expect(await rotateKeys(house.operator())).toMatchObject({ outcome: 'rotated' });
    await live(overlapSeconds + 400, 200);
    expect([...used.values()]).toEqual(['ES256', 'RS256', 'EdDSA', 'ES256', 'ES256']);
    house.clock.seconds += 26 * 3600;
    await live(400, 40);
    await pruneKeys(house.operator());
    await live(400, 40);
    expect(await listKeys(house.operator())).toHaveLength(1);
    expect(
      house.events.filter(({ event }) => ['fault', 'refused', 'grant.replayed', 'guard.refused'].includes(event)),
    ).toEqual([]);
  });
});
