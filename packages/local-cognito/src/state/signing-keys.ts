/** The pool's two RS256 keys: like Cognito, one signs ID tokens and the other access tokens (RFC 7515, 7517). */
import { createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { State } from './state-file.ts';
import { StateError } from './state-file.ts';

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: JWK;
}

export interface SigningKeys {
  readonly id: SigningKey;
  readonly access: SigningKey;
}

const generate = promisify(generateKeyPair);

/** The keys of the state, made and saved the first time. */
export async function loadSigningKeys(state: State): Promise<SigningKeys> {
  if (!state.data.keys) {
    const [id, access] = await Promise.all([newPrivateJwk(), newPrivateJwk()]);
    state.data.keys = { id, access };
    await state.save();
  }
  const { keys } = state.data;
  try {
    return { id: await toSigningKey(keys.id), access: await toSigningKey(keys.access) };
  } catch {
    throw new StateError('the signing keys in the state file are damaged; delete the file to start afresh');
  }
}

async function newPrivateJwk(): Promise<Record<string, unknown>> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }) };
}

async function toSigningKey(jwk: Record<string, unknown>): Promise<SigningKey> {
  const privateKey = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const publicKey = createPublicKey(privateKey);
  const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string };
  // Cognito's key ids are padded base64, not base64url: parsers that trip over "+", "/" or "=" should trip here.
  const thumbprint = await calculateJwkThumbprint({ kty: 'RSA', n, e });
  const kid = Buffer.from(thumbprint, 'base64url').toString('base64');
  return { kid, privateKey, publicKey, publicJwk: { alg: 'RS256', e, kid, kty: 'RSA', n, use: 'sig' } };
}
