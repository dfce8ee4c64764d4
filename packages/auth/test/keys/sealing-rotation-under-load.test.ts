/**
 * The operator's secret and the signing keys change in the same hour, while people refresh, call and stand in the middle
 * of their own page: nobody is lost, and in the end nothing is left under the old secret but the ids of old clients
 * (docs/guides/rotating-secrets.md). Each change by itself is in rotation-under-load.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { type HttpReply, isReply, type KeyringSecret } from '../../src/gatehouse.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { keySetId } from '../../src/signers/key-set.ts';
import { listKeys, rotateKeys } from '../../src/signers/rotation.ts';
import {
  form,
  type Harness,
  issuer,
  secret as k1,
  request,
  resource,
  sameOrigin,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';

const k2 = { id: 'k2', secret: 'the operator secret that comes next, thirty-two' };
const names = ['A', 'B'] as const;
type Name = (typeof names)[number];
const other = (name: Name): Name => (name === 'A' ? 'B' : 'A');

/** The documented order, one instance after the other. */
const deployments: ReadonlyArray<readonly [Name, readonly KeyringSecret[]]> = [
  ['A', [k1, k2]],
  ['B', [k1, k2]],
  ['A', [k2, k1]],
  ['B', [k2, k1]],
];

function house() {
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
  const running: Record<Name, Harness> = { A: first, B: start([k1]) };
  return {
    records,
    clock,
    at: (name: Name) => running[name],
    deploy: ([name, secrets]: (typeof deployments)[number]) => {
      running[name] = start(secrets);
    },
    operator: (secrets: readonly KeyringSecret[]) => ({
      records,
      keyring: keyring(issuer, secrets),
      now: clock.seconds,
    }),
    lost: () => events.filter(({ event }) => ['fault', 'refused', 'grant.replayed', 'guard.refused'].includes(event)),
  };
}

type House = ReturnType<typeof house>;

/** A client that refreshes at one instance and calls at both with every token it still holds. */
async function worker(all: House, at: Name, confidential: boolean) {
  const method = confidential ? 'client_secret_post' : 'none';
  const { client, tokens } = await withTokens(all.at(at), { token_endpoint_auth_method: method });
  let refreshToken = tokens.refresh_token;
  let held = [{ token: tokens.access_token, until: all.clock.seconds + tokens.expires_in }];
  return async (name: Name) => {
    const fields = {
      grant_type: 'refresh_token',
      client_id: client.client_id,
      client_secret: client.client_secret as string | undefined,
      refresh_token: refreshToken,
    };
    const reply = await all.at(name).server.handle(form('/token', fields));
    expect([reply?.status, reply?.body]).toEqual([200, reply?.body]);
    const answer = JSON.parse(reply?.body ?? '') as typeof tokens;
    refreshToken = answer.refresh_token;
    held = [...held, { token: answer.access_token, until: all.clock.seconds + answer.expires_in }];
    held = held.filter(({ until }) => all.clock.seconds < until);
    for (const { token } of held) {
      for (const instance of names) {
        const judged = await all.at(instance).server.guard(resource)({ authorization: `Bearer ${token}` });
        expect(isReply(judged) ? judged.status : 'accepted').toBe('accepted');
      }
    }
    return refreshToken;
  };
}

describe('a secret and the signing keys change together', () => {
  it('people who refresh and call throughout stay signed in, and every private key is sealed anew', async () => {
    const all = house();
    const workers = await Promise.all(Array.from({ length: 6 }, (_, i) => worker(all, i % 2 ? 'A' : 'B', i % 3 === 0)));
    const everybody = () => Promise.all(workers.map((work, i) => work((i + all.clock.seconds) % 2 ? 'A' : 'B')));
    await everybody();
    const kids = new Set<string>();
    for (const [at, deployment] of deployments.entries()) {
      // A new signing key is made, sealed by whoever the operator is at that time, while requests are under way.
      const busy = everybody();
      const rotated = await rotateKeys({ ...all.operator(deployment[1]), atOnce: true });
      await new Promise((resolve) => setImmediate(resolve));
      all.deploy(deployment);
      await busy;
      expect(rotated.outcome).toBe('rotated');
      if (rotated.outcome === 'rotated') kids.add(rotated.kid);
      for (const seconds of [1, 8, 3, 70]) {
        all.clock.seconds += seconds;
        await everybody();
      }
      expect([at, all.lost()]).toEqual([at, []]);
    }
    expect(kids.size).toBe(deployments.length);
    const keys = await listKeys(all.operator([k2]));
    expect(keys.filter(({ state }) => state === 'current')).toMatchObject([{ sealedWith: 'k2' }]);
    // Whatever still has a private half is under the new secret; the others can sign no more.
    expect(keys.filter(({ sealedWith }) => sealedWith === 'k1')).toEqual([]);
    const refreshTokens = await everybody();
    for (const one of refreshTokens) expect(one).toMatch(/^ghr_k2\./);
  });

  it('two instances whose secrets stand in another order do not undo each other’s work for ever', async () => {
    const all = house();
    const work = await worker(all, 'A', false);
    for (const deployment of deployments.slice(0, 3)) all.deploy(deployment);
    all.records.calls.length = 0;
    for (let minute = 0; minute < 60; minute++) {
      all.clock.seconds += 61;
      await work('A');
      await work('B');
    }
    expect(all.records.calls.filter((call) => call === 'replace keySet').length).toBeLessThanOrEqual(2);
    expect(all.lost()).toEqual([]);
  });

  it('the old secret is then needed for nothing but the ids of clients: without it all others go on', async () => {
    const all = house();
    const work = await worker(all, 'A', false);
    for (const deployment of deployments) all.deploy(deployment);
    all.clock.seconds += 61;
    await work('A');
    const old = await all.records.get('keySet', keySetId(issuer));
    expect(JSON.stringify(old?.value)).toContain('"k2.');
    // A client that registers now, and signs in now, owes the old secret nothing.
    const young = await worker(all, 'B', true);
    for (const name of names) all.deploy([name, [k2]]);
    for (const name of names) await all.at(name).server.ready();
    all.clock.seconds += 61;
    await young('A');
    await young('B');
    expect(all.lost()).toEqual([]);
    await expect(work('A')).rejects.toThrow('401');
  });

  it('taken away too early it is missed at the start, and not at a person’s request', async () => {
    const all = house();
    await worker(all, 'A', false);
    all.deploy(['B', [k2]]);
    await expect(all.at('B').server.ready()).rejects.toThrow('sealed with another secret');
  });
});

