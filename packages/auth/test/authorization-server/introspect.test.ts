/** Introspection (RFC 7662): the truth for whom the operator chose, and nothing for anybody else. */
import { beforeEach, describe, expect, it } from 'vitest';
import { form, issuer, parsed, refusal, registerClient, resource, withTokens } from '../harness.ts';
import { asHarness, type Composition, compose, configuredClient, otherResource } from './composition.ts';

const allowed: Readonly<Record<string, readonly string[]>> = {
  tools: [resource],
  other: [otherResource],
  open: [resource],
};

let all: Composition;
let signed: Awaited<ReturnType<typeof withTokens>>;

beforeEach(async () => {
  const noSecret = configuredClient('open', { authMethods: ['none'] });
  all = compose({
    clients: [
      ...['tools', 'other', 'nosy'].map((id) => configuredClient(id)),
      // Without the secret that `configuredClient` gives.
      Object.fromEntries(Object.entries(noSecret).filter(([key]) => key !== 'verifySecret')) as typeof noSecret,
    ],
    mayIntrospect: ({ id }) => allowed[id] ?? [],
  });
  signed = await withTokens(asHarness(all));
  all.events.length = 0;
});

const ask = (token: string | undefined, client = 'tools', changes: Readonly<Record<string, string | undefined>> = {}) =>
  all.server.handle(form('/introspect', { token, client_id: client, client_secret: `${client}-secret`, ...changes }));
const refused = (reply: Awaited<ReturnType<typeof ask>>) => refusal(asHarness(all), reply);
const inactive = async (token: string, client?: string) => {
  const reply = await ask(token, client);
  expect([reply?.status, reply?.body]).toEqual([200, '{"active":false}']);
  expect(all.events.at(-1)).toMatchObject({ event: 'token.introspected', active: false });
};

it('an active token is described as it is', async () => {
  const reply = await ask(signed.tokens.access_token);
  expect(reply?.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  const [{ value: grant } = { value: undefined }] = (await all.records.list('grant')).items;
  expect(parsed(reply)).toEqual({
    active: true,
    token_type: 'Bearer',
    iss: issuer,
    aud: resource,
    sub: grant?.subject,
    client_id: signed.client.client_id,
    scope: 'read write',
    iat: all.clock.seconds,
    exp: all.clock.seconds + 900,
    jti: expect.stringMatching(/^[\w-]{16}$/),
    sub_id: { format: 'iss_sub', iss: 'https://idp.example', sub: 'person-1' },
  });
});

it('with HTTP Basic too', async () => {
  const reply = await all.server.handle(
    form(
      '/introspect',
      { token: signed.tokens.access_token, token_type_hint: 'refresh_token' },
      { authorization: `Basic ${Buffer.from('tools:tools-secret').toString('base64')}` },
    ),
  );
  expect(parsed(reply).active).toBe(true);
});

describe('inactive, and nothing else is said', () => {
  it('of a token for another resource than the caller’s', () => inactive(signed.tokens.access_token, 'other'));

  it('of a refresh token, which nobody must let in', () => inactive(signed.tokens.refresh_token));

  it.each([
    ['text', () => 'nonsense'],
    ['another signature', () => signed.tokens.access_token.replace(/\.[^.]*$/, `.${'A'.repeat(86)}`)],
    [
      'an ID token of ours',
      () => all.signer.sign('JWT', { iss: issuer, aud: resource, sub: 's', client_id: 'c', jti: 'j', exp: 4e9 }),
    ],
    [
      'another issuer',
      () =>
        all.signer.sign('at+jwt', {
          iss: 'https://x.example',
          aud: resource,
          sub: 's',
          client_id: 'c',
          jti: 'j',
          exp: 4e9,
        }),
    ],
    [
      'several audiences',
      () => all.signer.sign('at+jwt', { iss: issuer, aud: [resource], sub: 's', client_id: 'c', jti: 'j', exp: 4e9 }),
    ],
    [
      'a resource that is gone',
      () =>
        all.signer.sign('at+jwt', {
          iss: issuer,
          aud: 'https://gone.example',
          sub: 's',
          client_id: 'c',
          jti: 'j',
          exp: 4e9,
        }),
    ],
    [
      'a grant that is gone',
      () =>
        all.signer.sign('at+jwt', {
          iss: issuer,
          aud: resource,
          sub: 's',
          client_id: 'c',
          jti: 'j',
          exp: 4e9,
          grant_id: 'gone',
        }),
    ],
  ])('of %s', async (_, token) => inactive(await token()));

  it('of an expired token, to the second', async () => {
    all.clock.seconds += 899;
    expect(parsed(await ask(signed.tokens.access_token)).active).toBe(true);
    all.clock.seconds += 1;
    await inactive(signed.tokens.access_token);
  });

  it('of a revoked token, at once', async () => {
    expect(parsed(await ask(signed.tokens.access_token)).active).toBe(true);
    await all.server.handle(
      form('/revoke', { token: signed.tokens.refresh_token, client_id: signed.client.client_id }),
    );
    await inactive(signed.tokens.access_token);
  });
});

describe('refused', () => {
  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 'client.secret_wrong'],
    ['no secret', { client_secret: undefined }, 401, 'invalid_client', 'client.secret_missing'],
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client', 'client.unknown'],
    ['nobody', { client_id: undefined, client_secret: undefined }, 401, 'invalid_client', 'client.missing'],
    [
      'a configured client that may not',
      { client_id: 'nosy', client_secret: 'nosy-secret' },
      403,
      'unauthorized_client',
      'introspect.not_allowed',
    ],
    [
      'a configured client without a secret',
      { client_id: 'open', client_secret: undefined },
      403,
      'unauthorized_client',
      'introspect.not_configured',
    ],
    ['no token', { token: undefined }, 400, 'invalid_request', 'introspect.token_missing'],
  ])('%s', async (_, changes, status, code, reason) => {
    expect(refused(await ask(signed.tokens.access_token, 'tools', changes))).toEqual([status, code, reason]);
  });

  it.each(['none', 'client_secret_post'])('a client that registered itself, with %s', async (method) => {
    const client = await registerClient(asHarness(all), { token_endpoint_auth_method: method });
    const changes = { client_secret: client.client_secret as string | undefined };
    const reply = await ask(signed.tokens.access_token, client.client_id, changes);
    expect(refused(reply)).toEqual([403, 'unauthorized_client', 'introspect.not_configured']);
  });

  it('the bearer of the token itself', async () => {
    const headers = { authorization: `Bearer ${signed.tokens.access_token}` };
    const reply = await all.server.handle(form('/introspect', { token: signed.tokens.access_token }, headers));
    expect(refused(reply)).toEqual([401, 'invalid_client', 'client.basic_malformed']);
  });

  it('while the records are away: neither active nor inactive', async () => {
    await ask(signed.tokens.access_token);
    all.records.interfere = (_, kind) => (kind === 'grant' ? 'away' : undefined);
    const reply = await ask(signed.tokens.access_token);
    expect(refused(reply)).toEqual([503, 'temporarily_unavailable', 'records.unavailable']);
    expect(reply?.headers).toHaveProperty('retry-after');
  });
});
