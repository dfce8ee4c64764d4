/** Client authentication at the token endpoint: RFC 6749 §2.3, §3.2.1, §5.2. */
import { beforeAll, describe, expect, it } from 'vitest';
import { form, type Harness, parsed, refusal, registerClient, startHarness, withCode } from '../harness.ts';

const harness: Harness = startHarness();
const registered = { none: '', client_secret_basic: '', client_secret_post: '' };
const secrets = { client_secret_basic: '', client_secret_post: '' };

beforeAll(async () => {
  for (const method of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
    const client = await registerClient(harness, { token_endpoint_auth_method: method });
    registered[method] = client.client_id;
    if (method !== 'none') secrets[method] = client.client_secret as string;
  }
});

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const percent = (text: string) => text.replace(/[._-]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

/** A request whose client is judged before its refresh token, which is nonsense. */
const ask = (fields: Record<string, string | undefined>, authorization?: string) =>
  harness.server.handle(
    form(
      '/token',
      { grant_type: 'refresh_token', refresh_token: 'x', ...fields },
      authorization === undefined ? {} : { authorization },
    ),
  );
/** The client was accepted: it is the refresh token that was not. */
const accepted = [400, 'invalid_grant', 'refresh.forged'];
const unauthenticated = (reason: string) => [401, 'invalid_client', reason];

describe('accepted', () => {
  it('a public client by its id', async () => {
    expect(refusal(harness, await ask({ client_id: registered.none }))).toEqual(accepted);
  });

  it('a public client by Basic without a secret', async () => {
    expect(refusal(harness, await ask({}, basic(registered.none, '')))).toEqual(accepted);
  });

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    '%s: in the body, raw Basic, percent-encoded Basic',
    async (method) => {
      const [id, secret] = [registered[method], secrets[method]];
      expect(refusal(harness, await ask({ client_id: id, client_secret: secret }))).toEqual(accepted);
      for (const header of [
        basic(id, secret),
        basic(encodeURIComponent(id), encodeURIComponent(secret)),
        basic(percent(id), percent(secret)),
        basic(id, secret).replace('Basic', 'bAsIc'),
        basic(id, secret).replace(/=+$/, ''),
        basic(id, secret).replace('Basic ', 'Basic   '),
      ]) {
        expect(refusal(harness, await ask({}, header))).toEqual(accepted);
        expect(refusal(harness, await ask({ client_id: id }, header))).toEqual(accepted);
      }
    },
  );
});

