/** Claims of a token that have no place of their own: handed on whole, and the same for everybody who reads them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimsFaults, furtherClaims } from '../../src/oauth/claims.ts';
import { signEs256 } from '../../src/oauth/jws.ts';
import type { AccessToken } from '../../src/resource-server/access-token.ts';
import { isReply } from '../../src/resource-server/guard.ts';
import { encoded, header, privateKey, claims as standard, startGuard, token } from './tokens.ts';

async function read(guard: ReturnType<typeof startGuard>, text: string): Promise<AccessToken> {
  const result = await guard.check({ authorization: `Bearer ${text}` });
  if (isReply(result)) throw new Error(`refused: ${result.body}`);
  return result;
}

const own = { connector_id: 'c-1', limits: { perDay: 5, of: ['a', null, true] }, 'https://example.com/tier': 'gold' };

describe('a client’s own claims', () => {
  it('are handed on, and nothing that has a place of its own is among them', async () => {
    const accessToken = await read(
      startGuard(),
      token({ claims: { ...own, roles: ['reader'], permissions: ['read:x'], nbf: standard.iat, azp: 'x', cnf: {} } }),
    );
    expect(accessToken.claims).toEqual(own);
    expect(accessToken).toMatchObject({ roles: ['reader'], permissions: ['read:x'] });
  });

  it('where there are none, nothing is there', async () => {
    expect(await read(startGuard(), token())).not.toHaveProperty('claims');
  });

  it('nobody can change for the next what a remembered token says', async () => {
    const guard = startGuard();
    const text = token({ claims: { ...own, roles: ['reader'] } });
    const first = await read(guard, text);
    const claims = first.claims as typeof own;
    for (const change of [
      () => Object.assign(claims, { connector_id: 'mine' }),
      () => Object.assign(claims.limits, { perDay: 9999 }),
      () => claims.limits.of.push('b'),
      () => (first.roles as string[]).push('admin'),
      () => (first.scope as string[]).push('write'),
      () => Object.assign(first, { subject: 'root' }),
      () => Object.assign(first.identity as object, { subject: 'root' }),
    ]) {
      expect(change).toThrow(TypeError);
    }
    const second = await read(guard, text);
    expect(guard.key.checks).toBe(1); // it was remembered
    expect(second.claims).toEqual(own);
    expect(second).toMatchObject({ subject: 'person', roles: ['reader'], scope: ['read', 'write'] });
  });

  it('`__proto__` is no claim, and deeper down it is only a name', async () => {
    const payload = JSON.stringify(standard).replace(
      /}$/,
      ',"__proto__":{"admin":true},"deep":{"__proto__":{"admin":true}},"constructor":"c","toString":"t"}',
    );
    const data = `${encoded(header)}.${encoded(payload)}`;
    const { claims = {} } = await read(startGuard(), `${data}.${signEs256(data, privateKey)}`);
    expect(Object.keys(claims).sort()).toEqual(['constructor', 'deep', 'toString']);
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
    expect((claims as { admin?: unknown }).admin).toBeUndefined();
    expect((claims.deep as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('as many and as deep as a token can hold are handed on', async () => {
    const deep = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`) as unknown;
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`c${i}`, i]));
    const { claims } = await read(startGuard(), token({ claims: { deep, ...many } }));
    expect(claims).toEqual({ deep, ...many });
  });

  it('whatever may be configured arrives as it was', async () => {
    const guard = startGuard();
    const names = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,20}$/);
    const values = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(names, values, { maxKeys: 5, noNullPrototype: true }), async (written) => {
        const claims = JSON.parse(JSON.stringify(written)) as Record<string, unknown>;
        fc.pre(claimsFaults(claims).length === 0);
        const { roles: _, permissions: __, ...rest } = claims;
        const accessToken = await read(guard, token({ claims }));
        expect(accessToken.claims ?? {}).toEqual(rest);
        expect(accessToken).toMatchObject({ subject: 'person', clientId: 'client' });
      }),
      { numRuns: 60 },
    );
  });
});

describe('what may be configured', () => {
  it.each(['reader', [1], { a: 'b' }, null])('roles and permissions are lists of text, not %j', (value) => {
    expect(claimsFaults({ roles: value })).toEqual(['"roles" must be a list of text']);
    expect(claimsFaults({ permissions: value })).toEqual(['"permissions" must be a list of text']);
  });

  it('lists of text are, and so is an empty one', () => {
    expect(claimsFaults({ roles: ['a b'], permissions: [] })).toEqual([]);
  });

  it('nothing that is left over is an empty object', () => {
    expect(furtherClaims({ iss: 'x', roles: ['r'], permissions: 'odd', grant_id: 'g' })).toBeUndefined();
  });
});

describe('another issuer’s token', () => {
  it.each([
    ['of another issuer', { iss: 'https://elsewhere.example' }, 'token.issuer'],
    ['for another resource', { aud: 'https://auth.example/other' }, 'token.audience'],
  ])('one %s asks nobody for a key', async (_, changes, reason) => {
    const guard = startGuard();
    expect(await guard.bearer(token({ claims: changes, header: { kid: 'unheard-of' } }))).toMatchObject({
      status: 401,
      reason,
    });
    expect(guard.reads).toEqual([]);
  });

  it('and saying that it is ours helps nobody who cannot sign', async () => {
    const guard = startGuard();
    const [head, body] = token().split('.', 2);
    const result = await guard.bearer(`${head}.${body}.${'A'.repeat(86)}`);
    expect(result).toMatchObject({ status: 401, reason: 'token.signature' });
  });
});
