/** What a form of the authorization server's metadata must have (RFC 8414 §2; OpenID Connect Discovery 1.0 §3), as both SDKs insist. */
import type { ServerMetadataForm } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { type KnownServer, list, ofServers } from './observe.ts';

const ofOAuth = ['response_types_supported'];
const ofOpenId = [...ofOAuth, 'jwks_uri', 'subject_types_supported', 'id_token_signing_alg_values_supported'];
const requiredMembers: Readonly<Record<ServerMetadataForm, readonly string[]>> = {
  oauth: ofOAuth,
  openid: ofOpenId,
  'openid-appended': ofOpenId,
};

/** Beside the issuer and the endpoints, which have rules of their own. Of the document that clients use. */
export function lackingMembers({ documents, metadata, metadataUrl }: KnownServer): readonly string[] {
  const form = documents.find(({ fetched }) => fetched.url === metadataUrl)?.form ?? 'oauth';
  return requiredMembers[form].filter((name) =>
    name === 'jwks_uri' ? metadata[name] === undefined : !isListOfWords(metadata[name]),
  );
}

function isListOfWords(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

export const requiredMemberRules: Rules = [
  {
    id: 'server.member-missing',
    severity: 'fault',
    title: 'The metadata lacks what its form requires',
    why: 'Both TypeScript SDKs refuse the whole document, and with them mcp-remote, the Inspector and many others: nobody gets to sign in. An OpenID document is held to the rules of OpenID Connect, even where it is the only one and nobody wants an id_token.',
    spec: 'RFC 8414 §2; OpenID Connect Discovery 1.0 §3',
    cure: 'Add them: "response_types_supported": ["code"]; in the OpenID form "subject_types_supported": ["public"], "id_token_signing_alg_values_supported" and "jwks_uri", too. Or serve the document at /.well-known/oauth-authorization-server, which clients try first and which needs only the first of them.',
    check: (facts) =>
      ofServers(facts, (server) => {
        const lacking = lackingMembers(server);
        return lacking.length === 0 ? undefined : `Not in ${server.metadataUrl}, or no list there: ${list(lacking)}`;
      }),
  },
];
