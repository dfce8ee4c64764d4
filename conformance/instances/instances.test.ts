/**
 * Three gateway processes on one database are one gateway: any request may land on any of them, what one is told the
 * others know, and a rolling restart is nobody's business (SEC-16, REL-04; SECURITY.md: revocation).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorize, type Tokens } from '../harness/client.ts';
import { chosenDatabases } from '../harness/databases.ts';
import { startBrowser } from './browser.ts';
import { type Instances, startInstances } from './instances.ts';
import { askCall, askRedeem, askRefresh, askRevoke } from './load.ts';

const documentedSeconds = 5;
const patienceMs = 60_000;

describe.each(chosenDatabases())('on %s', (type) => {
  let instances: Instances;

  beforeAll(async () => {
    instances = await startInstances({ type });
  });
  afterAll(() => instances?.close());

  const newGrant = async () => {
    const { issuer, resource, provider } = instances;
    const authorized = await authorize(issuer, resource, provider.issuer);
    const { status, body } = await askRedeem(issuer, authorized);
    expect([status, body.error]).toEqual([200, undefined]);
    return { clientId: authorized.clientId, tokens: body as Tokens };
  };

  it('a whole life of a grant, every request at another instance than the one before', async () => {
    const { issuer, resource, balancer, provider } = instances;
    balancer.taken();
    const wellKnown = await fetch(`${issuer}/.well-known/oauth-protected-resource/mcp`);
    expect(await wellKnown.json()).toMatchObject({ resource });
    expect((await fetch(`${issuer}/.well-known/oauth-authorization-server`)).status).toBe(200);
    const authorized = await authorize(issuer, resource, provider.issuer);
    const redeemed = await askRedeem(issuer, authorized);
    expect(redeemed.status).toBe(200);
    const { access_token: accessToken = '', refresh_token: refreshToken = '' } = redeemed.body;
    // At each of the three, whose keys are one set.
    for (const _ of instances.all) expect((await askCall(issuer, accessToken)).status).toBe(200);
    const refreshed = await askRefresh(issuer, authorized.clientId, refreshToken);
    expect(refreshed.status).toBe(200);
    const next = refreshed.body as Tokens;
    expect((await askCall(issuer, next.access_token)).status).toBe(200);

    const browser = startBrowser(issuer, provider.issuer);
    const signInPage = await browser.open('/connections');
    expect(signInPage).toContain('<form');
    const before = await browser.submit(signInPage, 'sign-in');
    expect(before).toContain('Conformance');
    expect(await browser.open('/connections')).toContain('Conformance');
    expect((await askRevoke(issuer, authorized.clientId, next.refresh_token)).status).toBe(200);
    expect(await browser.open('/connections')).not.toContain('Conformance');
    expect((await askRefresh(issuer, authorized.clientId, next.refresh_token)).body.error).toBe('invalid_grant');

    const trips = balancer.taken();
    const names = trips.map((trip) => Number(trip.split(' ', 1)[0]));
    // None twice in a row, and so every step went by what another instance had kept.
    names.slice(1).forEach((name, at) => {
      expect([trips[at], name]).not.toEqual([trips[at], names[at]]);
    });
    const visited = new Set(trips.map((trip) => trip.split(' ').slice(1).join(' ')));
    for (const step of ['POST /register', 'GET /authorize', 'POST /consent', 'GET /callback', 'POST /token']) {
      expect(visited).toContain(step);
    }
    expect(visited).toContain('POST /revoke');
    expect(visited).toContain('GET /connections');
  });

  it(`a revocation at one is seen by the others within ${documentedSeconds} seconds`, async () => {
    const { clientId, tokens } = await newGrant();
    const [here, ...others] = instances.all.map(({ origin }) => origin);
    for (const origin of others) expect((await askCall(origin, tokens.access_token)).status).toBe(200);
    expect((await askRevoke(here ?? '', clientId, tokens.refresh_token)).status).toBe(200);
    const since = performance.now();
    expect((await askCall(here ?? '', tokens.access_token)).status).toBe(401);
    for (const origin of others) {
      let lastAccepted = 0;
      for (;;) {
        const begun = performance.now() - since;
        const { status } = await askCall(origin, tokens.access_token);
        if (status === 401) break;
        lastAccepted = begun;
        expect(begun).toBeLessThan(patienceMs);
        await sleep(50);
      }
      // Whole seconds may add one.
      expect(lastAccepted).toBeLessThan((documentedSeconds + 1) * 1000);
    }
  });

  it('of refreshes that are due at all three at once, one asks the identity provider', async () => {
    const { all, provider } = instances;
    const grants: Array<Awaited<ReturnType<typeof newGrant>>> = [];
    for (let n = 0; n < 8; n++) grants.push(await newGrant());
    const hours = 2;
    await Promise.all(all.map((one) => one.setClock(hours * 3600)));
    try {
      const before = provider.renewals();
      await Promise.all(
        grants.map(async ({ clientId, tokens }) => {
          const answers = await Promise.all(
            all.map(({ origin }) => askRefresh(origin, clientId, tokens.refresh_token)),
          );
          expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
          expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
        }),
      );
      expect(provider.renewals() - before).toBe(grants.length);
    } finally {
      await Promise.all(all.map((one) => one.setClock(0)));
    }
  });

  it('a rolling restart under load loses nobody, and no request that is under way', { timeout: 120_000 }, async () => {
    const { issuer, all, balancer, target } = instances;
    const wrong: string[] = [];
    let over = false;
    let served = 0;
    const client = async () => {
      let { clientId, tokens } = await newGrant();
      while (!over) {
        const called = await askCall(issuer, tokens.access_token);
        const refreshed = await askRefresh(issuer, clientId, tokens.refresh_token);
        if (called.status !== 200 || refreshed.status !== 200) wrong.push(`${called.status} ${refreshed.status}`);
        else tokens = refreshed.body as Tokens;
        served += 1;
      }
    };
    const load = Promise.all([client(), client(), client()]);
    const { tokens } = await newGrant();
    for (const instance of all) {
      // Certainly under way at this instance when it is told to end, and as certainly not answered yet.
      target.hold();
      const slow = askCall(instance.origin, tokens.access_token);
      await expect.poll(() => target.waiting(), { timeout: patienceMs }).toBeGreaterThan(0);
      const ended = instance.terminate();
      await sleep(100);
      target.release();
      expect((await slow).status).toBe(200);
      expect(await ended).toBe(0);
      expect(balancer.underway(instance.name)).toBe(0);
      await instance.start();
      const before = served;
      await expect.poll(() => served > before + 3 || wrong.length > 0, { timeout: patienceMs }).toBe(true);
    }
    over = true;
    await load;
    expect(wrong).toEqual([]);
    expect(instances.log()).not.toMatch(/"event":"fault"|"status":5\d\d/);
  });
});
