/** The guard with a verifier in the place of its own: other people's tokens get the same challenges (RS-07, RS-09). */
import { expect, it } from 'vitest';
import { guard, type TokenVerifier } from '../../src/resource-server/guard.ts';
import { dangerouslyStaticToken } from '../../src/resource-server/static-token.ts';

const resource = { uri: 'http://localhost:8000/mcp', scopes: { read: 'read your things' } };
const token = 'a-static-token-of-development';

function startGuard(verify?: TokenVerifier) {
  const reasons: string[] = [];
  const check = guard({
    resource,
    verify:
      verify ??
      dangerouslyStaticToken({
        token,
        subject: 'developer',
        scope: ['read'],
        issuer: 'http://localhost:8000',
        resource: resource.uri,
        now: () => 1_800_000_000,
      }),
    onRefusal: ({ reason }) => reasons.push(reason),
  });
  return { check, reasons };
}

it('a token the verifier knows comes through as data', async () => {
  expect(await startGuard().check({ authorization: `Bearer ${token}` })).toMatchObject({ subject: 'developer' });
});

it('one it does not know is challenged with our own metadata', async () => {
  const { check, reasons } = startGuard();
  const reply = await check({ authorization: 'Bearer somebody-elses-token' });
  expect(reply).toMatchObject({ status: 401 });
  expect(JSON.stringify(reply)).toContain('http://localhost:8000/.well-known/oauth-protected-resource/mcp');
  expect(reasons).toEqual(['token.static']);
});

it('a verifier that is not for this resource lets nobody in', async () => {
  const other: TokenVerifier = async () => ({
    subject: 'x',
    clientId: 'x',
    scope: [],
    audience: 'http://localhost:8000/other',
    issuer: 'http://localhost:8000',
    expiresAt: 2_000_000_000,
    issuedAt: 0,
    tokenId: 'x',
  });
  const { check, reasons } = startGuard(other);
  expect(await check({ authorization: 'Bearer x' })).toMatchObject({ status: 401 });
  expect(reasons).toEqual(['token.audience']);
});

it('a verifier that fails is our fault, and nobody throws a token away', async () => {
  const { check, reasons } = startGuard(async () => {
    throw new Error('no network');
  });
  expect(await check({ authorization: 'Bearer x' })).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  expect(reasons).toEqual(['guard.fault']);
});
