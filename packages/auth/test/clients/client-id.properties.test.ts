/** Client ids that carry their own registration: what went in comes out, and nothing that we did not write is anybody's (RFC 7591 App. A.5.2). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientSecret,
  issueClientId,
  maxClientIdLength,
  type Registration,
  readClientId,
} from '../../src/authorization-server/clients/registered.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { issuer, secret } from '../harness.ts';

const ours = keyring(issuer, [secret]);
const start = 1_800_000_000;

/** Whatever registration lets through, and more: names of any characters, URIs of any text. */
const registration: fc.Arbitrary<Registration> = fc
  .record({
    name: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), { nil: undefined }),
    redirectUris: fc.array(fc.oneof(fc.webUrl(), fc.string({ unit: 'binary', maxLength: 60 })), {
      minLength: 1,
      maxLength: 10,
    }),
    grantTypes: fc.constantFrom(['authorization_code'], ['authorization_code', 'refresh_token']),
    authMethod: fc.constantFrom('none' as const, 'client_secret_basic' as const, 'client_secret_post' as const),
  })
  .map(({ name, ...rest }) => ({ ...rest, ...(name !== undefined && { name: name.toWellFormed() }) }))
  .map((one) => ({ ...one, redirectUris: one.redirectUris.map((uri) => uri.toWellFormed()) }));
const time = fc.integer({ min: start, max: start + 1e9 });
const character = fc.constantFrom(...'ABCdef019-_.+/=~ %\u0000é');

/** An id and the place and the character of a change. */
const changed = fc
  .tuple(registration, time)
  .map(([given, now]) => issueClientId(ours, given, now))
  .filter((id) => id.length <= maxClientIdLength)
  .chain((id) => fc.tuple(fc.constant(id), fc.nat(id.length - 1), character));

describe('a client id of ours', () => {
  it('comes back as what was registered', () => {
    fc.assert(
      fc.property(registration, time, (given, now) => {
        const id = issueClientId(ours, given, now);
        const client = readClientId(ours, id);
        if (id.length > maxClientIdLength) {
          expect(client).toBeUndefined();
          return;
        }
        expect(client).toMatchObject({
          id,
          source: 'registered',
          redirectUris: given.redirectUris,
          grantTypes: given.grantTypes,
          authMethods: given.authMethod === 'none' ? ['none'] : ['client_secret_basic', 'client_secret_post'],
          // Nobody has shown who they are by registering.
          proven: false,
        });
        expect(client?.name).toBe(given.name);
        expect(client?.verifySecret === undefined).toBe(given.authMethod === 'none');
      }),
      { numRuns: 1000 },
    );
  });

  it('is text that stands anywhere as it is, and never looks like a URL', () => {
    fc.assert(
      fc.property(registration, time, (given, now) => {
        const id = issueClientId(ours, given, now);
        expect(id).toMatch(/^dcr_[A-Za-z0-9]{1,16}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
        expect(encodeURIComponent(id)).toBe(id);
      }),
    );
  });

  it('any character put in, left out or changed makes it nobody’s', () => {
    fc.assert(
      fc.property(changed, ([id, at, other]) => {
        const [before, after] = [id.slice(0, at), id.slice(at)];
        const spellings = [
          before + other + after,
          before + after.slice(1),
          before + other + after.slice(1),
          before,
          after,
        ];
        for (const one of spellings) if (one !== id) expect(readClientId(ours, one)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it('every bit flipped makes it nobody’s', () => {
    const id = issueClientId(ours, { redirectUris: ['https://a.example/'], grantTypes: [], authMethod: 'none' }, start);
    for (let at = 0; at < id.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Buffer.from(id, 'latin1');
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
        expect(readClientId(ours, bytes.toString('latin1')), `bit ${bit} of byte ${at}`).toBeUndefined();
      }
    }
    expect(readClientId(ours, id)).toBeDefined();
  });

  it('is nobody’s in parts of two, and at another issuer or secret', () => {
    const others = [
      keyring('https://other.example', [secret]),
      keyring(`${issuer}/`, [secret]),
      keyring(issuer, [{ id: secret.id, secret: 'another operator secret of thirty-two bytes' }]),
    ];
    fc.assert(
      fc.property(registration, registration, time, (one, other, now) => {
        const [a, b] = [issueClientId(ours, one, now), issueClientId(ours, other, now)].map((id) => id.split('.'));
        expect(readClientId(ours, [a?.[0], a?.[1], b?.[2]].join('.'))).toBeUndefined();
        expect(readClientId(ours, [a?.[0], b?.[1], a?.[2]].join('.'))).toBeUndefined();
        for (const stranger of others) expect(readClientId(stranger, (a ?? []).join('.'))).toBeUndefined();
      }),
    );
  });

  it('whatever text comes, it is nobody’s and no fault', () => {
    const likely = fc
      .tuple(fc.string({ unit: character, maxLength: 40 }), fc.string({ unit: character, maxLength: 43 }))
      .map(([payload, mac]) => `dcr_${secret.id}.${payload}.${mac}`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), likely), (text) => {
        expect(readClientId(ours, text)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it('has a secret that no other client has, nor any change of it', () => {
    const confidential = registration.map((given) => ({ ...given, authMethod: 'client_secret_post' as const }));
    fc.assert(
      fc.property(confidential, confidential, time, fc.nat(42), character, (one, other, now, at, put) => {
        const [id, another] = [issueClientId(ours, one, now), issueClientId(ours, other, now)];
        if (id.length > maxClientIdLength) return;
        const verify = readClientId(ours, id)?.verifySecret;
        const right = clientSecret(ours, id);
        expect(verify?.(right)).toBe(true);
        expect(verify?.(clientSecret(ours, another))).toBe(false);
        const place = right.length - 1 - at;
        const wrong = right.slice(0, place) + put + right.slice(place + 1);
        expect(verify?.(wrong)).toBe(wrong === right);
      }),
    );
  });
});
