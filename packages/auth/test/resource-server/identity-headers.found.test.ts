/** Faults found in src/resource-server/identity-headers.ts; each test passes once its fault is mended. */
import { describe, expect, it } from 'vitest';
import type { AccessToken } from '../../src/resource-server/access-token.ts';
import { readIdentityHeaders, writeIdentityHeaders } from '../../src/resource-server/identity-headers.ts';

const token: AccessToken = {
  subject: 'person',
  clientId: 'client',
  scope: [],
  audience: 'https://tools.example',
  issuer: 'https://auth.example',
  expiresAt: 2,
  issuedAt: 1,
  tokenId: 'token',
};

describe('found', () => {
  // The secret is written raw (line 44) and read percent-decoded (line 58): one with a "%" never matches, and one with
  // a character outside ASCII makes Node refuse the header.
  it.each(['a secret with 100% of it', 'a%41-secret', 'ein geheimes Gehäuse'])('the secret %j works', (secret) => {
    const written = writeIdentityHeaders(token, secret);
    for (const [, value] of written) expect(value).toMatch(/^[\x20-\x7e]*$/);
    expect(readIdentityHeaders(Object.fromEntries(written), secret)).toMatchObject({ subject: 'person' });
  });

  // Spaces at the ends of a header value are not part of it (RFC 9110 §5.5): "admin " arrives as "admin", somebody else.
  it.each([' person', 'person ', ' '])('the subject %j is still itself after the wire', (subject) => {
    const written = writeIdentityHeaders({ ...token, subject, identity: { issuer: 'https://idp.example', subject } });
    const arrived = Object.fromEntries(written.map(([name, value]) => [name, value.trim()]));
    expect(readIdentityHeaders(arrived)).toMatchObject({ subject, identitySubject: subject });
  });

  // An empty secret, from a variable that is set to nothing, equals the one that is missing: everybody is believed.
  it('an empty secret believes nobody', () => {
    const forged = { 'x-gatehouse-subject': 'root', 'x-gatehouse-client-id': 'c' };
    let caller: unknown;
    try {
      caller = readIdentityHeaders(forged, '');
    } catch {
      caller = undefined; // refusing such a secret at start is as good
    }
    expect(caller).toBeUndefined();
  });
});
