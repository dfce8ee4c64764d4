/** The authorization server's metadata (RFC 8414 §3, OpenID Connect Discovery 1.0 §4): one document for every location. */
import { type HttpReply, json } from '../../oauth/http.ts';
import { authorizationServerMetadata } from '../../oauth/metadata.ts';
import { assertionAlgorithms } from '../assertion.ts';
import { jwtBearerGrantType } from '../clients/configured.ts';
import { idJagProfile } from '../grant-types/jwt-bearer.ts';
import type { Parts } from '../parts.ts';

export function metadata(parts: Parts & { readonly introspection: boolean }): () => Promise<HttpReply> {
  const { issuer, resources, signer, machineClients, assertionIssuers, metadataDocuments, introspection } = parts;
  const idJag = assertionIssuers.length > 0;
  return async () => {
    const document = authorizationServerMetadata({
      issuer,
      resources,
      signingAlgorithms: signer.algorithms, // asked each time: a rotation may change them
      assertionAlgorithms,
      furtherGrantTypes: [...(machineClients ? ['client_credentials'] : []), ...(idJag ? [jwtBearerGrantType] : [])],
      grantProfiles: idJag ? [idJagProfile] : [],
      metadataDocuments,
      registration: parts.registrationOpen,
      introspection,
    });
    return json(200, document, { 'cache-control': 'public, max-age=300' });
  };
}
