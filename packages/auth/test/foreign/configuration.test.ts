/** What a verifier of foreign tokens refuses to start with, and where scopes and roles come from. */
import { describe, expect, it } from 'vitest';
import { foreignTokens } from '../../src/resource-server/foreign/foreign-tokens.ts';
import type { ForeignIssuer } from '../../src/resource-server/foreign/issuer.ts';
import { start, startIssuer, startVerifier, tokenOf } from './loopback-issuer.ts';

const good: ForeignIssuer = {
  issuer: 'https://idp.example',
  audience: 'https://a.example',
  resource: 'https://a.example',
};
const begin = (...issuers: readonly object[]) =>
  foreignTokens({ issuers: issuers as readonly ForeignIssuer[], now: () => start });

describe('refused at start', () => {
  const { audience: _, ...nobody } = good;
  it.each<[string, readonly object[], RegExp]>([
    ['no issuer', [], /issuers: at least one/],
    ['neither audience nor clients', [nobody], /issuers\[0\]\.audience: is missing/],
    ['an empty audience', [{ ...good, audience: '' }], /issuers\[0\]\.audience: is empty/],
    ['no clients', [{ ...nobody, clientIds: [] }], /clientIds: is empty/],
    ['an empty client', [{ ...nobody, clientIds: [''] }], /clientIds: is empty/],
    ['the same issuer twice', [good, good], /issuers\[1\]\.issuer: .* stands twice/],
    ['plain http', [{ ...good, issuer: 'http://idp.example' }], /issuer: .* must be https/],
    ['no URL', [{ ...good, issuer: 'idp' }], /issuer: .* not an absolute URL/],
    ['a query', [{ ...good, issuer: 'https://idp.example?a' }], /issuer: .* no query/],
    ['a fragment', [{ ...good, issuer: 'https://idp.example#a' }], /issuer: .* no fragment/],
    ['a user', [{ ...good, issuer: 'https://a:b@idp.example' }], /no user/],
    ['keys over plain http', [{ ...good, jwksUri: 'http://idp.example/k' }], /jwksUri: .* must be https/],
    ['keys in a file', [{ ...good, jwksUri: 'file:///k' }], /jwksUri: .* must be https/],
    ['no resource', [{ ...good, resource: '' }], /resource: .* absolute URL/],
    ['no algorithm', [{ ...good, algorithms: [] }], /algorithms: is empty/],
    ['HS256', [{ ...good, algorithms: ['HS256'] }], /algorithms: "HS256"/],
    ['none', [{ ...good, algorithms: ['RS256', 'none'] }], /algorithms: "none"/],
    ['rules without groups', [{ ...good, roleRules: { groups: {}, roles: {} } }], /roleRules: need/],
    [
      'a misspelt role',
      [{ ...good, permissionsFrom: 'cognito:groups', roleRules: { groups: { a: ['amdin'] }, roles: { admin: [] } } }],
      /roleRules: groups: the role "amdin"/,
    ],
    ['an empty prefix', [{ ...good, scopePrefix: '' }], /scopePrefix: is empty/],
  ])('%s', (_name, issuers, words) => {
    expect(() => begin(...issuers)).toThrow(TypeError);
    expect(() => begin(...issuers)).toThrow(words);
  });

  it('everything at once', () => {
    expect(() => begin({ ...good, issuer: 'x', audience: '' }, { ...good, jwksUri: 'y' })).toThrow(
      /issuers\[0\]\.issuer[\s\S]*issuers\[0\]\.audience[\s\S]*issuers\[1\]\.jwksUri/,
    );
  });

  it.each([-1, 301, Number.NaN])('a skew of %d s', (skewSeconds) => {
    expect(() => foreignTokens({ issuers: [good], now: () => start, skewSeconds })).toThrow(/skewSeconds/);
  });

  it('nothing is fetched for it, and nothing of a good one', () => {
    expect(begin(good, { ...good, issuer: 'http://[::1]:9/' })).toBeTypeOf('function');
  });
});

describe('scopes, roles and permissions', () => {
  const read = async (entry: Partial<ForeignIssuer>, claims: object) => {
    const idp = await startIssuer();
    const token = await startVerifier([{ issuer: idp.issuer, ...entry }]).judge(tokenOf(idp, { claims }));
    if (typeof token === 'string') throw new Error(token);
    const { scope, roles, permissions } = token;
    return { scope, roles, permissions };
  };
  const nothing = { roles: undefined, permissions: undefined };

  it.each<[Partial<ForeignIssuer>, object, object]>([
    [{}, { scope: undefined }, { scope: [], ...nothing }],
    [{}, { scope: 'a  b a "c' }, { scope: ['a', 'b'], ...nothing }],
    [{}, { scope: { a: 1 } }, { scope: [], ...nothing }],
    [{}, { scope: undefined, scp: ['a', 'b', 3] }, { scope: ['a', 'b'], ...nothing }],
    [{}, { scope: undefined, scp: 'a b' }, { scope: ['a', 'b'], ...nothing }],
    [{ scopePrefix: 'api/' }, { scope: 'api/read read openid other/read api/' }, { scope: ['read'], ...nothing }],
    [{ permissionsFrom: 'scope' }, { scope: 'a b' }, { scope: ['a', 'b'], roles: undefined, permissions: ['a', 'b'] }],
    [
      { permissionsFrom: 'cognito:groups' },
      { scope: 'a', 'cognito:groups': 'admins' },
      { scope: ['a'], ...nothing, roles: [] },
    ],
    [
      { permissionsFrom: 'cognito:groups', roleRules: { groups: { a: ['r'] }, roles: { r: ['p'] } } },
      { scope: 'a', 'cognito:groups': ['constructor', '__proto__', 'a', 9] },
      { scope: ['a'], roles: ['r'], permissions: ['p'] },
    ],
    // What nobody asked for is not read: a claim of the name is not a grant.
    [{}, { scope: 'a', permissions: ['x'], roles: ['y'], 'cognito:groups': ['z'] }, { scope: ['a'], ...nothing }],
  ])('%o of %o', async (entry, claims, expected) => {
    expect(await read(entry, claims)).toEqual(expected);
  });
});
