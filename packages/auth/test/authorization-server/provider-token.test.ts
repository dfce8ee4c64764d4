/** The provider's access token for a target: kept only where it is asked for, renewed before it ends, and seen by nobody else. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccessToken, type Gatehouse, type GatehouseOptions, isReply, oidc } from '../../src/gatehouse.ts';
import {
  authorizePath,
  form,
  hidden,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  secret,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';
import { callbackUrl, client as providerClient, signIn, startProvider } from '../identity-providers/servers.ts';
import {
  away,
  no,
  type SessionHarness,
  startRefreshing,
  startWithSessions,
  tokensOf,
} from './identity-session-harness.ts';

const plain = 'https://auth.example/plain';
const scopes = { read: 'read', write: 'write' };
const resources = [
  { uri: resource, scopes, providerToken: true },
  { uri: plain, scopes },
];

/** Every token the provider gave in a test: none of them may be seen anywhere but at the target. */
const given: string[] = [];
let harness: SessionHarness;

/** From now on the provider gives another one with every answer. */
function giving(expiresIn: number | undefined): void {
  const fresh = () => {
    const token = `provider-token-${randomBytes(9).toString('base64url')}`;
    given.push(token);
    return { token, ...(expiresIn !== undefined && { expiresIn }) };
  };
  Object.defineProperty(harness.identityProvider, 'accessToken', { get: fresh, configurable: true });
}

function start(options: Partial<GatehouseOptions> = {}) {
  harness = startWithSessions({ resources, ...options });
  giving(3600);
}

beforeEach(() => {
  given.length = 0;
  start();
});

afterEach(async () => {
  const seen = JSON.stringify(harness.events) + (await harness.records.dump());
  for (const token of given) expect(seen).not.toContain(token);
});

async function admitted(accessToken: string, server: Gatehouse = harness.server, uri = resource): Promise<AccessToken> {
  const token = await server.guard(uri)({ authorization: `Bearer ${accessToken}` });
  if (isReply(token)) throw new Error(token.body);
  return token;
}

async function signedIn() {
  const signed = await startRefreshing(harness);
  const token = await admitted(signed.tokens.access_token);
  return { ...signed, token };
}

const tokenFor = (token: AccessToken, server: Gatehouse = harness.server) => server.providerToken(token);
const events = (name: string) => harness.events.filter(({ event }) => event === name);

