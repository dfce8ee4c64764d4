/** The Cognito preset against a user pool on this computer: groups, refresh with and without rotation, revocation. */
import { type LocalCognito, startLocalCognito } from 'local-cognito';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cognito } from '../../src/gatehouse.ts';
import { failureOf } from './failure.ts';
import { binding, callbackUrl, listen, type Running } from './servers.ts';

const graceSeconds = 30;
let now: number;
let pool: LocalCognito & { port: number; close: () => Promise<void> };
/** Stands before the pool, and can lose its answers. */
let front: Running & { lose: number };

beforeEach(async () => {
  now = Math.floor(Date.now() / 1000);
  const state = { lose: 0 };
  const running = await listen(() => async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const { host: _, connection: __, ...headers } = req.headers;
    const answer = await fetch(`http://127.0.0.1:${pool.port}${req.url}`, {
      method: req.method ?? 'GET',
      headers: headers as Record<string, string>,
      redirect: 'manual',
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    if (req.url === '/oauth2/token' && state.lose > 0) {
      state.lose -= 1;
      res.destroy();
      return;
    }
    const { 'set-cookie': ___, ...rest } = Object.fromEntries(answer.headers);
    for (const cookie of answer.headers.getSetCookie()) res.appendHeader('set-cookie', cookie);
    for (const [name, value] of Object.entries(rest)) res.setHeader(name, value);
    res.writeHead(answer.status).end(body);
  });
  front = Object.assign(state, running);
  const app = { callbackUrls: [callbackUrl], clientSecret: 'a0secret0of0the0app0client', allowedScopes: ['openid'] };
  pool = await startLocalCognito({
    publicOrigin: front.issuer,
    now: () => now,
    config: {
      groups: [{ name: 'admins' }, { name: 'staff' }],
      users: [
        { username: 'ada', email: 'ada@example.com', password: 'Correct-Horse-1', groups: ['admins', 'staff'] },
        { username: 'bob', email: 'bob@example.com', password: 'Correct-Horse-1' },
      ],
      clients: [
        { ...app, clientId: 'plain' },
        { ...app, clientId: 'rotating', refreshTokenRotation: { retryGracePeriodSeconds: graceSeconds } },
        { ...app, clientId: 'strict', refreshTokenRotation: { retryGracePeriodSeconds: 0 } },
      ],
    },
  });
});
afterEach(async () => {
  await front.close();
  await pool.close();
});

const connect = (clientId: string, changes: { clientSecret?: string } = {}) => {
  const ours = cognito({
    userPoolId: pool.poolId,
    domain: front.issuer,
    issuerOrigin: front.issuer,
    clientId,
    clientSecret: 'a0secret0of0the0app0client',
    timeoutSeconds: 2,
    ...changes,
  });
  if (!ours.renew || !ours.end) throw new Error('a Cognito that cannot renew or end');
  return { ...ours, renew: ours.renew, end: ours.end };
};

async function signIn(ours: ReturnType<typeof connect>, username = 'ada') {
  const bound = binding();
  const page = await fetch(await ours.start(bound, callbackUrl));
  const csrf = /name="_csrf" value="([^"]+)"/.exec(await page.text())?.[1] ?? '';
  const cookie = page.headers.getSetCookie().map((line) => line.split(';')[0]);
  const sent = await fetch(page.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookie.join('; '), 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ username, password: 'Correct-Horse-1', _csrf: csrf }),
  });
  let location = new URL(sent.headers.get('location') ?? `${front.issuer}/none?${sent.status}`, page.url);
  if (!location.href.startsWith(callbackUrl)) {
    const own = sent.headers.getSetCookie().map((line) => line.split(';')[0]);
    const next = await fetch(location, { redirect: 'manual', headers: { cookie: [...cookie, ...own].join('; ') } });
    location = new URL(next.headers.get('location') ?? 'none:');
  }
  const { session = '', ...rest } = await ours.finish(location.searchParams, bound, callbackUrl);
  return { session, ...rest };
}
const tokenOf = (session: string): string => JSON.parse(session).refreshToken;
const over = { reason: 'idp.renew.refused.invalid_grant', transient: false };

describe('who signed in', () => {
  it.each([
    ['ada', ['admins', 'staff']],
    ['bob', []],
  ])('%s is in %j, at the sign-in and at every renewal', async (username, groups) => {
    const ours = connect('plain');
    const signedIn = await signIn(ours, username);
    expect(signedIn.groups).toEqual(groups);
    expect(signedIn.identity.issuer).toBe(pool.issuer);
    expect((await ours.renew(signedIn.session, signedIn.identity)).groups).toEqual(groups);
  });

  it('is nobody else at a renewal', async () => {
    const ours = connect('plain');
    const { session } = await signIn(ours, 'ada');
    const { identity } = await signIn(ours, 'bob');
    expect(await failureOf(ours.renew(session, identity))).toMatchObject({
      reason: 'idp.renew.other_person',
      transient: false,
    });
  });
});

describe('rotation', () => {
  it('off: the session stays as it is', async () => {
    const ours = connect('plain');
    const { session, identity } = await signIn(ours);
    expect((await ours.renew(session, identity)).session).toBe(session);
  });

  it('on: each renewal brings the next, and the one before dies with its grace', async () => {
    const ours = connect('rotating');
    const { session, identity } = await signIn(ours);
    const next = await ours.renew(session, identity);
    expect(tokenOf(next.session)).not.toBe(tokenOf(session));
    now += graceSeconds + 1;
    expect(await failureOf(ours.renew(session, identity), [tokenOf(session)])).toMatchObject(over);
    expect(await ours.renew(next.session, identity)).toHaveProperty('session');
  });

  it('on, and the answer lost: the old one is taken again within its grace, at once', async () => {
    const ours = connect('rotating');
    const { session, identity } = await signIn(ours);
    front.lose = 1;
    const next = await ours.renew(session, identity);
    now += graceSeconds + 1;
    expect(await ours.renew(next.session, identity)).toHaveProperty('session');
  });

  it('on, both answers lost: not now; and the session that is kept works within the grace', async () => {
    const ours = connect('rotating');
    const { session, identity } = await signIn(ours);
    front.lose = 2;
    expect(await failureOf(ours.renew(session, identity), [tokenOf(session)])).toEqual({
      reason: 'idp.unreachable',
      transient: true,
      session: undefined,
    });
    expect(await ours.renew(session, identity)).toHaveProperty('session');
  });

  it('on without a grace, and the answer lost: the session is over, which is why one is recommended', async () => {
    const ours = connect('strict');
    const { session, identity } = await signIn(ours);
    front.lose = 1;
    expect(await failureOf(ours.renew(session, identity))).toMatchObject(over);
  });
});

it.each(['plain', 'rotating'])('ended is over, and ended twice is ended: %s', async (clientId) => {
  const ours = connect(clientId);
  const { session, identity } = await signIn(ours);
  await ours.end(session);
  await ours.end(session);
  expect(await failureOf(ours.renew(session, identity))).toMatchObject(over);
});

it('a wrong secret of ours ends nobody’s session', async () => {
  const { session, identity } = await signIn(connect('plain'));
  const wrong = connect('plain', { clientSecret: 'a0typo' });
  expect(await failureOf(wrong.renew(session, identity), [tokenOf(session)])).toMatchObject({
    reason: 'idp.renew.misconfigured.invalid_client',
    transient: true,
  });
  expect(await failureOf(wrong.end(session))).toMatchObject({ reason: 'idp.token.invalid_client', transient: false });
  expect(await connect('plain').renew(session, identity)).toHaveProperty('session');
});
