/**
 * ES256 (RFC 7518 §3.4) on `node:crypto`. JWS wants the signature as R and S of 32 bytes each, OpenSSL speaks DER; the
 * two are converted here, because asking Node for the other form re-imports the key at every call on Node 24.
 */
import { type KeyObject, sign, verify } from 'node:crypto';

export function signEs256(data: string, key: KeyObject): string {
  return derToJose(sign('sha256', Buffer.from(data, 'ascii'), key)).toString('base64url');
}

export function verifyEs256(data: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64url');
  // A second spelling of the same bytes would be a second token to every cache that is keyed by text.
  if (bytes.length !== 64 || bytes.toString('base64url') !== signature) return false;
  return verify('sha256', Buffer.from(data, 'ascii'), key, joseToDer(bytes));
}

/** SEQUENCE { INTEGER r, INTEGER s }; with P-256 every length fits one byte. */
function derToJose(der: Buffer): Buffer {
  const out = Buffer.alloc(64);
  let offset = 2;
  for (const end of [32, 64]) {
    const length = der[offset + 1] as number;
    const start = offset + 2;
    const padding = Math.max(0, length - 32); // a leading zero keeps the INTEGER positive
    der.copy(out, end - (length - padding), start + padding, start + length);
    offset = start + length;
  }
  return out;
}

function joseToDer(jose: Buffer): Buffer {
  const integers = [jose.subarray(0, 32), jose.subarray(32)].map((number) => {
    let first = 0;
    while (first < 31 && number[first] === 0) first += 1;
    const magnitude = number.subarray(first);
    const zero = (magnitude[0] as number) & 0x80 ? [0] : [];
    return Buffer.from([0x02, magnitude.length + zero.length, ...zero, ...magnitude]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