describe('refused', () => {
  it.each<[string, () => [Record<string, string | undefined>, string?], readonly unknown[]]>([
    ['no client', () => [{}], unauthenticated('client.missing')],
    ['an empty client', () => [{ client_id: '' }], unauthenticated('client.missing')],
    ['an unknown client', () => [{ client_id: 'nobody' }], unauthenticated('client.unknown')],
    [
      'an unknown client with a secret',
      () => [{ client_id: 'nobody', client_secret: 'x' }],
      unauthenticated('client.unknown'),
    ],
    [
      'a public client with a secret',
      () => [{ client_id: registered.none, client_secret: 'x' }],
      unauthenticated('client.public_with_secret'),
    ],
    ['no secret', () => [{ client_id: registered.client_secret_post }], unauthenticated('client.secret_missing')],
    [
      'an empty secret',
      () => [{ client_id: registered.client_secret_post, client_secret: '' }],
      unauthenticated('client.secret_missing'),
    ],
    [
      'a wrong secret',
      () => [{ client_id: registered.client_secret_post, client_secret: 'x' }],
      unauthenticated('client.secret_wrong'),
    ],
    [
      'a secret cut short',
      () => [{ client_id: registered.client_secret_post, client_secret: secrets.client_secret_post.slice(0, -1) }],
      unauthenticated('client.secret_wrong'),
    ],
    [
      'a secret with an unknown key',
      () => [
        { client_id: registered.client_secret_post, client_secret: secrets.client_secret_post.replace('k1.', 'k2.') },
      ],
      unauthenticated('client.secret_wrong'),
    ],
    [
      'another client’s secret',
      () => [{ client_id: registered.client_secret_post, client_secret: secrets.client_secret_basic }],
      unauthenticated('client.secret_wrong'),
    ],
    [
      'the id as secret',
      () => [{ client_id: registered.client_secret_post, client_secret: registered.client_secret_post }],
      unauthenticated('client.secret_wrong'),
    ],
    ['Basic: an unknown client', () => [{}, basic('nobody', 'x')], unauthenticated('client.unknown')],
    [
      'Basic: a wrong secret',
      () => [{}, basic(registered.client_secret_basic, 'x')],
      unauthenticated('client.secret_wrong'),
    ],
    [
      'Basic: no secret',
      () => [{}, basic(registered.client_secret_basic, '')],
      unauthenticated('client.secret_missing'),
    ],
    [
      'Basic: a public client with a secret',
      () => [{}, basic(registered.none, 'x')],
      unauthenticated('client.public_with_secret'),
    ],
    [
      'Basic: no colon',
      () => [{}, `Basic ${Buffer.from('abc').toString('base64')}`],
      unauthenticated('client.basic_malformed'),
    ],
    ['Basic: no id', () => [{}, basic('', 'x')], unauthenticated('client.basic_malformed')],
    ['Basic: a broken escape', () => [{}, basic('a%zz', 'x')], unauthenticated('client.basic_malformed')],
    ['Basic: not base64', () => [{}, 'Basic !!!'], unauthenticated('client.basic_malformed')],
    ['Basic: nothing', () => [{}, 'Basic '], unauthenticated('client.basic_malformed')],
    ['Basic: 10,000 characters', () => [{}, `Basic ${'A'.repeat(10_000)}`], unauthenticated('client.basic_malformed')],
    [
      'Basic: malformed, though the body is right',
      () => [{ client_id: registered.none }, 'Basic !'],
      unauthenticated('client.basic_malformed'),
    ],
    ['Bearer', () => [{ client_id: registered.none }, 'Bearer abc'], unauthenticated('client.basic_malformed')],
    ['an empty header', () => [{ client_id: registered.none }, ''], unauthenticated('client.basic_malformed')],
    [
      'two headers joined',
      () => [{}, `${basic(registered.none, '')}, ${basic(registered.none, '')}`],
      unauthenticated('client.basic_malformed'),
    ],
    [
      'two methods',
      () => [
        { client_secret: secrets.client_secret_basic },
        basic(registered.client_secret_basic, secrets.client_secret_basic),
      ],
      [400, 'invalid_request', 'client.two_methods'],
    ],
    [
      'two ids',
      () => [{ client_id: registered.none }, basic(registered.client_secret_basic, secrets.client_secret_basic)],
      [400, 'invalid_request', 'client.two_ids'],
    ],
    [
      'a JWT assertion that is none',
      () => [
        { client_assertion: 'a.b.c', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' },
      ],
      unauthenticated('client.assertion_form'),
    ],
  ])('%s', async (_, make, expected) => {
    const [fields, authorization] = make();
    const reply = await ask(fields, authorization);
    expect(refusal(harness, reply)).toEqual(expected);
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
    // RFC 6749 §5.2: the scheme the client used, and no other, or browsers would ask for a password.
    const usedBasic = expected[0] === 401 && authorization !== undefined;
    if (usedBasic) expect(reply?.headers['www-authenticate']).toBe('Basic realm="token", charset="UTF-8"');
    else expect(reply?.headers).not.toHaveProperty('www-authenticate');
  });

  it('unknown and wrong are one answer (SEC-13)', async () => {
    const unknown = await ask({ client_id: 'nobody', client_secret: 'x' });
    const wrong = await ask({ client_id: registered.client_secret_post, client_secret: 'x' });
    expect(unknown).toEqual(wrong);
  });

  it('credentials in the query are not read', async () => {
    const sent = form('/token', { grant_type: 'refresh_token', refresh_token: 'x' });
    const reply = await harness.server.handle({ ...sent, query: `client_id=${registered.none}` });
    expect(refusal(harness, reply)).toEqual(unauthenticated('client.missing'));
  });
});

describe('a client is judged before its grant', () => {
  it('so a stranger learns nothing of a code, and the code is still good', async () => {
    const { redeem } = await withCode(harness, { token_endpoint_auth_method: 'client_secret_post' });
    for (const client_secret of [undefined, 'x', secrets.client_secret_basic]) {
      expect(refusal(harness, await redeem({ client_secret })).slice(0, 2)).toEqual([401, 'invalid_client']);
    }
    expect((await redeem())?.status).toBe(200);
  });

  it.each(['client_secret_basic', 'client_secret_post'])('%s redeems by Basic', async (method) => {
    const { fields, client } = await withCode(harness, { token_endpoint_auth_method: method });
    const header = basic(client.client_id, client.client_secret as string);
    const { client_id: _, client_secret: __, ...rest } = fields;
    const reply = await harness.server.handle(form('/token', rest, { authorization: header }));
    expect(parsed(reply)).toHaveProperty('access_token');
  });
});