describe('the token', () => {
  it('of the sign-in is given with its end, and stands sealed in the session of the grant', async () => {
    const { token } = await signedIn();
    const expiresAt = harness.clock.seconds + 3600;
    expect(await tokenFor(token)).toEqual({ outcome: 'token', token: given[0], expiresAt });
    expect((await harness.session())?.value.accessToken).toEqual({ sealed: expect.any(String), endsAt: expiresAt });
  });

  it('is not kept for a resource that does not pass it on, nor after a renewal, and not given for one', async () => {
    const { client, redeem } = await withCode(harness, {}, { resource: plain });
    const tokens = tokensOf(await redeem({ resource: plain }));
    expect(await tokenFor(await admitted(tokens.access_token, harness.server, plain))).toEqual({ outcome: 'none' });
    expect((await harness.session())?.value).not.toHaveProperty('accessToken');
    harness.clock.seconds += 3600;
    const { client_id } = client;
    const fields = { grant_type: 'refresh_token', client_id, refresh_token: tokens.refresh_token };
    expect((await harness.server.handle(form('/token', fields)))?.status).toBe(200);
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect((await harness.session())?.value).not.toHaveProperty('accessToken');
    expect(given).toHaveLength(2);
  });

  it('is remembered for a minute, and then costs one read', async () => {
    const { token } = await signedIn();
    await tokenFor(token);
    harness.records.calls.length = 0;
    harness.clock.seconds += 59;
    await tokenFor(token);
    expect(harness.records.calls).toEqual([]);
    harness.clock.seconds += 1;
    await tokenFor(token);
    expect(harness.records.calls).toEqual(['get identitySession']);
  });

  it('that the hourly renewal brings takes its place', async () => {
    const { next } = await signedIn();
    harness.clock.seconds += 3600;
    const { tokens } = await next();
    expect(await tokenFor(await admitted(tokens.access_token))).toMatchObject({ token: given.at(-1) });
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('without an end is given as long as the renewals go on', async () => {
    giving(undefined);
    const { token } = await signedIn();
    harness.clock.seconds += 890;
    expect(await tokenFor(token)).toEqual({ outcome: 'token', token: given[0] });
    expect(harness.identityProvider.asked).toEqual([]);
  });
});

describe('before it ends', () => {
  beforeEach(() => giving(600));

  it('another one is had, once for all who ask', async () => {
    const { token } = await signedIn();
    harness.clock.seconds += 539;
    expect(await tokenFor(token)).toMatchObject({ token: given[0] });
    harness.clock.seconds += 1;
    const answers = await Promise.all(Array.from({ length: 20 }, () => tokenFor(token)));
    expect(harness.identityProvider.asked).toHaveLength(1);
    const expiresAt = harness.clock.seconds + 600;
    expect(answers).toEqual(Array(20).fill({ outcome: 'token', token: given.at(-1), expiresAt }));
    // What came with it is what the next refresh uses: nobody is asked again.
    expect(events('session.renewed')).toHaveLength(1);
  });

  it('and over several instances once, too', async () => {
    const { token } = await signedIn();
    harness.clock.seconds += 600;
    const instances = [harness.server, harness.another(), harness.another()];
    const answers = await Promise.all(instances.map((server) => tokenFor(token, server)));
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect(answers).toMatchObject(Array(3).fill({ outcome: 'token', token: given.at(-1) }));
  });

  it('the old one will do while the provider is away, and no longer than it lives', async () => {
    const { token } = await signedIn();
    harness.identityProvider.instead = () => Promise.reject(away());
    harness.clock.seconds += 599;
    expect(await tokenFor(token)).toMatchObject({ outcome: 'token', token: given[0] });
    harness.clock.seconds += 1;
    const answer = await tokenFor(token);
    expect(answer).toEqual({ outcome: 'unavailable', retrySeconds: expect.any(Number) });
    expect(answer.outcome === 'unavailable' && answer.retrySeconds).toBeGreaterThanOrEqual(2);
    // Asked once, and then the pause after a failure holds for everybody.
    expect(harness.identityProvider.asked).toHaveLength(1);
    expect((await harness.grant())?.value.endedAt).toBeUndefined();
    harness.identityProvider.instead = undefined;
    harness.clock.seconds += 61;
    expect(await tokenFor(token)).toMatchObject({ outcome: 'token', token: given.at(-1) });
  });

  it('a provider that takes too long is waited for by nobody, and its answer is kept', async () => {
    const { token } = await signedIn();
    harness.clock.seconds += 600;
    let answered = () => {};
    harness.identityProvider.hold = new Promise((resolve) => {
      answered = resolve;
    });
    expect(await tokenFor(token)).toMatchObject({ outcome: 'unavailable' });
    expect(events('session.slow')).toHaveLength(1);
    answered();
    await harness.server.flush();
    harness.clock.seconds += 2;
    expect(await tokenFor(token)).toMatchObject({ outcome: 'token', token: given.at(-1) });
  }, 20_000);

  it('a definite no ends the grant, as a refresh would have', async () => {
    const { token, tokens, next } = await signedIn();
    harness.identityProvider.instead = () => Promise.reject(no());
    harness.clock.seconds += 600;
    expect(await tokenFor(token)).toEqual({ outcome: 'gone' });
    expect((await harness.grant())?.value).toMatchObject({ endReason: 'identity_ended' });
    expect(events('grant.identity_ended')).toHaveLength(1);
    const guarded = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    expect(isReply(guarded) && guarded.status).toBe(401);
    expect(parsed((await next()).reply).error).toBe('invalid_grant');
  });

  it('one that lives shortly is used for half its life, so that the provider is not asked all the time', async () => {
    giving(20);
    const { token } = await signedIn();
    for (let second = 0; second < 60; second++) {
      expect(await tokenFor(token)).toMatchObject({ outcome: 'token' });
      harness.clock.seconds += 1;
    }
    expect(harness.identityProvider.asked).toHaveLength(5);
  });

  it('a renewal leaves the session of a client that cannot refresh no longer life', async () => {
    const { tokens } = await withTokens(harness, { grant_types: ['authorization_code'] });
    const token = await admitted(tokens.access_token);
    const before = (await harness.session())?.expiresAt;
    expect(before).toBe(harness.clock.seconds + 900 + 300);
    harness.clock.seconds += 560;
    expect(await tokenFor(token)).toMatchObject({ token: given.at(-1) });
    expect((await harness.session())?.expiresAt).toBe(before);
    expect(harness.identityProvider.asked).toHaveLength(1);
  });

  it('a renewal leaves that of another client all of its life', async () => {
    const { token, next } = await signedIn();
    const before = (await harness.session())?.expiresAt ?? 0;
    harness.clock.seconds += 560;
    await tokenFor(token);
    expect((await harness.session())?.expiresAt).toBe(before + 560);
    harness.clock.seconds += 30 * 24 * 3600 - 1000;
    expect((await next()).status).toBe(200);
  });
});

describe('there is none', () => {
  it('for a machine', async () => {
    const machine = {
      id: 'machine',
      secret: 'a-client-secret-of-thirty-two-bytes',
      grantTypes: ['client_credentials'],
    };
    start({ clients: [machine] });
    const fields = { grant_type: 'client_credentials', client_id: 'machine', client_secret: machine.secret, resource };
    const reply = parsed(await harness.server.handle(form('/token', fields)));
    const token = await admitted(String(reply.access_token));
    harness.records.calls.length = 0;
    expect(await tokenFor(token)).toEqual({ outcome: 'none' });
    expect(harness.records.calls).toEqual([]);
  });

  it('where the provider cannot be asked again', async () => {
    harness.identityProvider.session = undefined;
    const { token } = await signedIn();
    expect(await tokenFor(token)).toEqual({ outcome: 'none' });
  });

  it.each([
    ['gives none', undefined],
    ['gives one that fits into no header', { token: 'two words', expiresIn: 60 }],
    ['gives a header of its own', { token: 'x\r\nx-admin: yes', expiresIn: 60 }],
    ['gives one that is too long', { token: 'x'.repeat(16_385), expiresIn: 60 }],
    ['gives one that has ended', { token: 'ended-already', expiresIn: 0 }],
    ['gives a strange end', { token: 'strange-end', expiresIn: Number.NaN }],
  ])('where the provider %s', async (_, accessToken) => {
    Object.defineProperty(harness.identityProvider, 'accessToken', { value: accessToken });
    const { token } = await signedIn();
    expect(await tokenFor(token)).toEqual({ outcome: 'none' });
    expect(await tokenFor(token)).toEqual({ outcome: 'none' });
    expect(harness.identityProvider.asked).toEqual([]);
  });

  it('for another resource’s token, and for one of another issuer that names a grant of ours', async () => {
    const { token } = await signedIn();
    expect(await tokenFor({ ...token, audience: plain })).toEqual({ outcome: 'none' });
    expect(await tokenFor({ ...token, issuer: 'https://other.example' })).toEqual({ outcome: 'none' });
    expect(await tokenFor({ ...token, grantId: 'A'.repeat(22) })).toEqual({ outcome: 'gone' });
  });
});

describe('in between', () => {
  it('a grant that was revoked has none: it is wiped at once, and seen elsewhere within a minute', async () => {
    const { token, client, tokens } = await signedIn();
    const other = harness.another();
    await tokenFor(token, other);
    harness.identityProvider.endFails = away();
    await harness.server.handle(form('/revoke', { client_id: client.client_id, token: tokens.refresh_token }));
    // The provider could not be told: what is kept for the next try holds no access.
    expect((await harness.session())?.value).toMatchObject({ over: true });
    expect((await harness.session())?.value).not.toHaveProperty('accessToken');
    expect(await tokenFor(token)).toEqual({ outcome: 'gone' });
    harness.clock.seconds += 60;
    expect(await tokenFor(token, other)).toEqual({ outcome: 'gone' });
  });

  it('records that are away are no reason to throw anything away', async () => {
    const { token } = await signedIn();
    harness.records.interfere = (_, kind) => (kind === 'identitySession' ? 'away' : undefined);
    expect(await tokenFor(token)).toEqual({ outcome: 'unavailable', retrySeconds: 2 });
    // Whoever comes again at once reads nothing.
    harness.records.calls.length = 0;
    expect(await tokenFor(token)).toEqual({ outcome: 'unavailable', retrySeconds: 2 });
    expect(harness.records.calls).toEqual([]);
    expect(events('fault')).toMatchObject([{ reason: 'session.token_unread' }]);
    harness.records.interfere = undefined;
    harness.clock.seconds += 2;
    expect(await tokenFor(token)).toMatchObject({ outcome: 'token', token: given[0] });
  });

  it('another secret opens it as long as the one that sealed it is there', async () => {
    const { token } = await signedIn();
    const newer = { id: 'k2', secret: 'another operator secret of thirty-two bytes' };
    expect(await tokenFor(token, harness.another({ secrets: [newer, secret] }))).toMatchObject({ token: given[0] });
    expect(await tokenFor(token, harness.another({ secrets: [newer] }))).toMatchObject({ outcome: 'unavailable' });
    expect((await harness.grant())?.value.endedAt).toBeUndefined();
  });
});

it('a provider that cannot be asked again has none to pass on: said at the start', () => {
  expect(() => startHarness({ resources })).toThrow(
    'resources[0].providerToken: the identity provider cannot be asked again, so none is kept',
  );
});

it('works at a real provider: what is given opens its userinfo, before and after a renewal', async () => {
  const provider = await startProvider({ alwaysRefresh: true });
  try {
    const identityProvider = oidc({
      issuer: provider.issuer,
      clientId: providerClient.id,
      clientSecret: providerClient.secret,
    });
    const real = startHarness({ resources, identityProvider });
    const client = await registerClient(real);
    const { verifier, challenge } = pkce();
    const person = real.browser();
    const page = await person.send(request(authorizePath(client.client_id, challenge)));
    const fields = { request: hidden(page, 'request'), decision: 'allow' };
    const sent = await person.send(form('/consent', fields, sameOrigin));
    const query = await signIn(String(sent.headers.location), 'somebody');
    const back = await person.send(request(`${new URL(callbackUrl).pathname}?${query}`));
    const code = new URL(String(back.headers.location)).searchParams.get('code') ?? '';
    const redeemed = { grant_type: 'authorization_code', client_id: client.client_id, code, code_verifier: verifier };
    const answer = parsed(await real.server.handle(form('/token', redeemed)));
    const token = await admitted(String(answer.access_token), real.server);
    const atProvider = async (): Promise<unknown> => {
      const outcome = await real.server.providerToken(token);
      if (outcome.outcome !== 'token') throw new Error(outcome.outcome);
      given.push(outcome.token);
      const said = await fetch(`${provider.issuer}/me`, { headers: { authorization: `Bearer ${outcome.token}` } });
      return ((await said.json()) as { sub?: unknown }).sub;
    };
    expect(await atProvider()).toBe('somebody');
    real.clock.seconds += 31; // of its 60 seconds
    expect(await atProvider()).toBe('somebody');
    expect(new Set(given).size).toBe(2);
    const seen = JSON.stringify(real.events) + (await real.records.dump());
    for (const text of given) expect(seen).not.toContain(text);
  } finally {
    await provider.close();
  }
});
