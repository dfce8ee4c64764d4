/**
 * What we ask of a key management service, in the words of AWS KMS's own API. The operator brings the client, a few lines
 * around their SDK, so that nobody else carries one (docs/guides/rotating-secrets.md).
 */
import { type OAuthError, unavailable } from '../oauth/error.ts';

/** AWS KMS's names for ES256, RS256 and EdDSA. */
export type KmsSigningAlgorithm = 'ECDSA_SHA_256' | 'RSASSA_PKCS1_V1_5_SHA_256' | 'ED25519_SHA_512';

export interface KmsSignRequest {
  readonly keyId: string;
  readonly signingAlgorithm: KmsSigningAlgorithm;
  /** `DIGEST`: the message is a SHA-256. `RAW`: the message itself, which KMS limits to 4,096 bytes. */
  readonly messageType: 'DIGEST' | 'RAW';
  readonly message: Uint8Array;
}

/** Additional data of a data key: what it was wrapped with it must be unwrapped with, and KMS writes it to its log. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** Every function rejects if it cannot; whatever the reason, we answer 503. `signal` is aborted when time is up. */
export interface KmsClient {
  /** The signature as KMS gives it: DER for ECDSA. */
  sign(request: KmsSignRequest, signal: AbortSignal): Promise<Uint8Array>;
  /** SubjectPublicKeyInfo, DER. */
  getPublicKey(request: { readonly keyId: string }, signal: AbortSignal): Promise<Uint8Array>;
  /** 32 bytes, in the clear and wrapped. */
  generateDataKey(
    request: { readonly keyId: string; readonly encryptionContext: EncryptionContext },
    signal: AbortSignal,
  ): Promise<{ readonly plaintext: Uint8Array; readonly ciphertext: Uint8Array }>;
  decrypt(
    request: { readonly keyId: string; readonly ciphertext: Uint8Array; readonly encryptionContext: EncryptionContext },
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}

/** One call, with an end: also where the client does not mind the signal. Throws `temporarily_unavailable`. */
export async function askKms<T>(timeoutSeconds: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeUp = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      call(timeUp.signal),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          const error = new Error(`KMS gave no answer within ${timeoutSeconds} seconds.`);
          reject(error);
          timeUp.abort(error);
        }, timeoutSeconds * 1000);
      }),
    ]);
  } catch (error) {
    throw kmsUnavailable(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Throttled, away, slow or forbidden: never the client's fault, so it comes again and keeps its tokens. */
function kmsUnavailable(cause: unknown): OAuthError {
  return unavailable('kms.unavailable', cause);
}
