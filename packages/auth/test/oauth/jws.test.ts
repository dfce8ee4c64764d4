/** ES256 against `jose`, in both directions: RFC 7518 §3.4. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { signEs256, verifyEs256 } from '../../src/oauth/jws.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rounds = 1000;

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = encoded({ alg: 'ES256' });

/** A signature whose R or S, or both, begin with a zero byte: one in 256 does by itself. */
function signatureWith(fits: (r: Buffer, s: Buffer) => boolean): { data: string; signature: string } {
  for (let i = 0; i < 200_000; i++) {
    const data = `${header}.${encoded({ i })}`;
    const signature = signEs256(data, privateKey);
    const bytes = Buffer.from(signature, 'base64url');
    if (fits(bytes.subarray(0, 32), bytes.subarray(32))) return { data, signature };
  }
  throw new Error('none found');
}

const joseAccepts = (data: string, signature: string, key: KeyObject = publicKey) =>
  compactVerify(`${data}.${signature}`, key, { algorithms: ['ES256'] }).then(
    () => true,
    () => false,
  );

describe('ES256', () => {
  it(`jose accepts ${rounds} signatures of ours`, async () => {
    for (let i = 0; i < rounds; i++) {
      const data = `${header}.${encoded({ i })}`;
      const signature = signEs256(data, privateKey);
      expect(Buffer.from(signature, 'base64url')).toHaveLength(64);
      expect(await joseAccepts(data, signature)).toBe(true);
    }
  });

  it(`we accept ${rounds} signatures of jose`, async () => {
    for (let i = 0; i < rounds; i++) {
      const jws = await new CompactSign(Buffer.from(JSON.stringify({ i })))
        .setProtectedHeader({ alg: 'ES256' })
        .sign(privateKey);
      const end = jws.lastIndexOf('.');
      expect(verifyEs256(jws.slice(0, end), jws.slice(end + 1), publicKey)).toBe(true);
    }
  });

  it.each([
    ['R begins with a zero byte', (r: Buffer) => r[0] === 0],
    ['R begins with a zero byte and then a high bit', (r: Buffer) => r[0] === 0 && (r[1] as number) >= 0x80],
    ['S begins with a zero byte', (_: Buffer, s: Buffer) => s[0] === 0],
    ['S begins with a zero byte and then a high bit', (_: Buffer, s: Buffer) => s[0] === 0 && (s[1] as number) >= 0x80],
    ['both have a high bit', (r: Buffer, s: Buffer) => (r[0] as number) >= 0x80 && (s[0] as number) >= 0x80],
  ])('%s', async (_, fits) => {
    const { data, signature } = signatureWith(fits);
    expect(verifyEs256(data, signature, publicKey)).toBe(true);
    expect(await joseAccepts(data, signature)).toBe(true);
  });

  it('every flipped bit is refused', () => {
    const data = `${header}.${encoded({ a: 1 })}`;
    const bytes = Buffer.from(signEs256(data, privateKey), 'base64url');
    for (let bit = 0; bit < 512; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verifyEs256(data, flipped.toString('base64url'), publicKey)).toBe(false);
    }
  });

  it.each([
    ['nothing', ''],
    ['too short', Buffer.alloc(63, 1).toString('base64url')],
    ['too long', Buffer.alloc(65, 1).toString('base64url')],
    ['zeros (CVE-2022-21449)', Buffer.alloc(64).toString('base64url')],
    ['R zero', Buffer.concat([Buffer.alloc(32), Buffer.alloc(32, 1)]).toString('base64url')],
    ['S zero', Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32)]).toString('base64url')],
    ['all ones', Buffer.alloc(64, 0xff).toString('base64url')],
    ['not base64url', '!'.repeat(86)],
  ])('a signature that is %s is refused', (_, signature) => {
    expect(verifyEs256('a.b', signature, publicKey)).toBe(false);
  });

  it('a second spelling of the same bytes is refused', () => {
    const signature = signEs256('a.b', privateKey);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 86 characters hold 516 bits: the last four are nothing.
    const last = alphabet.indexOf(signature.at(-1) as string);
    const respelled = signature.slice(0, -1) + (alphabet[last ^ 1] as string);
    expect(Buffer.from(respelled, 'base64url').equals(Buffer.from(signature, 'base64url'))).toBe(true);
    for (const other of [respelled, `${signature}=`, `${signature}==`, `${signature}\n`, ` ${signature}`]) {
      expect(verifyEs256('a.b', other, publicKey)).toBe(false);
    }
    expect(verifyEs256('a.b', signature, publicKey)).toBe(true);
  });

  it('another key refuses', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(verifyEs256('a.b', signEs256('a.b', privateKey), other.publicKey)).toBe(false);
  });
});
