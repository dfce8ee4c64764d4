/** The library as it is put together: what its options switch on, from the outside. */
import { describe, expect, it } from 'vitest';
import { isReply, preflight, withCors } from '../src/gatehouse.ts';
import { form, issuer, parsed, refusal, request, resource, signedIn, startHarness } from './harness.ts';

const machine = {
  id: 'reporting',
  secret: 'a-machine-secret-of-thirty-two-bytes-or-more',
  grantTypes: ['client_credentials'],
  scope: ['read'],
  introspects: [resource],
};

const metadataOf = async (harness: ReturnType<typeof startHarness>) =>
  parsed(await harness.server.handle(request('/.well-known/oauth-authorization-server')));

describe('what the metadata announces', () => {
  it('is what is switched on, and nothing else', async () => {
    const bare = await metadataOf(startHarness());
    expect(bare.revocation_endpoint).toBe(`${issuer}/revoke`);
    expect(bare.grant_types_supported).toEqual(['authorization_code', 'refresh_token']);
    for (const absent of ['introspection_endpoint', 'client_id_metadata_document_supported']) {
      expect(bare).not.toHaveProperty(absent);
    }
    const full = await metadataOf(startHarness({ clients: [machine], metadataDocuments: {} }));
    expect(full).toMatchObject({
      introspection_endpoint: `${issuer}/introspect`,
      client_id_metadata_document_supported: true,
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    });
  });
});

describe('a machine client', () => {
  const asked = { grant_type: 'client_credentials', client_id: machine.id, client_secret: machine.secret };

  it('gets a token for itself, and the guard takes it', async () => {
    const harness = startHarness({ clients: [machine] });
    const tokens = parsed(await harness.server.handle(form('/token', { ...asked, resource })));
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: 'read' });
    expect(tokens).not.toHaveProperty('refresh_token');
    const token = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
    if (isReply(token)) throw new Error(token.body);
    expect(token).toMatchObject({ clientId: machine.id, scope: ['read'] });
  });

  it('is not there unless it is configured', async () => {
    const harness = startHarness();
    const reply = await harness.server.handle(form('/token', asked));
    expect(refusal(harness, reply)).toEqual([401, 'invalid_client', 'client.unknown']);
  });
});

describe('revocation', () => {
  it('ends the grant: the guard of this process refuses at once, and nothing is refreshed', async () => {
    const harness = startHarness({ clients: [machine] });
    const { client, tokens } = await signedIn(harness);
    const guard = harness.server.guard(resource);
    const call = () => guard({ authorization: `Bearer ${tokens.access_token}` });
    const introspect = async () => {
      const { id: client_id, secret: client_secret } = machine;
      const fields = { client_id, client_secret, token: tokens.access_token };
      return parsed(await harness.server.handle(form('/introspect', fields)));
    };
    expect(isReply(await call())).toBe(false);
    expect(await introspect()).toMatchObject({ active: true, scope: 'read write' });

    const fields = { client_id: client.client_id, token: tokens.refresh_token };
    expect((await harness.server.handle(form('/revoke', fields)))?.status).toBe(200);
    expect(await call()).toMatchObject({ status: 401 });
    expect(await introspect()).toEqual({ active: false });
    const again = { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: tokens.refresh_token };
    expect((await harness.server.handle(form('/token', again)))?.status).toBe(400);
  });
});

it('the person’s page is there, and asks who they are', async () => {
  const reply = await startHarness().server.handle(request('/connections'));
  expect(reply?.status).toBe(200);
  expect(reply?.headers['content-security-policy']).toContain("frame-ancestors 'none'");
});

it.each(['RS256', 'EdDSA'] as const)('signs with %s where it is asked to', async (signing) => {
  const harness = startHarness({ signing });
  const { tokens } = await signedIn(harness);
  expect(JSON.parse(Buffer.from(tokens.access_token.split('.')[0] ?? '', 'base64url').toString()).alg).toBe(signing);
  expect(isReply(await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` }))).toBe(false);
});

it('everything wrong with the clients is said when it starts', () => {
  expect(() => startHarness({ clients: [{ id: 'dcr_x' }, { id: 'y', secret: 'short' }] })).toThrow(
    /clients\[0\][\s\S]*clients\[1\]/,
  );
});

it('what a page in a browser needs to read the challenge comes with it where the server says so', async () => {
  const reply = await startHarness().server.guard(resource)({});
  if (!isReply(reply)) throw new Error('let in');
  expect(withCors(reply).headers).toMatchObject({
    'www-authenticate': expect.stringContaining('resource_metadata='),
    'access-control-allow-origin': '*',
    'access-control-expose-headers': expect.stringContaining('www-authenticate'),
  });
  expect(preflight('POST', 'mcp-method')).toMatchObject({
    status: 204,
    headers: { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'mcp-method' },
  });
});
