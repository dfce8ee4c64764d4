/** Calls of several clients at once, over shared connections, stay each their own (CVE-2026-25536, GHSA-953h-535j-jg2v). */
import { Agent, request } from 'node:http';
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from '../harness.ts';
import { bodyOf, startTarget, type Target } from '../target.ts';

const targetSecretEnv = 'GATEHOUSE_PEOPLE_TARGET_SECRET';
const targetSecret = 'only-the-gateway-knows-this-much';
process.env[targetSecretEnv] = targetSecret;

let target: Target;
let gateway: TestGateway;
let clients: readonly SignedIn[];

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([
    {
      path: '/mcp',
      target: `${target.url}/mcp`,
      targetSecret: { env: targetSecretEnv },
      scopes: { read: 'read', write: 'write' },
    },
  ]);
  clients = await Promise.all(['read', 'write', 'read write'].map((scope) => signIn({ ...gateway, scope })));
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

it('each call reaches the target as who made it, and its answer whom it was for', async () => {
  // Held until all of a round are there, then answered from the last to the first: every order but the one they came in.
  const round = 12;
  let held: Array<() => void> = [];
  target.answer = async (req, res) => {
    const body = (await bodyOf(req)).toString();
    const caller = readIdentityHeaders(req.headers, targetSecret);
    held.push(() => res.end(JSON.stringify({ clientId: caller?.clientId, scope: caller?.scope, body })));
    if (held.length < round) return;
    const answers = held.reverse();
    held = [];
    for (const answer of answers) answer();
  };
  // Connections that are used again by whoever comes next, as behind a load balancer.
  const agent = new Agent({ keepAlive: true, maxSockets: round });
  try {
    for (let rounds = 0; rounds < 10; rounds++) {
      const calls = Array.from({ length: round }, async (_, n) => {
        const client = clients[(n + rounds) % clients.length] as SignedIn;
        const body = `call ${n} of round ${rounds}`;
        const answer = await call(agent, client, body);
        expect(answer).toEqual({ clientId: client.clientId, scope: client.scope.split(' '), body });
      });
      await Promise.all(calls);
    }
  } finally {
    agent.destroy();
  }
});

async function call(agent: Agent, client: SignedIn, body: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const req = request(
    {
      agent,
      host: '127.0.0.1',
      port: gateway.port,
      path: '/mcp',
      method: 'POST',
      headers: { host: new URL(gateway.issuer).host, ...client.authorization },
    },
    (res) => bodyOf(res).then((bytes) => resolve(JSON.parse(bytes.toString())), reject),
  );
  req.on('error', reject);
  req.end(body);
  return promise;
}
