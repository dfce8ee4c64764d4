/**
 * A clock that was wrong and is set right again costs no promise: what an instance learnt while its clock was ahead does
 * not count for longer than what it learns otherwise (SEC-16; SECURITY.md: revocation within five seconds).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorize } from '../harness/client.ts';
import { type Instances, startInstances } from './instances.ts';
import { askCall, askRedeem, askRefresh, askRevoke } from './load.ts';

const documentedSeconds = 5;
const stepSeconds = 300;

let instances: Instances;

beforeAll(async () => {
  instances = await startInstances({ type: 'sqlite', count: 2 });
});
afterAll(() => instances?.close());

async function newGrant() {
  const { issuer, resource, provider } = instances;
  const authorized = await authorize(issuer, resource, provider.issuer);
  const { status, body } = await askRedeem(issuer, authorized);
  expect(status).toBe(200);
  const { access_token: accessToken = '', refresh_token: refreshToken = '' } = body;
  return { clientId: authorized.clientId, accessToken, refreshToken };
}

it.each([
  ['ahead', stepSeconds],
  ['behind', -stepSeconds],
])('a revocation is seen in time by an instance whose clock was %s and is right again', async (_, shift) => {
  const { issuer, all } = instances;
  const [here, there] = all;
  if (!here || !there) throw new Error('two instances are needed');
  const { clientId, accessToken, refreshToken } = await newGrant();
  await there.setClock(shift);
  expect((await askCall(there.origin, accessToken)).status).toBe(200);
  await there.setClock(0);
  expect((await askRevoke(here.origin, clientId, refreshToken)).status).toBe(200);
  // What was promised, and what whole seconds and a slow machine may add.
  await sleep((documentedSeconds + 2) * 1000);
  expect((await askCall(there.origin, accessToken)).status).toBe(401);
  expect((await askRefresh(issuer, clientId, refreshToken)).body.error).toBe('invalid_grant');
});
