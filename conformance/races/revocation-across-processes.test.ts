/**
 * A grant revoked at one process is refused by the other within the documented five seconds, remembered there or not:
 * they share a SQLite file and nothing else (SECURITY.md: revocation; RFC 7009 §2.1).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorize, redeem, refresh, type Tokens } from '../harness/client.ts';
import { startTwoGateways, type TwoGateways } from './two-gateways.ts';

/** What the documentation says, and what whole seconds and a slow machine may add. */
const documentedSeconds = 5;
const allowedMs = (documentedSeconds + 1) * 1000;
const patienceMs = 30_000;

let gateways: TwoGateways;

beforeAll(async () => {
  gateways = await startTwoGateways();
});

afterAll(() => gateways?.close());

interface Held {
  readonly clientId: string;
  readonly tokens: Tokens;
}

async function newGrant(): Promise<Held> {
  const authorized = await authorize(gateways.issuer, gateways.resource, gateways.signInOrigin);
  const response = await redeem(gateways.issuer, authorized);
  expect(response.status).toBe(200);
  return { clientId: authorized.clientId, tokens: (await response.json()) as Tokens };
}

async function callStatus(origin: string, { tokens }: Held): Promise<number> {
  const headers = { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' };
  const response = await fetch(`${origin}/mcp`, { method: 'POST', headers, body: '{}' });
  await response.text();
  return response.status;
}

async function revoke(origin: string, { clientId, tokens }: Held): Promise<void> {
  const body = new URLSearchParams({ client_id: clientId, token: tokens.refresh_token });
  const response = await fetch(`${origin}/revoke`, { method: 'POST', body });
  expect(response.status).toBe(200);
}

/** Asks until the token is refused. Gives how long after `since` the last call was *begun* that was still let in. */
async function lastAccepted(origin: string, held: Held, since: number): Promise<number> {
  let last = 0;
  while (performance.now() - since < patienceMs) {
    const begun = performance.now() - since;
    if ((await callStatus(origin, held)) === 401) return last;
    last = begun;
    await sleep(50);
  }
  throw new Error(`still let in after ${patienceMs} ms`);
}

describe.each([
  ['the first', 'the second', 0, 1],
  ['the second', 'the first', 1, 0],
] as const)('a grant revoked at %s process', (_, other, here, there) => {
  it(`is over there at once, and at ${other} within ${documentedSeconds} seconds, though it had just been found alive`, async () => {
    const held = await newGrant();
    // Remembered at both: the other one has asked the database a moment ago.
    expect(await callStatus(gateways.origins[there], held)).toBe(200);
    expect(await callStatus(gateways.origins[here], held)).toBe(200);
    await revoke(gateways.origins[here], held);
    const since = performance.now();
    expect(await callStatus(gateways.origins[here], held)).toBe(401);
    expect(await lastAccepted(gateways.origins[there], held, since)).toBeLessThan(allowedMs);
    // An end is final.
    for (let n = 0; n < 5; n++) expect(await callStatus(gateways.origins[there], held)).toBe(401);
  });

  it(`is over at ${other} at once where it was never seen`, async () => {
    const held = await newGrant();
    await revoke(gateways.origins[here], held);
    expect(await callStatus(gateways.origins[there], held)).toBe(401);
  });

  it(`is not refreshed at ${other}, not even for a moment`, async () => {
    const held = await newGrant();
    expect(await callStatus(gateways.origins[there], held)).toBe(200);
    await revoke(gateways.origins[here], held);
    const response = await refresh(gateways.origins[there], held.clientId, held.tokens.refresh_token);
    expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
  });
});

it('somebody else’s grant, called all the while, is untouched', async () => {
  const [mine, theirs] = [await newGrant(), await newGrant()];
  expect(await callStatus(gateways.origins[1], theirs)).toBe(200);
  await revoke(gateways.origins[0], mine);
  await lastAccepted(gateways.origins[1], mine, performance.now());
  for (const origin of gateways.origins) expect(await callStatus(origin, theirs)).toBe(200);
});
