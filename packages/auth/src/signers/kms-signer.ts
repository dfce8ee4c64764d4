/**
 * A signer whose private key never leaves a key management service. What it signs it also verifies, with the public key
 * in memory, before anybody gets it.
 */
import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto';
import { unavailable } from '../oauth/error.ts';
import { derToJose, type SigningAlgorithm, type VerificationKey, verificationKey } from '../oauth/jws.ts';
import { askKms, type KmsClient, type KmsSigningAlgorithm } from './kms-client.ts';
import { type Signer, signingInput } from './signer.ts';

export interface KmsKey {
  /** Id, ARN or alias, as the service knows it; of SIGN_VERIFY use. */
  readonly keyId: string;
  /** ES256 for ECC_NIST_P256, RS256 for RSA_2048 and larger, EdDSA for ECC_NIST_EDWARDS25519. */
  readonly algorithm: SigningAlgorithm;
}

export interface KmsSignerOptions extends KmsKey {
  readonly client: Pick<KmsClient, 'sign' | 'getPublicKey'>;
  /**
   * Published beside the signing key. To rotate, put the new key here everywhere; when caches of the JWKS are old, make
   * it the signing key and put the old one here; when its last token has expired, take it out.
   */
  readonly otherKeys?: readonly KmsKey[];
  readonly now: () => number;
  /** Until a call counts as unanswered; 3 unless given. */
  readonly timeoutSeconds?: number;
}

interface LoadedKey extends KmsKey {
  /** From the key itself, so that every instance gives it the same name without asking another. */
  readonly kid: string;
  readonly verification: VerificationKey;
  readonly jwk: JsonWebKey;
}

interface LoadedKeys {
  readonly current: LoadedKey;
  readonly byKid: ReadonlyMap<string, LoadedKey>;
}

const kmsAlgorithms: Readonly<Record<SigningAlgorithm, KmsSigningAlgorithm>> = {
  ES256: 'ECDSA_SHA_256',
  RS256: 'RSASSA_PKCS1_V1_5_SHA_256',
  EdDSA: 'ED25519_SHA_512',
};
/** How soon a service that failed is asked for its public keys again. */
const retrySeconds = 2;

export function kmsSigner(options: KmsSignerOptions): Signer {
  const { client, keyId, algorithm, otherKeys = [], now, timeoutSeconds = 3 } = options;
  let loaded: LoadedKeys | undefined;
  let loading: Promise<LoadedKeys> | undefined;
  let failed: { readonly at: number; readonly error: unknown } | undefined;

  // Once, since a KMS key never changes; single flight, and a failure is forgotten after a while (SEC-19).
  const load = async (): Promise<LoadedKeys> => {
    if (loaded) return loaded;
    if (failed && now() - failed.at < retrySeconds) throw failed.error;
    loading ??= read()
      .then((keys) => {
        loaded = keys;
        return keys;
      })
      .catch((error: unknown) => {
        failed = { at: now(), error };
        throw error;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };

  const read = async (): Promise<LoadedKeys> => {
    const [current, ...others] = await Promise.all([{ keyId, algorithm }, ...otherKeys].map(readKey));
    if (!current) throw new Error('There is always a first key.');
    return { current, byKid: new Map([current, ...others].map((key) => [key.kid, key])) };
  };

  const readKey = async (key: KmsKey): Promise<LoadedKey> => {
    const spki = await askKms(timeoutSeconds, (signal) => client.getPublicKey({ keyId: key.keyId }, signal));
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const kid = createHash('sha256').update(spki).digest('base64url');
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: key.algorithm, use: 'sig' };
    return { ...key, kid, jwk, verification: verificationKey(key.algorithm, publicKey) };
  };

  return {
    algorithms: [...new Set([algorithm, ...otherKeys.map((key) => key.algorithm)])],
    async ready() {
      await load();
    },
    async sign(type, claims) {
      const { current } = await load();
      const data = signingInput(current.algorithm, type, current.kid, claims);
      // A digest has one length; a token may be longer than what KMS takes. Ed25519 alone needs the message itself.
      const whole = current.algorithm === 'EdDSA';
      const given = await askKms(timeoutSeconds, (signal) =>
        client.sign(
          {
            keyId: current.keyId,
            signingAlgorithm: kmsAlgorithms[current.algorithm],
            messageType: whole ? 'RAW' : 'DIGEST',
            message: whole ? Buffer.from(data, 'ascii') : createHash('sha256').update(data, 'ascii').digest(),
          },
          signal,
        ),
      );
      const signature = asJose(current.algorithm, given);
      // An alias that was pointed at another key signs what no verifier accepts: found out here, not at every client.
      if (signature === undefined || !current.verification.verify(data, signature)) {
        throw unavailable(
          'kms.other_key',
          new Error('KMS signed with another key than the one whose public half it gave.'),
        );
      }
      return `${data}.${signature}`;
    },
    async jwks() {
      return { keys: [...(await load()).byKid.values()].map(({ jwk }) => jwk) };
    },
    verificationKey(kid) {
      if (loaded) return loaded.byKid.get(kid)?.verification;
      return load().then(({ byKid }) => byKid.get(kid)?.verification);
    },
  };
}

function asJose(algorithm: SigningAlgorithm, signature: Uint8Array): string | undefined {
  try {
    return (algorithm === 'ES256' ? derToJose(signature) : Buffer.from(signature)).toString('base64url');
  } catch {
    return undefined;
  }
}
