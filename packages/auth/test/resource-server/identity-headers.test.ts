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
  ])('%s: nobody', (_, headers) => {
    expect(readIdentityHeaders(headers, secret)).toBeUndefined();
  });
});
