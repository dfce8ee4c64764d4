/** What the configuration says of people: their roles by group at the identity provider, what tools ask of them, and whose assertions count. */
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let ada: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway(
    [
      {
        path: '/mcp',
        target: `${target.url}/mcp`,
        tools: {
          look: { permission: 'read:notes' },
          erase: { permission: 'erase:notes' },
          rule: { role: 'editor' },
        },
      },
    ],
    {
      roles: {
        groups: { staff: ['editor'], choir: ['singer'] },
        everyone: ['reader'],
        roles: { editor: ['write:notes'], reader: ['read:notes'], singer: ['erase:notes'] },
      },
      assertionIssuers: [{ issuer: 'https://login.example.com', jwksUri: 'https://login.example.com/keys' }],
    },
  );
  ada = await signIn({ issuer: gateway.issuer });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

function call(tool: string): Promise<Response> {
  return fetch(gateway.url('/mcp'), {
    method: 'POST',
    headers: { ...ada.authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: {} } }),
  });
}

it('a group of the user pool is a role here, and the target is told', async () => {
  expect((await call('look')).status).toBe(200);
  expect(readIdentityHeaders(target.seen.at(-1)?.headers ?? {})).toMatchObject({
    roles: ['reader', 'editor'],
    permissions: ['read:notes', 'write:notes'],
  });
});

it('a tool that asks for a role or a permission is for those who have it, and the target never hears of the others', async () => {
  const before = target.seen.length;
  expect((await call('rule')).status).toBe(200);
  const refused = await call('erase');
  expect(refused.status).toBe(403);
  // No consent could add it, so nobody is sent to ask for one.
  expect(refused.headers.get('www-authenticate')).toBeNull();
  expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('may not') } });
  expect(target.seen).toHaveLength(before + 1);
  expect(gateway.events.find(({ outcome }) => outcome === 'tool_denied')).toMatchObject({
    tool: 'erase',
    reason: 'token.permission',
  });
});

it('an organisation’s identity provider is announced', async () => {
  const metadata = await (await fetch(gateway.url('/.well-known/oauth-authorization-server'))).json();
  expect(metadata).toMatchObject({
    grant_types_supported: expect.arrayContaining(['urn:ietf:params:oauth:grant-type:jwt-bearer']),
    authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
  });
});
