/** The keyring: keys kept apart by purpose, issuer and id; sealing bound to its place; secrets that can be changed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyring, type Purpose } from '../../src/sealing/keyring.ts';

const issuer = 'https://auth.example';
const old = { id: 'k1', secret: 'the old secret, of thirty-two bytes or more' };
const fresh = { id: 'k2', secret: 'the new secret, of thirty-two bytes or more' };
const purposes: readonly Purpose[] = [
  'authorization-code',
  'refresh-token',
  'client-id',
  'client-secret',
  'consent',
  'identity-provider',
  'sealing',
];

describe('secrets', () => {
  it.each([
    ['none', [], 'secrets: at least one is needed'],
    ['31 bytes', [{ id: 'k1', secret: 'x'.repeat(31) }], 'secrets: "k1" must have at least 32 bytes'],
    ['no bytes', [{ id: 'k1', secret: new Uint8Array() }], 'secrets: "k1" must have at least 32 bytes'],
    ['an id with a period', [{ ...old, id: 'a.b' }], 'secrets: the id "a.b" must be 1 to 16 letters or digits'],
    ['an empty id', [{ ...old, id: '' }], 'secrets: the id "" must be 1 to 16 letters or digits'],
    ['a long id', [{ ...old, id: 'x'.repeat(17) }], /must be 1 to 16 letters or digits$/],
    ['one id twice', [old, { ...fresh, id: 'k1' }], 'secrets: the id "k1" stands twice'],
  ])('%s: refused at start', (_, secrets, message) => {
    expect(() => keyring(issuer, secrets)).toThrow(message);
  });

  it('no message repeats a secret', () => {
    const secret = 'correct horse';
    expect(() => keyring(issuer, [{ id: 'k1', secret }])).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(secret) }),
    );
  });

  it('32 bytes are enough, counted in UTF-8, and text counts as its bytes', () => {
    const text = '€'.repeat(11); // 33 bytes
    const a = keyring(issuer, [{ id: 'k1', secret: text }]);
    const b = keyring(issuer, [{ id: 'k1', secret: Buffer.from(text) }]);
    expect(a.mac('consent', 'x')).toBe(b.mac('consent', 'x'));
  });
});

describe('MACs', () => {
  const keys = keyring(issuer, [old]);

  it('are 256 bits, and the same every time and in every instance', () => {
    const mac = keys.mac('consent', 'data');
    expect(mac).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(keyring(issuer, [old]).mac('consent', 'data')).toBe(mac);
  });

  it('differ by purpose', () => {
    expect(new Set(purposes.map((purpose) => keys.mac(purpose, 'data'))).size).toBe(purposes.length);
  });

  it.each([
    ['another purpose', issuer, 'client-id' as const, 'data', 'k1'],
    ['another issuer', 'https://auth.example.evil', 'consent' as const, 'data', 'k1'],
    ['an issuer with a slash', `${issuer}/`, 'consent' as const, 'data', 'k1'],
    ['other data', issuer, 'consent' as const, 'data ', 'k1'],
    ['an unknown key id', issuer, 'consent' as const, 'data', 'k9'],
    ['a property name for a key id', issuer, 'consent' as const, 'data', '__proto__'],
    ['no key id', issuer, 'consent' as const, 'data', ''],
  ])('one made for %s is refused', (_, otherIssuer, purpose, data, keyId) => {
    const mac = keys.mac('consent', 'data') as string;
    expect(keys.verifyMac('consent', 'data', mac, 'k1')).toBe(true);
    expect(keyring(otherIssuer, [old]).verifyMac(purpose, data, mac, keyId)).toBe(false);
  });

  it('one from another secret under the same id is refused', () => {
    const mac = keyring(issuer, [{ ...fresh, id: 'k1' }]).mac('consent', 'data') as string;
    expect(keys.verifyMac('consent', 'data', mac, 'k1')).toBe(false);
  });

  it('cut, longer, padded and re-spelled ones are refused', () => {
    const mac = keys.mac('consent', 'data') as string;
    for (const other of [
      '',
      mac.slice(0, 42),
      mac.slice(0, 27),
      `${mac}A`,
      `${mac}=`,
      `${mac}\n`,
      `é${mac.slice(1)}`,
    ]) {
      expect(keys.verifyMac('consent', 'data', other, 'k1')).toBe(false);
    }
  });

  it('every changed character is refused', () => {
    const mac = keys.mac('consent', 'data') as string;
    for (let at = 0; at < mac.length; at++) {
      for (const character of 'AQgw_') {
        const other = mac.slice(0, at) + character + mac.slice(at + 1);
        expect(keys.verifyMac('consent', 'data', other, 'k1')).toBe(other === mac);
      }
    }
  });

  it('an unknown key id makes none', () => {
    expect(keys.mac('consent', 'data', 'k9')).toBeUndefined();
  });
});

describe('sealing', () => {
  const keys = keyring(issuer, [old]);

  it('gives back what was sealed, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (context, plaintext) => {
        const sealed = keys.seal(context, plaintext);
        expect(sealed).toMatch(/^k1\.[A-Za-z0-9_-]+$/);
        expect(keys.open(context, sealed)).toBe(plaintext);
      }),
    );
  });

  it('never seals one thing twice alike, and shows nothing of it', () => {
    const sealed = Array.from({ length: 100 }, () => keys.seal('grant 1', 'a secret of somebody'));
    expect(new Set(sealed).size).toBe(100);
    expect(Buffer.from((sealed[0] as string).slice(3), 'base64url').includes('secret')).toBe(false);
  });

  it('opens in its own context alone', () => {
    const sealed = keys.seal('grant 1', 'text');
    for (const context of ['grant 2', 'grant 1 ', 'grant', '', 'keySet 1']) {
      expect(keys.open(context, sealed)).toBeUndefined();
    }
  });

  it('opens for its own issuer and secret alone', () => {
    const sealed = keys.seal('grant 1', 'text');
    expect(keyring('https://other.example', [old]).open('grant 1', sealed)).toBeUndefined();
    expect(keyring(issuer, [fresh]).open('grant 1', sealed)).toBeUndefined();
    expect(keyring(issuer, [{ ...fresh, id: 'k1' }]).open('grant 1', sealed)).toBeUndefined();
  });

  it('every changed bit is refused: of the iv, the ciphertext and the tag', () => {
    const sealed = keys.seal('grant 1', 'some text');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(keys.open('grant 1', `k1.${flipped.toString('base64url')}`)).toBeUndefined();
    }
  });

  it('every shorter and longer form is refused', () => {
    const sealed = keys.seal('grant 1', 'some text');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let length = 0; length < bytes.length; length++) {
      expect(keys.open('grant 1', `k1.${bytes.subarray(0, length).toString('base64url')}`)).toBeUndefined();
    }
    expect(keys.open('grant 1', `k1.${Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64url')}`)).toBeUndefined();
  });

  it.each(['', '.', 'k1', 'k1.', '.k1', 'no period', 'k9.AAAA', '__proto__.AAAA', `k1.${'A'.repeat(37)}`])(
    '%j is refused',
    (sealed) => {
      expect(keys.open('grant 1', sealed)).toBeUndefined();
    },
  );
});

describe('a new secret in front of the old one', () => {
  const before = keyring(issuer, [old]);
  const both = keyring(issuer, [fresh, old]);
  const after = keyring(issuer, [fresh]);

  it('makes new values with the new one', () => {
    expect(both.currentKeyId).toBe('k2');
    expect(both.seal('c', 'text')).toMatch(/^k2\./);
    expect(both.mac('consent', 'data')).toBe(after.mac('consent', 'data'));
  });

  it('accepts what the old one made', () => {
    const mac = before.mac('consent', 'data') as string;
    expect(both.verifyMac('consent', 'data', mac, 'k1')).toBe(true);
    expect(both.open('c', before.seal('c', 'text'))).toBe('text');
  });

  it('does not take one for the other', () => {
    const mac = before.mac('consent', 'data') as string;
    expect(both.verifyMac('consent', 'data', mac, 'k2')).toBe(false);
    expect(both.open('c', before.seal('c', 'text').replace('k1.', 'k2.'))).toBeUndefined();
  });

  it('once the old one is gone, so is what it made', () => {
    expect(after.verifyMac('consent', 'data', before.mac('consent', 'data') as string, 'k1')).toBe(false);
    expect(after.open('c', before.seal('c', 'text'))).toBeUndefined();
  });
});

describe('a sealed value says whether it should be sealed again', () => {
  const [before, during, after] = [keyring(issuer, [old]), keyring(issuer, [fresh, old]), keyring(issuer, [fresh])];

  it.each([
    ['by the current key', before.seal('here', 'text'), before, { text: 'text', stale: false }],
    ['by an older key', before.seal('here', 'text'), during, { text: 'text', stale: true }],
    [
      'by the new key, read where it is not yet current',
      during.seal('here', 'text'),
      keyring(issuer, [old, fresh]),
      { text: 'text', stale: true },
    ],
    [
      'again',
      during.seal('here', during.open('here', before.seal('here', 'text')) ?? ''),
      after,
      { text: 'text', stale: false },
    ],
    ['by a key that is gone', before.seal('here', 'text'), after, undefined],
    ['elsewhere', before.seal('there', 'text'), before, undefined],
    ['by nobody', 'text', before, undefined],
  ])('sealed %s', (_, sealed, keys, expected) => {
    expect(keys.opened('here', sealed)).toEqual(expected);
  });
});
