/** Our own tokens by the keys that the issuer publishes: fetched over real HTTP, once, and only for a token that says it is ours. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { firstOf } from '../../src/resource-server/foreign/first-of.ts';
import { guard, isReply } from '../../src/resource-server/guard.ts';
import { ownTokens, publishedKeys } from '../../src/resource-server/own-tokens.ts';
import { publicKey, token as signed, start } from './tokens.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
});

/** An issuer on loopback, below a path, whose key set can be changed and whose requests are noted. */
async function startIssuer() {
  const seen: string[] = [];
  const state = { status: 200, keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1', alg: 'ES256' }] };
  const server = createServer((req, res) => {
    seen.push(req.url ?? '');
    res.writeHead(state.status).end(JSON.stringify({ keys: state.keys }));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}/tenant`;
  const resource = `${issuer}/mcp`;
  const clock = { seconds: start };
  const now = () => clock.seconds;
  const failures: unknown[] = [];
  const keys = publishedKeys({ issuer, now, onFailure: ({ cause }) => failures.push(cause) });
  const verify = ownTokens({ issuer, resource, keys, now });
  const check = guard({ resource: { uri: resource, scopes: { read: 'read' } }, verify: firstOf(verify), now });
  const judge = async (text: string) => {
    const result = await check({ authorization: `Bearer ${text}` });
    return isReply(result) ? result.status : result.subject;
  };
  const token = (claims: object = {}, header: object = {}) =>
    signed({ claims: { iss: issuer, aud: resource, ...claims }, header });
  return { seen, state, clock, failures, judge, token };
}

describe('the issuer’s published keys', () => {
  it('are fetched from where they stand, without discovery, once for many tokens', async () => {
    const { seen, judge, token } = await startIssuer();
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => judge(token({ sub: `p${i}` }))));
    expect(all).toEqual(Array.from({ length: 10 }, (_, i) => `p${i}`));
    expect(seen).toEqual(['/tenant/.well-known/jwks.json']);
  });

  it('are not asked for by what says itself that it is none of ours', async () => {
    const { seen, judge, token } = await startIssuer();
    for (const other of [
      token({ iss: 'https://elsewhere.example' }),
      token({ aud: 'https://elsewhere.example/mcp' }),
      token({}, { typ: 'JWT' }),
      token({}, { kid: 'x'.repeat(65) }),
      'a.b.c',
    ]) {
      expect(await judge(other)).toBe(401);
    }
    expect(seen).toEqual([]);
  });

  it('a subject is our own and not made anew', async () => {
    const { judge, token } = await startIssuer();
    expect(await judge(token({ sub: 'the-subject-as-it-stands' }))).toBe('the-subject-as-it-stands');
  });

  it('key ids that strangers make up cause a request in 30 seconds', async () => {
    const { seen, clock, judge, token } = await startIssuer();
    expect(await judge(token())).toBe('person');
    for (let i = 0; i < 20; i++) expect(await judge(token({}, { kid: `made-up-${i}` }))).toBe(401);
    expect(seen).toHaveLength(1);
    clock.seconds += 30;
    expect(await judge(token({}, { kid: 'made-up' }))).toBe(401);
    expect(seen).toHaveLength(2);
  });

  it('an issuer that is away is 503 and, once it is back, none', async () => {
    const { state, clock, failures, judge, token } = await startIssuer();
    state.status = 500;
    expect(await judge(token())).toBe(503);
    expect(failures).toHaveLength(1);
    state.status = 200;
    clock.seconds += 1;
    expect(await judge(token())).toBe('person');
  });
});
