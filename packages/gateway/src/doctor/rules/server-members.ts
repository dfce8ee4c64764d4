/** What clients look for in the authorization server's metadata: endpoints, PKCE, `iss`, how to become known (RFC 8414 §2). */
import { isLoopbackHost } from '../../loopback.ts';
import { bearerParameter } from '../challenge.ts';
import type { Facts } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { isHttpUrl } from '../probe/metadata.ts';
import { firstAnswer, type KnownServer, list, ofServers, usedResourceMetadata, words } from './observe.ts';

export const serverMemberRules: Rules = [
  {
    id: 'server.endpoint-missing',
    severity: 'fault',
    title: 'The metadata lacks an endpoint',
    why: 'The SDKs refuse the whole document, and others have nowhere to go.',
    spec: 'RFC 8414 §2',
    cure: 'Add authorization_endpoint and token_endpoint.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) => {
        const missing = requiredEndpoints.filter((name) => metadata[name] === undefined);
        return missing.length > 0 ? list(missing) : undefined;
      }),
  },
  {
    id: 'server.endpoint-form',
    severity: 'fault',
    title: 'An endpoint is no absolute URL',
    why: 'The SDKs refuse the whole document.',
    spec: 'RFC 8414 §2',
    cure: 'Write whole URLs, with https and the public host.',
    check: (facts) => ofEndpoints(facts, (value) => !isHttpUrl(value)),
  },
  {
    id: 'server.endpoint-plain-http',
    severity: 'fault',
    title: 'An endpoint is plain http',
    why: 'Codes and tokens travel readable; clients refuse. Usually TLS ends before a server that does not know it.',
    spec: 'MCP 2026-07-28, Security Considerations, “Communication Security”',
    cure: 'Set the public URL, or have the server trust X-Forwarded-Proto.',
    check: (facts) =>
      // Where the MCP server itself is reached that way, that is the fault.
      ofEndpoints(facts, (value) => isHttpUrl(value) && isPlain(value) && !isSameOrigin(value, facts.endpoint?.url)),
  },
  {
    id: 'server.endpoint-inner',
    severity: 'fault',
    title: 'An endpoint is an inner name',
    why: 'The metadata of a public server leads to this very computer, where every client looks at itself.',
    spec: 'RFC 8414 §2',
    cure: 'Set the server’s public URL (not the address it listens on).',
    check: (facts) =>
      ofEndpoints(
        facts,
        (value) =>
          isHttpUrl(value) &&
          isLoopbackHost(new URL(value).hostname) &&
          !isLoopbackHost(new URL(facts.typed.url).hostname),
      ),
  },
  {
    id: 'server.no-pkce',
    severity: 'fault',
    title: 'PKCE with S256 is not announced',
    why: 'Clients must refuse to go on where code_challenge_methods_supported lacks S256.',
    spec: 'MCP 2026-07-28, Security Considerations, “Authorization Code Protection”; RFC 8414 §2',
    cure: 'Add "code_challenge_methods_supported": ["S256"], in the OpenID document, too. Cognito and Entra do PKCE and do not say so: something before them has to.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        words(metadata.code_challenge_methods_supported).includes('S256')
          ? undefined
          : `code_challenge_methods_supported is ${gist(metadata.code_challenge_methods_supported)}.`,
      ),
  },
  {
    id: 'server.pkce-plain',
    severity: 'note',
    title: 'PKCE with “plain” is announced',
    why: 'It protects nothing that is read on the way.',
    spec: 'RFC 9700 §2.1.1; OAuth 2.1 §7.5.2',
    cure: 'Accept S256 only.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        words(metadata.code_challenge_methods_supported).includes('plain')
          ? list(words(metadata.code_challenge_methods_supported))
          : undefined,
      ),
  },
  {
    id: 'server.no-iss',
    severity: 'warning',
    title: 'It does not announce iss in its answers',
    why: 'ChatGPT then uses a redirect URI and a document for each connector. Clients with several servers cannot tell whose answer they got.',
    spec: 'RFC 9207; MCP 2026-07-28, Authorization, “Authorization Response” (SEP-2468)',
    cure: 'Send iss with every answer, errors included, and announce authorization_response_iss_parameter_supported: true.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        metadata.authorization_response_iss_parameter_supported === true
          ? undefined
          : 'authorization_response_iss_parameter_supported is not true.',
      ),
  },
  {
    id: 'server.no-code',
    severity: 'fault',
    title: 'It does not do the authorization code grant',
    why: 'It is the only way in which a person signs in from an MCP client.',
    spec: 'RFC 8414 §2; OAuth 2.1 §4.1',
    cure: 'Announce response_types_supported: ["code"], and authorization_code among the grant types.',
    check: (facts) =>
      ofServers(facts, ({ metadata: { response_types_supported: types, grant_types_supported: grants } }) =>
        (types !== undefined && !words(types).includes('code')) ||
        (grants !== undefined && !words(grants).includes('authorization_code'))
          ? `response_types_supported ${gist(types)}, grant_types_supported ${gist(grants)}`
          : undefined,
      ),
  },
  {
    id: 'server.no-refresh',
    severity: 'warning',
    title: 'It announces no refresh tokens',
    why: 'Clients do not ask for them, and people sign in again each time the access token expires.',
    spec: 'RFC 8414 §2 (without the member: authorization_code and implicit)',
    cure: 'Add refresh_token to grant_types_supported.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        words(metadata.grant_types_supported).includes('refresh_token')
          ? undefined
          : `grant_types_supported is ${gist(metadata.grant_types_supported)}.`,
      ),
  },
  {
    id: 'server.no-public-clients',
    severity: 'warning',
    title: 'It announces no clients without a secret',
    why: 'Claude uses its metadata document only where none is listed. Programs on people’s computers cannot keep a secret; some give up here.',
    spec: 'RFC 8414 §2 (without the member: client_secret_basic)',
    cure: 'Add none to token_endpoint_auth_methods_supported, and accept public clients with PKCE.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        words(metadata.token_endpoint_auth_methods_supported).includes('none')
          ? undefined
          : `token_endpoint_auth_methods_supported is ${gist(metadata.token_endpoint_auth_methods_supported)}.`,
      ),
  },
  {
    id: 'server.no-registration',
    severity: 'fault',
    title: 'Clients cannot make themselves known',
    why: 'There is neither registration nor support for metadata documents: only clients that were set up by hand can sign in. Claude Code says “does not support dynamic client registration”.',
    spec: 'MCP 2026-07-28, Client Registration',
    cure: 'Support Client ID Metadata Documents and registration, or put something before it that does (gatehouse serve).',
    check: (facts) =>
      ofServers(facts, (server) =>
        !documents(server) && !registers(server)
          ? `Neither registration_endpoint nor client_id_metadata_document_supported at ${server.issuer}.`
          : undefined,
      ),
  },
  {
    id: 'server.no-documents',
    severity: 'note',
    title: 'It does not support Client ID Metadata Documents',
    why: 'Registration, which it has, is deprecated in their favour.',
    spec: 'MCP 2026-07-28, Client Registration; draft-ietf-oauth-client-id-metadata-document',
    cure: 'Support them, and announce client_id_metadata_document_supported: true.',
    check: (facts) =>
      ofServers(facts, (server) =>
        !documents(server) && registers(server) ? 'client_id_metadata_document_supported is not true.' : undefined,
      ),
  },
  {
    id: 'server.no-dynamic-registration',
    severity: 'warning',
    title: 'It has no registration',
    why: 'Cursor, Gemini CLI, mcp-remote and the Inspector have no metadata document: they can only be set up by hand.',
    spec: 'RFC 7591; MCP 2026-07-28, Client Registration',
    cure: 'Offer a registration endpoint, too, for as long as these clients need it.',
    check: (facts) =>
      ofServers(facts, (server) =>
        documents(server) && !registers(server) ? 'There is no registration_endpoint.' : undefined,
      ),
  },
  {
    id: 'server.no-offline-access',
    severity: 'note',
    title: 'offline_access is not among its scopes',
    why: 'Clients that follow SEP-2207 ask for refresh tokens only where it is listed.',
    spec: 'MCP 2026-07-28, Authorization, “Refresh Tokens”',
    cure: 'List it in scopes_supported of the authorization server, and nowhere else.',
    check: (facts) =>
      ofServers(facts, ({ metadata }) =>
        !words(metadata.scopes_supported).includes('offline_access') &&
        words(metadata.grant_types_supported).includes('refresh_token')
          ? 'Refresh tokens are announced, offline_access is not.'
          : undefined,
      ),
  },
  {
    id: 'server.unknown-scope',
    severity: 'warning',
    title: 'The resource asks for a scope that the authorization server does not list',
    why: 'Clients ask for it and get invalid_scope, or tokens without it.',
    spec: 'RFC 8414 §2; RFC 9728 §2',
    cure: 'Define the scope at the authorization server, or ask for another.',
    check: (facts) => {
      const asked =
        bearerParameter(firstAnswer(facts), 'scope')?.split(' ') ??
        words(usedResourceMetadata(facts)?.scopes_supported);
      return ofServers(facts, ({ metadata }) => {
        const known = words(metadata.scopes_supported);
        const unknown = asked.filter((scope) => scope !== '' && !known.includes(scope));
        // A list may be partial (RFC 8414 §2), so its absence says nothing.
        return known.length > 0 && unknown.length > 0
          ? `${list(unknown)}; listed: ${list(known.slice(0, 20))}`
          : undefined;
      });
    },
  },
];

const requiredEndpoints = ['authorization_endpoint', 'token_endpoint'];
const endpoints = [...requiredEndpoints, 'registration_endpoint', 'revocation_endpoint', 'jwks_uri'];

function ofEndpoints(facts: Facts, is: (value: unknown) => boolean) {
  return ofServers(facts, ({ metadata }) => {
    const found = endpoints.filter((name) => metadata[name] !== undefined && is(metadata[name]));
    return found.length === 0 ? undefined : found.map((name) => `${name} ${gist(metadata[name])}`).join(', ');
  });
}

function isPlain(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopbackHost(hostname);
}

function isSameOrigin(url: string, other: string | undefined): boolean {
  return other !== undefined && new URL(url).origin === new URL(other).origin;
}

function registers({ metadata }: KnownServer): boolean {
  return metadata.registration_endpoint !== undefined;
}

function documents({ metadata }: KnownServer): boolean {
  return metadata.client_id_metadata_document_supported === true;
}

function gist(value: unknown): string {
  return JSON.stringify(value) ?? 'absent';
}
