/** RFC 9068 access tokens of `oidc-provider`, found by discovery, beside our own and a static one. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { expect, it, onTestFinished } from 'vitest';
import { firstOf } from '../../src/resource-server/foreign/first-of.ts';
import { foreignTokens } from '../../src/resource-server/foreign/foreign-tokens.ts';
import { oidcIssuer } from '../../src/resource-server/foreign/profiles.ts';
import { dangerouslyStaticToken } from '../../src/resource-server/static-token.ts';
import { tokenVerifier } from '../../src/resource-server/verifier.ts';
import { claims, ec, ed, judged, jwk, resource, rsa, signed } from './loopback-issuer.ts';

const now = () => Math.floor(Date.now() / 1000);
const secret = 'a client of the provider, long enough';

async function startProvider(alg: string) {
  let handle: ReturnType<Provider['callback']> | undefined;
  const server = createServer((req, res) => handle?.(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const grants = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
  handle = new Provider(issuer, {
    clients: ['one', 'two'].map((id) => ({ client_id: id, client_secret: secret, ...grants })),
    cookies: { keys: ['not a secret: these cookies live for one test'] },
    jwks: {
      keys: [
        { ...jwk(rsa.privateKey), kid: 'rsa', use: 'sig' },
        { ...jwk(ec.privateKey), kid: 'ec', use: 'sig' },
        { ...jwk(ed.privateKey), kid: 'ed', use: 'sig' },
      ],
    },
    ttl: { ClientCredentials: 60 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, audience: string) => ({
          scope: 'read write',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
  }).callback();
  const tokenFor = async (client: string, aud: string) => {
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${encodeURIComponent(secret)}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: aud, scope: 'read' }),
    });
    const body = (await answer.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(JSON.stringify(body));
    return body.access_token;
  };
  return { issuer, tokenFor };
}

it.each(['RS256', 'ES256', 'EdDSA'])('its tokens, signed with %s', async (alg) => {
  const provider = await startProvider(alg);
  const entry = oidcIssuer({ issuer: provider.issuer, audience: resource, clientIds: ['one'] });
  const verify = foreignTokens({ issuers: [entry], now });
  expect(await judged(verify, await provider.tokenFor('one', resource))).toMatchObject({
    clientId: 'one',
    scope: ['read'],
    audience: resource,
    issuer: provider.issuer,
    identity: { issuer: provider.issuer, subject: 'one' },
  });
  expect(await judged(verify, await provider.tokenFor('one', 'https://other.example/mcp'))).toBe('token.audience');
  expect(await judged(verify, await provider.tokenFor('two', resource))).toBe('token.client');
});

it('beside our own tokens and a static one: the first that knows a token decides', async () => {
  const provider = await startProvider('RS256');
  const verify = firstOf(
    tokenVerifier({
      issuer: 'http://localhost:8000',
      resource: 'http://localhost:8000/mcp',
      keys: { verificationKey: () => undefined },
      now,
      skewSeconds: 5,
      cacheSize: 10,
    }),
    foreignTokens({ issuers: [oidcIssuer({ issuer: provider.issuer, audience: resource })], now }),
    dangerouslyStaticToken({
      token: 'a-token-for-development',
      subject: 'developer',
      scope: ['read'],
      issuer: 'http://localhost:8000',
      resource: 'http://localhost:8000/mcp',
      now,
    }),
  );
  expect(await judged(verify, 'a-token-for-development')).toMatchObject({ subject: 'developer' });
  expect(await judged(verify, await provider.tokenFor('two', resource))).toMatchObject({
    clientId: 'two',
    scope: ['read'],
  });
  expect(await judged(verify, 'a-token-for-production!')).toBe('token.form token.form token.static');
});

it('"not now" is an answer, and the next verifier is not asked', async () => {
  const away = foreignTokens({ issuers: [oidcIssuer({ issuer: 'http://127.0.0.1:9', audience: resource })], now });
  let asked = false;
  const other = async () => {
    asked = true;
    throw new Error('never');
  };
  const token = signed(
    { alg: 'RS256', typ: 'at+jwt', kid: 'k' },
    { ...claims, iss: 'http://127.0.0.1:9' },
    rsa.privateKey,
  );
  expect(await judged(firstOf(away, other), token)).toBe('503 token.keys_unavailable');
  expect(asked).toBe(false);
  expect(() => firstOf()).toThrow(TypeError);
});
