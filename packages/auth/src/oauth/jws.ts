/**
 * The signatures of RFC 7515 with the algorithms we use: ES256 and RS256 (RFC 7518 §3.3, §3.4), EdDSA with Ed25519
 * (RFC 8037 §3.1). An algorithm belongs to a key and is chosen when the key is loaded, never by a token (RFC 8725 §3.1).
 */
import { type KeyObject, sign, verify } from 'node:crypto';

/** JWS algorithms we sign with. RS256 is for verifiers that know nothing else, such as API Gateway's JWT authorizer. */
export type SigningAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

export const signingAlgorithms: readonly SigningAlgorithm[] = ['ES256', 'RS256', 'EdDSA'];

/** A key that signatures of ours verify with. */
export interface VerificationKey {
  readonly algorithm: SigningAlgorithm;
  /** `data` is the JWS signing input (RFC 7515 §5.2), ASCII; `signature` base64url in its one canonical spelling. */
  verify(data: string, signature: string): boolean;
}

/** Throws a `TypeError` if the key is not of the algorithm's kind, or an RSA key of less than 2,048 bits. */
export function verificationKey(algorithm: SigningAlgorithm, key: KeyObject): VerificationKey {
  const bytes = signatureBytes(algorithm, key);
  switch (algorithm) {
    case 'ES256':
      return { algorithm, verify: (data, signature) => verifyEs256(data, signature, key) };
    case 'RS256':
      return verifier(algorithm, bytes, (data, signature) => verify('sha256', data, key, signature));
    case 'EdDSA':
      return verifier(algorithm, bytes, (data, signature) => verify(null, data, key, signature));
  }
}

/** Signs the signing input; base64url. Rejects if the key is not of the algorithm's kind. */
export type Sign = (data: string) => Promise<string>;

export function signWith(algorithm: SigningAlgorithm, key: KeyObject): Sign {
  signatureBytes(algorithm, key);
  switch (algorithm) {
    case 'ES256':
      return async (data) => signEs256(data, key);
    case 'RS256':
      // A millisecond of arithmetic: on a thread of its own, so that it holds nobody else up.
      return (data) =>
        new Promise((resolve, reject) => {
          sign('sha256', Buffer.from(data, 'ascii'), key, (error, signature) => {
            if (error) reject(error);
            else resolve(signature.toString('base64url'));
          });
        });
    case 'EdDSA':
      return async (data) => sign(null, Buffer.from(data, 'ascii'), key).toString('base64url');
  }
}

export function signEs256(data: string, key: KeyObject): string {
  return derToJose(sign('sha256', Buffer.from(data, 'ascii'), key)).toString('base64url');
}

export function verifyEs256(data: string, signature: string, key: KeyObject): boolean {
  const bytes = canonical(signature, 64);
  return bytes !== undefined && verify('sha256', Buffer.from(data, 'ascii'), key, joseToDer(bytes));
}

/**
 * JWS wants an ECDSA signature as R and S of 32 bytes each, OpenSSL and KMS speak DER: SEQUENCE { INTEGER r, INTEGER s },
 * where with P-256 every length fits one byte. Converted here, because asking Node for the other form re-imports the
 * key at every call on Node 24.
 */
export function derToJose(der: Uint8Array): Buffer {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  const out = Buffer.alloc(64);
  let offset = 2;
  for (const end of [32, 64]) {
    const length = bytes[offset + 1] ?? 0;
    const start = offset + 2;
    const padding = Math.max(0, length - 32); // a leading zero keeps the INTEGER positive
    if (bytes[offset] !== 0x02 || length === 0 || length > 33 || start + length > bytes.length) {
      throw new TypeError('not the DER of an ECDSA signature over P-256');
    }
    bytes.copy(out, end - (length - padding), start + padding, start + length);
    offset = start + length;
  }
  if (bytes[0] !== 0x30 || bytes[1] !== bytes.length - 2 || offset !== bytes.length) {
    throw new TypeError('not the DER of an ECDSA signature over P-256');
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

function verifier(
  algorithm: SigningAlgorithm,
  bytes: number,
  check: (data: Buffer, signature: Buffer) => boolean,
): VerificationKey {
  return {
    algorithm,
    verify(data, signature) {
      const decoded = canonical(signature, bytes);
      return decoded !== undefined && check(Buffer.from(data, 'ascii'), decoded);
    },
  };
}

/** A second spelling of the same bytes would be a second token to every cache that is keyed by text. */
function canonical(signature: string, bytes: number): Buffer | undefined {
  if (signature.length !== Math.ceil((bytes * 4) / 3)) return undefined;
  const decoded = Buffer.from(signature, 'base64url');
  return decoded.length === bytes && decoded.toString('base64url') === signature ? decoded : undefined;
}

/** How long a signature of the key is; refuses a key that does not belong to the algorithm (RFC 8725 §3.1, §3.2). */
function signatureBytes(
  algorithm: SigningAlgorithm,
  { asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject,
): number {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  if (algorithm === 'ES256' && type === 'ec' && namedCurve === 'prime256v1') return 64;
  if (algorithm === 'EdDSA' && type === 'ed25519') return 64;
  // RFC 7518 §3.3: 2,048 bits or more.
  if (algorithm === 'RS256' && type === 'rsa' && modulusLength >= 2048) return Math.ceil(modulusLength / 8);
  throw new TypeError(`The key is none for ${algorithm}: ${[type, namedCurve, modulusLength || ''].join(' ').trim()}`);
}
