/** The authorization server's metadata (RFC 8414 §3, OpenID Connect Discovery 1.0 §4): one document for every location. */
import { type HttpReply, json } from '../../oauth/http.ts';
import { authorizationServerMetadata } from '../../oauth/metadata.ts';
import type { Parts } from '../parts.ts';

export function metadata({ issuer, resources, signer }: Parts): () => Promise<HttpReply> {
  const document = authorizationServerMetadata({ issuer, resources, signingAlgorithms: signer.algorithms });
  const reply = json(200, document, { 'cache-control': 'public, max-age=300' });
  return async () => reply;
}
