/** Identity headers: what the gateway writes is what the target reads, and what strangers write is nothing (SEC-11). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessToken } from '../../src/resource-server/access-token.ts';
import {
  identityHeaderPrefix,
  readIdentityHeaders,
  writeIdentityHeaders,
} from '../../src/resource-server/identity-headers.ts';

const token: AccessToken = {
  subject: 'person',
  clientId: 'client',
  scope: ['read', 'write'],
  audience: 'https://tools.example/mcp',
  issuer: 'https://auth.example',
  expiresAt: 2,
  issuedAt: 1,
  tokenId: 'token',
  identity: { issuer: 'https://idp.example', subject: 'somebody' },
};
const secret = 'between-the-gateway-and-its-target';
const headersOf = (written: ReadonlyArray<readonly [string, string]>) => Object.fromEntries(written);

describe('identity headers', () => {
  it('say who calls', () => {
    expect(writeIdentityHeaders(token, secret)).toEqual([
      ['x-gatehouse-subject', 'person'],
      ['x-gatehouse-client-id', 'client'],
      ['x-gatehouse-scope', 'read write'],
      ['x-gatehouse-identity-issuer', 'https://idp.example'],
      ['x-gatehouse-identity-subject', 'somebody'],
      ['x-gatehouse-secret', secret],
    ]);
  });

  it('every name has the prefix that is dropped from strangers', () => {
    for (const [name] of writeIdentityHeaders(token, secret)) expect(name.startsWith(identityHeaderPrefix)).toBe(true);
  });

  it('come back as they were written, whatever characters they hold', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 });
    const scope = fc.array(fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]+$/), { maxLength: 5 });
    fc.assert(
      fc.property(text, text, scope, text, text, (subject, clientId, scopes, identityIssuer, identitySubject) => {
        const identity = { issuer: identityIssuer, subject: identitySubject };
        const written = writeIdentityHeaders({ ...token, subject, clientId, scope: scopes, identity }, secret);
        // RFC 9110 §5.5: visible ASCII and space, so no header can end early and start another.
        for (const [, value] of written) expect(value).toMatch(/^[\x20-\x7e]*$/);
        expect(readIdentityHeaders(headersOf(written), secret)).toEqual({
          subject,
          clientId,
          scope: scopes,
          identityIssuer,
          identitySubject,
        });
      }),
    );
  });

  // Spaces at the ends of a value are not part of it (RFC 9110 §5.5), and "admin " must not arrive as "admin".
  it.each([' person', 'person ', ' ', '  a  b  '])('the subject %j is still itself after the wire', (subject) => {
    const written = writeIdentityHeaders({ ...token, subject, identity: { issuer: 'https://idp.example', subject } });
    const arrived = headersOf(written.map(([name, value]) => [name, value.trim()] as const));
    expect(readIdentityHeaders(arrived)).toMatchObject({ subject, identitySubject: subject });
  });

  it('an empty secret, from a variable that is set to nothing, believes nobody', () => {
    const forged = { 'x-gatehouse-subject': 'root', 'x-gatehouse-client-id': 'c' };
    const read = (headers: Record<string, string>) => {
      try {
        return readIdentityHeaders(headers, '');
      } catch {
        return undefined; // refusing such a secret is as good
      }
    };
    expect(read(forged)).toBeUndefined();
    expect(read({ ...forged, 'x-gatehouse-secret': '' })).toBeUndefined();
  });

  it.each([' at its ends ', '100% of it', 'a%41', 'ein geheimes Gehäuse'])('work with the secret %j', (odd) => {
    const written = writeIdentityHeaders(token, odd);
    for (const [, value] of written) expect(value).toMatch(/^[\x20-\x7e]*$/);
    const arrived = headersOf(written.map(([name, value]) => [name, value.trim()] as const));
    expect(readIdentityHeaders(arrived, odd)).toMatchObject({ subject: 'person' });
    expect(readIdentityHeaders(headersOf(written), secret)).toBeUndefined();
  });

  it('say what the caller is, may do, and what else its token says', () => {
    const told = { roles: ['night shift', 'reader'], permissions: [], claims: { connector_id: 'c-1', n: 1 } };
    const written = writeIdentityHeaders({ ...token, ...told });
    expect(headersOf(written)).toMatchObject({
      'x-gatehouse-roles': '["night shift","reader"]',
      'x-gatehouse-permissions': '[]',
      'x-gatehouse-claims': '{"connector_id":"c-1","n":1}',
    });
    expect(readIdentityHeaders(headersOf(written))).toMatchObject(told);
    for (const [name] of written) expect(name.startsWith(identityHeaderPrefix)).toBe(true);
  });

  it('roles, permissions and claims come back as they were, whatever they hold', () => {
    const text = fc.string({ unit: 'binary' });
    const names = fc.array(text, { maxLength: 5 });
    const claims = fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      fc.jsonValue(),
      { maxKeys: 5, noNullPrototype: true },
    );
    fc.assert(
      fc.property(names, names, claims, (roles, permissions, given) => {
        const told = { roles, permissions, claims: JSON.parse(JSON.stringify(given)) as Record<string, unknown> };
        const written = writeIdentityHeaders({ ...token, ...told }, secret);
        for (const [, value] of written) expect(value).toMatch(/^[\x20-\x7e]*$/);
        const arrived = headersOf(written.map(([name, value]) => [name, value.trim()] as const));
        expect(readIdentityHeaders(arrived, secret)).toMatchObject(told);
      }),
    );
  });

  it.each(['\r\nx-gatehouse-subject: root', '\0', 'Zoë 🗝', '\ud800', '%2C', '"', '__proto__', ' '])(
    'a claim of %j ends no header and starts none',
    (odd) => {
      const told = {
        roles: [odd],
        permissions: [odd, odd],
        claims: { [`x${odd}`]: odd, list: [odd, { [`y${odd}`]: 1 }] },
      };
      const written = writeIdentityHeaders({ ...token, ...told });
      for (const [, value] of written) expect(value).toMatch(/^[\x20-\x7e]*$/);
      expect(readIdentityHeaders(headersOf(written))).toMatchObject(told);
    },
  );

  it('stay within bounds for the worst that a token of 8,192 characters can hold', () => {
    const claims = { c: '\u0080'.repeat(3000) };
    const written = writeIdentityHeaders({ ...token, claims });
    expect(Math.max(...written.map(([, value]) => value.length))).toBeLessThanOrEqual(3 * 6144);
    expect(readIdentityHeaders(headersOf(written))).toMatchObject({ claims });
    // Two thousand bytes of claims, the most that can be configured, in the widest of characters.
    const configured = writeIdentityHeaders({ ...token, claims: { c: '\u0080'.repeat(1020) } }, secret);
    expect(configured.flat().join('').length).toBeLessThan(8192);
  });

  it('without an identity or a secret hold neither', () => {
    const { identity: _, ...anonymous } = token;
    const written = writeIdentityHeaders(anonymous);
    expect(written.map(([name]) => name)).toEqual([
      'x-gatehouse-subject',
      'x-gatehouse-client-id',
      'x-gatehouse-scope',
    ]);
    expect(readIdentityHeaders(headersOf(written))).toEqual({
      subject: 'person',
      clientId: 'client',
      scope: ['read', 'write'],
    });
  });

  const good = headersOf(writeIdentityHeaders(token, secret));
  it.each([
    ['no headers', {}],
    ['no secret', { ...good, 'x-gatehouse-secret': undefined }],
    ['an empty secret', { ...good, 'x-gatehouse-secret': '' }],
    ['a wrong secret', { ...good, 'x-gatehouse-secret': 'guess' }],
    ['the beginning of the secret', { ...good, 'x-gatehouse-secret': secret.slice(0, -1) }],
    ['a longer secret', { ...good, 'x-gatehouse-secret': `${secret}x` }],
    ['the secret twice', { ...good, 'x-gatehouse-secret': [secret, secret] }],
    ['the secret twice, joined', { ...good, 'x-gatehouse-secret': `${secret}, ${secret}` }],
    ['no subject', { ...good, 'x-gatehouse-subject': undefined }],
    ['an empty subject', { ...good, 'x-gatehouse-subject': '' }],
    ['two subjects', { ...good, 'x-gatehouse-subject': ['person', 'root'] }],
    ['no client', { ...good, 'x-gatehouse-client-id': undefined }],
    ['a broken escape', { ...good, 'x-gatehouse-subject': '%zz' }],
    ['an escape that is not UTF-8', { ...good, 'x-gatehouse-subject': '%ff' }],
    ['roles that are no JSON', { ...good, 'x-gatehouse-roles': 'admin' }],
    ['roles that are no list', { ...good, 'x-gatehouse-roles': '"admin"' }],
    ['roles that are no text', { ...good, 'x-gatehouse-roles': '[["admin"]]' }],
    ['roles twice', { ...good, 'x-gatehouse-roles': ['["a"]', '["b"]'] }],
    ['roles twice, joined', { ...good, 'x-gatehouse-roles': '["a"], ["b"]' }],
    ['permissions that are an object', { ...good, 'x-gatehouse-permissions': '{"0":"all"}' }],
    ['claims that are a list', { ...good, 'x-gatehouse-claims': '[]' }],
    ['claims that are null', { ...good, 'x-gatehouse-claims': 'null' }],
    ['claims cut short', { ...good, 'x-gatehouse-claims': '{"a":"b' }],
    ['claims twice', { ...good, 'x-gatehouse-claims': ['{}', '{}'] }],
    ['claims with a prototype', { ...good, 'x-gatehouse-claims': '{"__proto__":{"admin":true}}' }],
    ['claims longer than we write', { ...good, 'x-gatehouse-claims': `{"a":"${'b'.repeat(18_432)}"}` }],
  ])('%s: nobody', (_, headers) => {
    expect(readIdentityHeaders(headers, secret)).toBeUndefined();
  });
});
