/** RS256 and EdDSA beside ES256, against `jose` in both directions; a key and its algorithm belong together (RFC 8725 §3.1). */
import { generateKeyPairSync } from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { derToJose, type SigningAlgorithm, signingAlgorithms, signWith, verificationKey } from '../../src/oauth/jws.ts';

const pairs = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe.each(signingAlgorithms)('%s', (algorithm) => {
  const { privateKey, publicKey } = pairs[algorithm];
  const sign = signWith(algorithm, privateKey);
  const key = verificationKey(algorithm, publicKey);
  const data = `${encoded({ alg: algorithm })}.${encoded({ sub: 'person' })}`;

  it('jose accepts ours and we accept jose’s', async () => {
    for (let i = 0; i < 50; i++) {
      const input = `${encoded({ alg: algorithm })}.${encoded({ i })}`;
      await compactVerify(`${input}.${await sign(input)}`, publicKey, { algorithms: [algorithm] });
      const jws = await new CompactSign(Buffer.from(encoded({ i })))
        .setProtectedHeader({ alg: algorithm })
        .sign(privateKey);
      const end = jws.lastIndexOf('.');
      expect(key.verify(jws.slice(0, end), jws.slice(end + 1))).toBe(true);
    }
  });

  it('other data, another key and any flipped bit are refused', async () => {
    const signature = await sign(data);
    const bytes = Buffer.from(signature, 'base64url');
    expect(key.verify(`${data} `, signature)).toBe(false);
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(key.verify(data, flipped.toString('base64url'))).toBe(false);
    }
    const other = {
      ES256: ['ec', { namedCurve: 'P-256' }],
      RS256: ['rsa', { modulusLength: 2048 }],
      EdDSA: ['ed25519'],
    };
    const [type, options] = other[algorithm] as [never, never];
    const strange = generateKeyPairSync(type, options) as unknown as typeof pairs.ES256;
    expect(verificationKey(algorithm, strange.publicKey).verify(data, signature)).toBe(false);
  });

  it('a signature has one spelling', async () => {
    const signature = await sign(data);
    const last = alphabet.indexOf(signature.at(-1) as string);
    const respelled = signature.slice(0, -1) + (alphabet[last ^ 1] as string);
    expect(Buffer.from(respelled, 'base64url').equals(Buffer.from(signature, 'base64url'))).toBe(true);
    const standard = Buffer.from(signature, 'base64url').toString('base64');
    for (const spelling of [
      respelled,
      `${signature}=`,
      `${signature}\n`,
      ` ${signature}`,
      standard,
      '',
      'A',
      `${signature}AAAA`,
    ]) {
      expect(key.verify(data, spelling)).toBe(false);
    }
    expect(key.verify(data, signature)).toBe(true);
  });

  it.each(signingAlgorithms.filter((other) => other !== algorithm))('a key of %s is none of it', (other) => {
    expect(() => verificationKey(algorithm, pairs[other].publicKey)).toThrow(/The key is none for/);
    expect(() => signWith(algorithm, pairs[other].privateKey)).toThrow(/The key is none for/);
  });
});

it.each<[string, SigningAlgorithm, () => { publicKey: typeof pairs.RS256.publicKey }]>([
  ['RSA of 1,024 bits', 'RS256', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
  ['RSA-PSS', 'RS256', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
  ['P-384', 'ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['secp256k1', 'ES256', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
  ['Ed448', 'EdDSA', () => generateKeyPairSync('ed448')],
  ['X25519', 'EdDSA', () => generateKeyPairSync('x25519')],
])('%s is no key for %s', (_, algorithm, make) => {
  expect(() => verificationKey(algorithm, make().publicKey)).toThrow(TypeError);
});

it.each([
  ['nothing', ''],
  ['a sequence of nothing', '3000'],
  ['one integer', '3003020101'],
  ['an integer that is too long', `3026020101 0222 ${'01'.repeat(34)}`],
  ['an integer that ends outside', '3006020101027f01'],
  ['bytes at its end', '300602010102010100'],
  ['another type', '3006040101020101'],
])('%s is no ECDSA signature', (_, hex) => {
  expect(() => derToJose(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow(TypeError);
});
