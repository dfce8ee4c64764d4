/** A key management service in this process: it really signs and really wraps, and fails as it is told. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  privateEncrypt,
  randomBytes,
  sign,
} from 'node:crypto';
import type { SigningAlgorithm } from '../../src/oauth/jws.ts';
import type { EncryptionContext, KmsClient, KmsSignRequest } from '../../src/signers/kms-client.ts';

export class ThrottlingException extends Error {}

export interface FakeKms extends KmsClient {
  readonly calls: string[];
  readonly signed: KmsSignRequest[];
  /** What happens to the next calls instead: throttled, or no answer at all, whatever the signal says. */
  trouble: ((call: string) => 'throttled' | 'silent' | undefined) | undefined;
  /** Points an alias at another key. */
  alias(name: string, keyId: string): void;
}

export function fakeKms(keys: Readonly<Record<string, SigningAlgorithm>> = {}): FakeKms {
  const pairs = new Map<string, { algorithm: SigningAlgorithm; pair: KeyPairKeyObjectResult }>();
  for (const [keyId, algorithm] of Object.entries(keys)) pairs.set(keyId, { algorithm, pair: generate(algorithm) });
  const aliases = new Map<string, string>();
  const wrapping = randomBytes(32);
  const find = (keyId: string) => {
    const found = pairs.get(aliases.get(keyId) ?? keyId);
    if (!found) throw new Error(`NotFoundException: ${keyId}`);
    return found;
  };
  const call = async <T>(name: string, answer: () => T): Promise<T> => {
    self.calls.push(name);
    const trouble = self.trouble?.(name);
    if (trouble === 'throttled') throw new ThrottlingException('You have exceeded the rate at which you may call KMS.');
    if (trouble === 'silent') return new Promise(() => {});
    return answer();
  };
  const self: FakeKms = {
    calls: [],
    signed: [],
    trouble: undefined,
    alias: (name, keyId) => aliases.set(name, keyId),
    sign: (request) =>
      call('sign', () => {
        self.signed.push(request);
        const { algorithm, pair } = find(request.keyId);
        const message = Buffer.from(request.message);
        if (request.messageType === 'RAW' && message.length > 4096) throw new Error('ValidationException: message');
        if (request.messageType === 'DIGEST' && message.length !== 32) throw new Error('ValidationException: digest');
        const expected = { ES256: 'ECDSA_SHA_256', RS256: 'RSASSA_PKCS1_V1_5_SHA_256', EdDSA: 'ED25519_SHA_512' };
        if (request.signingAlgorithm !== expected[algorithm]) throw new Error('InvalidKeyUsageException');
        if (algorithm === 'EdDSA') return sign(null, message, pair.privateKey);
        return signDigest(algorithm, message, pair);
      }),
    getPublicKey: ({ keyId }) =>
      call('getPublicKey', () => find(keyId).pair.publicKey.export({ format: 'der', type: 'spki' })),
    generateDataKey: ({ encryptionContext }) =>
      call('generateDataKey', () => {
        const plaintext = randomBytes(32);
        const iv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', wrapping, iv).setAAD(additional(encryptionContext));
        const ciphertext = Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
        return { plaintext, ciphertext };
      }),
    decrypt: ({ ciphertext, encryptionContext }) =>
      call('decrypt', () => {
        const decipher = createDecipheriv('aes-256-gcm', wrapping, ciphertext.subarray(0, 12));
        decipher.setAAD(additional(encryptionContext)).setAuthTag(ciphertext.subarray(-16));
        return Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]);
      }),
  };
  return self;
}

function generate(algorithm: SigningAlgorithm): KeyPairKeyObjectResult {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  return algorithm === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** KMS signs digests and Node only messages: RSA by its raw operation, ECDSA (FIPS 186-5 §6.4.1) by hand. */
function signDigest(algorithm: SigningAlgorithm, digest: Buffer, { privateKey }: KeyPairKeyObjectResult): Buffer {
  if (algorithm === 'RS256') {
    // RFC 8017 §9.2: the DigestInfo of SHA-256, which is padded and signed.
    const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), digest]);
    return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, info);
  }
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const number = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
  const once = createECDH('prime256v1');
  once.generateKeys();
  const r = number(once.getPublicKey().subarray(1, 33)) % n;
  const d = number(Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'));
  const s = (power(number(once.getPrivateKey()), n - 2n, n) * (number(digest) + r * d)) % n;
  const integers = Buffer.concat([r, s].map(derInteger));
  return Buffer.concat([Buffer.from([0x30, integers.length]), integers]);
}

function derInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const positive = (bytes[0] as number) & 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let [b, e] = [base % modulus, exponent]; e > 0n; e >>= 1n, b = (b * b) % modulus) {
    if (e & 1n) result = (result * b) % modulus;
  }
  return result;
}

function additional(context: EncryptionContext): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort()), 'utf8');
}
