/** Registration with a database, its budget, and what becomes of `application_type` (RFC 7591, RFC 6585 §4, SEP-837). */
import { RecordsUnavailableError } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { describe, expect, it } from 'vitest';
import { type BudgetOptions, requestBudget } from '../../src/authorization-server/budget.ts';
import type { Registration } from '../../src/authorization-server/clients/registered.ts';
import { authorizePath, parsed, pkce, redirectUri, refusal, registerClient, request, withTokens } from '../harness.ts';
import { type Server, type ServerRecords, serverKinds, startServer } from './server.ts';

const day = 24 * 3600;
const dead = [400, 'invalid_client', 'authorize.client_unknown'];
/** The harness' helpers drive any server with these parts. */
const driven = (server: Server) => server as never as Parameters<typeof withTokens>[0];
const opened = async (server: Server, clientId: string) =>
  refusal(server, await server.server.handle(request(authorizePath(clientId, pkce().challenge))));
const stored = (server: Server) => server.records.list('registeredClient');

describe('stored', () => {
  it('a short id, the client in the records, its secret only as a digest', async () => {
    const server = startServer({ stored: {} });
    const client = await registerClient(driven(server), { token_endpoint_auth_method: 'client_secret_post' });
    expect(client.client_id).toMatch(/^dcr_[A-Za-z0-9_-]{22}$/);
    expect(client.client_secret).toMatch(/^ghs_[A-Za-z0-9_-]{43}$/);
    expect(client.client_secret_expires_at).toBe(0);
    const { items } = await stored(server);
    expect(items).toMatchObject([
      {
        id: client.client_id,
        value: {
          name: 'Test client',
          redirectUris: [redirectUri],
          grantTypes: ['authorization_code', 'refresh_token'],
          authMethod: 'client_secret_post',
          createdAt: server.clock.seconds,
        },
        expiresAt: server.clock.seconds + 30 * day,
      },
    ]);
    expect(JSON.stringify(items)).not.toContain(String(client.client_secret).slice(4));
  });

  it.each(['none', 'client_secret_basic', 'client_secret_post'])('the whole way, %s', async (method) => {
    const server = startServer({ stored: {} });
    const { reply, refresh } = await withTokens(driven(server), { token_endpoint_auth_method: method });
    expect(reply?.status).toBe(200);
    const wrong = await refresh({ client_secret: 'ghs_wrong' });
    const reason = method === 'none' ? 'client.public_with_secret' : 'client.secret_wrong';
    expect(refusal(server, wrong)).toEqual([401, 'invalid_client', reason]);
    expect((await refresh())?.status).toBe(200);
  });

  it('unused for 30 days it is gone', async () => {
    const server = startServer({ stored: {} });
    const { client_id: id } = await registerClient(driven(server));
    server.clock.seconds += 30 * day - 1;
    expect((await opened(server, id))[0]).toBe(200);
    server.clock.seconds += 1;
    expect(await opened(server, id)).toEqual(dead);
    const reply = await server.token({ grant_type: 'refresh_token', refresh_token: 'x', client_id: id });
    expect(refusal(server, reply)).toEqual([401, 'invalid_client', 'client.unknown']);
  });

  it('tokens renew it, for as long as their refresh token lives; looking at it and failing does not', async () => {
    const server = startServer({ stored: {} });
    const { client, tokens, refresh } = await withTokens(driven(server));
    const id = client.client_id;
    let current = tokens.refresh_token;
    for (let used = 0; used < 40; used++) {
      server.clock.seconds += 20 * 3600;
      const renewed = parsed(await refresh({ refresh_token: current }));
      current = renewed.refresh_token as string;
      const [item] = (await stored(server)).items;
      expect(item?.expiresAt).toBeGreaterThanOrEqual(server.clock.seconds + 30 * day);
    }
    const before = (await stored(server)).items[0]?.expiresAt ?? 0;
    server.clock.seconds += 2 * day;
    await opened(server, id);
    await refresh({ refresh_token: 'x' });
    expect((await stored(server)).items[0]?.expiresAt).toBe(before);
    server.clock.seconds = before;
    expect(await opened(server, id)).toEqual(dead);
  });

  it('is written once a day, however often it is used', async () => {
    const server = startServer({ stored: {} });
    const { tokens, refresh } = await withTokens(driven(server));
    const [first] = (await stored(server)).items;
    let current: unknown = tokens.refresh_token;
    for (let hour = 0; hour < 24; hour++) {
      server.clock.seconds += 3600;
      const reply = await refresh({ refresh_token: String(current) });
      expect(reply?.status).toBe(200);
      current = parsed(reply).refresh_token;
    }
    expect((await stored(server)).items[0]?.version).toBe(first?.version);
  });

  it('a renewal that fails takes nobody’s tokens away', async () => {
    const clock = { seconds: 1_800_000_000 };
    const records = memoryRecords<ServerRecords>({ kinds: serverKinds, now: () => clock.seconds });
    const replace: typeof records.replace = async (kind, ...rest) => {
      if (kind === 'registeredClient') throw new RecordsUnavailableError('away');
      return records.replace(kind, ...rest);
    };
    const server = startServer({ clock, records: { ...records, replace }, stored: {} });
    const { reply } = await withTokens(driven(server));
    expect(reply?.status).toBe(200);
    expect(server.events.at(-1)).toMatchObject({
      event: 'client.renewal_failed',
      cause: expect.stringContaining('away'),
    });
  });

  it.each(['dcr_', `dcr_${'A'.repeat(22)}`, `dcr_${'A'.repeat(22)}\0`, 'dcr_\ud800', `dcr_${'x'.repeat(5000)}`])(
    'an id nobody was given: %j',
    async (id) => {
      const server = startServer({ stored: {} });
      const sent = request('/token', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ client_id: id, grant_type: 'refresh_token', refresh_token: 'x' }).toString(),
      });
      expect(refusal(server, await server.server.handle(sent))).toEqual([401, 'invalid_client', 'client.unknown']);
    },
  );
});

