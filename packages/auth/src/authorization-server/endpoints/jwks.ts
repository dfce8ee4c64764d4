/** The public keys that access tokens verify with (RFC 7517 §5). */
import { type HttpReply, json } from '../../oauth/http.ts';
import type { Parts } from '../parts.ts';

export function jwks({ signer }: Parts): () => Promise<HttpReply> {
  return async () => json(200, await signer.jwks(), { 'cache-control': 'public, max-age=300' });
}
