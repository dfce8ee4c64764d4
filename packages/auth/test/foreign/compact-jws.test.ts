/** The parser of compact JWS under fire: whatever comes, a refusal; and names that stand twice are found wherever they are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import { compactJws, repeatsMember } from '../../src/resource-server/foreign/compact-jws.ts';
import { parseKeySet } from '../../src/resource-server/foreign/key-set.ts';
import { encoded } from './loopback-issuer.ts';

const refusal = (token: string) => {
  try {
    compactJws(token);
    return undefined;
  } catch (error) {
    return error;
  }
};

it('any text is taken or refused, never a fault', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.json().map(encoded),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (parts) => {
      const error = refusal(parts.join('.'));
      expect(error === undefined || (error instanceof OAuthError && error.code === 'invalid_token')).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it('what was written is what is read', () => {
  const object = fc.dictionary(
    fc.string().filter((name) => !['crit', 'b64', '__proto__'].includes(name)),
    fc.jsonValue(),
    { maxKeys: 6 },
  );
  fc.assert(
    fc.property(object, object, (header, claims) => {
      const token = `${encoded(header)}.${encoded(claims)}.c2ln`;
      fc.pre(token.length <= 8192);
      const jws = compactJws(token);
      expect(jws.header).toEqual(JSON.parse(JSON.stringify(header)));
      expect(jws.claims).toEqual(JSON.parse(JSON.stringify(claims)));
      expect(`${jws.signingInput}.${jws.signature}`).toBe(token);
    }),
  );
});

describe('names that stand twice', () => {
  it('are in nothing that was written by JSON.stringify', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(repeatsMember(JSON.stringify(value))).toBe(false);
        expect(repeatsMember(JSON.stringify(value, undefined, 2))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('are found wherever an object is given one of its own again, in any spelling', () => {
    const escaped = (name: string) =>
      `"${Array.from({ length: name.length }, (_, at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), fc.boolean(), (name, first, second, spelled) => {
        const again = spelled ? escaped(name) : JSON.stringify(name);
        const object = `{ ${JSON.stringify(name)} : ${JSON.stringify(first)}, ${again}\n:${JSON.stringify(second)}}`;
        for (const json of [object, `[1,${object}]`, `{"outer":{"x":[${object}]}}`]) {
          JSON.parse(json);
          expect(repeatsMember(json)).toBe(true);
        }
      }),
    );
  });

  it('the same name in two objects is none', () => {
    expect(repeatsMember('{"a":{"a":[{"a":1},{"a":2}]},"b":"a","c":"\\"a\\":"}')).toBe(false);
  });
});

it('any document is a key set or an error, and a bad key is never a fault', () => {
  const member = fc.record(
    {
      kty: fc.constantFrom<unknown>('RSA', 'EC', 'OKP', 'oct', 3),
      kid: fc.oneof(fc.string(), fc.integer()),
      crv: fc.constantFrom<unknown>('P-256', 'Ed25519', 'P-521', {}),
      n: fc.oneof(fc.base64String(), fc.jsonValue()),
      e: fc.oneof(fc.constantFrom('AQAB', 'AQ', 'AA'), fc.jsonValue()),
      x: fc.oneof(fc.base64String({ minLength: 40, maxLength: 44 }), fc.jsonValue()),
      y: fc.oneof(fc.base64String({ minLength: 40, maxLength: 44 }), fc.jsonValue()),
      alg: fc.constantFrom<unknown>('RS256', 'ES256', 'EdDSA', 'HS256', null),
      use: fc.constantFrom<unknown>('sig', 'enc', null),
      key_ops: fc.constantFrom<unknown>(['verify'], ['sign'], 'verify', null),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(member, fc.jsonValue()), { maxLength: 8 }), (keys) => {
      expect(parseKeySet(JSON.stringify({ keys }), ['RS256', 'ES256', 'EdDSA']).size).toBeLessThanOrEqual(keys.length);
    }),
    { numRuns: 500 },
  );
});
