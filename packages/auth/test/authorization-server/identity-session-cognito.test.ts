/** A grant whose session is a user pool’s own: asked again, rotated, signed out, revoked, and a pool that is away. */
import { type LocalCognito, startLocalCognito } from 'local-cognito';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cognito, defaultLifetimes, type IdentityProvider, isReply, type LogEvent } from '../../src/gatehouse.ts';
import {
  authorizePath,
  database,
  form,
  hidden,
  pkce,
  refusal,
  registerClient,
  request,
  resource,
  sameOrigin,
  startHarness,
} from '../harness.ts';
import { roles, tokensOf } from './identity-session-harness.ts';

const { identityCheckSeconds } = defaultLifetimes;
const callbackUrl = 'https://auth.example/callback';
const clientSecret = 'a0secret0of0the0app0client';
const password = 'Correct-Horse-1';

let pool: LocalCognito & { close: () => Promise<void> };
let now: number;

beforeEach(async () => {
  now = Math.floor(Date.now() / 1000);
  const app = { callbackUrls: [callbackUrl], clientSecret, allowedScopes: ['openid'] };
  pool = await startLocalCognito({
    now: () => now,
    config: {
      groups: [{ name: 'staff' }],
      users: [{ username: 'ada', email: 'ada@example.com', password, groups: ['staff'] }],
      clients: [
        { ...app, clientId: 'plain' },
        { ...app, clientId: 'rotating', refreshTokenRotation: { retryGracePeriodSeconds: 0 } },
      ],
    },
  });
});
afterEach(() => pool.close());

/** Cookies and forms of the pool's own page, with a plain HTTP client. */
async function signInAt(url: string): Promise<URL> {
  const page = await fetch(url);
  const cookies = page.headers.getSetCookie().map((line) => line.split(';')[0]);
  const csrf = /name="_csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
  let reply = await fetch(page.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookies.join('; ') },
    body: new URLSearchParams({ username: 'ada', password, _csrf: csrf }),
  });
  for (let n = 0; n < 5; n++) {
    const location = new URL(reply.headers.get('location') ?? 'none:', page.url);
    if (location.href.startsWith(callbackUrl)) return location;
    cookies.push(...reply.headers.getSetCookie().map((line) => line.split(';')[0]));
    reply = await fetch(location, { redirect: 'manual', headers: { cookie: cookies.join('; ') } });
  }
  throw new Error(`the pool did not sign in: ${reply.status}`);
}

async function signedInThrough(clientId: string) {
  const { origin, poolId } = pool;
  const ours = cognito({ userPoolId: poolId, domain: origin, issuerOrigin: origin, clientId, clientSecret });
  const sessions: string[] = [];
  const identityProvider: IdentityProvider = {
    ...ours,
    async finish(...about) {
      const signIn = await ours.finish(...about);
      sessions.push(signIn.session ?? '');
      return signIn;
    },
    async renew(...about) {
      const renewed = await ours.renew?.(...about);
      if (!renewed) throw new Error('it does not renew');
      sessions.push(renewed.session);
      return renewed;
    },
  };
  const records = database(() => now);
  const events: LogEvent[] = [];
  const log = (event: LogEvent) => events.push(event);
  const harness = {
    ...startHarness({ identityProvider, roles, records, log, now: () => now }),
    records,
    events,
  };
  const client = await registerClient(harness);
  const { verifier, challenge } = pkce();
  const person = harness.browser();
  const page = await person.send(request(authorizePath(client.client_id, challenge)));
  const allowed = await person.send(
    form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin),
  );
  const back = await person.send(request(`/callback${(await signInAt(String(allowed.headers.location))).search}`));
  const code = new URL(String(back.headers.location)).searchParams.get('code') ?? '';
  const token = (fields: Readonly<Record<string, string>>) =>
    harness.server.handle(form('/token', { client_id: client.client_id, ...fields }));
  let tokens = tokensOf(await token({ grant_type: 'authorization_code', code, code_verifier: verifier }));
  const next = async () => {
    const reply = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
    if (reply?.status === 200) tokens = tokensOf(reply);
    return reply;
  };
  const rolesNow = async () => {
    const read = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    return isReply(read) ? read.status : read.roles;
  };
  const revoke = () =>
    harness.server.handle(form('/revoke', { client_id: client.client_id, token: tokens.refresh_token }));
  return { harness, sessions, next, rolesNow, revoke };
}

/** What the pool itself says of a refresh token of ours: whether it still takes it; or is told to forget it. */
async function atPool(path: '/oauth2/token' | '/oauth2/revoke', clientId: string, session: string | undefined) {
  const { refreshToken } = JSON.parse(String(session)) as { refreshToken: string };
  const reply = await fetch(pool.origin + path, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, token: refreshToken }),
  });
  return reply.status;
}

it.each([
  ['plain', 1],
  ['rotating', 4],
])('%s: asked three times, each time with what it takes', async (clientId, texts) => {
  const { harness, sessions, next, rolesNow } = await signedInThrough(clientId);
  expect(await rolesNow()).toEqual(['editor']);
  for (let n = 0; n < 3; n++) {
    now += identityCheckSeconds;
    expect((await next())?.status).toBe(200);
    expect(await rolesNow()).toEqual(['editor']);
  }
  expect(harness.events.filter(({ event }) => event === 'session.renewed')).toHaveLength(3);
  expect(new Set(sessions).size).toBe(texts);
  const dump = (await harness.records.dump()) + JSON.stringify(harness.events);
  for (const text of sessions) expect(dump).not.toContain(JSON.parse(text).refreshToken);
});

it('signed out at the pool: out here within the hour', async () => {
  const { harness, sessions, next, rolesNow } = await signedInThrough('plain');
  expect(await atPool('/oauth2/revoke', 'plain', sessions[0])).toBe(200);
  now += identityCheckSeconds - 1;
  expect((await next())?.status).toBe(200);
  now += 1;
  expect(refusal(harness, await next())).toEqual([400, 'invalid_grant', 'grant.identity_ended']);
  expect(await rolesNow()).toBe(401);
});

it.each(['plain', 'rotating'])('%s: revoked here, and the pool takes its token no more', async (clientId) => {
  const { harness, sessions, next, revoke } = await signedInThrough(clientId);
  now += identityCheckSeconds;
  await next();
  expect((await revoke())?.status).toBe(200);
  expect(await atPool('/oauth2/token', clientId, sessions.at(-1))).toBe(400);
  expect((await harness.records.list('identitySession')).items).toEqual([]);
});

it('the pool is away: refreshes go on', async () => {
  const { harness, next, rolesNow } = await signedInThrough('plain');
  await pool.close();
  now += identityCheckSeconds;
  expect((await next())?.status).toBe(200);
  expect(await rolesNow()).toEqual(['editor']);
  expect(harness.events).toContainEqual(
    expect.objectContaining({ event: 'session.unanswered', reason: 'idp.unreachable' }),
  );
});
