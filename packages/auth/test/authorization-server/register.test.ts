/** Dynamic client registration: RFC 7591 §3, without a database. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  authorizePath,
  form,
  type Harness,
  issuer,
  parsed,
  pkce,
  redirectUri,
  refusal,
  registerClient,
  request,
  signedIn,
  startHarness,
} from '../harness.ts';

const register = ({ server }: Pick<Harness, 'server'>, body: unknown, type = 'application/json') =>
  server.handle(
    request('/register', {
      method: 'POST',
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );

describe('what is answered', () => {
  it('what was registered, and what was made of it', async () => {
    const harness = startHarness();
    const reply = await register(harness, {
      client_name: 'MCP Inspector',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'mcp offline_access',
      client_uri: 'https://inspector.example',
      software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
      logo_uri: 'http://169.254.169.254/',
    });
    expect(reply).toMatchObject({ status: 201, headers: { 'cache-control': 'no-store', pragma: 'no-cache' } });
    expect(parsed(reply)).toEqual({
      client_id: expect.stringMatching(/^dcr_k1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/),
      client_id_issued_at: harness.clock.seconds,
      client_name: 'MCP Inspector',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    });
  });

  it.each<[string, object, object]>([
    [
      'the least there is',
      {},
      { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
    ],
    [
      'grant types of VS Code',
      { grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
      { grant_types: ['authorization_code', 'refresh_token'] },
    ],
    [
      'grant types of Claude',
      { grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:jwt-bearer'] },
      { grant_types: ['authorization_code'] },
    ],
    ['no refresh', { grant_types: ['authorization_code'] }, { grant_types: ['authorization_code'] }],
    ['more response types', { response_types: ['token', 'code'] }, { response_types: ['code'] }],
    [
      'null for nothing',
      { client_name: null, grant_types: null, response_types: null, token_endpoint_auth_method: null },
      { token_endpoint_auth_method: 'none' },
    ],
    ['a URI twice', { redirect_uris: [redirectUri, redirectUri] }, { redirect_uris: [redirectUri] }],
    ['a type nobody knows', { application_type: 'toaster' }, { response_types: ['code'] }],
    [
      'Cursor’s three',
      {
        redirect_uris: [
          'cursor://anysphere.cursor-mcp/oauth/callback',
          'http://localhost:8787/callback',
          'https://www.cursor.com/agents/mcp/oauth/callback',
        ],
      },
      {
        redirect_uris: [
          'cursor://anysphere.cursor-mcp/oauth/callback',
          'http://localhost:8787/callback',
          'https://www.cursor.com/agents/mcp/oauth/callback',
        ],
      },
    ],
    [
      'VS Code’s four',
      {
        redirect_uris: [
          'http://127.0.0.1:33418/',
          'http://127.0.0.1/',
          'https://vscode.dev/redirect',
          'https://insiders.vscode.dev/redirect',
        ],
      },
      { response_types: ['code'] },
    ],
    ['ten URIs', { redirect_uris: Array.from({ length: 10 }, (_, i) => `http://localhost/${i}`) }, {}],
    ['a name outside ASCII', { client_name: 'Bücher 📚' }, { client_name: 'Bücher 📚' }],
    ['a name with half a character', { client_name: 'a\ud800' }, { client_name: 'a\ufffd' }],
    ['a name of 200 characters', { client_name: 'x'.repeat(200) }, { client_name: 'x'.repeat(200) }],
  ])('%s', async (_, metadata, expected) => {
    const reply = await register(startHarness(), { redirect_uris: [redirectUri], ...metadata });
    expect(reply?.status).toBe(201);
    expect(parsed(reply)).toMatchObject(expected);
    expect(parsed(reply)).not.toHaveProperty('client_secret');
  });
});

describe('what is refused', () => {
  const uri = { redirect_uris: [redirectUri] };
  const bad = 'invalid_client_metadata';
  const badUri = 'invalid_redirect_uri';
  it.each<[string, unknown, string, string]>([
    ['no URIs', {}, badUri, 'register.redirect_uris'],
    ['an empty list', { redirect_uris: [] }, badUri, 'register.redirect_uris'],
    ['a text', { redirect_uris: redirectUri }, badUri, 'register.redirect_uris'],
    ['a number among them', { redirect_uris: [redirectUri, 1] }, badUri, 'register.redirect_uris'],
    ['an object', { redirect_uris: { 0: redirectUri, length: 1 } }, badUri, 'register.redirect_uris'],
    [
      'eleven',
      { redirect_uris: Array.from({ length: 11 }, (_, i) => `http://localhost/${i}`) },
      badUri,
      'register.redirect_uris_many',
    ],
    ['javascript:', { redirect_uris: ['javascript:alert(1)'] }, badUri, 'register.redirect_uri'],
    ['data:', { redirect_uris: [redirectUri, 'data:text/html,x'] }, badUri, 'register.redirect_uri'],
    ['plain http', { redirect_uris: ['http://app.example/cb'] }, badUri, 'register.redirect_uri'],
    ['a fragment', { redirect_uris: ['https://app.example/cb#x'] }, badUri, 'register.redirect_uri'],
    ['userinfo', { redirect_uris: ['https://a@app.example/cb'] }, badUri, 'register.redirect_uri'],
    ['an unknown scheme', { redirect_uris: ['myapp://cb'] }, badUri, 'register.redirect_uri'],
    ['an empty URI', { redirect_uris: [''] }, badUri, 'register.redirect_uri'],
    ['a name that is a number', { ...uri, client_name: 1 }, bad, 'register.name'],
    ['a name that is a list', { ...uri, client_name: ['a'] }, bad, 'register.name'],
    ['a name of 201 characters', { ...uri, client_name: 'x'.repeat(201) }, bad, 'register.name_long'],
    ['grant types as text', { ...uri, grant_types: 'authorization_code' }, bad, 'register.grant_types'],
    ['none of our grant types', { ...uri, grant_types: ['implicit', 'password'] }, bad, 'register.grant_types_none'],
    ['refresh alone', { ...uri, grant_types: ['refresh_token'] }, bad, 'register.grant_types_none'],
    ['no grant types', { ...uri, grant_types: [] }, bad, 'register.grant_types_none'],
    ['response types without code', { ...uri, response_types: ['token'] }, bad, 'register.response_types'],
    ['response types as text', { ...uri, response_types: 'code' }, bad, 'register.response_types'],
    ['another authentication', { ...uri, token_endpoint_auth_method: 'private_key_jwt' }, bad, 'register.auth_method'],
    [
      'authentication by property name',
      { ...uri, token_endpoint_auth_method: '__proto__' },
      bad,
      'register.auth_method',
    ],
    ['authentication as a list', { ...uri, token_endpoint_auth_method: ['none'] }, bad, 'register.auth_method'],
    [
      'more than 2 KB',
      { redirect_uris: Array.from({ length: 3 }, (_, i) => `https://app.example/${i}${'x'.repeat(800)}`) },
      bad,
      'register.too_large',
    ],
    ['not JSON', '{', 'invalid_request', 'body.json'],
    ['a list', [], 'invalid_request', 'body.not_an_object'],
    ['null', 'null', 'invalid_request', 'body.not_an_object'],
  ])('%s', async (_, body, code, reason) => {
    const harness = startHarness();
    const reply = await register(harness, body);
    expect(refusal(harness, reply)).toEqual([400, code, reason]);
    expect(reply?.headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' });
    expect(parsed(reply).error_description).not.toMatch(/alert|text\/html|@/);
  });

  it('another content type', async () => {
    const harness = startHarness();
    expect(refusal(harness, await register(harness, uri, 'text/plain'))).toEqual([
      400,
      'invalid_request',
      'body.content_type',
    ]);
  });

  it('a body of 100 KB', async () => {
    const harness = startHarness();
    const reply = await register(harness, { ...uri, software_statement: 'x'.repeat(100_000) });
    expect(refusal(harness, reply)).toEqual([413, 'invalid_request', 'body.too_large']);
  });

  it('whatever JSON comes, it is answered 201 or 400', async () => {
    const harness = startHarness();
    const names = fc.constantFrom(
      'redirect_uris',
      'client_name',
      'grant_types',
      'response_types',
      'token_endpoint_auth_method',
      'application_type',
      '__proto__',
    );
    const values = fc.oneof(
      fc.jsonValue(),
      fc.array(fc.webUrl(), { maxLength: 3 }),
      fc.constantFrom('none', ['code'], ['authorization_code']),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(names, values), async (body) => {
        expect([201, 400]).toContain((await register(harness, body))?.status);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the id', () => {
  it('differs at every registration, even of the same metadata in the same second', async () => {
    const harness = startHarness();
    const ids = await Promise.all(Array.from({ length: 100 }, async () => (await registerClient(harness)).client_id));
    expect(new Set(ids).size).toBe(100);
  });

  it('of the largest client leaves room in the authorize URL', async () => {
    const harness = startHarness();
    const uris = ['a', 'b', 'c'].map((name) => `https://app.example/${name}${'x'.repeat(590)}`);
    const client = await registerClient(harness, { client_name: '"'.repeat(100), redirect_uris: uris });
    const path = authorizePath(client.client_id, pkce().challenge, { redirect_uri: uris[0] });
    expect(path.length).toBeLessThan(8000);
    expect((await harness.server.handle(request(path)))?.status).toBe(200);
  });

  it('holds through a restart and a new secret, until the old secret is gone', async () => {
    const client = await registerClient(startHarness());
    const path = authorizePath(client.client_id, pkce().challenge);
    const old = { id: 'k1', secret: 'an operator secret of thirty-two bytes or more' };
    const fresh = { id: 'k2', secret: 'a new operator secret of thirty-two bytes' };
    const status = async (secrets: (typeof old)[]) =>
      (await startHarness({ secrets }).server.handle(request(path)))?.status;
    expect(await status([old])).toBe(200);
    expect(await status([fresh, old])).toBe(200);
    expect(await status([fresh])).toBe(400);
  });

  it.each([
    ['a sibling issuer with the same secret', { issuer: 'https://other.example' }],
    ['a path of the same host', { issuer: `${issuer}/tenant1` }],
  ])('is worth nothing at %s', async (_, options) => {
    const client = await registerClient(startHarness());
    const sibling = startHarness(options);
    const path = `${options.issuer.slice('https://'.length).includes('/') ? '/tenant1' : ''}`;
    const reply = await sibling.server.handle(request(path + authorizePath(client.client_id, pkce().challenge)));
    expect(refusal(sibling, reply)).toEqual([400, 'invalid_client', 'authorize.client_unknown']);
    const token = await sibling.server.handle(form(`${path}/token`, { grant_type: 'x', client_id: client.client_id }));
    expect(refusal(sibling, token)).toEqual([401, 'invalid_client', 'client.unknown']);
  });

  it('is refused with any character changed', async () => {
    const harness = startHarness();
    const { client_id: id } = await registerClient(harness);
    const change = fc.tuple(fc.nat(id.length - 1), fc.constantFrom(...'Aa0_-.'));
    await fc.assert(
      fc.asyncProperty(change, async ([at, character]) => {
        const changed = id.slice(0, at) + character + id.slice(at + 1);
        const reply = await harness.server.handle(request(authorizePath(changed, pkce().challenge)));
        expect(reply?.status).toBe(changed === id ? 200 : 400);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a confidential client', () => {
  it.each(['client_secret_basic', 'client_secret_post'])('%s gets a secret that is really checked', async (method) => {
    const harness = startHarness();
    const { client, reply } = await signedIn(harness, { token_endpoint_auth_method: method });
    expect(client).toMatchObject({ token_endpoint_auth_method: method, client_secret_expires_at: 0 });
    expect(client.client_secret).toMatch(/^ghs_k1\.[A-Za-z0-9_-]{43}$/);
    expect(reply?.status).toBe(200);
  });

  it('has a secret of its own', async () => {
    const harness = startHarness();
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    const [a, b] = [await registerClient(harness, metadata), await registerClient(harness, metadata)];
    const fields = { grant_type: 'refresh_token', refresh_token: 'x', client_id: a?.client_id };
    const wrong = await harness.server.handle(form('/token', { ...fields, client_secret: b?.client_secret as string }));
    expect(refusal(harness, wrong)).toEqual([401, 'invalid_client', 'client.secret_wrong']);
    const right = await harness.server.handle(form('/token', { ...fields, client_secret: a?.client_secret as string }));
    expect(refusal(harness, right)).toEqual([400, 'invalid_grant', 'refresh.forged']);
  });
});

it('a flood of 2,000 registrations leaves the records empty', async () => {
  const harness = startHarness();
  for (let i = 0; i < 2000; i++) await registerClient(harness, { client_name: `client ${i}` });
  expect(harness.records.calls).toEqual([]);
  expect(await harness.records.dump()).toBe('[]');
});