const formOf = (reply: HttpReply, action: string): Record<string, string> => {
  const found = [...reply.body.matchAll(/<form[\s\S]*?<\/form>/g)].find(([text]) => text.includes(`value="${action}"`));
  const inputs = [...(found?.[0] ?? '').matchAll(/name="(\w+)" value="([^"]*)"/g)];
  return Object.fromEntries(inputs.map(([, name, value]) => [name, value]));
};

/** A person's way through their own page, one step at a time, each at the instance it is given. */
function personAt(all: House) {
  const cookies = new Map<string, string>();
  const send = async (name: Name, sent: Parameters<Harness['server']['handle']>[0]) => {
    const browser = all.at(name).browser();
    for (const [key, value] of cookies) browser.cookies.set(key, value);
    const reply = await browser.send(sent);
    for (const [key, value] of browser.cookies) cookies.set(key, value);
    return reply;
  };
  let fields: Record<string, string> = {};
  let state = '';
  const look = async (name: Name, action: string) => {
    fields = formOf(await send(name, request('/connections')), action);
    expect(fields.token).toBeDefined();
  };
  const press = (name: Name) => send(name, form('/connections/change', fields, sameOrigin));
  return [
    (name: Name) => look(name, 'sign-in'),
    async (name: Name) => {
      state = new URL(String((await press(name)).headers.location)).searchParams.get('state') ?? '';
      expect(state).toMatch(/^person\./);
    },
    async (name: Name) => {
      const reply = await send(name, request(`/callback?code=idp-code&state=${state}`));
      expect(reply.headers.location).toBe(`${issuer}/connections`);
    },
    (name: Name) => look(name, 'revoke'),
    async (name: Name) => {
      const reply = await press(name);
      expect([reply.status, String(reply.headers.location)]).toEqual([303, expect.stringContaining('done=one')]);
    },
  ] as const;
}

describe('a person on their own page', () => {
  // Every place between two steps where a deployment can come, every deployment, and both instances to begin at.
  const cases = deployments.flatMap((_, deployed) =>
    names.flatMap((at) => [1, 2, 3, 4].map((done) => ({ deployed, at, done }))),
  );
  it.each(cases)('at $at with $done steps done goes on after deployment $deployed', async ({ deployed, at, done }) => {
    const all = house();
    for (const deployment of deployments.slice(0, deployed)) all.deploy(deployment);
    await withTokens(all.at(at));
    const steps = personAt(all);
    for (const step of steps.slice(0, done)) await step(at);
    await rotateKeys({ ...all.operator([k1, k2]), atOnce: true });
    all.deploy(deployments[deployed] as (typeof deployments)[number]);
    for (const step of steps.slice(done)) await step(other(at));
    expect(all.lost()).toEqual([]);
  });
});

describe('a client that registered under the old secret', () => {
  it.each(['none', 'client_secret_post'])('begins a new sign-in at the end of it all (%s)', async (method) => {
    const all = house();
    const before = await withCode(all.at('A'), { token_endpoint_auth_method: method });
    for (const deployment of deployments) all.deploy(deployment);
    const reply = await before.redeem();
    expect(reply?.status).toBe(200);
    for (const name of names) {
      const fields = { ...before.fields, grant_type: 'refresh_token', refresh_token: '', code: undefined };
      const { refresh_token: token } = JSON.parse(reply?.body ?? '') as { refresh_token: string };
      const again = await all.at(name).server.handle(form('/token', { ...fields, refresh_token: token }));
      expect(again?.status).toBe(200);
    }
    expect(String(before.client.client_id)).toContain('k1');
    expect(all.lost()).toEqual([]);
  });
});
