/** A machine client's own claims, from the configuration to the target's hands, and nobody else's under their names (SEC-11). */
import { request } from 'node:http';
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { type Seen, startTarget, type Target } from './target.ts';

const machineSecretEnv = 'GATEHOUSE_TEST_MACHINE_SECRET';
const machineSecret = 'a-machine-secret-of-thirty-two-bytes-or-more';
process.env[machineSecretEnv] = machineSecret;

const claims = {
  connector_id: 'c-1',
  'https://example.com/tier': { name: 'Zoë 🗝\r\nx-gatehouse-subject: root', limits: [1, null, { a: '%41 "' }] },
};
const roles = ['night shift', 'Prüfer'];

let target: Target;
let gateway: TestGateway;

beforeAll(async () => {
  target = await startTarget();
  const machine = { secret: { env: machineSecretEnv }, grantTypes: ['client_credentials'] };
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], {
    clients: [
      { id: 'autri', ...machine, claims: { ...claims, roles, permissions: ['read:shelf'] } },
      { id: 'plain', ...machine },
    ],
  });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  target.seen.length = 0;
});

async function tokenOf(clientId: string): Promise<string> {
  const answer = await fetch(gateway.url('/token'), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: machineSecret,
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`no token: ${answer.status}`);
  return token;
}

async function seenWith(clientId: string, headers: ReadonlyArray<readonly [string, string]> = []): Promise<Seen> {
  const authorization: [string, string] = ['Authorization', `Bearer ${await tokenOf(clientId)}`];
  const answer = await ask(gateway.port, message('GET /mcp', [authorization, ...headers]));
  expect(answer.status).toBe(200);
  return target.seen[0] as Seen;
}

const forged: ReadonlyArray<readonly [string, string]> = [
  ['x-gatehouse-claims', '{"connector_id":"stolen"}'],
  ['X-Gatehouse-Roles', '["admin"]'],
  ['X-GATEHOUSE-PERMISSIONS', '["all"]'],
  ['x_gatehouse_claims', '{"connector_id":"stolen"}'],
  ['x-gatehouse-claims', '{"connector_id":"again"}'],
];

describe('a target behind the gateway', () => {
  it('is told the claims, roles and permissions of a machine, whatever they hold', async () => {
    const { headers } = await seenWith('autri');
    expect(readIdentityHeaders(headers)).toMatchObject({
      subject: 'autri',
      clientId: 'autri',
      roles,
      permissions: ['read:shelf'],
      claims,
    });
  });

  it('is told the same of the next request: the token is remembered, and nobody changed it', async () => {
    const token = await tokenOf('autri');
    for (let turn = 0; turn < 3; turn++) {
      target.seen.length = 0;
      await fetch(gateway.url('/mcp'), { headers: { authorization: `Bearer ${token}` } });
      expect(readIdentityHeaders(target.seen[0]?.headers ?? {})?.claims).toEqual(claims);
    }
  });

  it('never sees what a stranger writes under these names', async () => {
    const withClaims = await seenWith('autri', forged);
    expect(readIdentityHeaders(withClaims.headers)?.claims).toEqual(claims);
    expect(withClaims.rawHeaders.join('\n')).not.toMatch(/stolen|again|admin|"all"/);
    target.seen.length = 0;
    const without = await seenWith('plain', forged);
    expect(without.rawHeaders.join('\n')).not.toMatch(/stolen|again|admin|"all"|gatehouse.(claims|roles|permissions)/i);
    expect(readIdentityHeaders(without.headers)).toEqual({ subject: 'plain', clientId: 'plain', scope: ['mcp'] });
  });

  it('nor when they are named in Connection, or sent as trailers', async () => {
    const token = await tokenOf('plain');
    const sent = request(gateway.url('/mcp'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        connection: 'x-gatehouse-claims',
        'x-gatehouse-claims': '{"connector_id":"stolen"}',
        trailer: 'x-gatehouse-claims',
        'transfer-encoding': 'chunked',
      },
    });
    sent.addTrailers({ 'x-gatehouse-claims': '{"connector_id":"stolen"}' });
    await new Promise((resolve, reject) => {
      sent.on('response', (response) => response.resume().on('end', resolve)).on('error', reject);
      sent.end('{}');
    });
    expect(target.seen[0]?.rawHeaders.join('\n')).not.toMatch(/stolen|gatehouse-claims/);
  });
});

it('what can be configured fits: two thousand bytes of the widest characters reach the target whole', async () => {
  const wide = { c: 'é'.repeat(1000) };
  const machine = { secret: { env: machineSecretEnv }, grantTypes: ['client_credentials'] };
  const small = gateway;
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }], {
    clients: [{ id: 'wide', ...machine, claims: wide }],
  });
  try {
    const { headers } = await seenWith('wide');
    expect(readIdentityHeaders(headers)?.claims).toEqual(wide);
  } finally {
    await gateway.close();
    gateway = small;
  }
});
