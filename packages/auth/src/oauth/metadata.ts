/** Discovery documents and where they stand: RFC 8414, OpenID Connect Discovery 1.0, RFC 9728. Pure. */
import type { Resource } from './resource.ts';
import { defaultScopeOf } from './resource.ts';

/** The issuer's URL in two parts: `https://example.com` and `/tenant1` (or nothing). */
function split(uri: string): { origin: string; path: string } {
  const { origin } = new URL(uri);
  return { origin, path: uri.slice(origin.length).replace(/\/$/, '') };
}

/** The authorization server's own paths, all below the issuer's. */
export function endpointPaths(issuer: string) {
  const { path } = split(issuer);
  return {
    authorize: `${path}/authorize`,
    consent: `${path}/consent`,
    callback: `${path}/callback`,
    token: `${path}/token`,
    register: `${path}/register`,
    revoke: `${path}/revoke`,
    introspect: `${path}/introspect`,
    connections: `${path}/connections`,
    connectionsChange: `${path}/connections/change`,
    jwks: `${path}/.well-known/jwks.json`,
  } as const;
}

export type EndpointPaths = ReturnType<typeof endpointPaths>;

/**
 * Every path a client may look for the authorization server's metadata at: RFC 8414 §3.1 inserts the well-known part
 * before the issuer's path, OpenID Connect Discovery §4 appends it, and MCP clients try all of them in turn.
 */
export function authorizationServerMetadataPaths(issuer: string): readonly string[] {
  const { path } = split(issuer);
  return [
    ...new Set([
      `/.well-known/oauth-authorization-server${path}`,
      `/.well-known/openid-configuration${path}`,
      `${path}/.well-known/openid-configuration`,
      `${path}/.well-known/oauth-authorization-server`,
    ]),
  ];
}

export interface AuthorizationServerFacts {
  /** Exactly as configured: clients compare it byte for byte (RFC 8414 §3.3). */
  readonly issuer: string;
  readonly resources: readonly Resource[];
  readonly signingAlgorithms: readonly string[];
  /** Of clients' own assertions (`private_key_jwt`). */
  readonly assertionAlgorithms: readonly string[];
  /** Grant types beside codes and refresh tokens. */
  readonly furtherGrantTypes: readonly string[];
  readonly grantProfiles: readonly string[];
  readonly metadataDocuments: boolean;
  /** Whether clients may register themselves. */
  readonly registration: boolean;
  /** Whether any client may ask about tokens. */
  readonly introspection: boolean;
}

const publicMethods = ['none'];
const confidentialMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

/** RFC 8414 §2, with the members OpenID Connect Discovery requires, so that one document serves both. */
export function authorizationServerMetadata(facts: AuthorizationServerFacts) {
  const { issuer, resources, signingAlgorithms, assertionAlgorithms } = facts;
  const { origin } = split(issuer);
  const paths = endpointPaths(issuer);
  const scopes = new Set(resources.flatMap((resource) => Object.keys(resource.scopes)));
  return {
    issuer,
    authorization_endpoint: origin + paths.authorize,
    token_endpoint: origin + paths.token,
    ...(facts.registration && { registration_endpoint: origin + paths.register }),
    jwks_uri: origin + paths.jwks,
    // SEP-2207: refresh is announced here, and never in a challenge or in the resource's metadata.
    scopes_supported: [...scopes, 'offline_access'],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', ...facts.furtherGrantTypes],
    ...(facts.grantProfiles.length > 0 && { authorization_grant_profiles_supported: [...facts.grantProfiles] }),
    token_endpoint_auth_methods_supported: [...publicMethods, ...confidentialMethods],
    token_endpoint_auth_signing_alg_values_supported: [...assertionAlgorithms],
    revocation_endpoint: origin + paths.revoke,
    revocation_endpoint_auth_methods_supported: [...publicMethods, ...confidentialMethods],
    revocation_endpoint_auth_signing_alg_values_supported: [...assertionAlgorithms],
    ...(facts.introspection && {
      introspection_endpoint: origin + paths.introspect,
      introspection_endpoint_auth_methods_supported: [...confidentialMethods],
      introspection_endpoint_auth_signing_alg_values_supported: [...assertionAlgorithms],
    }),
    ...(facts.metadataDocuments && { client_id_metadata_document_supported: true }),
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...signingAlgorithms],
    protected_resources: resources.map((resource) => resource.uri),
  };
}

/** Where a resource's metadata stands: path-inserted (RFC 9728 §3.1). */
export function protectedResourceMetadataUrl(resource: string): string {
  const { origin } = new URL(resource);
  const rest = resource.slice(origin.length).replace(/^\/$/, '');
  return `${origin}/.well-known/oauth-protected-resource${rest}`;
}

/** RFC 9728 §2. `scopes_supported` is the minimal set: clients without a challenge ask for all of it. */
export function protectedResourceMetadata(resource: Resource, issuer: string) {
  return {
    resource: resource.uri,
    authorization_servers: [issuer],
    scopes_supported: [...defaultScopeOf(resource)],
    bearer_methods_supported: ['header'],
    ...(resource.name !== undefined && { resource_name: resource.name }),
  };
}