describe('the budget', () => {
  const limited = (options: Partial<BudgetOptions<Registration>> = {}) => {
    const clock = { seconds: 1_800_000_000 };
    const now = () => clock.seconds;
    const total = { burst: 3, perMinute: 6 };
    return startServer({ clock, stored: {}, registrationBudget: requestBudget({ total, now, ...options }) });
  };
  const register = ({ server }: Server, metadata: object = {}, address = '198.51.100.1') =>
    server.handle(
      request('/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-address': address },
        body: JSON.stringify({ redirect_uris: [redirectUri], ...metadata }),
      }),
    );

  it('spent: 429, when to come again, and nothing stored', async () => {
    const server = limited();
    for (let i = 0; i < 3; i++) expect((await register(server))?.status).toBe(201);
    const reply = await register(server);
    expect(refusal(server, reply)).toEqual([429, 'temporarily_unavailable', 'register.budget']);
    expect(reply?.headers).toMatchObject({ 'retry-after': '10', 'cache-control': 'no-store' });
    expect((await stored(server)).items).toHaveLength(3);
    server.clock.seconds += 9;
    expect((await register(server))?.headers).toMatchObject({ 'retry-after': '1' });
    server.clock.seconds += 1;
    expect((await register(server))?.status).toBe(201);
    expect((await register(server))?.status).toBe(429);
  });

  it('comes back to its burst and no further', async () => {
    const server = limited();
    server.clock.seconds += 10 * day;
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await register(server))?.status);
    expect(statuses).toEqual([201, 201, 201, 429, 429]);
  });

  it('metadata that is refused costs nothing of it', async () => {
    const server = limited();
    for (let i = 0; i < 10; i++) expect((await register(server, { redirect_uris: [] }))?.status).toBe(400);
    expect((await register(server))?.status).toBe(201);
  });

  it('one key’s flood is its own, and takes nothing from the total', async () => {
    const server = limited({
      total: { burst: 6, perMinute: 6 },
      perKey: { burst: 2, perMinute: 1 },
      keyOf: ({ headers }, { name }) => (headers['x-address'] ? `${headers['x-address']} ${name}` : undefined),
    });
    const flood = [];
    for (let i = 0; i < 20; i++) flood.push((await register(server))?.status);
    expect(flood.filter((status) => status === 201)).toHaveLength(2);
    // Another client behind the same address (claude.ai), another address, and nobody's key: four are left of the total.
    expect((await register(server, { client_name: 'Claude' }))?.status).toBe(201);
    expect((await register(server, {}, '203.0.113.9'))?.status).toBe(201);
    expect((await register(server, {}, ''))?.status).toBe(201);
    expect((await register(server, {}, ''))?.status).toBe(201);
    expect((await register(server, {}, ''))?.status).toBe(429);
  });

  it('remembers a bounded number of keys, and forgets the one that was quiet longest', () => {
    const budget = requestBudget<string>({
      total: { burst: 1000, perMinute: 1 },
      perKey: { burst: 1, perMinute: 1 },
      keyOf: (_, key) => key,
      maxKeys: 2,
      now: () => 0,
    });
    const spend = (key: string) => budget(request('/register'), key);
    expect([spend('a'), spend('a'), spend('b'), spend('b')]).toEqual([0, 60, 0, 60]);
    expect(spend('c')).toBe(0);
    expect([spend('a'), spend('c')]).toEqual([0, 60]);
  });

  it('a clock that goes back fills nothing and breaks nothing', () => {
    let now = 1000;
    const budget = requestBudget({ total: { burst: 1, perMinute: 60 }, now: () => now });
    const spend = () => budget(request('/register'), undefined);
    expect(spend()).toBe(0);
    now = 10;
    expect(spend()).toBe(1);
    now = 11;
    expect(spend()).toBe(0);
  });

  it.each([
    { burst: 0, perMinute: 1 },
    { burst: 1, perMinute: 0 },
    { burst: Number.NaN, perMinute: 1 },
  ])('that lets nobody through is refused at the start: %j', (total) => {
    expect(() => requestBudget({ total, now: () => 0 })).toThrow(TypeError);
  });
});

describe('application_type', () => {
  const https = 'https://app.example/cb';
  it.each<[string, readonly string[], unknown, unknown]>([
    ['native on loopback', [redirectUri], 'native', 'native'],
    ['native with a claimed https URI (RFC 8252 §7.2)', [https], 'native', 'native'],
    ['web at https', [https], 'web', 'web'],
    ['a mixture that says web', [https, redirectUri], 'web', 'web'],
    ['web on loopback alone is put right', [redirectUri], 'web', 'native'],
    ['web with a private-use scheme alone is put right', ['cursor://cb', redirectUri], 'web', 'native'],
    ['none', [redirectUri], undefined, undefined],
    ['one nobody knows', [https], 'service', undefined],
    ['no text', [https], ['web'], undefined],
  ])('%s', async (_, uris, type, expected) => {
    const answer = await registerClient(driven(startServer()), { redirect_uris: uris, application_type: type });
    expect(answer.client_id).toBeDefined();
    expect(answer.application_type).toBe(expected);
  });
});
