/** Dynamic client registration (RFC 7591 §3): anybody may, within the budget, and what came out is echoed. */
import { OAuthError } from '../../oauth/error.ts';
import { type Endpoint, json, noStore } from '../../oauth/http.ts';
import { jsonBody } from '../../oauth/parameters.ts';
import { redirectUriFault } from '../../oauth/redirect-uri.ts';
import { budgetSpent } from '../budget.ts';
import type { ClientAuthMethod } from '../clients/client.ts';
import { logName } from '../credential.ts';
import type { Parts } from '../parts.ts';

const maxRedirectUris = 10;
/** All redirect URIs and the name together: they travel in the client id, and that in the authorize URL. */
const maxMetadataBytes = 2048;
const maxNameLength = 200;

const supportedGrantTypes = ['authorization_code', 'refresh_token'];
const authMethods: readonly string[] = ['none', 'client_secret_basic', 'client_secret_post'];

export function register(parts: Parts): Endpoint {
  const { registry, privateUseSchemes, allowsRedirect, registrationBudget, log, now } = parts;
  return async (request) => {
    const metadata = jsonBody(request);
    const redirectUris = readRedirectUris(metadata.redirect_uris, privateUseSchemes);
    const elsewhere = redirectUris.findIndex((uri) => !allowsRedirect(uri));
    if (elsewhere >= 0) {
      throw refuseRedirect(
        `redirect_uris[${elsewhere}] leads to a place this server sends nobody to.`,
        'register.redirect_host',
      );
    }
    const name = readName(metadata.client_name);
    const grantTypes = readGrantTypes(metadata.grant_types);
    const authMethod = readAuthMethod(metadata.token_endpoint_auth_method);
    readResponseTypes(metadata.response_types);
    if (Buffer.byteLength(JSON.stringify([name, ...redirectUris])) > maxMetadataBytes) {
      throw refuse(`client_name and redirect_uris together may have ${maxMetadataBytes} bytes.`, 'register.too_large');
    }
    const registration = { ...(name !== undefined && { name }), redirectUris, grantTypes, authMethod };
    // After the metadata: what is refused for itself costs the honest nothing of their budget.
    const waitSeconds = registrationBudget?.(request, registration) ?? 0;
    if (waitSeconds > 0) throw budgetSpent('register.budget', waitSeconds);
    const issuedAt = now();
    const { clientId, clientSecret } = await registry.issue(registration, issuedAt);
    log({ event: 'client.registered', client: logName(clientId), authMethod, redirectUris: redirectUris.length });
    const applicationType = registeredType(metadata.application_type, redirectUris);
    return json(
      201,
      {
        client_id: clientId,
        client_id_issued_at: issuedAt,
        ...(clientSecret !== undefined && { client_secret: clientSecret, client_secret_expires_at: 0 }),
        ...(name !== undefined && { client_name: name }),
        redirect_uris: redirectUris,
        grant_types: grantTypes,
        response_types: ['code'],
        token_endpoint_auth_method: authMethod,
        ...(applicationType && { application_type: applicationType }),
      },
      noStore,
    );
  };
}

/**
 * The type as it is registered (SEP-837, AS-31). No type gives a client anything here, and the redirect URIs obey one rule
 * whatever the type, so a contradiction is put right and not refused: `web` with redirect URIs on the person's own computer
 * alone is a native client (RFC 7591 §3.2.1: the server may replace metadata and says so). Mixtures stay, VS Code has one.
 */
function registeredType(value: unknown, redirectUris: readonly string[]): 'native' | 'web' | undefined {
  if (value === 'native') return 'native';
  if (value !== 'web') return undefined;
  const remote = redirectUris.some((uri) => uri.startsWith('https:'));
  return remote ? 'web' : 'native';
}

function readRedirectUris(value: unknown, privateUseSchemes: readonly string[]): readonly string[] {
  if (!isStrings(value) || value.length === 0) {
    throw refuseRedirect('redirect_uris must be a list of at least one URI.', 'register.redirect_uris');
  }
  if (value.length > maxRedirectUris) {
    throw refuseRedirect(`At most ${maxRedirectUris} redirect_uris can be registered.`, 'register.redirect_uris_many');
  }
  value.forEach((uri, index) => {
    const fault = redirectUriFault(uri, privateUseSchemes);
    if (fault) throw refuseRedirect(`redirect_uris[${index}] ${fault}.`, 'register.redirect_uri');
  });
  return [...new Set(value)];
}

function readName(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw refuse('client_name must be text.', 'register.name');
  if (value.length > maxNameLength) {
    throw refuse(`client_name may have ${maxNameLength} characters.`, 'register.name_long');
  }
  return value.isWellFormed() ? value : value.toWellFormed();
}

/** Unknown grant types are left out, not refused: VS Code lists the device grant, Claude `jwt-bearer`. */
function readGrantTypes(value: unknown): readonly string[] {
  if (value === undefined || value === null) return supportedGrantTypes;
  if (!isStrings(value)) throw refuse('grant_types must be a list of text.', 'register.grant_types');
  const grantTypes = supportedGrantTypes.filter((type) => value.includes(type));
  if (!grantTypes.includes('authorization_code')) {
    throw refuse('grant_types must include authorization_code.', 'register.grant_types_none');
  }
  return grantTypes;
}

function readResponseTypes(value: unknown): void {
  if (value === undefined || value === null) return;
  if (!isStrings(value) || !value.includes('code')) {
    throw refuse('response_types must include code.', 'register.response_types');
  }
}

/** Public unless a client asks for a secret: RFC 7591 §2 names another default, and §3.2.1 lets us set one and say so. */
function readAuthMethod(value: unknown): ClientAuthMethod {
  if (value === undefined || value === null) return 'none';
  if (typeof value !== 'string' || !authMethods.includes(value)) {
    throw refuse(`token_endpoint_auth_method must be one of ${authMethods.join(', ')}.`, 'register.auth_method');
  }
  return value as ClientAuthMethod;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_client_metadata', description, { reason });
}

function refuseRedirect(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_redirect_uri', description, { reason });
}
